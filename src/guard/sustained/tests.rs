use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn at(t: u64) -> Timestamp {
    Timestamp::from_nanos(t)
}

/// The definition, step by step: a unit of time makes a unit of progress at every level that demand reaches, up to the
/// delay, and undoes `setback` units at every other. A level is reached when its progress is the whole delay.
struct Reference {
    progress: Vec<u64>,
    delay: u64,
    setback: u64,
}

impl Reference {
    fn pass(&mut self, demand: u32) {
        for (level, progress) in (1..).zip(&mut self.progress) {
            *progress =
                if demand >= level { (*progress + 1).min(self.delay) } else { progress.saturating_sub(self.setback) };
        }
    }

    fn reached(&self, demand: u32) -> u32 {
        let levels = (1..).zip(&self.progress).filter(|(level, p)| **p >= self.delay && demand >= *level);
        levels.map(|(level, _)| level).max().unwrap_or(0)
    }
}

proptest! {
    #[test]
    fn the_table_is_the_definition(
        steps in prop::collection::vec((0_u32..12, 1_u64..40), 1..60),
        delay in 0_u64..120,
        setback in prop::sample::select(&[1_u8, 9]),
    ) {
        let mut table = Sustained::new(at(0), setback);
        let mut reference = Reference { progress: vec![0; 12], delay, setback: setback.into() };
        let mut now = 0;
        for (demand, lasts) in steps {
            table.update(at(now), demand, delay);
            for _ in 0..lasts {
                // Asking, and telling the same again, at every instant changes nothing.
                if now % 3 == 0 {
                    table.update(at(now), demand, delay);
                }
                let mut probe = table.clone();
                probe.update(at(now), demand, delay);
                prop_assert_eq!(probe.reached(delay), reference.reached(demand), "at {}", now);
                reference.pass(demand);
                now += 1;
            }
        }
    }

    #[test]
    fn the_next_change_is_when_the_answer_changes(
        steps in prop::collection::vec((0_u32..12, 1_u64..40), 1..40),
        delay in 1_u64..120,
    ) {
        let mut table = Sustained::new(at(0), 1);
        let mut now = 0;
        for (demand, lasts) in steps {
            table.update(at(now), demand, delay);
            now += lasts;
        }
        let demand = table.demand;
        let (before, due) = (table.reached(delay), table.next_change(delay));
        for later in table.at.as_nanos() + 1..table.at.as_nanos() + 200 {
            let mut probe = table.clone();
            probe.update(at(later), demand, delay);
            if due.is_none_or(|due| at(later) < due) {
                prop_assert_eq!(probe.reached(delay), before);
            } else {
                prop_assert!(probe.reached(delay) > before);
                break;
            }
        }
    }
}

proptest! {
    #[test]
    fn what_follows_from_the_entries_is_always_known(
        steps in prop::collection::vec((0_u32..40, -2_i32..3, 0_u64..400, any::<bool>()), 1..300),
        delay in 0_u64..3_000,
        setback in prop::sample::select(&[1_u8, 9]),
    ) {
        let (mut table, mut now, mut demand) = (Sustained::new(at(0), setback), 0, 20_u32);
        for (jump, by, lasts, restarts) in steps {
            // Long and short stays, steps to levels close by and jumps, so that there are more levels than have room.
            now += if lasts > 300 { lasts } else { lasts / 20 };
            demand = if lasts % 10 == 0 { jump } else { demand.saturating_add_signed(by) };
            if restarts && lasts % 7 == 0 {
                table.restart_above(at(now), jump);
            }
            table.update(at(now), demand, delay);
            // A snapshot has the instants alone.
            prop_assert_eq!(&Sustained::from(Table::from(table.clone())), &table);
            prop_assert!(table.is_sound(setback));
            let (reached, due) = table.ahead(delay);
            prop_assert_eq!(due, table.next_change(delay).unwrap_or(Timestamp::MAX));
            let held = table.levels().filter(|(level, _)| *level <= demand);
            let old = held.filter(|(_, since)| table.at.since(*since) >= delay);
            prop_assert_eq!(reached, old.last().map_or(0, |(level, _)| level));
        }
    }
}

#[test]
fn a_demand_of_many_levels_arrives_at_the_last_one_on_time() {
    let (delay, mut table) = (1_000, Sustained::new(at(0), 9));
    for step in 0..200_u64 {
        table.update(at(step), u32::try_from(step * 7).unwrap(), delay);
    }
    let last = 199 * 7;
    table.update(at(1_199), last, delay);
    assert_eq!(table.reached(delay), last);
}

#[test]
fn one_stray_sample_sets_back_but_does_not_restart() {
    let (delay, mut table) = (300, Sustained::new(at(0), 9));
    table.update(at(0), 5, delay);
    table.update(at(200), 2, delay);
    table.update(at(205), 5, delay);
    assert_eq!(table.next_above(2, delay), Some((5, at(350))), "five below cost fifty");
    table.update(at(349), 5, delay);
    assert_eq!(table.reached(delay), 2);
    table.update(at(350), 5, delay);
    assert_eq!(table.reached(delay), 5);
}

#[test]
fn a_lower_level_keeps_what_it_has_reached_when_demand_falls_to_it_and_the_delay_becomes_longer() {
    let mut table = Sustained::new(at(0), 9);
    table.update(at(0), 5, 100);
    // Held for longer than the delay; the higher level lapses with the progress of one delay at the most.
    table.update(at(200), 2, 100);
    table.update(at(299), 2, 300);
    assert_eq!((table.reached(300), table.next_change(300)), (0, Some(at(300))));
}

/// Which level has been reached throughout `delay` at each instant, while demand stays at `demand`.
fn reached_at(table: &Sustained, demand: u32, delay: u64, instants: &[u64]) -> Vec<u32> {
    let reached = |t: &u64| {
        let mut table = table.clone();
        table.update(at(*t), demand, delay);
        table.reached(delay)
    };
    instants.iter().map(reached).collect()
}

#[test]
fn of_more_levels_than_have_room_the_closest_step_is_merged_into_the_later_one() {
    let (mut table, delay) = (Sustained::new(at(0), 1), 10_000);
    for level in 1..=17_u32 {
        // Level 5 follows on level 4 after one, all others after ten.
        let began = if level == 5 { 41 } else { u64::from(level) * 10 };
        table.update(at(began), level, delay);
    }
    let reached = reached_at(&table, 17, delay, &[10_010, 10_020, 10_030, 10_040, 10_041, 10_060, 10_169, 10_170]);
    assert_eq!(reached, [1, 2, 3, 3, 5, 6, 16, 17]);
}

#[test]
fn what_has_been_reached_makes_room_before_steps_are_merged() {
    let (mut table, delay) = (Sustained::new(at(0), 1), 500);
    for level in 1..=17_u32 {
        let began = if level <= 10 { u64::from(level) * 10 } else { 990 + u64::from(level) };
        table.update(at(began), level, delay);
    }
    let instants = [1_500, 1_501, 1_502, 1_503, 1_504, 1_505, 1_506, 1_507];
    assert_eq!(reached_at(&table, 17, delay, &instants), [10, 11, 12, 13, 14, 15, 16, 17]);
    // Demand that falls back is known to have been there as long as what was above it.
    assert_eq!(reached_at(&table, 10, delay, &[1_100]), [10]);
}

#[test]
fn what_cannot_be_a_table_is_not_taken_from_a_snapshot() {
    let mut table = Sustained::new(at(0), 9);
    table.update(at(10), 2, 100);
    table.update(at(20), 5, 100);
    assert!(table.is_sound(9) && !table.is_sound(1));
    let with = |change: fn(&mut Table)| {
        let mut snapshot = Table::from(table.clone());
        change(&mut snapshot);
        Sustained::from(snapshot)
    };
    assert_eq!(with(|_| {}), table);
    assert!(!with(|table| table.entries.swap(0, 1)).is_sound(9));
    assert!(!with(|table| table.entries[0].level = 7).is_sound(9));
    assert!(!with(|table| table.entries[0].since = at(30)).is_sound(9));
    assert!(!with(|table| table.len = 17).is_sound(9));
}
