use alloc::vec::Vec;

use super::*;

/// Ten gaps of so many seconds, of which each may make requests late.
pub(in crate::signal::forecast) fn ten(seconds: u64) -> Gaps {
    let mut gaps = Gaps::default();
    for _ in 0..10 {
        gaps.saw(seconds * SECOND + SECOND / 2);
    }
    gaps
}

#[test]
fn without_data_the_last_worker_costs_at_most_twice_what_who_knows_the_future_pays() {
    // To keep it for a gap costs the gap, to order it again a cold start and one late request.
    let (start, worth) = (30_u64, 100_u64);
    let again = (start + worth) * SECOND;
    for gap in (1..2_000).map(|gap| gap * SECOND) {
        let paid = match Gaps::default().cheapest(start * MICRO, worth * MICRO, 1, gap - 1) {
            Keep::Until(_) => gap,
            _ => again + again,
        };
        assert!(paid <= 2 * gap.min(again), "{gap}: {paid}");
    }
}

#[test]
fn gaps_are_told_by_quarters_of_an_octave() {
    for (gap, bin) in [
        (SECOND - 1, None),
        (SECOND, Some(0)),
        (1_189_207_114, Some(0)),
        (1_189_207_115, Some(1)),
        (1_999_999_999, Some(3)),
        (2 * SECOND, Some(4)),
        (3 * SECOND, Some(6)),
        (600 * SECOND, Some(36)),
        (32_768 * SECOND, Some(60)),
        (500_000 * SECOND, Some(63)),
    ] {
        let mut gaps = Gaps::default();
        gaps.saw(gap);
        assert_eq!(gaps.octaves.as_flattened().iter().position(|count| *count == UNIT), bin, "{gap} ns");
        assert!(bin.is_none_or(|bin| lower(bin) <= gap && (gap < edge(bin + 1) || bin == BINS - 1)), "{gap} ns");
    }
}

#[test]
fn a_gap_counts_in_its_bin_and_half_of_it_beside() {
    let mut gaps = Gaps::default();
    gaps.saw(600 * SECOND);
    let weights: Vec<u64> = gaps.weights().into_iter().skip(34).take(5).collect();
    let never = |bin: usize| longer(lower(bin)) - longer(lower(bin + 1));
    let seen = |bin: usize| [0, 16, 32, 16, 0][bin - 34] * FINE;
    assert_eq!(
        weights,
        (34..39).map(|bin| seen(bin) + never(bin)).collect::<Vec<_>>(),
        "in 64ths, beside the one never seen"
    );
    assert_eq!(missed_by(&gaps.weights(), Watch::NEVER), 2 * PARTS, "one that was seen, and one that was not");
    assert_eq!(missed_by(&gaps.weights(), Watch::ALWAYS), PARTS >> 16, "or one longer than 18 hours, at one in 65,536");
}

#[test]
fn who_knows_nothing_waits_as_long_as_a_start_costs() {
    for again in [4, 30, 130, 1_000, 10_000] {
        let watch = watch(&Gaps::default().weights(), MICRO, again * MICRO);
        let until = edge((0..BINS).position(|bin| !watch.covers(bin)).unwrap());
        let quarter = |by: u64| by * SECOND * 6 / 5;
        assert!(until <= quarter(again) && again * SECOND <= until * 6 / 5, "{again}: {until}");
    }
}

#[test]
fn a_budget_is_kept_at_the_least_price_of_a_miss() {
    // Ten gaps, and one that was never seen: 11 late requests without a worker.
    let mut gaps = ten(60);
    let watch = |gaps: &Gaps, budget: u64| gaps.within_budget(30 * MICRO, gaps.late(), budget * MICRO, None);
    assert_eq!(watch(&gaps, 11), Watch::NEVER);
    let there = watch(&gaps, 4);
    assert!(there.covers(23) && !there.covers(60), "{there:?}");
    assert_eq!(watch(&gaps, 0), Watch::ALWAYS);
    assert_eq!(gaps.within_budget(30 * MICRO, 0, 0, None), Watch::NEVER, "where nobody is late so, nobody is missed");
    let up_to = |budget: u64, most: u64| gaps.within_budget(30 * MICRO, MICRO, budget * MICRO, Some(most * MICRO));
    assert_eq!([up_to(4, 10_000), up_to(4, 31)], [there, Watch::NEVER], "a minute is dearer than a start and one");
    assert_eq!(up_to(0, 40), super::watch(&gaps.weights(), 30 * MICRO, 40 * MICRO), "and for ever is dearer than all");
    for budget in 1..11 {
        let missed = missed_by(&gaps.weights(), watch(&gaps, budget));
        assert!(missed <= budget * PARTS, "{budget}: {missed}");
    }
    let from = |gaps: &Gaps, budget: u64| [budget - 1, budget].map(|budget| watch(gaps, budget) == Watch::NEVER);
    (0..10).for_each(|_| gaps.woke(4));
    assert_eq!(from(&gaps, 44), [false, true], "four each");
    gaps.woke(14);
    assert_eq!(from(&gaps, 55), [false, true], "five: one of ten made it 14");
    gaps.fade();
    assert_eq!(from(&gaps, 51), [false, true], "146 of 160 are remembered");
}

#[test]
fn the_cheapest_stretches_are_found_among_the_gaps_that_were_seen() {
    let mut gaps = Gaps::default();
    (0..9).for_each(|_| gaps.saw(60 * SECOND));
    let cheapest = |gaps: &Gaps, start: u64, worth: u64, silence: u64| {
        gaps.cheapest(start * MICRO, worth * MICRO, 1, silence * SECOND)
    };
    assert_eq!(cheapest(&gaps, 9, 1, 0), Keep::Until(10 * SECOND), "nine gaps say nothing: as long as a start costs");
    gaps.saw(60 * SECOND);
    assert_eq!(cheapest(&gaps, 9, 1, 0), Keep::Until(9 * SECOND / 8), "a minute is dearer than a start");
    assert_eq!(cheapest(&gaps, 9, 1, 9), Keep::GONE);
    assert_eq!(
        cheapest(&gaps, 60, 100, 0),
        Keep::Until(edge(29)),
        "and cheaper than a start and 100: longer is not known"
    );
    let from = lower(22) - 2 * SECOND;
    assert_eq!(cheapest(&gaps, 2, 100, 4), Keep::Gone(from), "half a minute without is worth a start of two seconds");
    assert_eq!(cheapest(&gaps, 2, 100, 50), Keep::Again(edge(26)));
    assert_eq!(cheapest(&gaps, 2, 100, 91), Keep::GONE);
}

#[test]
fn what_is_chosen_costs_no_more_than_any_other_stay_and_return() {
    let mut gaps = ten(20);
    (0..7).for_each(|_| gaps.saw(900 * SECOND));
    let cost = |watch: Watch, start: u64, missed: u64| {
        let (mut sum, mut longer, mut there) = (0, missed_by(&gaps.weights(), Watch::NEVER), true);
        for (bin, ends) in gaps.weights().into_iter().enumerate() {
            if watch.covers(bin) {
                sum += if there { 0 } else { longer * start };
                sum += longer * ((edge(bin + 1) - lower(bin)) / 1_000);
            } else {
                sum += ends * missed;
            }
            there = watch.covers(bin);
            longer -= ends;
        }
        sum
    };
    for (start, missed) in [(30, 31), (2, 100), (30, 400), (120, 5_000), (1, 100_000)] {
        let (start, missed) = (start * MICRO, missed * MICRO);
        let least = cost(watch(&gaps.weights(), start, missed), start, missed);
        for stay in 0..=BINS.min(55) {
            for from in stay..=BINS.min(55) {
                for until in from..=BINS.min(55) {
                    let there = |bin: usize| bin < stay || (from..until).contains(&bin);
                    let other = (0..BINS).fold(Watch::NEVER, |watch, bin| watch.with(bin, there(bin)));
                    assert!(least <= cost(other, start, missed), "{start} {missed}: {stay} {from} {until}");
                }
            }
        }
    }
    assert_eq!(watch(&gaps.weights(), MICRO, 0), Watch::NEVER, "who may be missed for nothing needs no worker");
}

#[test]
fn the_mean_of_ten_silences_says_how_many_come_after_one() {
    let mut few = Gaps::default();
    few.woke(4);
    few.woke(2);
    assert_eq!([Gaps::default().late(), few.late()], [MICRO, 3 * MICRO], "one before anybody was");
    let kept = |held| few.cheapest(30 * MICRO, 300 * MICRO, held, 0);
    let shares = [1, 3].map(kept);
    assert_eq!(shares, [Keep::Until(330 * SECOND), Keep::Until(130 * SECOND)], "the start, and of those a third each");
}

#[test]
fn nobody_is_back_for_a_stretch_that_ends_after_the_longest_silence() {
    for (gap, there) in [(11_000 * SECOND, true), (14_410 * SECOND, false), (20_000 * SECOND, false)] {
        let mut gaps = Gaps::default();
        (0..100).for_each(|_| gaps.saw(gap));
        let watch = watch(&gaps.weights(), 30 * MICRO, 100_000 * MICRO);
        let bin = (0..BINS).find(|bin| gap < edge(bin + 1)).unwrap();
        assert_eq!(watch.covers(bin), there, "{gap}");
        assert!((55..BINS).all(|bin| !watch.covers(bin)), "its bin begins {} ns after", lower(55));
        let always = gaps.within_budget(30 * MICRO, MICRO, 10 * MICRO, None) == Watch::ALWAYS;
        assert_eq!(always, !there, "{gap}: whoever cannot be waited for counts as missed, and no budget suits");
    }
}
