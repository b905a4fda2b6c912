use alloc::string::ToString;
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
            let (packed, pattern) = patterns.pack(&kept, kept.now(), hint, Form::Parked).unwrap();
            hint = pattern;
            assert!(packed.len() <= Form::Parked.long(0), "{} bytes for the service {seed}", packed.len());
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
    patterns.pack(&first, first.now(), 0, Form::Parked).unwrap();
    let kept = rested(&config, 2, 1);
    let (packed, _) = patterns.pack(&kept, kept.now(), 0, Form::Parked).unwrap();
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

/// An instant and numbers that are worth remembering, none of them a whole number of thousands.
const THEN: u64 = 1_795_000_000_123_456_789;
const HIGH: u64 = 1_234_567_890_123_456_789;

/// The bytes after the two numbers at the front, of a state that knows the instant after the pattern's.
fn bytes(tokens: &[Token], pattern: &[Token]) -> Vec<u8> {
    let packed = Packer::pack(tokens, THEN + 1, (pattern, THEN), 3);
    let back = Unpacker::unpack(&packed, |number| (number == 3).then_some((pattern, THEN)));
    assert_eq!(back.as_deref(), Some(tokens));
    assert_eq!(packed[..2], [3, 2], "the pattern's number, and one step forward");
    packed[2..].to_vec()
}

#[test]
fn what_a_pattern_predicts_is_a_run() {
    let small = |count: u64| (0..count).map(Token::Number);
    let row = |count: u32| core::iter::once(Token::Row(count)).chain(small(count.into())).collect::<Vec<_>>();
    assert_eq!(bytes(&row(125), &row(125)), [126]);
    assert_eq!(bytes(&row(126), &row(126)), [127, 127]);
    assert_eq!(bytes(&row(299), &row(299)), [127, 172, 2], "three hundred tokens");
}

#[test]
fn values_that_are_missing_or_too_many_move_nothing() {
    let inner = |rest: &[Token]| [&[Token::Row(2)][..], rest, &[Token::Number(9)]].concat();
    let (one, two) = ([Token::Row(1), Token::Number(1)], [Token::Row(2), Token::Number(1), Token::Number(5)]);
    assert_eq!(bytes(&inner(&one), &inner(&two)), [1, 137, 1, 2], "of three predicted the second is another");
    assert_eq!(bytes(&inner(&two), &inner(&one)), [1, 137, 2, 1, 160, 1], "a five that is new");
    // What is skipped may be a row itself.
    let nested = [Token::Row(2), Token::Number(1), Token::Row(2), Token::Number(2), Token::Number(3)];
    assert_eq!(bytes(&inner(&one), &inner(&nested)), [1, 137, 1, 2]);
}

#[test]
fn a_number_is_said_in_the_shortest_way() {
    let said = |number: u64, pattern: u64| {
        bytes(&[Token::Row(1), Token::Number(number)], &[Token::Row(1), Token::Number(pattern)])[1..].to_vec()
    };
    assert_eq!(said(100, 7), [255], "as itself");
    assert_eq!(said(101, 7), [142, 101], "a digit has seven bits");
    assert_eq!(said(300, 7), [142, 172, 2]);
    assert_eq!(said(5_000_000_000, 7), [145, 5], "in seconds");
    assert_eq!(said(HIGH + 1, HIGH), [141], "moved by as much as the instant");
    assert_eq!(said(THEN + 1, HIGH), [140, 1], "the instant itself");
    assert_eq!(said(HIGH + 6, HIGH), [150, 0, 6], "after what the pattern has");
    assert_eq!(said(HIGH - 6_000_000, HIGH), [148, 0, 6], "before it, in milliseconds");
    assert_eq!(said(THEN - 4, HIGH), [146, 1, 5], "before the instant");
    // A base takes a byte of its own, and pays by one at the least.
    let large = 1 << 14;
    assert_eq!(said(1_003_000, large + 1), [143, 235, 7], "a thousand and three thousands");
    assert_eq!(said(large + 9, large), [150, 0, 9], "three digits, or one and a base");
    // What two digits can say needs no base.
    assert_eq!(said(large - 1, large), [142, 255, 127]);
}

#[test]
fn a_number_that_was_met_is_said_by_its_place() {
    let numbers = |first: u64, second: u64| [Token::Row(2), Token::Number(first), Token::Span(second)];
    let twice = bytes(&numbers(HIGH, HIGH), &numbers(1, 2));
    assert_eq!(twice[twice.len() - 2..], [140, 2], "the third base, after the prediction and the instant");
    assert_eq!(
        bytes(&numbers(300, 300), &numbers(1, 2)),
        [1, 142, 172, 2, 142, 172, 2],
        "a small one is not remembered"
    );
    // One that was predicted was met as well.
    assert_eq!(bytes(&numbers(HIGH, HIGH), &numbers(HIGH, 2)), [2, 140, 2]);
    // What the pattern's number was elsewhere is what it is here.
    let again = bytes(&numbers(THEN - 77, THEN - 77), &numbers(HIGH, HIGH));
    assert_eq!(again, [1, 146, 1, 78, 1]);
}

#[test]
fn of_all_patterns_the_shortest_form_is_taken_and_there_are_only_so_many() {
    let value = |seed: u64| (1..=40).map(|nth: u64| (seed * 977 + nth).wrapping_mul(HIGH)).collect::<Vec<_>>();
    let itself = |pattern: u64| [u8::try_from(pattern).unwrap(), 0, 41].to_vec();
    let mut patterns = Patterns::default();
    assert_eq!(patterns.len(), 0);
    let mut pack = |seed: u64, hint: usize| {
        let (packed, pattern) = patterns.pack(&value(seed), Timestamp::from_nanos(THEN), hint, Form::Parked).unwrap();
        assert_eq!(patterns.unpack(&packed), Some(value(seed)));
        (packed.to_vec(), pattern)
    };
    for seed in 0..u64::try_from(MAX_PATTERNS).unwrap() {
        let own = usize::try_from(seed).unwrap();
        assert_eq!(pack(seed, own.saturating_sub(1)), (itself(seed), own), "one that none is like");
    }
    for (seed, own, hint) in [(0, 0, 0), (3, 3, 3), (0, 0, 9), (9, 9, 0), (15, 15, 2)] {
        assert_eq!(pack(seed, hint), (itself(seed), own), "from {hint}");
    }
    let (packed, pattern) = pack(16, 5);
    assert!(packed.len() > Form::Parked.long(0) && pattern < MAX_PATTERNS, "{} bytes by {pattern}", packed.len());
    assert!(patterns.len() > 0);
}

/// A value that says what it was told of its length.
#[derive(PartialEq, Debug)]
struct Hinted(Option<usize>);

impl<'de> Deserialize<'de> for Hinted {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> serde::de::Visitor<'de> for Look {
            type Value = Hinted;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("a row")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut row: A) -> Result<Hinted, A::Error> {
                let hint = row.size_hint();
                while row.next_element::<u64>()?.is_some() {}
                Ok(Hinted(hint))
            }
        }
        from.deserialize_seq(Look)
    }
}

#[test]
fn a_row_says_how_long_it_is() {
    assert_eq!(value::<Hinted>(&tokens(&[7_u64, 8, 9]).unwrap()).unwrap(), Hinted(Some(3)));
}

#[test]
fn what_no_state_holds_cannot_be_said() {
    #[derive(Serialize)]
    struct Nothing;
    #[derive(Serialize)]
    struct Wrapped(u64);
    /// As `serde_bytes` would write it.
    struct Raw;
    impl Serialize for Raw {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_bytes(&[1])
        }
    }
    assert_eq!(tokens(&0.5_f32).unwrap_err().to_string(), "these tokens do not say this value");
    assert!(tokens(&'a').is_err() && tokens(&Raw).is_err() && tokens(&"long").is_err());
    let millis = Token::Span(1_500_000_000);
    assert_eq!(
        tokens(&((), Nothing, Wrapped(7))).unwrap(),
        [Token::Row(3), Token::None, Token::None, Token::Number(7)]
    );
    assert_eq!(tokens(&"1500ms").unwrap(), [millis]);
    let third = 1.0_f64 / 3.0;
    assert_eq!(tokens(&(0.25, third)).unwrap(), [Token::Row(2), Token::Micros(250_000), Token::Float(third.to_bits())]);
}
