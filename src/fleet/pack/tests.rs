use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::autoscaler::{Autoscaler, Kept};
use crate::config::Config;
use crate::decision::Command;
use crate::observation::{Observation, WorkerEvent, WorkerId};
use crate::policy::{Outpost, Policy, RunPod};
use crate::units::Rate;

fn configs() -> [Config; 2] {
    let runpod = Config::new(Policy::RunPod(RunPod::request_count(4)), 0, 10).unwrap();
    let outpost = Config::new(Policy::Outpost(Outpost::new(Rate::per_second(2.5).unwrap())), 0, 10).unwrap();
    [runpod.with_idle_timeout(Duration::from_secs(30)).unwrap(), outpost]
}

/// What is kept of a service that was woken so often, at instants of its own, and came to rest.
fn rested(config: &Config, seed: u64, times: u64) -> Kept {
    let start = 1_795_000_000_000_000_000 + seed * 777_777_777;
    let mut autoscaler = Autoscaler::new(config.clone(), Timestamp::from_nanos(start));
    let mut now = start;
    for wake in 0..times {
        now += 400_000_000_000 + (seed * 31 + wake * 77) % 1_000_003;
        let id = WorkerId(seed * 1_000 + wake);
        let mut see = |nanos: u64, fact: Observation| {
            now += nanos;
            autoscaler.observe(Timestamp::from_nanos(now), fact).unwrap();
            let _ = autoscaler.decide(Timestamp::from_nanos(now));
        };
        see(0, Observation::arrived(1));
        see(1_000_017, Observation::worker(id, WorkerEvent::Ordered));
        see(4_000_500_311 + seed * 1_000, Observation::worker(id, WorkerEvent::Ready));
        see(10, Observation::started(Duration::from_nanos(4_001_500_311)));
        see(300_000_123 + seed, Observation::finished(Duration::from_nanos(300_000_123)));
        see(0, Observation::worker(id, WorkerEvent::Idle));
        while let Some(at) = autoscaler.next_wakeup() {
            now = at.as_nanos();
            for command in autoscaler.decide(at).commands {
                if let Command::Stop { id, .. } = command {
                    now += 2_000_000_111;
                    autoscaler.observe(Timestamp::from_nanos(now), Observation::worker(id, WorkerEvent::Gone)).unwrap();
                }
            }
        }
    }
    assert!(autoscaler.is_at_rest(), "{:?}", autoscaler.status());
    autoscaler.keep()
}

#[test]
fn what_is_unpacked_is_what_was_packed_and_it_is_short() {
    for config in configs() {
        let (mut patterns, mut hint, mut all) = (Patterns::default(), 0, Vec::new());
        for seed in 1..40 {
            let kept = rested(&config, seed, 1 + seed % 4);
            let (packed, pattern) = patterns.pack(&kept, kept.now(), hint).unwrap();
            hint = pattern;
            assert!(packed.len() <= LONG, "{} bytes for the service {seed}", packed.len());
            all.push((packed, kept));
        }
        assert!(patterns.patterns.len() < MAX_PATTERNS, "{} patterns", patterns.patterns.len());
        for (packed, kept) in all {
            let back: Kept = patterns.unpack(&packed).unwrap();
            assert_eq!(back.revived(&config), Some(kept));
        }
    }
}

/// Small numbers, and large ones of which many are alike or near each other.
fn number() -> impl Strategy<Value = u64> {
    let large = (0_u64..4, 0_u64..3, prop::sample::select(&[1, 1_000, 1_000_000_000]));
    prop_oneof![0_u64..300, any::<u64>(), large.prop_map(|(base, by, scale)| (base << 40) + by * scale)]
}

fn leaf() -> impl Strategy<Value = Token> {
    prop_oneof![
        4 => number().prop_map(Token::Number),
        2 => number().prop_map(Token::Span),
        2 => number().prop_map(Token::Micros),
        1 => number().prop_map(Token::Float),
        1 => any::<i64>().prop_map(Token::Signed),
        1 => any::<bool>().prop_map(Token::Bool),
        1 => (0_u32..200).prop_map(Token::Unit),
        1 => prop::sample::select(&[Token::None, Token::Missing]),
    ]
}

/// Rows of single values and of rows, with where the pattern's instant is.
fn row() -> impl Strategy<Value = (Vec<Token>, u64)> {
    let count = |row: &[Token]| Token::Row(u32::try_from(row.len()).unwrap());
    let row = prop::collection::vec(leaf(), 0..8).prop_map(move |row| [&[count(&row)], &row[..]].concat());
    let rows = prop::collection::vec(prop_oneof![leaf().prop_map(|leaf| [leaf].to_vec()), row], 0..8);
    let all = rows.prop_map(|rows| {
        let count = Token::Row(u32::try_from(rows.len()).unwrap());
        core::iter::once(count).chain(rows.into_iter().flatten()).collect()
    });
    (all, number())
}

proptest! {
    #[test]
    fn whatever_is_packed_is_unpacked((tokens, now) in row(), (pattern, then) in row(), itself in any::<bool>()) {
        let pattern = if itself { &tokens } else { &pattern };
        let packed = Packer::pack(&tokens, now, (pattern, then), 3);
        let back = Unpacker::unpack(&packed, |number| (number == 3).then_some((&pattern[..], then)));
        prop_assert_eq!(back, Some(tokens));
    }
}

#[test]
fn bytes_that_nobody_packed_are_refused_or_harmless() {
    let [config, _] = configs();
    let mut patterns = Patterns::default();
    let first = rested(&config, 1, 2);
    patterns.pack(&first, first.now(), 0).unwrap();
    let kept = rested(&config, 2, 1);
    let (packed, _) = patterns.pack(&kept, kept.now(), 0).unwrap();
    for length in 0..packed.len() {
        assert!(patterns.unpack::<Kept>(&packed[..length]).is_none(), "{length} of {} bytes", packed.len());
    }
    assert!(patterns.unpack::<Kept>(&[&packed[..], &[0]].concat()).is_none(), "one byte too many");
    for at in 0..packed.len() {
        for bit in 0..8 {
            let mut damaged = packed.to_vec();
            damaged[at] ^= 1 << bit;
            let _ = patterns.unpack::<Kept>(&damaged).and_then(|kept| kept.revived(&config));
        }
    }
    // Rows that say they are longer than anything, and values that never end.
    for repeated in [[137, 255, 255, 255, 255, 15], [129; 6], [139, 1, 139, 1, 139, 1]] {
        let bytes = [&[0, 0][..], &repeated.repeat(200)].concat();
        assert!(patterns.unpack::<Kept>(&bytes).is_none());
    }
}
