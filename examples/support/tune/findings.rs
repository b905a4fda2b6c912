//! Tunes each policy, chooses the cheapest that keeps the objective, and checks it on what was held out.

use indicatif::{ProgressBar, ProgressStyle};
use plimsoll::Config;
use plimsoll::config::{Expectations, Lint};
use plimsoll::sim::{Outcome, References, simulate};

use super::advice::{self, Line};
use super::search::{Search, Tried};
use super::space::{Kind, Scope, Space, mean_service};
use super::trial::{BLOCKS, Figures, Ground, SLOW_STARTS, Verdict};
use crate::words::{percent, time};

/// What is to be done.
pub(crate) struct Task {
    pub(crate) ground: Ground,
    pub(crate) base: Config,
    pub(crate) kinds: Vec<Kind>,
    /// The least workers, if given.
    pub(crate) min: Option<u32>,
    pub(crate) budget: usize,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    pub(crate) quiet: bool,
    /// The workload's file, if it is not the built-in one.
    pub(crate) replayed: Option<String>,
}

/// The best of one policy.
pub(crate) struct Tuned {
    pub(crate) space: Space,
    pub(crate) tried: Vec<Tried>,
    pub(crate) best: Tried,
    /// What the best does on what was held out.
    pub(crate) held: Figures,
    /// The configuration that was given, as it is, and what it does on what was held out.
    pub(crate) start: Option<(Verdict, Figures)>,
}

/// All that was found.
pub(crate) struct Findings {
    pub(crate) task: Task,
    /// What is possible on the part that was chosen by, and on the one held out. Each is a workload of its own there, while
    /// a policy's hours are cut at the part's ends: what is served across them, a mean service time's work, may be on
    /// either side.
    pub(crate) possible: References,
    pub(crate) possible_held: References,
    pub(crate) tuned: Vec<Tuned>,
    /// The recommended one of `tuned`.
    pub(crate) chosen: Option<usize>,
    pub(crate) lines: Vec<Line>,
    pub(crate) lints: Vec<Lint>,
    pub(crate) file: Option<String>,
    /// The whole workload under the recommended configuration, from an empty pool: what `replay` shows.
    pub(crate) whole: Option<Outcome>,
    /// What stands in the way, if nothing is recommended.
    pub(crate) obstacles: Vec<String>,
}

impl Findings {
    pub(crate) fn of(task: Task) -> Result<Self, String> {
        let ground = &task.ground;
        let possible_of = |from, to| {
            References::of(&ground.part(from, to), task.base.concurrency(), ground.objective, &ground.options)
        };
        let progress = progress(&task);
        let possible = possible_of(ground.warm, ground.split);
        let possible_held = possible_of(ground.split, BLOCKS);
        // A fixed count keeps the objective by the skin of its teeth; the margin may need a few more.
        let fixed = possible.fixed.map_or(task.base.max(), |fixed| fixed.peak_workers);
        let scope = Scope {
            workload: &ground.known,
            within: ground.objective.within,
            cold_start: ground.options.cold_start,
            floor: fixed.saturating_add(fixed.div_ceil(2)).min(task.base.max()),
            min: task.min,
        };
        let (mut tuned, mut lines) = (Vec::<Tuned>::new(), Vec::new());
        let mut chosen: Option<usize> = None;
        for kind in &task.kinds {
            progress.set_message(kind.name());
            let space = Space::new(*kind, &task.base, &scope)?;
            let mut search = Search::new(&space, ground, task.threads, &progress);
            let best = search.run(task.budget.div_ceil(task.kinds.len()), task.seed)?;
            let before = chosen.and_then(|at| tuned.get(at)).map(|tuned| tuned.best.verdict);
            let better = before.is_none_or(|before| best.verdict.is_better_than(&before));
            if best.verdict.keeps_objective && better {
                chosen = Some(tuned.len());
                let sensitivity = search.sensitivity(&best.values)?;
                let of_knobs = space.knobs.iter().zip(&best.values).zip(sensitivity);
                lines = of_knobs
                    .map(|((knob, value), changed)| Line::new(knob, *value, &best.verdict, changed, ground))
                    .collect();
            }
            let tried = std::mem::take(&mut search.tried);
            let held = ground.check(&space.config(&best.values)?);
            let start = match &space.start {
                Some(start) => {
                    let config = space.config(start)?;
                    Some((ground.judge(&config), ground.check(&config)))
                }
                None => None,
            };
            tuned.push(Tuned { space, tried, best, held, start });
        }
        progress.finish_and_clear();
        let mut findings = Self {
            task,
            possible,
            possible_held,
            tuned,
            chosen,
            lines,
            lints: Vec::new(),
            file: None,
            whole: None,
            obstacles: Vec::new(),
        };
        findings.conclude()?;
        Ok(findings)
    }

    /// What is known once all is tried: the file of the chosen one, or what is in its way.
    fn conclude(&mut self) -> Result<(), String> {
        let ground = &self.task.ground;
        let Some(chosen) = self.recommended() else {
            let nearest = self.nearest().ok_or("no policy was tuned")?;
            let enough =
                self.possible.fixed.map(|fixed| fixed.peak_workers).filter(|count| *count > self.task.base.max());
            self.obstacles = advice::obstacles(ground, &nearest.space, &nearest.best.verdict, self.task.min, enough)?;
            return Ok(());
        };
        let config = chosen.space.config(&chosen.best.values)?;
        let mut options = ground.options.clone();
        options.within = Some(ground.objective.within);
        let whole = simulate(&ground.whole, &config, &options, &mut ());
        let load = ground.whole.requests().len() as f64 / ground.whole.duration().as_secs_f64();
        // How long a request may wait is not stated: here that was measured, not estimated.
        let mut expected = Expectations::default()
            .with_service_time(mean_service(&ground.whole))
            .with_cold_start(ground.options.cold_start);
        if let Ok(rate) = plimsoll::Rate::per_second(load) {
            expected = expected.with_mean_qps(rate);
        }
        let lints = config.lint(&expected);
        let given = [
            ("max", format!("your bound on the cost, not tuned; the most at once was {}", whole.peak_workers)),
            ("concurrency", "what a worker serves at a time, not tuned".to_owned()),
            ("sojourn_target", "the objective's own".to_owned()),
        ];
        let file = advice::file(&self.head(chosen, &whole), &chosen.space, &chosen.best.values, &self.lines, &given)?;
        (self.lints, self.file, self.whole) = (lints, Some(file), Some(whole));
        Ok(())
    }

    /// The chosen one.
    pub(crate) fn recommended(&self) -> Option<&Tuned> {
        self.chosen.and_then(|at| self.tuned.get(at))
    }

    /// The one that comes nearest to the objective.
    pub(crate) fn nearest(&self) -> Option<&Tuned> {
        let mut all = self.tuned.iter();
        let first = all.next()?;
        Some(all.fold(
            first,
            |best, other| {
                if other.best.verdict.is_better_than(&best.best.verdict) { other } else { best }
            },
        ))
    }

    /// The objective in words.
    pub(crate) fn objective(&self) -> String {
        let objective = self.task.ground.objective;
        format!("{} of the requests start within {}", objective.share_words(), time(objective.within.as_secs_f64()))
    }

    /// What was tuned on, in one line.
    pub(crate) fn circumstances(&self) -> String {
        let Ground { whole, options, .. } = &self.task.ground;
        format!(
            "{} requests in {:.0} min; {} at a time per worker, cold start {}; objective: {}",
            whole.requests().len(),
            whole.duration().as_secs_f64() / 60.0,
            self.task.base.concurrency(),
            time(options.cold_start.as_secs_f64()),
            self.objective()
        )
    }

    /// The minutes that some blocks span.
    pub(crate) fn minutes(&self, from: usize, to: usize) -> String {
        let minute = self.task.ground.block.as_secs_f64() / 60.0;
        format!("minutes {:.0} to {:.0}", from as f64 * minute, to as f64 * minute)
    }

    /// How many configurations were tried.
    pub(crate) fn runs(&self) -> usize {
        self.tuned.iter().map(|tuned| tuned.tried.len()).sum()
    }

    /// Whether the recommended one keeps the objective on what was held out, in words.
    pub(crate) fn held_out(&self, held: &Figures) -> String {
        let ground = &self.task.ground;
        let kept = if held.within >= ground.objective.share.as_f64() {
            "keeps the objective"
        } else {
            "misses the objective: this part is not like the one before it; give a longer workload, or ask for more"
        };
        format!(
            "{}: {} in time at {:.2} worker hours ({:.2} × the bound); it {kept}",
            self.minutes(ground.split, BLOCKS),
            percent(held.within),
            held.worker_hours,
            held.worker_hours / self.possible_held.least.max(f64::MIN_POSITIVE)
        )
    }

    fn head(&self, chosen: &Tuned, whole: &Outcome) -> String {
        let ground = &self.task.ground;
        let verdict = chosen.best.verdict;
        let cold_start = ground.options.cold_start.as_secs_f64();
        let replay = match &self.task.replayed {
            Some(path) => path.clone(),
            None => format!("data/{}", ground.whole.name()),
        };
        format!(
            "For {}: {}, at the least worker hours found.\n\
             \n\
             Chosen out of {} configurations, seed {}, by {}: {:.2} worker hours ({:.2} × the bound), {} in time, \
             surely {} (90 % confidence), and {} on a bad day: starts of {}, requests a tenth longer, in another order.\n\
             Held out, {}.\n\
             All of it, from an empty pool: {:.2} worker hours, {} in time, p99 {}; to see it:\n\
             cargo run --release --example replay -- {replay} --config recommended.yaml --cold-start {cold_start}s\n\
             \n\
             Halved and doubled: one value at a time, on the part that was chosen by. \"It\" is the objective.",
            ground.whole.name(),
            self.objective(),
            self.runs(),
            self.task.seed,
            self.minutes(ground.warm, ground.split),
            verdict.figures.worker_hours,
            verdict.figures.worker_hours / self.possible.least.max(f64::MIN_POSITIVE),
            percent(verdict.figures.within),
            percent(verdict.figures.within_at_least),
            percent(verdict.within_bad_day.unwrap_or(0.0)),
            time(cold_start * SLOW_STARTS),
            self.held_out(&chosen.held),
            whole.replica_hours,
            percent(whole.within_target),
            time(whole.sojourn_p99.as_secs_f64()),
        )
    }

    /// Why there is no recommendation.
    pub(crate) fn refusal(&self) -> String {
        let mut lines = vec![format!("no configuration keeps the objective ({})", self.objective())];
        lines.extend(self.nearest().map(|Tuned { space, best, .. }| {
            let figures = best.verdict.figures;
            format!(
                "  nearest: {}: {}: {} in time, surely {}, at {:.2} worker hours",
                space.kind.name(),
                space.words(&best.values),
                percent(figures.within),
                percent(figures.within_at_least),
                figures.worker_hours
            )
        }));
        lines.extend(self.obstacles.iter().map(|obstacle| format!("  in the way: {obstacle}")));
        lines.join("\n")
    }
}

/// The share of an objective in percent, as short as it can be said.
trait ShareWords {
    fn share_words(&self) -> String;
}

impl ShareWords for plimsoll::sim::Objective {
    fn share_words(&self) -> String {
        format!("{} %", (self.share.as_f64() * 1e6).round() / 1e4)
    }
}

fn progress(task: &Task) -> ProgressBar {
    let progress = if task.quiet { ProgressBar::hidden() } else { ProgressBar::new(task.budget as u64) };
    if let Ok(style) = ProgressStyle::with_template("{msg:>20} [{bar:30}] {pos} of about {len} runs, {elapsed}") {
        progress.set_style(style.progress_chars("=> "));
    }
    progress.set_message("what is possible");
    progress
}
