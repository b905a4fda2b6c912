//! Names for the tally.

use plimsoll::{Command, Mode, Observation, Rejected, WorkerEvent};

pub(super) const fn observation_name(observation: &Observation) -> &'static str {
    match observation {
        Observation::Arrived { .. } => "arrived",
        Observation::Started { .. } => "started",
        Observation::Finished { .. } => "finished",
        Observation::Abandoned { .. } => "abandoned",
        Observation::Queue { .. } => "queue",
        Observation::InFlight { .. } => "in_flight",
        Observation::Requests { .. } => "requests",
        Observation::ArrivalRate { .. } => "arrival_rate",
        Observation::Worker { event, .. } => match event {
            WorkerEvent::Ordered => "worker ordered",
            WorkerEvent::Ready => "worker ready",
            WorkerEvent::Busy(_) => "worker busy",
            WorkerEvent::Idle => "worker idle",
            WorkerEvent::Leased(_) => "worker leased",
            WorkerEvent::Draining => "worker draining",
            WorkerEvent::Prewarming => "worker prewarming",
            WorkerEvent::Standby => "worker standby",
            WorkerEvent::Gone => "worker gone",
            WorkerEvent::Failed(_) => "worker failed",
            _ => "worker, not named here",
        },
        Observation::StartFailed { .. } => "start_failed",
        Observation::Pool(_) => "pool",
        Observation::Proposal { .. } => "proposal",
        Observation::Mode { mode, .. } => match mode {
            Mode::Automatic => "mode automatic",
            Mode::GrowOnly => "mode grow_only",
            Mode::ShrinkOnly => "mode shrink_only",
            Mode::Hold => "mode hold",
            Mode::Fixed(_) => "mode fixed",
            Mode::Observe => "mode observe",
            _ => "mode, not named here",
        },
        Observation::Reserve { .. } => "reserve",
        Observation::Grant(None) => "grant taken back",
        Observation::Grant(Some(_)) => "grant",
        _ => "not named here",
    }
}

pub(super) const fn rejected_name(rejected: &Rejected) -> &'static str {
    match rejected {
        Rejected::UnknownWorker { .. } => "unknown_worker",
        Rejected::ImpossibleEvent { .. } => "impossible_event",
        Rejected::BadRate { .. } => "bad_rate",
        Rejected::EmptySpan { .. } => "empty_span",
        Rejected::IdleAboveReady { .. } => "idle_above_ready",
        Rejected::CountsBesideIds { .. } => "counts_beside_ids",
        Rejected::TooManyWorkers { .. } => "too_many_workers",
        Rejected::TooManyReservations { .. } => "too_many_reservations",
        Rejected::BadSpan { .. } => "bad_span",
        Rejected::TooLate { .. } => "too_late",
        Rejected::TooEarly { .. } => "too_early",
        Rejected::OtherTarget { .. } => "other_target",
        Rejected::BadDigest { .. } => "bad_digest",
        Rejected::TooManyObservers { .. } => "too_many_observers",
        _ => "not named here",
    }
}

pub(super) const fn command_name(command: &Command) -> &'static str {
    match command {
        Command::Start { .. } => "start",
        Command::Revive { .. } => "revive",
        Command::ReviveAny { .. } => "revive_any",
        Command::Drain { .. } => "drain",
        Command::Stop { cut_off: true, .. } => "stop, cut off",
        Command::Stop { to_standby: true, .. } => "stop, to standby",
        Command::Stop { .. } => "stop",
        Command::Release { .. } => "release",
        Command::Prewarm { .. } => "prewarm",
        _ => "not named here",
    }
}
