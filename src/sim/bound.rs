//! What no policy can beat: a lower bound on worker-seconds, and the plan of somebody who knows every arrival.
//!
//! A request that arrived at `a`, takes `s` and starts at most `W` late certainly holds a slot during
//! `M = [a + W, a + s)`. Whoever drops it (serves it late) saves at most that. Give a request the density `1/|M|` over
//! its `M`: then a pool of `n(t)` workers with `c` slots drops at least `∫ g(n(t), t) dt` requests, where `g` is the sum
//! of the densities of all active requests but the `c·n` densest (the shortest). `g` is convex in `n`, so at a price `p`
//! for a dropped request the worker counts fall apart into levels: level `k` is on, at 1 per second, or off, at `p` times
//! the densities of rank `(k−1)·c + 1` to `k·c`, and to switch it on costs a cold start. Each level is a dynamic program
//! of two states. For every `p`, `Σ levels − p·ε·N` is a lower bound for whoever drops at most `ε·N` of `N` requests
//! (Lagrangian duality); the largest is taken. All work must be done as well, so the bound is at least `Σ s / c`.
//!
//! The levels that are on at the first instant are on for nothing: no policy is charged for starts before the window.
#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "sums of a finished run; no decision rests on them"
)]

use core::time::Duration;
use std::vec::Vec;

use super::workload::Workload;
use crate::time::Timestamp;

/// Certain occupancies of fewer seconds are left out.
const SHORTEST: f64 = 1e-3;

/// The certain occupancies of a workload's requests, in order of time.
pub(super) struct Certain {
    /// When one begins or ends, in seconds, and how long it is.
    events: Vec<(f64, bool, f64)>,
    slots: usize,
    cold_start: f64,
    requests: f64,
    /// All work over the slots of a worker.
    work: f64,
}

impl Certain {
    /// Of requests that start at most `within` late on workers with `slots` slots.
    pub(super) fn new(workload: &Workload, slots: u32, cold_start: Duration, within: Duration) -> Self {
        let mut events = Vec::with_capacity(workload.requests().len().saturating_mul(2));
        let mut work = 0.0;
        for request in workload.requests() {
            work += request.service.as_secs_f64();
            let length = request.service.as_secs_f64() - within.as_secs_f64();
            // To leave one out makes the bound a little lower; to sum densities of any size would make it inexact.
            if length >= SHORTEST {
                let begin = request.arrival.saturating_since(Timestamp::ORIGIN).as_secs_f64() + within.as_secs_f64();
                events.push((begin, true, length));
                events.push((begin + length, false, length));
            }
        }
        // At one instant what ends goes before what begins.
        events.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)));
        let slots = slots.max(1);
        Self {
            events,
            slots: slots as usize,
            cold_start: cold_start.as_secs_f64(),
            requests: workload.requests().len() as f64,
            work: work / f64::from(slots),
        }
    }

    /// The least worker-seconds of whoever starts the `share` of all requests in time.
    pub(super) fn least(&self, share: f64) -> f64 {
        let allowed = (1.0 - share).max(0.0) * self.requests;
        let value = |log: f64| {
            let price = libm::exp(log);
            self.levels(price, None) - price * allowed
        };
        // Concave in the price, so over its logarithm it has one peak: golden section.
        let (mut low, mut high) = (libm::log(1e-3), libm::log(1e6));
        let ratio = 0.618_033_988_749_894_9;
        let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
        let (mut at_a, mut at_b) = (value(a), value(b));
        let mut best = self.work.max(at_a).max(at_b);
        for _ in 0..18 {
            if at_a < at_b {
                (low, a, at_a) = (a, b, at_b);
                b = low + ratio * (high - low);
                at_b = value(b);
                best = best.max(at_b);
            } else {
                (high, b, at_b) = (b, a, at_a);
                a = high - ratio * (high - low);
                at_a = value(a);
                best = best.max(at_a);
            }
        }
        best
    }

    /// When how many workers are on at this price of a late request: each change, in seconds.
    pub(super) fn plan(&self, price: f64) -> Vec<(f64, i32)> {
        let mut trace = Trace::default();
        self.levels(price, Some(&mut trace));
        trace.changes
    }

    /// The cost of all levels at this price, drops included.
    fn levels(&self, price: f64, mut trace: Option<&mut Trace>) -> f64 {
        let mut levels: Vec<Level> = Vec::new();
        // Lengths of the active occupancies, the shortest (densest) first.
        let mut active: Vec<f64> = Vec::new();
        for &(at, begins, length) in &self.events {
            let rank = active.partition_point(|other| *other < length);
            if begins {
                active.insert(rank, length);
                if active.len() > levels.len().saturating_mul(self.slots) {
                    levels.push(Level::default());
                }
            }
            // From its own level on, each gives its last to the next, or takes the next one's first.
            let (first, mut moved) = (rank.checked_div(self.slots).unwrap_or(0), 1.0 / length);
            for (index, level) in levels.iter_mut().enumerate().skip(first) {
                let boundary = index.saturating_add(1).saturating_mul(self.slots);
                level.pass_to(at, price, self.cold_start, trace.as_deref_mut());
                let passed = active.get(boundary).map(|length| 1.0 / length);
                level.density += if begins { moved } else { -moved };
                let Some(passed) = passed else {
                    if !begins && active.len() <= index.saturating_mul(self.slots).saturating_add(1) {
                        // The last of this level: what rounding has left of the sum goes with it.
                        level.density = 0.0;
                    }
                    break;
                };
                level.density += if begins { -passed } else { passed };
                moved = passed;
            }
            if !begins {
                active.remove(rank);
            }
        }
        levels
            .iter_mut()
            .map(|level| {
                level.close(trace.as_deref_mut());
                level.on.min(level.off)
            })
            .sum()
    }
}

/// One level's dynamic program: the least cost so far of being on, and of being off.
#[derive(Clone, Debug, Default)]
struct Level {
    on: f64,
    off: f64,
    density: f64,
    at: f64,
    begun: bool,
    /// The last changes that led to being on and to being off: positions in the trace, counted from one.
    led_on: usize,
    led_off: usize,
}

impl Level {
    fn pass_to(&mut self, at: f64, price: f64, cold_start: f64, trace: Option<&mut Trace>) {
        if !core::mem::replace(&mut self.begun, true) {
            // Off cost nothing so far. To be on from here on costs a start, or to have been on from the beginning.
            self.on = cold_start.min(at);
            self.at = at;
            if let Some(trace) = trace {
                self.led_on = trace.note(at, true, 0);
            }
            return;
        }
        let passed = at - self.at;
        self.at = at;
        self.on += passed;
        self.off += passed * price * self.density.max(0.0);
        if self.off + cold_start < self.on {
            self.on = self.off + cold_start;
            if let Some(trace) = trace {
                self.led_on = trace.note(at, true, self.led_off);
            }
        } else if self.on < self.off {
            self.off = self.on;
            if let Some(trace) = trace {
                self.led_off = trace.note(at, false, self.led_on);
            }
        }
    }

    fn close(&mut self, trace: Option<&mut Trace>) {
        let Some(trace) = trace else { return };
        let mut at = if self.on < self.off { trace.note(self.at, false, self.led_on) } else { self.led_off };
        while let Some(&(time, on, before)) = at.checked_sub(1).and_then(|at| trace.notes.get(at)) {
            trace.changes.push((time, if on { 1 } else { -1 }));
            at = before;
        }
    }
}

#[derive(Debug, Default)]
struct Trace {
    /// A change of a level's state, and the one that came before it.
    notes: Vec<(f64, bool, usize)>,
    changes: Vec<(f64, i32)>,
}

impl Trace {
    fn note(&mut self, at: f64, on: bool, before: usize) -> usize {
        self.notes.push((at, on, before));
        self.notes.len()
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;
    use crate::sim::workload::Request;

    fn workload(requests: &[(u64, u64)]) -> Workload {
        let request = |&(arrival, service)| Request {
            arrival: Timestamp::from_secs(arrival),
            service: Duration::from_secs(service),
        };
        Workload::from_requests("test", requests.iter().map(request).collect()).unwrap()
    }

    fn certain(requests: &[(u64, u64)], slots: u32, cold_start: u64) -> Certain {
        Certain::new(&workload(requests), slots, Duration::from_secs(cold_start), Duration::ZERO)
    }

    #[test]
    fn one_request_after_the_start_costs_its_work_and_a_cold_start() {
        // All must be in time: the price is pushed up until dropping is no way out.
        assert_relative_eq!(certain(&[(100, 10)], 1, 20).least(1.0), 30.0, max_relative = 1e-6);
        // At the beginning of everything a worker is there already, for what it costs to have it since then.
        assert_relative_eq!(certain(&[(0, 10)], 1, 20).least(1.0), 10.0, max_relative = 1e-6);
        assert_relative_eq!(certain(&[(5, 10)], 1, 20).least(1.0), 15.0, max_relative = 1e-6);
        // Whoever may drop it does, and still has its work to do.
        assert_relative_eq!(certain(&[(100, 10)], 1, 20).least(0.0), 10.0, max_relative = 1e-6);
    }

    #[test]
    fn a_short_gap_is_bridged_and_a_long_one_is_not() {
        let gap = |seconds: u64| certain(&[(100, 10), (110 + seconds, 10)], 1, 20).least(1.0);
        assert_relative_eq!(gap(5), 45.0, max_relative = 1e-6);
        assert_relative_eq!(gap(50), 60.0, max_relative = 1e-6);
    }

    #[test]
    fn slots_are_shared_and_levels_are_counted() {
        let both = [(100, 10), (100, 10)];
        assert_relative_eq!(certain(&both, 1, 20).least(1.0), 60.0, max_relative = 1e-6);
        assert_relative_eq!(certain(&both, 2, 20).least(1.0), 30.0, max_relative = 1e-6);
        let three = [(100, 10), (100, 20), (105, 10)];
        // One worker for 20 s, one for 15 s and one for the 5 s in which there are three.
        assert_relative_eq!(certain(&three, 1, 20).least(1.0), 100.0, max_relative = 1e-6);
        assert!(certain(&three, 1, 20).least(1.0) >= certain(&three, 1, 20).least(0.5));
    }

    #[test]
    fn what_may_wait_is_not_certain_and_its_work_remains() {
        let late = Certain::new(&workload(&[(100, 10)]), 1, Duration::from_secs(20), Duration::from_secs(10));
        assert_relative_eq!(late.least(1.0), 10.0, max_relative = 1e-6);
        let partly = Certain::new(&workload(&[(100, 10)]), 1, Duration::from_secs(20), Duration::from_secs(4));
        assert_relative_eq!(partly.least(1.0), 26.0, max_relative = 1e-6);
    }

    /// Ten alike, far from each other: who may drop half of them pays for the other half. At the price at which dropping
    /// is as good as serving the bound is exact; the search comes within half a percent of it.
    #[test]
    fn a_share_is_priced_between_all_and_nothing() {
        for (service, cold_start, alone) in [(10, 20, 30.0), (10, 500, 510.0), (100, 2_000, 2_100.0), (1, 2, 3.0)] {
            let ten: Vec<_> = (1..=10).map(|number| (number * 10_000, service)).collect();
            for (share, served) in [(0.5, 5.0), (0.9, 9.0)] {
                let least = certain(&ten, 1, cold_start).least(share);
                let exact = alone * served;
                assert!(least <= exact * (1.0 + 1e-9) && least >= exact * 0.995, "{share} of {service} s: {least}");
            }
        }
    }

    #[test]
    fn a_plan_is_on_while_it_pays() {
        let mut plan = certain(&[(100, 10), (115, 10), (500, 10)], 1, 20).plan(1e6);
        plan.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_eq!(plan, [(100.0, 1), (125.0, -1), (500.0, 1), (510.0, -1)]);
        let two = certain(&[(100, 10), (105, 10)], 1, 20).plan(1e6);
        assert_eq!(two.iter().map(|(_, change)| *change).sum::<i32>(), 0);
        assert_eq!(two.len(), 4);
        assert_eq!(certain(&[(100, 10)], 1, 20).plan(0.001), []);
    }
}
