//! One decision in full, as an operator would ask for it: what was seen, what each policy wanted, what each guard did.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use plimsoll::guard::{Effect, Guard, Stage};
use plimsoll::policy::{Because, Proposal, RunPodScaling, Source};
use plimsoll::provider::Measure;
use plimsoll::{FailureCause, Policy, Timestamp};

use crate::human::{clock, command, short, span};
use crate::scene::Scene;

/// The width of the tables, in characters.
const WIDTH: u16 = 140;

/// Writes all of it.
pub(crate) fn print(scene: &Scene, out: &mut dyn Write) -> io::Result<()> {
    signals(scene, out)?;
    proposals(scene, out)?;
    guards(scene, out)?;
    what_comes(scene, out)
}

/// A time since the log began.
pub(crate) fn time(scene: &Scene, at: Timestamp) -> String {
    clock(at.saturating_since(scene.start).as_secs_f64(), true)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH).set_header(header);
    table
}

fn signals(scene: &Scene, out: &mut dyn Write) -> io::Result<()> {
    let (rows, unknown) = known(scene);
    let mut table = table(&["Signal", "Value", ""]);
    for (name, value, about) in rows {
        table.add_row([name.to_owned(), value, about]);
    }
    if let Some(values) = table.column_mut(1) {
        values.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{table}")?;
    if !unknown.is_empty() {
        writeln!(out, "Not known: {}.", unknown.join(", "))?;
    }
    let told = &scene.told;
    let kinds = [
        ("arrivals", told.arrivals),
        ("the queue", told.queue),
        ("requests in flight", told.in_flight),
        ("sojourns", told.sojourns),
        ("workers", told.workers),
        ("observers' reports", told.reports),
    ];
    let (at, fresh) = (scene.explained.at, scene.config.freshness());
    let age = |told: Timestamp| match at.saturating_since(told) {
        Duration::ZERO => "now".to_owned(),
        age => format!("{} ago", span(age)),
    };
    let ages = kinds.iter().filter_map(|(kind, told)| Some(format!("{kind} {}", age((*told)?))));
    let ages: Vec<_> = ages.collect();
    if !ages.is_empty() {
        writeln!(out, "Last told: {}. A gauge or a count is fresh for {}.", ages.join(", "), span(fresh))?;
    }
    if scene.explained.signals.stale {
        writeln!(out, "Some signal has outlived its freshness.")?;
    }
    if scene.explained.signals.surplus {
        writeln!(out, "Requests wait although slots are free for all of them: look at the router.")?;
    }
    let pool = &scene.status.replicas;
    let idle = pool.idle.map_or_else(String::new, |idle| format!(" ({idle} idle)"));
    let mut states = vec![format!("{} ready{idle}", pool.ready), format!("{} starting", pool.starting)];
    let others = [
        (pool.ordered, "ordered and not seen yet"),
        (pool.draining, "draining"),
        (pool.standby, "in standby"),
        (pool.overdue, "overdue"),
    ];
    states.extend(others.iter().filter(|(count, _)| *count > 0).map(|(count, state)| format!("{count} {state}")));
    writeln!(out, "Workers after it: {}.\n", states.join(", "))
}

type Row = (&'static str, String, String);

/// The signals with their values, and the names of those without.
fn known(scene: &Scene) -> (Vec<Row>, Vec<&'static str>) {
    let (signals, config) = (&scene.explained.signals, &scene.config);
    let rate = |rate: Option<plimsoll::Rate>| rate.map(|rate| format!("{rate} req/s"));
    let time = |time: Option<Duration>| time.map(span);
    let count = |count: Option<u64>| count.map(|count| count.to_string());
    let window = format!("over the window of {}", span(config.window()));
    let target = span(config.sojourn_target());
    let over = match (signals.sojourn_over_target, signals.over_target_since) {
        (Some(true), Some(since)) => {
            format!("above the target of {target} for {}", span(scene.explained.at.saturating_since(since)))
        }
        (Some(true), None) => format!("above the target of {target}"),
        (Some(false), _) => format!("within the target of {target}"),
        (None, _) => String::new(),
    };
    let rising = signals.sojourn_rising.map_or("", |rising| if rising { "rising" } else { "not rising" });
    let load = signals.offered_load_millis.map(|millis| format!("{} slots", short(millis as f64 / 1_000.0)));
    let slots = format!("of ready workers with {} each", config.concurrency());
    let plain = String::new;
    let all: [(&str, Option<String>, String); 15] = [
        ("Arrival rate", rate(signals.arrival_rate), window.clone()),
        ("Arrival rate of late", rate(signals.arrival_rate_short), format!("over {}", span(config.window() / 10))),
        ("Arrival rate per replica", rate(signals.qps_per_replica), plain()),
        ("Queue depth", count(signals.queue_depth), plain()),
        ("Oldest waits", time(signals.oldest_age), plain()),
        ("Last one waited", time(signals.last_wait), plain()),
        ("In flight", count(signals.in_flight), plain()),
        ("Sojourn p50", time(signals.sojourn_p50), window.clone()),
        ("Sojourn p99", time(signals.sojourn_p99), over),
        ("Sojourn mean", time(signals.sojourn_mean), rising.to_owned()),
        ("Sojourn min", time(signals.sojourn_min), plain()),
        ("Service time", time(signals.service_time), window),
        ("Offered load", load, "arrival rate × service time".to_owned()),
        ("Utilisation", signals.utilisation.map(|share| share.to_string()), slots),
        ("CoDel", Some(if signals.overloaded { "overloaded" } else { "content" }.to_owned()), plain()),
    ];
    let unknown = all.iter().filter(|(_, value, _)| value.is_none()).map(|(name, ..)| *name).collect();
    let rows = all.into_iter().filter_map(|(name, value, about)| Some((name, value?, about))).collect();
    (rows, unknown)
}

fn proposals(scene: &Scene, out: &mut dyn Write) -> io::Result<()> {
    let explained = &scene.explained;
    let mut table = table(&["Policy", "Wants", "Keeps", "By which formula"]);
    let all = explained.proposals.iter().enumerate();
    for (number, proposal) in all.filter_map(|(number, proposal)| Some((number, proposal.as_ref()?))) {
        let keep = if proposal.keep == u32::MAX { "all".to_owned() } else { proposal.keep.to_string() };
        let name = format!("{:?}", proposal.source).to_lowercase();
        table.add_row([name, proposal.want.to_string(), keep, formula(scene, number, proposal)]);
    }
    writeln!(out, "{table}")?;
    let (count, proposed) = (explained.count, explained.proposed);
    let outcome = if count == proposed { format!("{count} stays") } else { format!("from {count} to {proposed}") };
    writeln!(out, "The largest want counts going up, the largest keep going down: {outcome}.\n")
}

/// What a policy computed, in numbers.
pub(crate) fn formula(scene: &Scene, number: usize, proposal: &Proposal) -> String {
    let (signals, want) = (&scene.explained.signals, proposal.want);
    let (queued, served) = (signals.queue_depth, signals.in_flight);
    let known = |count: Option<u64>, what: &str| count.map_or_else(|| format!("? {what}"), |n| format!("{n} {what}"));
    let system = format!("{} + {}", known(queued, "waiting"), known(served, "in flight"));
    // How many are ready is told of the decision's own instant only.
    let own = scene.explained.at == scene.decision.at;
    let ready = if own { scene.status.replicas.ready.to_string() } else { "those".to_owned() };
    let slots = scene.config.concurrency();
    let waits = signals.oldest_age.max(signals.last_wait).map_or_else(|| "too long".to_owned(), span);
    let text =
        match (proposal.because, scene.config.policies().get(number).filter(|_| proposal.source != Source::Buffer)) {
            (Because::Quiet, _) => format!("no request for {}", span(scene.config.to_zero_delay())),
            (Because::Fixed, _) => format!("fixed at {want}"),
            (Because::Proposed, _) => format!("{want} proposed from outside"),
            (Because::NoProposal, _) => "no proposal from outside stands".to_owned(),
            (Because::Overloaded, _) => format!("CoDel: {ready} ready + a tenth of them, rounded up = {want}"),
            (Because::Buffer, _) => format!("⌈({system}) ÷ {slots} at a time⌉ + the buffer = {want}"),
            (because, Some(Policy::Outpost(outpost))) => {
                let target = outpost.target_qps_per_replica;
                let rate = signals.arrival_rate;
                let ideal = rate.map(|rate| rate.as_micros().div_ceil(target.as_micros().max(1)));
                let Some((rate, ideal)) = rate.zip(ideal) else { return "the arrival rate is missing".to_owned() };
                let share = format!("⌈{rate} req/s ÷ {target} per replica⌉ = {ideal}");
                match because {
                    Because::SojournCalm => format!("{share}, but the sojourn is not rising: {want}"),
                    Because::RateWellBelow => {
                        format!("{share}; {} would carry it at 80 % of the target", proposal.keep)
                    }
                    Because::SojournNotMinimal => format!("{share}; requests wait too long to give up a replica"),
                    Because::Missing => format!("{share}; what it needs to shrink is missing"),
                    _ => share,
                }
            }
            (because, Some(Policy::RunPod(runpod))) => match runpod.scaling {
                RunPodScaling::RequestCount(each) => format!("⌈({system}) ÷ {each} per worker⌉ = {want}"),
                RunPodScaling::QueueDelay(delay) if because == Because::QueueDelay => {
                    format!("a request waits {waits}, longer than {}: {ready} ready + 1 = {want}", span(delay))
                }
                RunPodScaling::QueueDelay(delay) => {
                    format!("nobody waits longer than {}; keeps ⌈({system}) ÷ {slots} at a time⌉", span(delay))
                }
                other => format!("{other:?}"),
            },
            (_, Some(Policy::Concurrency(target))) => format!("⌈({system}) ÷ {} per worker⌉ = {want}", target.target()),
            (because, _) => because.code().replace('_', " "),
        };
    if proposal.blind { format!("{text} (a signal is missing or stale)") } else { text }
}

fn guards(scene: &Scene, out: &mut dyn Write) -> io::Result<()> {
    let mut table = table(&["Guard", "Does", "Leaves", "By"]);
    let mut count = scene.explained.proposed;
    for stage in &scene.explained.stages {
        let does = match stage.effect {
            Effect::Pass => format!("passes {count}"),
            Effect::AtLeast(least) => format!("at least {least}"),
            Effect::AtMost(most) => format!("at most {most}"),
            Effect::Exactly(exact) => format!("exactly {exact}"),
            other => format!("{other:?}"),
        };
        let acts = if stage.effect == Effect::Pass { "" } else { " ◂" };
        count = stage.count;
        let name = stage.guard.code().replace('_', " ");
        table.add_row([name, does, format!("{}{acts}", stage.count), by(scene, stage)]);
    }
    writeln!(out, "{table}")
}

/// The settings that a guard goes by.
fn by(scene: &Scene, stage: &Stage) -> String {
    let (explained, config) = (&scene.explained, &scene.config);
    let terms = &explained.terms;
    let step = |name: &str, limit: Option<plimsoll::config::StepLimit>| {
        limit.map(|limit| {
            let workers = limit.workers.map(|workers| format!("{workers} workers"));
            let percent = limit.percent.map(|percent| format!("{percent} %"));
            let size: Vec<_> = workers.into_iter().chain(percent).collect();
            format!("{name} {} in {}", size.join(" or "), span(limit.period))
        })
    };
    match stage.guard {
        Guard::Freshness => match explained.settling_until {
            Some(until) => format!("the window since the start is full at {}", time(scene, until)),
            None => format!("freshness {}", span(config.freshness())),
        },
        Guard::ZeroGate => format!("to_zero_delay {}", span(terms.to_zero_delay)),
        Guard::Tolerance => format!("tolerance {}", config.tolerance()),
        Guard::Surplus => "requests beside idle workers".to_owned(),
        Guard::UpDelay => format!("up_delay {}", span(terms.up_delay)),
        Guard::DownDelay => match explained.cliff_since {
            Some(since) => format!("down_delay {} after a cliff at {}", span(terms.down_delay), time(scene, since)),
            None => format!("down_delay {}", span(terms.down_delay)),
        },
        Guard::StepLimit => {
            let steps: Vec<_> = [step("up_step", config.up_step()), step("down_step", config.down_step())]
                .into_iter()
                .flatten()
                .collect();
            if steps.is_empty() { "no step limit".to_owned() } else { steps.join(", ") }
        }
        Guard::IdleTimeout => terms
            .idle_timeout
            .map_or_else(|| "no idle timeout".to_owned(), |idle| format!("idle_timeout {}", span(idle))),
        Guard::Mode => match terms.mode_until {
            Some(until) => format!("mode {} until {}", terms.mode, time(scene, until)),
            None => format!("mode {}", terms.mode),
        },
        Guard::Bounds => format!("min {}, max {}", terms.min, terms.max),
        _ => String::new(),
    }
}

/// What is done now, what is waited for, and what stands in the way.
fn what_comes(scene: &Scene, out: &mut dyn Write) -> io::Result<()> {
    let (decision, timers) = (&scene.decision, &scene.status.timers);
    let list = |commands: &[plimsoll::Command]| commands.iter().map(command).collect::<Vec<_>>().join(", ");
    let commands = if decision.commands.is_empty() { "none".to_owned() } else { list(&decision.commands) };
    writeln!(out, "Commands: {commands}.")?;
    if !decision.would.is_empty() {
        writeln!(out, "In another mode it would have commanded: {}.", list(&decision.would))?;
    }
    let at = decision.at;
    let due = |end: Timestamp| match end.saturating_since(at) {
        Duration::ZERO => "now".to_owned(),
        left => format!("at {} (in {})", time(scene, end), span(left)),
    };
    let running = [
        ("up delay", timers.up),
        ("down delay", timers.down),
        ("to zero", timers.to_zero),
        ("the next commands", timers.worker),
        ("an order or a start counts as lost", timers.order),
        ("the operator's mode", timers.mode),
    ];
    let running = running.iter().filter_map(|(name, ends)| Some(format!("{name} {}", due((*ends)?))));
    let running: Vec<_> = running.collect();
    if !running.is_empty() {
        writeln!(out, "Timers: {}.", running.join("; "))?;
    }
    if let Some(outlook) = scene.status.outlook {
        writeln!(out, "Objective: {outlook}.")?;
    }
    if let Some(trouble) = decision.explanation.trouble {
        let cause = match trouble.cause {
            FailureCause::Crash => "crashed",
            FailureCause::Timeout => "took too long",
            FailureCause::Quota => "exceeded the quota",
            FailureCause::StockOut => "found no stock",
            FailureCause::Preempted => "was preempted",
            _ => "failed",
        };
        let measure = match trouble.measure {
            Measure::Open => "the breaker is open and nothing is ordered before",
            Measure::Probe => "one worker at a time is tried since",
            _ => "nothing is ordered before",
        };
        writeln!(out, "Trouble: the last start {cause}; {measure} {}.", time(scene, trouble.at))?;
    }
    match decision.next_wakeup {
        Some(wakeup) => writeln!(out, "Next wake-up: {}.", due(wakeup)),
        None => writeln!(out, "Next wake-up: none; nothing changes without an observation."),
    }
}
