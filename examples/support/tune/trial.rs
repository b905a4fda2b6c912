//! Tries one configuration on the part of the workload that may be used for choosing, or on the part that may not.
//!
//! The workload's time is cut into equal blocks. The first ones are for the pool to come up and do not count, the last
//! ones are held out. Between blocks lateness differs by more than chance would have it between requests, since a worker
//! that is missing makes many late: so it is the blocks that say how sure a share is.

use std::time::Duration;

use plimsoll::sim::{Commands, Controller, Decided, Objective, Options, Request, Service, Workload, simulate_with};
use plimsoll::{Autoscaler, Config, Observation, Timestamp};
use serde::Serialize;

/// Into how many blocks a workload is cut: enough for a spread to be seen, and each still longer than what one start of a
/// worker does to a queue.
pub(crate) const BLOCKS: usize = 24;
/// Fewer blocks than this say too little about each other.
pub(crate) const FEWEST: usize = 6;
/// A bad day: starts take half as long again, requests a tenth longer, and the long ones come at other times. A choice
/// that holds on one recording at the stated cold start holds until the first slow image pull, or the first day that is
/// not that day.
pub(crate) const SLOW_STARTS: f64 = 1.5;
const LONGER_PERCENT: u32 = 110;
/// The 90 % quantile of Student's t by degrees of freedom, from one.
const STUDENT: [f64; 23] = [
    3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372, 1.363, 1.356, 1.350, 1.345, 1.341, 1.337,
    1.333, 1.330, 1.328, 1.325, 1.323, 1.321, 1.319,
];
/// Where none of `n` requests was late, the share is below `ln(10) / n` with 90 % confidence.
const NONE_LATE: f64 = 2.303;

/// What configurations are tried on.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) whole: Workload,
    /// Without what is held out.
    pub(crate) known: Workload,
    /// The same on a bad day.
    bad_day: Workload,
    pub(crate) objective: Objective,
    pub(crate) options: Options,
    /// The length of a block.
    pub(crate) block: Duration,
    /// The first block that counts, and the first that is held out.
    pub(crate) warm: usize,
    pub(crate) split: usize,
}

/// A part's figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Figures {
    pub(crate) requests: u64,
    pub(crate) worker_hours: f64,
    /// The share of requests in time.
    pub(crate) within: f64,
    /// The share is at least this, with 90 % confidence.
    pub(crate) within_at_least: f64,
}

/// What came of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Verdict {
    #[serde(flatten)]
    pub(crate) figures: Figures,
    /// The share in time on a bad day; not looked at where the objective is missed anyway.
    pub(crate) within_bad_day: Option<f64>,
    pub(crate) keeps_objective: bool,
}

impl Verdict {
    /// Less is better: first whether the objective is kept, then what it costs, or by how much it is missed.
    pub(crate) fn rank(&self) -> (bool, f64, f64) {
        if self.keeps_objective {
            return (false, self.figures.worker_hours, -self.figures.within);
        }
        let within = self.figures.within_at_least.min(self.within_bad_day.unwrap_or(1.0));
        (true, 1.0 - within, self.figures.worker_hours)
    }

    pub(crate) fn is_better_than(&self, other: &Self) -> bool {
        let ((misses, first, second), (others, its_first, its_second)) = (self.rank(), other.rank());
        misses.cmp(&others).then(first.total_cmp(&its_first)).then(second.total_cmp(&its_second)).is_lt()
    }
}

impl Ground {
    /// Cuts a workload; refused if what remains to choose by, or to check by, is too little.
    pub(crate) fn new(
        whole: Workload,
        objective: Objective,
        options: Options,
        hold_out: f64,
        seed: u64,
    ) -> Result<Self, String> {
        let count = u32::try_from(BLOCKS).unwrap_or(u32::MAX);
        let duration = whole.duration();
        // Rounded up, so that the last request lies in the last block.
        let block = duration / count + Duration::from_nanos(1);
        let come_up = options.cold_start.mul_f64(2.0 * SLOW_STARTS) + Duration::from_secs(60);
        let warm = (1..BLOCKS).find(|blocks| block * u32::try_from(*blocks).unwrap_or(u32::MAX) >= come_up);
        let split = BLOCKS - (hold_out * BLOCKS as f64).round() as usize;
        let name = whole.name();
        let warm = warm.filter(|warm| split >= warm + FEWEST).ok_or_else(|| {
            let needed = come_up.as_secs_f64() / (split.saturating_sub(FEWEST).max(1) as f64) * BLOCKS as f64;
            format!(
                "{name}: {:.0} min are too short: the first {:.0} s are for the pool to come up, {:.0} % are held out, \
                 and {FEWEST} of {BLOCKS} blocks must remain; give at least {:.0} min, or a smaller --hold-out",
                duration.as_secs_f64() / 60.0,
                come_up.as_secs_f64(),
                hold_out * 100.0,
                (needed / 60.0).ceil()
            )
        })?;
        let known = whole.between(Duration::ZERO, block * u32::try_from(split).unwrap_or(u32::MAX));
        let bad_day = bad_day(&known, seed)?;
        let ground = Self { whole, known, bad_day, objective, options, block, warm, split };
        let counted = ground.part(warm, split).requests().len() as f64;
        let needed = NONE_LATE / (1.0 - objective.share.as_f64()).max(1e-9);
        if counted < needed {
            return Err(format!(
                "{}: {counted} requests to choose by cannot show {} % in time, even if none were late: it takes {:.0}; \
                 give a longer workload, or a lower --share",
                ground.whole.name(),
                objective.share.as_f64() * 100.0,
                needed.ceil()
            ));
        }
        Ok(ground)
    }

    /// The requests of some blocks.
    pub(crate) fn part(&self, from: usize, to: usize) -> Workload {
        let at = |block: usize| self.block * u32::try_from(block).unwrap_or(u32::MAX);
        self.whole.between(at(from), at(to))
    }

    /// How good a configuration is by the known part.
    pub(crate) fn judge(&self, config: &Config) -> Verdict {
        let share = self.objective.share.as_f64();
        let run = self.run(&self.known, config, self.options.cold_start);
        let figures = run.figures(self.warm, self.split);
        let may = figures.within_at_least >= share;
        let bad_day = may.then(|| self.run(&self.bad_day, config, self.options.cold_start.mul_f64(SLOW_STARTS)));
        let within_bad_day = bad_day.map(|run| run.figures(self.warm, self.split).within);
        Verdict { figures, within_bad_day, keeps_objective: within_bad_day.is_some_and(|within| within >= share) }
    }

    /// How it does on what was held out, after the known part.
    pub(crate) fn check(&self, config: &Config) -> Figures {
        self.run(&self.whole, config, self.options.cold_start).figures(self.split, BLOCKS)
    }

    fn run(&self, workload: &Workload, config: &Config, cold_start: Duration) -> Run {
        let service = Service { concurrency: config.concurrency(), target: self.objective.within };
        let mut options = self.options.clone();
        options.cold_start = cold_start;
        options.bucket = self.block;
        let counting = Counting {
            autoscaler: Autoscaler::new(config.clone(), Timestamp::ORIGIN),
            within: self.objective.within,
            block: self.block,
            arrived: [0; BLOCKS],
            in_time: [0; BLOCKS],
        };
        let (outcome, counting) = simulate_with(workload, service, counting, &options, &mut ());
        let mut worker_seconds = [0.0; BLOCKS];
        let (end, width, block) =
            (outcome.duration.as_secs_f64(), outcome.bucket.as_secs_f64(), self.block.as_secs_f64());
        for (at, sum) in worker_seconds.iter_mut().enumerate() {
            // A run that waits for hours for a hopeless queue has its buckets merged.
            let start = at as f64 * block;
            if let Some(sample) = outcome.samples.get((start / width + 1e-9) as usize) {
                let workers = sample.starting + sample.idle + sample.busy + sample.draining;
                *sum = workers * block.min((end - start).max(0.0));
            }
        }
        Run { worker_seconds, arrived: counting.arrived, in_time: counting.in_time }
    }
}

/// The same arrivals, with each other's services, a tenth longer.
fn bad_day(known: &Workload, seed: u64) -> Result<Workload, String> {
    let mut services: Vec<_> = known.requests().iter().map(|request| request.service).collect();
    for last in (1..services.len()).rev() {
        // The bias of a remainder is of no account for so few.
        let other = mixed(seed.wrapping_add(last as u64)) % (last as u64 + 1);
        services.swap(last, usize::try_from(other).unwrap_or(last));
    }
    let longer =
        |(request, service): (&Request, Duration)| Request { service: service * LONGER_PERCENT / 100, ..*request };
    let requests = known.requests().iter().zip(services).map(longer).collect();
    Workload::from_requests(known.name(), requests).map_err(|error| error.to_string())
}

/// SplitMix64 (Steele, Lea and Flood 2014): one draw for each seed.
pub(crate) const fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A run, block by block.
struct Run {
    worker_seconds: [f64; BLOCKS],
    /// By the block in which a request arrives, whenever it starts.
    arrived: [u64; BLOCKS],
    in_time: [u64; BLOCKS],
}

impl Run {
    fn figures(&self, from: usize, to: usize) -> Figures {
        let blocks = self.arrived.iter().zip(&self.in_time).take(to).skip(from).filter(|(arrived, _)| **arrived > 0);
        let blocks: Vec<_> = blocks.map(|(n, in_time)| (*n as f64, n.saturating_sub(*in_time) as f64)).collect();
        let requests = blocks.iter().map(|(n, _)| n).sum::<f64>().max(1.0);
        let late = blocks.iter().map(|(_, late)| late).sum::<f64>() / requests;
        // The variance of a ratio of sums over blocks: how far each is from what its size would make it.
        let squares: f64 = blocks.iter().map(|(n, late_ones)| (late_ones - late * n) * (late_ones - late * n)).sum();
        let free = blocks.len().saturating_sub(1).max(1);
        let student = STUDENT.get(free - 1).copied().unwrap_or(1.319);
        let error = (squares * (free as f64 + 1.0) / free as f64).sqrt() / requests;
        let late_at_most = (late + student * error).max(NONE_LATE / requests).min(1.0);
        Figures {
            requests: self.arrived.iter().take(to).skip(from).sum(),
            worker_hours: self.worker_seconds.iter().take(to).skip(from).sum::<f64>() / 3_600.0,
            within: 1.0 - late,
            within_at_least: 1.0 - late_at_most,
        }
    }
}

/// An autoscaler that is watched: in which block requests arrive, and how many of those start in time.
struct Counting {
    autoscaler: Autoscaler,
    within: Duration,
    block: Duration,
    arrived: [u64; BLOCKS],
    in_time: [u64; BLOCKS],
}

impl Counting {
    fn block(&self, at: Timestamp) -> usize {
        let block = at.saturating_since(Timestamp::ORIGIN).as_nanos() / self.block.as_nanos().max(1);
        usize::try_from(block).unwrap_or(BLOCKS)
    }
}

impl Controller for Counting {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        match observation {
            Observation::Arrived { count, .. } => {
                let block = self.block(now);
                if let Some(sum) = self.arrived.get_mut(block) {
                    *sum += u64::from(count);
                }
            }
            Observation::Started { sojourn, .. } if sojourn <= self.within => {
                let block = self
                    .block(Timestamp::from_elapsed(now.saturating_since(Timestamp::ORIGIN).saturating_sub(sojourn)));
                if let Some(sum) = self.in_time.get_mut(block) {
                    *sum += 1;
                }
            }
            _ => {}
        }
        self.autoscaler.observe(now, observation).is_ok()
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        self.autoscaler.next_wakeup()
    }

    fn desired(&self) -> u32 {
        self.autoscaler.desired()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        let decision = self.autoscaler.decide(now);
        commands.extend(decision.commands.iter().copied());
        Some(decision.into())
    }
}
