//! What may be tuned: a policy's own parameters and the delays around it, each on a grid of round values.

use std::time::Duration;

use clap::ValueEnum;
use plimsoll::config::Config;
use plimsoll::policy::{Policy, RunPod, RunPodScaling};
use plimsoll::sim::Workload;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

/// A rule whose parameters are worth a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Requests per second and replica, with CoDel over the queue
    Outpost,
    /// One more worker when a request has waited too long
    RunpodQueueDelay,
    /// So many requests for each worker
    RunpodRequestCount,
    /// Requests in the system over a target per worker, with idle workers beside them
    Concurrency,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] =
        [Self::Outpost, Self::RunpodQueueDelay, Self::RunpodRequestCount, Self::Concurrency];

    /// As on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Outpost => "outpost",
            Self::RunpodQueueDelay => "runpod-queue-delay",
            Self::RunpodRequestCount => "runpod-request-count",
            Self::Concurrency => "concurrency",
        }
    }

    /// The kind that a configuration is of, if it has one policy that can be tuned.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        match config.policies() {
            [Policy::Outpost(_)] => Some(Self::Outpost),
            [Policy::RunPod(RunPod { scaling: RunPodScaling::QueueDelay(_), .. })] => Some(Self::RunpodQueueDelay),
            [Policy::RunPod(RunPod { scaling: RunPodScaling::RequestCount(_), .. })] => Some(Self::RunpodRequestCount),
            [Policy::Concurrency(_)] => Some(Self::Concurrency),
            _ => None,
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The unit in which a value is counted: all of them are whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Count,
    Millis,
    /// Of a rate or of a target.
    Millionths,
}

/// One value that may be tuned.
#[derive(Debug, Clone)]
pub(crate) struct Knob {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    /// The values to try, rising.
    pub(crate) grid: Vec<u64>,
    /// What is taken where it makes no difference.
    pub(crate) usual: Option<u64>,
    /// The largest value that there may be.
    pub(crate) most: u64,
}

impl Knob {
    /// The value as a configuration file has it.
    pub(crate) fn text(&self, value: u64) -> String {
        if self.name == "to_zero_delay" && value == 0 {
            return "unset".to_owned();
        }
        match self.unit {
            Unit::Count => value.to_string(),
            Unit::Millionths => (value as f64 / 1e6).to_string(),
            Unit::Millis => match value {
                0 => "0s".to_owned(),
                minutes if minutes % 60_000 == 0 => format!("{}m", minutes / 60_000),
                seconds if seconds % 1_000 == 0 => format!("{}s", seconds / 1_000),
                seconds if seconds > 1_000 && seconds % 100 == 0 => format!("{}s", seconds as f64 / 1_000.0),
                millis => format!("{millis}ms"),
            },
        }
    }

    /// Whether the value lies between those to try.
    pub(crate) fn covers(&self, value: u64) -> bool {
        self.grid.first().is_some_and(|first| *first <= value) && self.grid.last().is_some_and(|last| value <= *last)
    }

    /// Half of the value; nothing where that is the value itself, or no value.
    pub(crate) fn half(&self, value: u64) -> Option<u64> {
        let half = value / 2;
        let usable = half > 0 || self.grid.first() == Some(&0);
        (half != value && usable).then_some(half)
    }

    /// Twice the value; of zero, the next that there is.
    pub(crate) fn double(&self, value: u64) -> Option<u64> {
        let next = || self.grid.iter().copied().find(|next| *next > 0);
        let double = if value == 0 { next()? } else { value * 2 };
        Some(double).filter(|double| *double <= self.most)
    }
}

/// The values of all knobs, in their order.
pub(crate) type Values = Vec<u64>;

/// Everything that may be tuned of one kind of policy, around a configuration whose other settings stay.
#[derive(Debug)]
pub(crate) struct Space {
    pub(crate) kind: Kind,
    pub(crate) knobs: Vec<Knob>,
    /// Where the search begins, if a configuration of this kind was given.
    pub(crate) start: Option<Values>,
    /// The other settings, as a file has them.
    base: Map<String, Value>,
}

/// What the grids depend on.
pub(crate) struct Scope<'a> {
    pub(crate) workload: &'a Workload,
    /// How long a request may wait.
    pub(crate) within: Duration,
    pub(crate) cold_start: Duration,
    /// The most workers that may stay for ever.
    pub(crate) floor: u32,
    /// The least workers, if they are not to be tuned.
    pub(crate) min: Option<u32>,
}

// Nothing is tried that is only ever right by chance, though it may fit a recording: an up delay longer than a cold start,
// which doubles the time to help, or giving up a worker sooner than another one could start.
const SECONDS_UP: [u64; 11] = [0, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120];
const SECONDS_DOWN: [u64; 19] = [1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1_200, 1_800];
/// Zero is not written: then it is the down delay.
const SECONDS_TO_ZERO: [u64; 8] = [0, 60, 120, 300, 600, 900, 1_800, 3_600];
const MILLIS_QUEUED: [u64; 14] =
    [50, 100, 200, 350, 500, 750, 1_000, 1_500, 2_000, 4_000, 7_000, 10_000, 20_000, 30_000];
/// Of what a worker can do at the most, in hundredths.
const PERCENT: [u64; 20] = [15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100, 110, 125];
const BUFFERS: [u64; 12] = [0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20];

impl Space {
    pub(crate) fn new(kind: Kind, base: &Config, scope: &Scope<'_>) -> Result<Self, String> {
        let given = Kind::of(base) == Some(kind);
        let Ok(Value::Object(base_values)) = serde_json::to_value(base) else {
            return Err("the configuration cannot be written".to_owned());
        };
        let slots = u64::from(base.concurrency());
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let cold_start = millis(scope.cold_start);
        let delay = |name, seconds: &[u64], usual: Duration, sensible: &dyn Fn(u64) -> bool| Knob {
            name,
            unit: Unit::Millis,
            grid: seconds.iter().map(|seconds| seconds * 1_000).filter(|delay| sensible(*delay)).collect(),
            usual: Some(millis(usual)),
            most: u64::MAX,
        };
        let up = delay("up_delay", &SECONDS_UP, base.up_delay(), &|delay| delay <= cold_start);
        let long_enough = |delay| delay >= cold_start;
        let mut down = delay("down_delay", &SECONDS_DOWN, base.down_delay(), &long_enough);
        let idle = base.idle_timeout().unwrap_or(Duration::from_secs(30).max(scope.cold_start));
        let mut idle = delay("idle_timeout", &SECONDS_DOWN, idle, &long_enough);
        for knob in [&mut down, &mut idle] {
            if knob.grid.is_empty() {
                knob.grid = vec![cold_start, cold_start * 2, cold_start * 4];
            }
        }
        let share = |name, most: f64| Knob {
            name,
            unit: Unit::Millionths,
            grid: PERCENT.iter().map(|percent| three_digits(most * *percent as f64 * 1e4)).collect(),
            usual: None,
            most: u64::MAX,
        };
        let own = match base.policies() {
            [Policy::Outpost(policy)] => Some(policy.target_qps_per_replica.as_micros()),
            [Policy::RunPod(RunPod { scaling: RunPodScaling::QueueDelay(delay), .. })] => Some(millis(*delay)),
            [Policy::RunPod(RunPod { scaling: RunPodScaling::RequestCount(count), .. })] => Some(u64::from(*count)),
            [Policy::Concurrency(target)] => Some((target.target() * 1e6).round() as u64),
            _ => None,
        };
        let own = own.filter(|_| given);
        let mut knobs = match kind {
            Kind::Outpost => {
                let capacity = slots as f64 / mean_service(scope.workload).as_secs_f64();
                let interval = |times: u64| millis(scope.within) * times;
                let interval = Knob {
                    name: "codel_interval",
                    unit: Unit::Millis,
                    grid: [1, 2, 5, 10, 20].map(interval).into(),
                    // RFC 8289, section 4.3: the target is 5 to 10 % of the interval.
                    usual: Some(if given { millis(base.codel_interval()) } else { interval(10) }),
                    most: u64::MAX,
                };
                vec![share("target_qps_per_replica", capacity), up, down, interval]
            }
            Kind::RunpodQueueDelay => {
                let usual = Some(millis(RunPod::DEFAULT_QUEUE_DELAY));
                vec![
                    Knob { name: "queue_delay", unit: Unit::Millis, grid: MILLIS_QUEUED.into(), usual, most: u64::MAX },
                    idle,
                ]
            }
            Kind::RunpodRequestCount => {
                let grid = (1..=4 * slots).filter(|count| *count <= 8 || count % slots.div_ceil(8) == 0).collect();
                vec![Knob { name: "request_count", unit: Unit::Count, grid, usual: None, most: u64::MAX }, up, idle]
            }
            Kind::Concurrency => {
                let buffer = base.buffer().and_then(|buffer| buffer.workers).unwrap_or(0);
                let buffer = Knob {
                    name: "buffer",
                    unit: Unit::Count,
                    grid: BUFFERS.into(),
                    usual: Some(u64::from(buffer)),
                    most: u64::MAX,
                };
                vec![share("target", slots as f64), up, down, buffer]
            }
        };
        if let (Some(own), Some(knob)) = (own, knobs.first_mut()) {
            knob.usual = Some(own);
        }
        let floor = u64::from(scope.floor);
        let min = scope.min.map_or_else(|| (0..=floor).collect(), |min| vec![u64::from(min)]);
        let usual = Some(u64::from(base.min()));
        knobs.push(Knob { name: "min", unit: Unit::Count, grid: min, usual, most: u64::from(base.max()) });
        // Without a silence as long as that, no value leads to another decision.
        if scope.min.unwrap_or(0) == 0 && longest_silence(scope.workload) >= scope.cold_start {
            let usual = if base_values.contains_key("to_zero_delay") { base.to_zero_delay() } else { Duration::ZERO };
            knobs.push(delay("to_zero_delay", &SECONDS_TO_ZERO, usual, &|delay| delay == 0 || delay >= cold_start));
        }
        for knob in &mut knobs {
            if let Some(usual) = knob.usual.filter(|_| given && (knob.name != "min" || scope.min.is_none())) {
                knob.grid.push(usual);
                knob.grid.sort_unstable();
            }
            knob.grid.dedup();
        }
        let start = given.then(|| knobs.iter().filter_map(|knob| knob.usual).collect::<Values>());
        let start = start.filter(|start| start.len() == knobs.len());
        Ok(Self { kind, knobs, start, base: base_values })
    }

    /// Values that certainly keep an objective if any do: as many workers as there may be, all the time.
    pub(crate) fn safe(&self) -> Values {
        let value = |knob: &Knob| match knob.name {
            "min" => knob.grid.last().copied(),
            _ => knob.usual.or_else(|| knob.grid.get(knob.grid.len() / 2).copied()),
        };
        self.knobs.iter().map(|knob| value(knob).unwrap_or(0)).collect()
    }

    /// The settings that the values give, by the names of a file; `null` is for what is not to be there.
    pub(crate) fn settings(&self, values: &[u64]) -> Vec<(&'static str, Value)> {
        let mut settings = Vec::new();
        for (knob, value) in self.knobs.iter().zip(values) {
            let text = knob.text(*value);
            let number = || text.parse::<f64>().map_or(Value::Null, |number| json!(number));
            match knob.name {
                name @ "target_qps_per_replica" => settings.push(("policies", json!([{"outpost": {name: number()}}]))),
                name @ "queue_delay" => settings.push(("policies", json!([{"runpod": {"scaling": {name: text}}}]))),
                name @ "request_count" => settings.push(("policies", json!([{"runpod": {"scaling": {name: value}}}]))),
                name @ "target" => settings.push(("policies", json!([{"concurrency": {name: number()}}]))),
                "buffer" if *value == 0 => settings.push(("buffer", Value::Null)),
                "buffer" => settings.push(("buffer", json!({"workers": value}))),
                "to_zero_delay" if *value == 0 => settings.push(("to_zero_delay", Value::Null)),
                "min" => settings.push(("min", json!(value))),
                "idle_timeout" => settings.extend([("idle_timeout", json!(text)), ("down_delay", json!(text))]),
                name => settings.push((name, json!(text))),
            }
        }
        settings
    }

    /// The configuration that the values make.
    pub(crate) fn config(&self, values: &[u64]) -> Result<Config, String> {
        let mut map = self.base.clone();
        for (name, value) in self.settings(values) {
            if value.is_null() {
                map.remove(name);
            } else {
                map.insert(name.to_owned(), value);
            }
        }
        serde_json::from_value(Value::Object(map)).map_err(|error| error.to_string())
    }

    /// The values in a few words.
    pub(crate) fn words(&self, values: &[u64]) -> String {
        let shown = self.knobs.iter().zip(values).filter(|(knob, value)| {
            // What is off is not worth a word.
            **value > 0 || !matches!(knob.name, "buffer" | "to_zero_delay" | "up_delay")
        });
        let words = shown.map(|(knob, value)| format!("{} {}", knob.name, knob.text(*value)));
        words.collect::<Vec<_>>().join(", ")
    }
}

/// A worker holds a slot for so long, on average.
pub(crate) fn mean_service(workload: &Workload) -> Duration {
    let requests = u32::try_from(workload.requests().len().max(1)).unwrap_or(u32::MAX);
    let work = workload.requests().iter().fold(Duration::ZERO, |sum, request| sum.saturating_add(request.service));
    (work / requests).max(Duration::from_millis(1))
}

/// The longest time without an arrival.
fn longest_silence(workload: &Workload) -> Duration {
    let requests = workload.requests();
    let gaps = requests.iter().zip(requests.iter().skip(1)).map(|(a, b)| b.arrival.saturating_since(a.arrival));
    gaps.max().unwrap_or(workload.duration())
}

/// Rounded to three digits, at least one.
fn three_digits(value: f64) -> u64 {
    let whole = value.round().max(1.0) as u64;
    let mut unit = 1;
    while whole / unit >= 1_000 {
        unit *= 10;
    }
    (whole + unit / 2) / unit * unit
}
