//! Signals, recomputed at every instant from everything that was ever told.

use std::rc::Rc;
use std::time::Duration;

use plimsoll::{Config, Observation};

use crate::queues::Queues;

/// An instant or a span, in nanoseconds.
pub type Nanos = u64;

pub fn nanos(span: Duration) -> Nanos {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Millionths in one.
const MICRO: u128 = 1_000_000;
/// Slices in a window.
const SLICES: u64 = 12;

/// One observation, and what was so when it came.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: Nanos,
    pub what: Observation,
    /// Somebody may have been taking requests.
    pub attended: bool,
    pub staff: Staff,
    /// The configuration that held.
    pub config: Rc<Config>,
}

/// What signals need to know of the pool.
#[derive(Clone, Copy, Debug)]
pub struct Staff {
    pub ready: u32,
    /// Requests being served, as the workers themselves say.
    pub busy: Option<u64>,
    /// The pool is reported, and nobody in it can be serving.
    pub deserted: bool,
}

/// What the signals say at one instant; missing is not zero.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a finding of its own")]
pub struct Signals {
    pub rate: Option<u64>,
    pub rate_with_one_more: Option<u64>,
    /// A whole window has been seen since the last gap.
    pub rate_full: bool,
    pub ready: u32,
    pub free_slots: u64,
    pub depth: Option<u64>,
    pub backlog: u64,
    pub in_flight: Option<u64>,
    pub oldest_age: Option<Nanos>,
    pub last_wait: Option<Nanos>,
    pub overloaded: bool,
    pub oldest_over_target: bool,
    pub p99_over_target: Option<bool>,
    pub rising: Option<bool>,
    pub quiet: bool,
    pub external: Option<u32>,
    pub lost: bool,
    pub surplus: bool,
    pub codel_marks: u64,
}

/// All signals at `now`.
pub fn signals(now: Nanos, start: Nanos, told: &[Told], staff: Staff, config: &Config) -> Signals {
    let freshness = nanos(config.freshness());
    let old = |gauge: Option<Nanos>| gauge.is_some_and(|at| at + freshness <= now);
    let requests = Requests::replay(told, start);
    let arrivals = Arrivals::count(now, start, told, config);
    let (p99_over_target, rising) = sojourns(now, start, told, config);

    // Where arrivals are reported and none has ever come, nothing waits and nothing is served.
    let nothing_yet = (arrivals.rate.is_some() && !requests.ever_active).then_some(0);
    let (depth_old, in_flight_old) = (old(requests.depth_gauge), old(requests.in_flight_gauge));
    let depth = requests.depth().or(nothing_yet).filter(|_| !depth_old);
    let in_flight = requests.in_flight.or(staff.busy).or(staff.deserted.then_some(0)).or(nothing_yet);
    let in_flight = in_flight.filter(|_| !in_flight_old);

    let slots = u64::from(staff.ready) * u64::from(config.concurrency());
    let free_slots = in_flight.map_or(0, |busy| slots.saturating_sub(busy));
    let central = if requests.known { requests.depth } else { requests.unattended };
    let backlog = central + requests.own.depth().unwrap_or(0);
    let first = requests.oldest.filter(|_| central > 0).map(|(at, age)| age + (now - at));
    let oldest_age = first.max(requests.own.age(now)).filter(|_| depth != Some(0));
    let (target, interval) = (nanos(config.sojourn_target()), nanos(config.codel_interval()));
    let overdue = oldest_age.is_some_and(|age| age >= target + interval);
    let waiting = depth.is_some_and(|depth| depth > 0);

    let known = arrivals.rate.is_some() || (depth.is_some() && in_flight.is_some());
    let empty = depth.unwrap_or(0) == 0 && in_flight.unwrap_or(0) == 0 && backlog == 0;
    Signals {
        rate: arrivals.rate,
        rate_with_one_more: arrivals.with_one_more,
        rate_full: arrivals.full,
        ready: staff.ready,
        free_slots,
        depth,
        backlog,
        in_flight,
        oldest_age,
        last_wait: requests.last_wait,
        overloaded: (overdue && backlog > free_slots) || requests.codel.overloaded(now, waiting, interval),
        oldest_over_target: oldest_age.is_some_and(|age| age > target),
        p99_over_target,
        rising,
        quiet: known && empty && now >= requests.last_activity + nanos(config.to_zero_delay()),
        external: proposal(now, told),
        lost: depth_old || in_flight_old || arrivals.lost,
        surplus: backlog > 0 && backlog <= free_slots && overdue,
        codel_marks: requests.codel.marks,
    }
}

/// The last proposal from outside, while it stands.
fn proposal(now: Nanos, told: &[Told]) -> Option<u32> {
    let last = told.iter().rev().find_map(|told| match told.what {
        Observation::Proposal { workers, valid_for } => Some((workers, valid_for.map(|span| told.at + nanos(span)))),
        _ => None,
    });
    last.filter(|(_, until)| until.is_none_or(|until| now < until)).map(|(workers, _)| workers)
}

/// The arrival rate in millionths over a window of twelve slices that are counted from the start.
struct Arrivals {
    rate: Option<u64>,
    with_one_more: Option<u64>,
    full: bool,
    lost: bool,
}

impl Arrivals {
    fn count(now: Nanos, start: Nanos, told: &[Told], config: &Config) -> Self {
        // When, how many, and how long a silence before them is zero traffic.
        let arrivals: Vec<(Nanos, u32, Nanos)> = told
            .iter()
            .filter_map(|told| match told.what {
                Observation::Arrived { count, .. } => {
                    Some((told.at, count, told.config.event_freshness().map_or(u64::MAX, nanos)))
                }
                _ => None,
            })
            .collect();
        let Some((newest, ..)) = arrivals.last() else {
            return Self { rate: None, with_one_more: None, full: true, lost: false };
        };
        let slice = nanos(config.window()) / SLICES;
        let slice_of = |at: Nanos| (at - start) / slice;
        // After a silence that is too long to be zero traffic all begins anew, a slice later.
        let freshness = config.event_freshness().map_or(u64::MAX, nanos);
        let gap = arrivals.windows(2).rfind(|pair| pair[1].0 - pair[0].0 >= pair[1].2);
        let from = gap.map_or(start, |pair| pair[1].0 + slice);
        let lost = now - newest >= freshness;
        if now < from {
            return Self { rate: None, with_one_more: None, full: false, lost };
        }
        let open = slice_of(now);
        let closed = (open - slice_of(from)).min(SLICES);
        // Requests that came so many slices ago, the open slice being the 0th.
        let mass = |newest: u64, oldest: u64| {
            let within = |at: Nanos| at >= from && (newest..=oldest).contains(&(open - slice_of(at)));
            arrivals.iter().filter(|(at, ..)| within(*at)).map(|(_, count, _)| u128::from(*count)).sum::<u128>()
        };
        let per_second = |requests: u128, slices: u64| {
            let span = u128::from(slices) * u128::from(slice);
            (requests * MICRO * 1_000_000_000).checked_div(span).map(|rate| u64::try_from(rate).expect("a rate"))
        };
        // The larger of the mean over the closed slices, and the same with the open one in place of the oldest.
        let rate = |more: u128| {
            per_second(mass(1, SLICES) + more, closed).max(per_second(mass(0, 11) + more, (closed + 1).min(SLICES)))
        };
        Self { rate: rate(0).filter(|_| !lost), with_one_more: rate(1), full: closed == SLICES, lost }
    }
}

/// Whether p99 of the window's sojourns is over the target, and whether they are rising.
fn sojourns(now: Nanos, start: Nanos, told: &[Told], config: &Config) -> (Option<bool>, Option<bool>) {
    let slice_of = |at: Nanos| (at - start) / (nanos(config.window()) / SLICES);
    let waits = told.iter().filter_map(|told| match told.what {
        Observation::Started { sojourn: wait, .. } | Observation::Abandoned { wait, .. } => {
            Some((slice_of(now) - slice_of(told.at), nanos(wait)))
        }
        _ => None,
    });
    let window: Vec<(u64, Nanos)> = waits.filter(|(slices_ago, _)| *slices_ago < SLICES).collect();
    if window.is_empty() {
        return (None, None);
    }
    let mut sorted: Vec<Nanos> = window.iter().map(|(_, wait)| *wait).collect();
    sorted.sort_unstable();
    let p99 = sorted[(sorted.len() * 99).div_ceil(100) - 1];
    let over = p99 > nanos(config.sojourn_target());
    let half = |newer: bool| {
        let half = window.iter().filter(|(slices_ago, _)| (*slices_ago < SLICES / 2) == newer);
        half.fold((0_u128, 0_u128), |(sum, count), (_, wait)| (sum + u128::from(*wait), count + 1))
    };
    let ((newer, newer_count), (older, older_count)) = (half(true), half(false));
    let both = newer_count > 0 && older_count > 0;
    // newer mean > 9/8 of the older mean
    let risen = both && newer * older_count * 8 > older * newer_count * 9;
    (Some(over), Some(over || risen))
}

/// What is known of the requests: counters that events move and gauges set.
#[derive(Default)]
struct Requests {
    depth: u64,
    known: bool,
    arrivals_seen: bool,
    /// The last gauge, while only gauges say so.
    depth_gauge: Option<Nanos>,
    /// Arrivals that nobody can have taken.
    unattended: u64,
    /// How long the first had waited, and when.
    oldest: Option<(Nanos, Nanos)>,
    last_wait: Option<Nanos>,
    in_flight: Option<u64>,
    in_flight_gauge: Option<Nanos>,
    last_activity: Nanos,
    ever_active: bool,
    codel: Codel,
    /// Queues of single workers; the others are the central queue's.
    own: Queues,
}

impl Requests {
    fn replay(told: &[Told], start: Nanos) -> Self {
        let mut requests = Self { last_activity: start, ..Self::default() };
        for told in told {
            if told.attended {
                // Somebody may have taken what came: of a queue that nobody watches nothing is known.
                requests.unattended = 0;
                if !requests.known {
                    (requests.depth, requests.oldest) = (0, None);
                }
            }
            requests.take(told);
        }
        requests
    }

    /// Requests that wait in any queue, as far as known.
    fn depth(&self) -> Option<u64> {
        let central = self.known.then_some(self.depth);
        self.own.depth().map(|own| own + central.unwrap_or(0)).or(central)
    }

    fn take(&mut self, told: &Told) {
        let (now, config) = (told.at, &told.config);
        let central = !self.own.take(now, &told.what);
        let active = match told.what {
            Observation::Arrived { count, .. } => {
                if central {
                    self.arrivals_seen = true;
                    self.depth += u64::from(count);
                    self.unattended += if told.attended { 0 } else { u64::from(count) };
                    self.oldest = self.oldest.or((count > 0).then_some((now, 0)));
                }
                count > 0
            }
            Observation::Started { sojourn: wait, .. } | Observation::Abandoned { wait, .. } => {
                if central {
                    self.left(now, nanos(wait));
                }
                if matches!(told.what, Observation::Started { .. }) {
                    (self.in_flight, self.in_flight_gauge) = (Some(self.in_flight.unwrap_or(0) + 1), None);
                }
                self.codel.dequeue(now, nanos(wait), nanos(config.sojourn_target()), nanos(config.codel_interval()));
                true
            }
            Observation::Finished { .. } => {
                self.in_flight = self.in_flight.map(|count| count.saturating_sub(1));
                true
            }
            Observation::Queue { depth, oldest_age, .. } => {
                if central {
                    self.gauge(now, u64::from(depth), oldest_age.map(nanos));
                }
                depth > 0
            }
            Observation::InFlight { count } => {
                if self.in_flight.is_none() || self.in_flight_gauge.is_some() {
                    self.in_flight_gauge = Some(now);
                }
                self.in_flight = Some(u64::from(count));
                count > 0
            }
            Observation::Worker { event, .. } => {
                use plimsoll::WorkerEvent::{Busy, Leased};
                matches!(event, Busy(1..) | Leased(_)) || told.staff.busy.unwrap_or(0) > 0
            }
            _ => false,
        };
        if active {
            (self.last_activity, self.ever_active) = (now, true);
        }
        // The queue has run empty when nothing waits and a slot is free.
        let of_requests = !matches!(
            told.what,
            Observation::Worker { .. }
                | Observation::StartFailed { .. }
                | Observation::Pool(_)
                | Observation::Mode { .. }
                | Observation::Reserve { .. }
        );
        let slots = u64::from(told.staff.ready) * u64::from(config.concurrency());
        let free = self.in_flight.or(told.staff.busy).is_none_or(|busy| busy < slots);
        if of_requests && self.depth() == Some(0) && free {
            self.codel.empty();
        }
    }

    fn gauge(&mut self, now: Nanos, depth: u64, oldest_age: Option<Nanos>) {
        if !self.known || self.depth_gauge.is_some() {
            self.depth_gauge = Some(now);
        }
        (self.known, self.depth, self.unattended) = (true, depth, depth);
        self.oldest = oldest_age.map(|age| (now, age)).or(self.oldest).or(Some((now, 0)));
        if depth == 0 {
            (self.oldest, self.last_wait) = (None, None);
        }
    }

    /// A request left the queue. Those behind it have waited since now at least.
    fn left(&mut self, now: Nanos, wait: Nanos) {
        if !self.known && !self.arrivals_seen {
            return;
        }
        (self.known, self.depth_gauge) = (true, None);
        self.depth = self.depth.saturating_sub(1);
        self.unattended = self.unattended.saturating_sub(1);
        let stays = self.depth > 0;
        (self.oldest, self.last_wait) = (stays.then_some((now, 0)), stays.then_some(wait));
    }
}

/// RFC 8289, section 5.5, by its own names; a drop is a mark.
#[derive(Default)]
struct Codel {
    first_above_time: Option<Nanos>,
    dropping: bool,
    drop_next: Nanos,
    count: u64,
    lastcount: u64,
    last_dequeue: Nanos,
    marks: u64,
}

impl Codel {
    fn dequeue(&mut self, now: Nanos, sojourn: Nanos, target: Nanos, interval: Nanos) {
        self.last_dequeue = now;
        let ok_to_drop = sojourn >= target && self.first_above_time.is_some_and(|at| now >= at);
        self.first_above_time = (sojourn >= target).then(|| self.first_above_time.unwrap_or(now + interval));
        if self.dropping {
            self.dropping = ok_to_drop;
            if ok_to_drop && now >= self.drop_next {
                (self.count, self.marks) = (self.count + 1, self.marks + 1);
                self.drop_next = Self::control_law(self.drop_next, self.count, interval);
            }
        } else if ok_to_drop {
            (self.dropping, self.marks) = (true, self.marks + 1);
            let delta = self.count - self.lastcount;
            self.count = if delta > 1 && now < self.drop_next + 16 * interval { delta } else { 1 };
            self.drop_next = Self::control_law(now, self.count, interval);
            self.lastcount = self.count;
        }
    }

    fn control_law(t: Nanos, count: u64, interval: Nanos) -> Nanos {
        let square = u128::from(interval) * u128::from(interval) / u128::from(count);
        t + u64::try_from(square.isqrt()).expect("less than the interval")
    }

    const fn empty(&mut self) {
        (self.first_above_time, self.dropping) = (None, false);
    }

    /// The verdict stands while requests wait, and without them for 16 intervals after the last one left.
    const fn overloaded(&self, now: Nanos, waiting: bool, interval: Nanos) -> bool {
        self.dropping && (waiting || now < self.last_dequeue + 16 * interval)
    }
}
