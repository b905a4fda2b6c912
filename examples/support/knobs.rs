//! The settings that can be turned one by one to see what a decision rests on: how far, and in which unit.

use std::time::Duration;

use plimsoll::guard::Guard;
use plimsoll::{Config, Policy};
use serde_json::{Value, json};

use crate::human::span;

/// The longest delay that is tried, unless ten times the present one is longer: an hour outlasts most incidents.
const LONGEST: u64 = 3_600_000;
/// Ten years: no configuration may hold a longer time.
const LIMIT: u64 = 10 * 366 * 86_400_000;
/// The most workers that are tried, unless ten times the present ones, or twice those wanted, are more.
const MOST: u64 = 100;

/// In what a setting is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Count,
    Seconds,
    Millis,
    /// Thousandths of a rate.
    Rate,
    /// Thousandths of a whole.
    Share,
}

/// Which part of a decision a setting has a say in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Policy,
    Guard(Guard),
    /// What is ordered, not what is wanted.
    Orders,
}

/// A setting with the values that it may have.
#[derive(Debug, Clone)]
pub(crate) struct Knob {
    pub(crate) name: String,
    /// Where it is in a configuration.
    pub(crate) pointer: String,
    pub(crate) part: Part,
    pub(crate) unit: Unit,
    pub(crate) now: u64,
    pub(crate) least: u64,
    pub(crate) most: u64,
    /// What stands in the configuration; nothing if it follows another setting.
    pub(crate) written: Option<Value>,
}

impl Unit {
    pub(crate) fn json(self, value: u64) -> Value {
        match self {
            Self::Count | Self::Seconds => json!(value),
            Self::Millis => json!(format!("{value}ms")),
            Self::Rate | Self::Share => json!(value as f64 / 1_000.0),
        }
    }

    pub(crate) fn words(self, value: u64) -> String {
        match self {
            Self::Count => value.to_string(),
            Self::Seconds => span(Duration::from_secs(value)),
            Self::Millis => span(Duration::from_millis(value)),
            Self::Rate => (value as f64 / 1_000.0).to_string(),
            Self::Share => format!("{} %", value as f64 / 10.0),
        }
    }
}

/// Every setting that can be turned, in the order of the pipeline; of `wanted` workers at the most.
pub(crate) fn all(config: &Config, wanted: u32) -> Vec<Knob> {
    let json = serde_json::to_value(config).unwrap_or_default();
    let mut knobs = Knobs { json: &json, wanted: u64::from(wanted), all: Vec::new() };
    for (number, policy) in config.policies().iter().enumerate() {
        let (path, least) = match policy {
            Policy::Fixed(_) => ("fixed", 0),
            Policy::Outpost(_) => ("outpost/target_qps_per_replica", 1),
            Policy::RunPod(_) => ("runpod/scaling/queue_delay", 0),
            Policy::Concurrency(_) => ("concurrency/target", 1),
            _ => continue,
        };
        knobs.policy(&format!("/policies/{number}/{path}"), least);
        if matches!(policy, Policy::RunPod(_)) {
            knobs.policy(&format!("/policies/{number}/runpod/scaling/request_count"), 1);
        }
    }
    for name in ["sojourn_target", "codel_interval"] {
        knobs.duration(name, 1, Part::Policy);
    }
    knobs.duration("window", 120, Part::Policy);
    knobs.count("buffer/workers", Part::Policy, 1);
    knobs.count("buffer/percent", Part::Policy, 1);
    for name in ["freshness", "event_freshness", "observer_timeout"] {
        knobs.duration(name, 1, Part::Guard(Guard::Freshness));
    }
    let to_zero = config.to_zero_delay();
    knobs.follows("to_zero_delay", to_zero, Part::Guard(Guard::ZeroGate));
    knobs.share("tolerance", Part::Guard(Guard::Tolerance));
    knobs.duration("up_delay", 0, Part::Guard(Guard::UpDelay));
    knobs.duration("down_delay", 0, Part::Guard(Guard::DownDelay));
    knobs.duration("cliff/down_delay", 1, Part::Guard(Guard::DownDelay));
    for step in ["up_step", "down_step"] {
        knobs.count(&format!("{step}/workers"), Part::Guard(Guard::StepLimit), 1);
        knobs.count(&format!("{step}/percent"), Part::Guard(Guard::StepLimit), 1);
        knobs.duration(&format!("{step}/period"), 1, Part::Guard(Guard::StepLimit));
    }
    knobs.duration("idle_timeout", 0, Part::Guard(Guard::IdleTimeout));
    knobs.bounds(config);
    for name in ["backoff/first", "backoff/most", "breaker/pause", "breaker/within", "start_timeout"] {
        knobs.duration(name, 1, Part::Orders);
    }
    knobs.duration("order_timeout", 1_000, Part::Orders);
    knobs.breaker();
    knobs.all
}

/// Collects those that a configuration has.
struct Knobs<'a> {
    json: &'a Value,
    wanted: u64,
    all: Vec<Knob>,
}

impl Knobs<'_> {
    fn push(&mut self, path: &str, part: Part, unit: Unit, now: u64, range: [u64; 2]) {
        let pointer = format!("/{}", path.trim_start_matches('/'));
        let [least, most] = range;
        let written = self.json.pointer(&pointer).cloned();
        let name = match pointer.strip_prefix("/policies/") {
            Some(rest) => rest.rsplit('/').next().unwrap_or(rest).to_owned(),
            None => pointer.trim_start_matches('/').replace('/', "."),
        };
        let name = if name == "target" { "concurrency target".to_owned() } else { name };
        self.all.push(Knob { name, pointer, part, unit, now, least, most, written });
    }

    fn number(&self, path: &str) -> Option<u64> {
        self.json.pointer(&format!("/{path}"))?.as_u64()
    }

    /// A policy's own number: a rate or a count by how it is written.
    fn policy(&mut self, pointer: &str, least: u64) {
        let (path, part) = (pointer.trim_start_matches('/'), Part::Policy);
        let Some(value) = self.json.pointer(pointer) else { return };
        if path.ends_with("queue_delay") {
            self.duration(path, least, part);
        } else if path.ends_with("fixed") || path.ends_with("request_count") {
            self.count(path, part, least);
        } else if let Some(rate) = value.as_f64() {
            let now = thousandths(rate);
            self.push(path, part, Unit::Rate, now, [least, now.saturating_mul(10)]);
        }
    }

    fn count(&mut self, path: &str, part: Part, least: u64) {
        if let Some(now) = self.number(path) {
            let most = now.saturating_mul(10).max(self.wanted.saturating_mul(2)).max(MOST);
            self.push(path, part, Unit::Count, now, [least, most.min(u64::from(u32::MAX))]);
        }
    }

    fn share(&mut self, path: &str, part: Part) {
        if let Some(share) = self.json.pointer(&format!("/{path}")).and_then(Value::as_f64) {
            self.push(path, part, Unit::Share, thousandths(share), [0, 1_000]);
        }
    }

    /// `least` is in milliseconds.
    fn duration(&mut self, path: &str, least: u64, part: Part) {
        if let Some(millis) = self.json.pointer(&format!("/{path}")).and_then(millis) {
            self.span(path, millis, least, part);
        }
    }

    /// A delay that may follow another one.
    fn follows(&mut self, path: &str, now: Duration, part: Part) {
        self.span(path, u64::try_from(now.as_millis()).unwrap_or(u64::MAX), 0, part);
    }

    /// Long ones go by seconds, others by milliseconds.
    fn span(&mut self, path: &str, now: u64, least: u64, part: Part) {
        let most = now.saturating_mul(10).clamp(LONGEST, LIMIT);
        if now >= 10_000 && now % 1_000 == 0 || now == 0 {
            self.push(path, part, Unit::Seconds, now / 1_000, [least.div_ceil(1_000), most / 1_000]);
        } else {
            self.push(path, part, Unit::Millis, now, [least, most]);
        }
    }

    fn bounds(&mut self, config: &Config) {
        let part = Part::Guard(Guard::Bounds);
        let (min, max) = (u64::from(config.min()), u64::from(config.max()));
        self.push("min", part, Unit::Count, min, [0, max]);
        let most = max.saturating_mul(10).max(self.wanted.saturating_mul(2)).max(MOST);
        self.push("max", part, Unit::Count, max, [min.max(1), most.min(u64::from(u32::MAX))]);
    }

    fn breaker(&mut self) {
        if let Some(failures) = self.number("breaker/failures") {
            self.push("breaker/failures", Part::Orders, Unit::Count, failures, [1, 16]);
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
fn thousandths(value: f64) -> u64 {
    (value * 1_000.0).round() as u64
}

/// A duration as a configuration writes it, if it is a whole number of milliseconds.
fn millis(value: &Value) -> Option<u64> {
    match value {
        Value::Number(seconds) => seconds.as_u64()?.checked_mul(1_000),
        Value::String(text) => text.strip_suffix("ms")?.parse().ok(),
        _ => None,
    }
}
