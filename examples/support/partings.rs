//! Where two runs of one workload part: since when their counts differ, for how long, and why.

use std::collections::BTreeMap;

use plimsoll::recorder::{Player, Record};
use plimsoll::sim::{Options, Outcome, Watch, Workload, simulate, simulate_recorded};
use plimsoll::{Autoscaler, Config, Decision, Timestamp};
use serde::Serialize;

/// A finished run: what came of it, and its counts over time.
pub(crate) struct Course {
    pub(crate) outcome: Outcome,
    counts: Counts,
}

/// From each instant on, so many workers.
struct Counts(Vec<(Timestamp, u32)>);

impl Watch for Counts {
    fn decision(&mut self, decision: &Decision) {
        if self.0.last().map(|(_, count)| *count) != Some(decision.desired) {
            self.0.push((decision.at, decision.desired));
        }
    }
}

impl Course {
    pub(crate) fn run(workload: &Workload, config: &Config, options: &Options) -> Self {
        let first = Autoscaler::new(config.clone(), Timestamp::ORIGIN).desired();
        let mut counts = Counts(vec![(Timestamp::ORIGIN, first)]);
        let outcome = simulate(workload, config, options, &mut counts);
        Self { outcome, counts }
    }
}

/// A time during which one of the counts is above the other.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Parting {
    #[serde(skip)]
    pub(crate) at: Timestamp,
    pub(crate) t_s: f64,
    pub(crate) lasts_s: f64,
    /// By how many workers at the most.
    pub(crate) most: u32,
    /// The counts as they part.
    pub(crate) counts: [u32; 2],
    /// What each of the two says at that instant.
    pub(crate) sides: [Word; 2],
}

/// What an autoscaler says of its count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Word {
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

/// All times during which the counts differ.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Partings {
    pub(crate) times: usize,
    pub(crate) seconds: f64,
    pub(crate) longest_s: f64,
    /// Worker hours by which the second wanted more than the first, and less.
    pub(crate) more_worker_hours: f64,
    pub(crate) fewer_worker_hours: f64,
    pub(crate) causes: Vec<Cause>,
    pub(crate) first: Vec<Parting>,
}

/// How often two reasons stood against each other as the counts parted.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cause {
    pub(crate) codes: [&'static str; 2],
    pub(crate) times: usize,
    pub(crate) seconds: f64,
}

/// Finds them all, and keeps the first `most`.
pub(crate) fn find(courses: [&Course; 2], most: usize, words: &dyn Fn(usize, &[Timestamp]) -> Vec<Word>) -> Partings {
    let mut all = Partings::default();
    let mut partings = apart(courses, &mut all);
    let instants: Vec<_> = partings.iter().map(|parting| parting.at).collect();
    for side in 0..2 {
        for (parting, word) in partings.iter_mut().zip(words(side, &instants)) {
            if let Some(place) = parting.sides.get_mut(side) {
                *place = word;
            }
        }
    }
    let mut causes = BTreeMap::<[&str; 2], (usize, f64)>::new();
    for Parting { sides: [one, other], lasts_s, .. } in &partings {
        let (times, seconds) = causes.entry([one.code, other.code]).or_default();
        *times += 1;
        *seconds += lasts_s;
    }
    all.causes = causes.into_iter().map(|(codes, (times, seconds))| Cause { codes, times, seconds }).collect();
    all.causes.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    all.times = partings.len();
    partings.truncate(most);
    all.first = partings;
    all
}

/// The times apart, without words; what they sum up to goes into `sums`.
fn apart(courses: [&Course; 2], sums: &mut Partings) -> Vec<Parting> {
    let [one, other] = courses;
    let end = Timestamp::from_elapsed(one.outcome.duration.max(other.outcome.duration));
    let mut instants: Vec<_> = one.counts.0.iter().chain(&other.counts.0).map(|(at, _)| *at).collect();
    instants.push(end);
    instants.sort_unstable();
    instants.dedup();
    let (mut at_one, mut at_other) = (Cursor::new(&one.counts.0), Cursor::new(&other.counts.0));
    let mut partings = Vec::<Parting>::new();
    // Who wants more, while they are apart.
    let mut open = None;
    for pair in instants.windows(2) {
        let &[at, next] = pair else { break };
        let counts = [at_one.count(at), at_other.count(at)];
        let lasts = next.saturating_since(at).as_secs_f64();
        let [before, after] = counts;
        if before == after {
            open = None;
            continue;
        }
        let hours = f64::from(before.abs_diff(after)) * lasts / 3_600.0;
        if after > before {
            sums.more_worker_hours += hours;
        } else {
            sums.fewer_worker_hours += hours;
        }
        if open.replace(after > before) != Some(after > before) {
            let t_s = at.saturating_since(Timestamp::ORIGIN).as_secs_f64();
            partings.push(Parting { at, t_s, lasts_s: 0.0, most: 0, counts, sides: <[Word; 2]>::default() });
        }
        if let Some(parting) = partings.last_mut() {
            parting.lasts_s += lasts;
            parting.most = parting.most.max(before.abs_diff(after));
        }
    }
    sums.seconds = partings.iter().map(|parting| parting.lasts_s).sum();
    sums.longest_s = partings.iter().map(|parting| parting.lasts_s).fold(0.0, f64::max);
    partings
}

/// The count at instants that do not go back.
struct Cursor<'a> {
    counts: &'a [(Timestamp, u32)],
    count: u32,
}

impl<'a> Cursor<'a> {
    const fn new(counts: &'a [(Timestamp, u32)]) -> Self {
        Self { counts, count: 0 }
    }

    fn count(&mut self, at: Timestamp) -> u32 {
        while let Some(((_, count), rest)) = self.counts.split_first().filter(|((since, _), _)| *since <= at) {
            (self.count, self.counts) = (*count, rest);
        }
        self.count
    }
}

/// What an autoscaler under `config` says at each of the instants. The run is gone through once more, and the autoscaler
/// of the moment is asked aside, so that the run itself stays what it was.
pub(crate) fn words(workload: &Workload, config: &Config, options: &Options, instants: &[Timestamp]) -> Vec<Word> {
    let mut player = Player::new();
    let mut words = Vec::with_capacity(instants.len());
    let mut ask = |player: &Player, until: Option<Timestamp>| {
        while let Some(at) = instants.get(words.len()).filter(|at| until.is_none_or(|until| **at < until)) {
            let decision = player.autoscaler().map(|autoscaler| autoscaler.clone().decide(*at));
            words.push(decision.map_or_else(Word::default, |decision| Word::of(&decision)));
        }
    };
    let mut sink = |record: &Record| {
        if let Record::Observed { at, .. } | Record::Decided { at, .. } = record {
            ask(&player, Some(*at));
        }
        // The simulator's own log begins with its head.
        let _ = player.play(record);
    };
    simulate_recorded(workload, config, options, &mut (), &mut sink);
    ask(&player, None);
    words
}

impl Word {
    fn of(decision: &Decision) -> Self {
        Self { code: decision.explanation.code(), text: decision.explanation.to_string() }
    }
}
