//! Many autoscalers, each through a long stream of observations drawn from a seed, in integers only.
//!
//! A stream is a small platform under a changing load that carries out the commands it is given, more or less, and
//! reports in events, in gauges and counts, or in anything at all. A new observation belongs into [`any_observation`],
//! a new setting into [`SETTINGS`], a new policy into [`any_policy`] and [`POLICIES`].

// The paths are given since a test of the crate includes this module from elsewhere.
#[path = "streams/anything.rs"]
mod anything;
#[path = "streams/configs.rs"]
mod configs;
#[path = "streams/names.rs"]
mod names;
#[path = "streams/platform.rs"]
mod platform;

use core::fmt::{Display, Write as _};
use core::time::Duration;
use std::collections::BTreeMap;

use plimsoll::report::Reporter;
use plimsoll::{Autoscaler, Config, Decision, Observation, ObserverId, Report, Timestamp};
use serde_json::to_string as json;

use self::anything::{Draw, any_observation, any_report};
use self::configs::any_config;
use self::names::{command_name, observation_name, rejected_name};
use self::platform::{Platform, SECOND, nanos};

/// Streams that are written out, and the decisions in each.
const WRITTEN: (u32, u32) = (28, 20);
/// Streams of which a hash is kept, and the decisions in each.
const HASHED: (u32, u32) = (168, 220);

/// The golden log: a few streams line by line, then one line with a hash for each of many, then what occurred in them.
#[must_use]
pub fn golden() -> String {
    let mut text = String::new();
    let mut tally = Tally::default();
    for number in 0..WRITTEN.0 {
        let log = Run::new(number, Detail::Lines, &mut tally).finish(WRITTEN.1);
        text.push_str(&log.text);
    }
    for number in 0..HASHED.0 {
        let log = Run::new(number, Detail::Hash, &mut tally).finish(HASHED.1);
        writeln!(text, "{} hash {:016x}", log.name, log.hash.0).unwrap();
    }
    for ((kind, name), count) in &tally.0 {
        writeln!(text, "{kind} {name}: {count}").unwrap();
    }
    text
}

/// One of the hashed streams, with everything that its hash is made of.
#[must_use]
pub fn in_full(number: u32) -> String {
    Run::new(number, Detail::All, &mut Tally::default()).finish(HASHED.1).text
}

// The log -------------------------------------------------------------------------------------------------------------

/// How much of a stream becomes text. All of it goes into the hash.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Hash,
    Lines,
    All,
}

struct Log {
    name: String,
    detail: Detail,
    text: String,
    hash: Fnv,
}

impl Log {
    fn line(&mut self, line: impl Display) {
        self.write(self.detail != Detail::Hash, line);
    }

    /// A long line that only the hash and the full text need.
    fn aside(&mut self, line: impl Display) {
        self.write(self.detail == Detail::All, line);
    }

    fn write(&mut self, shown: bool, line: impl Display) {
        let line = format!("{line}\n");
        self.hash.add(line.as_bytes());
        if shown {
            self.text.push_str(&line);
        }
    }
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// What occurred in all streams together, and how often: a golden log that never saw a thing proves nothing about it.
#[derive(Default)]
struct Tally(BTreeMap<(&'static str, &'static str), u64>);

impl Tally {
    fn add(&mut self, kind: &'static str, name: &'static str) {
        *self.0.entry((kind, name)).or_default() += 1;
    }
}

// One stream ----------------------------------------------------------------------------------------------------------

/// How a platform reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Grain {
    /// Every request and every worker.
    Events,
    /// Gauges, counters, and either workers or their counts.
    Gauges,
    /// Everything, and anything else as well: a clock that goes back, huge numbers, workers nobody knows.
    Hostile,
    /// Requests by the reports of two load balancers, which come late, doubled or never; workers as they are.
    Reports,
}

struct Run<'a> {
    draw: Draw,
    grain: Grain,
    autoscaler: Autoscaler,
    platform: Platform,
    balancers: [Reporter; 2],
    /// Reports that are still on their way.
    sent: Vec<Report>,
    now: Timestamp,
    /// Requests per second at present.
    load: u64,
    log: Log,
    tally: &'a mut Tally,
}

impl<'a> Run<'a> {
    fn new(number: u32, detail: Detail, tally: &'a mut Tally) -> Self {
        let mut draw = Draw(u64::from(number));
        let grain = [Grain::Events, Grain::Gauges, Grain::Hostile, Grain::Reports][number as usize % 4];
        let name = format!("stream {number} {grain:?}");
        let mut log = Log { name, detail, text: String::new(), hash: Fnv(0xcbf2_9ce4_8422_2325) };
        log.line(log.name.clone());

        let config = any_config(&mut draw, number as usize / 4, &mut log);
        let written = json(&config).unwrap();
        log.line(format_args!("config {written}"));
        let read: Result<Config, _> = serde_json::from_str(&written);
        assert_eq!(read.ok().as_ref(), Some(&config), "a configuration reads back as itself: {written}");

        let start = match (grain, draw.below(8)) {
            (Grain::Hostile, 0) => Timestamp::from_nanos(u64::MAX - draw.below(1 << 44)),
            (_, 1 | 2) => Timestamp::from_nanos(1_795_000_000_000_000_000 + draw.below(1_000_000_000)),
            _ => Timestamp::ORIGIN,
        };
        let platform = Platform::new(&mut draw, grain, config.concurrency());
        let balancers = [1, 2].map(|id| Reporter::new(ObserverId(id), 1, config.sojourn_target(), start));
        let (autoscaler, sent) = (Autoscaler::new(config, start), Vec::new());
        Self { draw, grain, autoscaler, platform, balancers, sent, now: start, load: 3, log, tally }
    }

    fn finish(mut self, decisions: u32) -> Log {
        for number in 1..=decisions {
            self.step();
            if number % 16 == 0 {
                self.log.aside(json(&self.autoscaler.status()).unwrap());
            }
            if self.draw.one_in(40) {
                self.restart();
            }
            if self.draw.one_in(60) {
                self.reconfigure();
            }
        }
        self.log.line(format_args!("status {}", json(&self.autoscaler.status()).unwrap()));
        for event in self.autoscaler.events() {
            self.log.aside(event);
        }
        self.restart();
        self.log
    }

    /// The process ends and another one goes on from its snapshot.
    fn restart(&mut self) {
        let written = json(&self.autoscaler.snapshot()).unwrap();
        let read = serde_json::from_str(&written).unwrap();
        let restored = Autoscaler::restore(read).unwrap();
        assert_eq!(restored, self.autoscaler, "restore_continues");
        self.autoscaler = restored;
        self.log.aside(written);
        self.tally.add("operator", "restart");
    }

    fn reconfigure(&mut self) {
        let turn = self.draw.below(64);
        let config = any_config(&mut self.draw, turn as usize, &mut self.log);
        self.log.line(format_args!("config {}", json(&config).unwrap()));
        self.autoscaler.reconfigure(self.now, config);
        // They must count against the new target.
        self.restart_balancer(0);
        self.restart_balancer(1);
        self.tally.add("operator", "reconfigure");
    }

    /// Some time, what happens in it, and a decision.
    fn step(&mut self) {
        let (before, quiet) = (self.now, self.pass());
        if self.draw.one_in(24) {
            self.load = self.draw.of(&[0, 0, 1, 1, 3, 6, 12, 40]);
        }
        let span = self.now.saturating_since(before);
        let arrived = if quiet { 0 } else { self.platform.arrivals(&mut self.draw, self.load, span) };
        let facts = self.platform.live(&mut self.draw, self.now, arrived, span);
        for fact in facts {
            if self.grain == Grain::Reports && !matches!(fact, Observation::Worker { .. } | Observation::Pool(_)) {
                self.count(fact);
            } else {
                self.observe(fact);
            }
        }
        if self.grain == Grain::Reports {
            self.exchange_reports();
        } else if self.grain == Grain::Hostile && self.draw.one_in(6) {
            let report = any_report(&mut self.draw, self.now, self.autoscaler.config().sojourn_target());
            self.report(&report);
        }
        let strange = if self.grain == Grain::Hostile { self.draw.below(4) } else { u64::from(self.draw.one_in(64)) };
        for _ in 0..strange {
            let observation = any_observation(&mut self.draw);
            self.observe(observation);
        }
        let now = self.present();
        let decision = self.autoscaler.decide(now);
        self.write(&decision);
        for command in &decision.commands {
            self.platform.apply(&mut self.draw, decision.at, command);
        }
    }

    /// Lets time pass; whether it was too long for anything to arrive in it.
    fn pass(&mut self) -> bool {
        let draw = &mut self.draw;
        let (span, quiet) = match draw.below(24) {
            0 => (draw.of(&[30, 90, 600, 3_600, 30_000]) * SECOND + draw.below(SECOND), true),
            1 => (draw.below(2), true),
            2..=5 => {
                let wakeup = self.autoscaler.next_wakeup().unwrap_or(Timestamp::ORIGIN);
                (nanos(wakeup.saturating_since(self.now)), true)
            }
            6 => (draw.below(60 * SECOND), false),
            _ => (draw.below(2 * SECOND), false),
        };
        self.now = self.now.saturating_add(Duration::from_nanos(span));
        quiet
    }

    /// What the clock shows.
    fn present(&mut self) -> Timestamp {
        match self.grain {
            Grain::Hostile if self.draw.one_in(8) => {
                let back = self.draw.of(&[1, 1_000_000, 5 * SECOND, u64::MAX]);
                Timestamp::from_nanos(self.now.as_nanos().saturating_sub(back))
            }
            _ => self.now,
        }
    }

    fn observe(&mut self, observation: Observation) {
        let now = self.present();
        self.tally.add("observation", observation_name(&observation));
        if let Err(rejected) = self.autoscaler.observe(now, observation) {
            self.log.line(format_args!("{} rejected: {rejected}", now.as_nanos()));
            self.tally.add("rejected", rejected_name(&rejected));
        }
    }

    /// One of the load balancers sees it.
    fn count(&mut self, fact: Observation) {
        let of = self.draw.below(2);
        let [first, second] = &mut self.balancers;
        let (balancer, other) = if of == 0 { (first, second) } else { (second, first) };
        match fact {
            Observation::Arrived { count, .. } => balancer.arrived(u64::from(count)),
            Observation::Started { sojourn, .. } => balancer.started(sojourn),
            Observation::Abandoned { wait, .. } => balancer.started(wait),
            Observation::Finished { service } => balancer.finished(service),
            Observation::Queue { depth, oldest_age, .. } => {
                balancer.queue(depth, oldest_age);
                other.queue(0, None);
            }
            Observation::InFlight { count } => {
                balancer.in_flight(count);
                other.in_flight(0);
            }
            _ => {}
        }
    }

    /// Reports are sent, wait, arrive in any order, some of them twice; a load balancer restarts.
    fn exchange_reports(&mut self) {
        for of in 0..self.balancers.len() {
            if self.draw.one_in(3) {
                self.sent.push(self.balancers[of].report(self.now));
            }
        }
        while !self.sent.is_empty() && !self.draw.one_in(3) {
            let at = self.draw.below(self.sent.len() as u64) as usize;
            let report = if self.draw.one_in(8) { self.sent[at].clone() } else { self.sent.swap_remove(at) };
            self.report(&report);
        }
        if self.draw.one_in(90) {
            let of = self.draw.below(2);
            self.restart_balancer(of);
        }
    }

    fn restart_balancer(&mut self, of: u64) {
        let target = self.autoscaler.config().sojourn_target();
        self.balancers[of as usize] = Reporter::new(ObserverId(of + 1), self.now.as_nanos(), target, self.now);
    }

    fn report(&mut self, report: &Report) {
        let now = self.present();
        self.tally.add("observation", "report");
        if let Err(rejected) = self.autoscaler.report(now, report) {
            self.log.line(format_args!("{} rejected: {rejected}", now.as_nanos()));
            self.tally.add("rejected", rejected_name(&rejected));
        }
    }

    /// Instant, count before and after, stable code, words, commands, next wake-up.
    fn write(&mut self, decision: &Decision) {
        let explanation = &decision.explanation;
        assert_eq!(explanation.fold(), decision.desired, "explanation_folds");
        self.tally.add("would", if decision.would.is_empty() { "nothing" } else { "something" });
        let (at, from, to) = (decision.at.as_nanos(), explanation.count, decision.desired);
        let (code, commands) = (explanation.code(), json(&decision.commands).unwrap());
        let wakeup = decision.next_wakeup.map_or_else(|| "never".to_owned(), |at| at.as_nanos().to_string());
        self.log.line(format_args!("{at} {from}->{to} {code} | {decision} | {commands} | {wakeup}"));
        self.log.aside(explanation);
        self.log.aside(json(decision).unwrap());
        self.tally.add("code", code);
        self.tally.add("last change", decision.last_change.as_ref().map_or("none", |change| change.code()));
        for proposal in explanation.proposals.iter().flatten() {
            self.tally.add("because", proposal.because.code());
        }
        for command in &decision.commands {
            self.tally.add("command", command_name(command));
        }
    }
}
