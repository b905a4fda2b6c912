use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use std::println;

use super::*;
use crate::autoscaler::Kept;
use crate::policy::{Outpost, RunPod};
use crate::{Autoscaler, Config, Observation, Policy, Rate, WorkerEvent, WorkerId};

fn config() -> Config {
    let policy = Policy::RunPod(RunPod::request_count(4));
    Config::new(policy, 0, 10).unwrap().with_idle_timeout(Duration::from_secs(30)).unwrap()
}

fn outpost() -> Config {
    Config::new(Policy::Outpost(Outpost::new(Rate::per_second(2.5).unwrap())), 0, 10).unwrap()
}

/// A service that was woken `times` at odd instants and came to rest.
fn rested(config: &Config, seed: u64, times: u64) -> Autoscaler {
    let mut autoscaler = Autoscaler::new(config.clone(), Timestamp::from_nanos(1_795_000_000_000_000_000 + seed * 777_777_771));
    let mut now = 1_795_000_000_000_000_000 + seed * 777_777_777 + 1_000_000_000;
    for wake in 0..times {
        now += 400_000_000_000 + (seed * 31 + wake * 77) % 1_000_003;
        let id = WorkerId(seed * 1000 + wake);
        let mut see = |autoscaler: &mut Autoscaler, nanos: u64, fact: Observation| {
            now += nanos;
            autoscaler.observe(Timestamp::from_nanos(now), fact).unwrap();
            let _ = autoscaler.decide(Timestamp::from_nanos(now));
        };
        see(&mut autoscaler, 0, Observation::arrived(1 + u32::try_from(wake % 2).unwrap()));
        see(&mut autoscaler, 1_000_017, Observation::worker(id, WorkerEvent::Ordered));
        see(&mut autoscaler, 4_000_500_311 + seed * 1000, Observation::worker(id, WorkerEvent::Ready));
        see(&mut autoscaler, 1_000, Observation::worker(id, WorkerEvent::Busy(1)));
        for _ in 0..=(wake % 2) {
            see(&mut autoscaler, 10, Observation::started(Duration::from_nanos(4_001_500_311)));
            see(&mut autoscaler, 300_000_123 + seed, Observation::finished(Duration::from_nanos(300_000_123)));
        }
        see(&mut autoscaler, 0, Observation::worker(id, WorkerEvent::Idle));
        while let Some(at) = autoscaler.next_wakeup() {
            now = at.as_nanos();
            for command in autoscaler.decide(at).commands {
                if let crate::Command::Stop { id, .. } = command {
                    now += 2_000_000_111;
                    autoscaler.observe(Timestamp::from_nanos(now), Observation::worker(id, WorkerEvent::Gone)).unwrap();
                }
            }
        }
    }
    autoscaler
}

#[test]
fn sizes() {
    for config in [config(), outpost()] {
        let mut patterns = Patterns::default();
        let mut hint = 0;
        let mut sizes = Vec::new();
        for seed in 1..60 {
            let autoscaler = rested(&config, seed, 1 + seed % 5);
            assert!(autoscaler.is_at_rest(), "{:?}", autoscaler.status());
            let kept = autoscaler.keep();
            if seed == 1 { println!("tokens {}", tokens(&kept).unwrap().len()); }
            let (packed, at) = patterns.pack(&kept, kept.now(), hint).unwrap();
            hint = at;
            sizes.push(packed.len());
            let back: Kept = patterns.unpack(&packed).unwrap();
            let back = Autoscaler::from_kept(config.clone(), back).unwrap();
            assert!(back.keep() == kept);
        }
        println!("{:?} patterns {}", sizes, patterns.patterns.len());
    }
    let _ = vec![0];
}
