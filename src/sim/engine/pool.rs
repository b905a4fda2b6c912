//! What happens to workers: orders carried out, starts that end well or not, machines taken back.

use core::time::Duration;

use super::Engine;
use crate::classes::ClassId;
use crate::decision::Command;
use crate::observation::{FailureCause, Observation, WorkerEvent};
use crate::sim::chance::seconds;
use crate::sim::controller::Controller;
use crate::sim::requests::Waiting;
use crate::sim::starts::Fate;
use crate::sim::workers::{Kind, State, Worker, position};
use crate::time::{Timestamp, nanos};

/// The least time until a failure shows. Without it a pool that starts at once and fails at once would stop the clock.
const SOONEST: u64 = 1_000_000_000;

impl<C: Controller> Engine<'_, C> {
    pub(super) fn carry_out(&mut self, class: Option<ClassId>, command: Command) {
        match command {
            Command::Start { count } => self.order(class, count, State::Starting, WorkerEvent::Ordered),
            Command::Prewarm { count } => self.order(class, count, State::Prewarming, WorkerEvent::Prewarming),
            Command::Revive { id } => self.revive(position(id)),
            Command::Drain { id } => self.drain(position(id)),
            Command::Stop { id, to_standby, cut_off } => self.stop(position(id), to_standby, cut_off),
            // Commands for platforms that report counts; this one names its workers.
            Command::ReviveAny { .. } | Command::Release { .. } => {}
        }
    }

    fn order(&mut self, asked: Option<ClassId>, count: u32, state: State, event: WorkerEvent) {
        let mut refused = [0_u32; FailureCause::ALL.len()];
        for _ in 0..count {
            let cause = self.start(asked, state, event).err();
            if let Some(count) = cause.and_then(|cause| refused.get_mut(cause as usize)) {
                *count = count.saturating_add(1);
            }
        }
        for (cause, count) in FailureCause::ALL.into_iter().zip(refused).filter(|(_, count)| *count > 0) {
            self.measure.failed(cause, count);
            self.pool_changed = true;
            let refused = Observation::StartFailed { count, cause };
            match asked {
                Some(ClassId(class)) => {
                    self.classes.failed(class, cause, count);
                    self.tell_of(class, refused);
                }
                None => self.tell(refused),
            }
        }
    }

    /// Starts a worker, unless there is none to be had.
    fn start(&mut self, asked: Option<ClassId>, state: State, event: WorkerEvent) -> Result<(), FailureCause> {
        let before = self.options.prepared && self.now == Timestamp::ORIGIN;
        let open = self.classes.open(self.now, asked);
        let own = open.and_then(|class| self.classes.cold_start(class));
        let fate = if before { Fate::Ready(0) } else { self.draws.cold(self.now, own, self.options) };
        if let Fate::Refused(cause) = fate {
            return Err(cause);
        }
        let class = open.ok_or(FailureCause::StockOut)?;
        let cold = state == State::Starting;
        self.classes.take(class, cold);
        let worker = self.workers.add(class);
        self.change(worker, |w| w.state = state);
        self.measure.cold_start(cold);
        if let Some(bill) = &mut self.bill {
            bill.cold_start(class);
        }
        self.tell_worker(worker, event);
        match fate {
            Fate::Ready(after) => self.schedule(after, Kind::Started { worker, life: 0 }),
            Fate::Fails(after, cause) => self.schedule(after.max(SOONEST), Kind::Failed { worker, life: 0, cause }),
            Fate::Hangs | Fate::Refused(_) => {}
        }
        self.lease(worker);
        Ok(())
    }

    /// Its provider will take it back some day.
    fn lease(&mut self, worker: usize) {
        let Some(Worker { life, class, .. }) = self.workers.get(worker) else { return };
        let mean = self.classes.mean_life(class);
        if mean > Duration::ZERO {
            let left = nanos(seconds(self.lives.exponential(mean.as_secs_f64()))).max(SOONEST);
            let notice = nanos(self.options.spot.notice);
            if notice > 0 {
                self.schedule(left.saturating_sub(notice), Kind::Notice { worker, life });
            }
            self.schedule(left, Kind::Failed { worker, life, cause: FailureCause::Preempted });
        }
    }

    pub(super) fn ready(&mut self, worker: usize, old: Worker) {
        match old.state {
            State::Prewarming => {
                self.change(worker, |w| w.state = State::Standby);
                self.tell_worker(worker, WorkerEvent::Standby);
            }
            State::Starting => {
                self.change(worker, |w| w.state = State::Ready);
                self.tell_worker(worker, WorkerEvent::Ready);
                self.tell_worker(worker, WorkerEvent::Idle);
            }
            // It was told to finish before it began.
            State::Ready | State::Draining | State::Standby | State::Gone => {}
        }
    }

    pub(super) fn finish(&mut self, worker: usize, service: u64) {
        let Some(state) = self.change(worker, |w| w.busy = w.busy.saturating_sub(1)) else { return };
        self.measure.finished();
        self.tell_of(state.class, Observation::finished(Duration::from_nanos(service)));
        match (state.state, state.busy) {
            (State::Draining, 0) => self.leave(worker, State::Gone, WorkerEvent::Gone),
            (_, 0) => self.tell_worker_of(state.class, worker, WorkerEvent::Idle),
            (_, busy) => self.tell_worker_of(state.class, worker, WorkerEvent::Busy(busy)),
        }
    }

    /// It will be taken back soon: it takes no more requests.
    pub(super) fn notice(&mut self, worker: usize, old: Worker) {
        if matches!(old.state, State::Starting | State::Ready | State::Draining) {
            self.change(worker, |w| (w.state, w.doomed) = (State::Draining, true));
            self.tell_worker(worker, WorkerEvent::Draining);
        }
    }

    pub(super) fn fail(&mut self, worker: usize, cause: FailureCause) {
        if let Some(Worker { class, .. }) = self.workers.get(worker).filter(|w| w.state != State::Standby) {
            self.measure.failed(cause, 1);
            self.classes.failed(class, cause, 1);
            self.leave(worker, State::Gone, WorkerEvent::Failed(cause));
        }
    }

    /// All workers of a class are taken back, but those in standby, which are not there.
    pub(super) fn take_back(&mut self, class: u8) {
        let all = self.workers.all().iter().enumerate();
        let there = all.filter(|(_, worker)| worker.class == class && worker.state != State::Gone);
        for worker in there.map(|(worker, _)| worker).collect::<Vec<_>>() {
            self.fail(worker, FailureCause::Preempted);
        }
    }

    /// A worker ends its present life: events meant for it no longer count.
    fn leave(&mut self, worker: usize, state: State, event: WorkerEvent) {
        let Some(old) = self.workers.get(worker) else { return };
        let again = self.cut_off(worker, old.busy);
        self.change(worker, |w| {
            (w.state, w.busy, w.doomed) = (state, 0, false);
            w.life = w.life.saturating_add(1);
        });
        if state == State::Gone && old.state != State::Gone {
            self.classes.give_back(old.class);
        }
        self.tell_worker(worker, event);
        if again > 0 {
            self.tell(Observation::arrived(again));
        }
    }

    /// What a worker serves is lost, or tried again: how many are.
    fn cut_off(&mut self, worker: usize, busy: u32) -> u32 {
        let Some(held) = self.held.as_mut().filter(|_| busy > 0) else {
            self.measure.lost(busy);
            return 0;
        };
        let mut again = 0_u32;
        for waiting in held.cut_off(worker) {
            if waiting.attempts < self.options.retries {
                let attempts = waiting.attempts.saturating_add(1);
                self.queue.push_back(Waiting { since: self.now, attempts, ..waiting });
                again = again.saturating_add(1);
            }
        }
        self.measure.lost(busy.saturating_sub(again));
        self.measure.retried(again);
        again
    }

    fn revive(&mut self, worker: usize) {
        let Some(old) = self.workers.get(worker) else { return };
        match old.state {
            State::Draining if !old.doomed => {
                self.change(worker, |w| w.state = State::Ready);
                self.tell_worker(worker, WorkerEvent::Ready);
            }
            State::Standby => {
                self.measure.warm_start();
                self.change(worker, |w| w.state = State::Starting);
                self.tell_worker(worker, WorkerEvent::Ordered);
                let after = self.draws.warm(self.options);
                self.schedule(after, Kind::Started { worker, life: old.life });
                self.lease(worker);
            }
            _ => {}
        }
    }

    /// A worker that serves something finishes it, whoever wants to stop it: who decides may not have known.
    fn stop(&mut self, worker: usize, to_standby: bool, cut_off: bool) {
        let Some(old) = self.workers.get(worker) else { return };
        match old.state {
            State::Gone => {}
            State::Standby if to_standby => {}
            _ if old.busy > 0 && !cut_off => self.drain(worker),
            _ if to_standby => self.leave(worker, State::Standby, WorkerEvent::Standby),
            _ => self.leave(worker, State::Gone, WorkerEvent::Gone),
        }
    }

    fn drain(&mut self, worker: usize) {
        let Some(old) = self.workers.get(worker) else { return };
        match (old.state, old.busy) {
            (State::Gone | State::Draining, _) => {}
            (_, 0) => self.leave(worker, State::Gone, WorkerEvent::Gone),
            _ => {
                self.change(worker, |w| w.state = State::Draining);
                self.tell_worker(worker, WorkerEvent::Draining);
            }
        }
    }
}
