use alloc::vec::Vec;

use super::*;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// What comes up, in order.
fn all(timers: &mut Timers<u32>) -> Vec<(u32, Timestamp)> {
    core::iter::from_fn(|| timers.pop(Timestamp::MAX)).collect()
}

#[test]
fn what_is_armed_moves_forward_only() {
    let (mut timers, mut armed) = (Timers::new(), None);
    for secs in [5, 5, 7, 3, 4] {
        timers.arm(&1, &mut armed, Some(at(secs)));
    }
    timers.arm(&1, &mut armed, None);
    assert_eq!((armed, timers.first()), (Some(at(3)), Some(at(3))));
    assert_eq!(timers.pop(at(2)), None);
    assert_eq!(all(&mut timers), [(1, at(3)), (1, at(5))], "the one that was overtaken is void");
}

#[test]
fn void_entries_are_swept_out_when_they_are_the_most() {
    // So many entries of one service, of which the first counts, while so many are awake.
    let swept = |entries: u64, awake: usize| {
        let (mut timers, mut armed) = (Timers::new(), None);
        for secs in (0..entries).rev() {
            timers.arm(&1, &mut armed, Some(at(secs)));
        }
        timers.sweep(awake, |_, entry| Some(entry) == armed);
        all(&mut timers).len()
    };
    assert_eq!([swept(64, 1), swept(65, 1)], [64, 1], "below a certain number it is not worth it");
    assert_eq!([swept(68, 17), swept(69, 17)], [68, 1], "four of five");
}
