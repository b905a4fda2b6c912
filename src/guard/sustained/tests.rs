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
        setback in prop::sample::select(&[1_u64, 9]),
    ) {
        let mut table = Sustained::new(at(0), setback);
        let mut reference = Reference { progress: vec![0; 12], delay, setback };
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
