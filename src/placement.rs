//! Placement: from a count to commands, by comparing it with the workers there are.
//!
//! Going up, the quickest come first: a draining worker is revived, then a standby one, and only then are new ones
//! started. Going down, the least useful go first: workers still starting (the latest ordered first), then idle ones
//! (the longest idle first), and, unless an idle timeout reserves the choice to idle workers, busy ones are drained
//! (the least busy first). A stop goes only to a starting or idle worker, or to a draining one past its deadline.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::observation::WorkerId;
use crate::pool::{Pending, Pool, State};
use crate::provider::Provider;
use crate::rare::Rare;
use crate::time::{Timestamp, nanos};

/// One thing for the platform to do. Each is given once; if its effect does not show within the order timeout, it is
/// given again. So a command that has not been begun within the order timeout is void: whoever carries commands out later
/// than they are given drops it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Command {
    /// Start so many new workers.
    Start {
        /// How many.
        count: u32,
    },
    /// Bring a draining or standby worker back, or keep one that was told to stop and is still there.
    Revive {
        /// Which.
        id: WorkerId,
    },
    /// Bring so many standby workers back; for platforms that report counts.
    ReviveAny {
        /// How many.
        count: u32,
    },
    /// Let the worker finish what it has and take no more.
    Drain {
        /// Which.
        id: WorkerId,
    },
    /// Stop the worker.
    Stop {
        /// Which.
        id: WorkerId,
        /// Keep it stopped but loaded, as a standby worker.
        to_standby: bool,
        /// It was draining and did not finish in time: what it still serves is cut off.
        cut_off: bool,
    },
    /// Let so many workers go, idle ones first, busy ones by draining; for platforms that report counts.
    Release {
        /// How many.
        count: u32,
    },
    /// Load so many workers and keep them stopped, in standby.
    Prewarm {
        /// How many.
        count: u32,
    },
}

/// The commands that bring the pool to `desired`, each noted as given; and the next instant at which time alone would
/// call for another.
pub(crate) fn place(
    pool: &mut Pool,
    provider: &mut Rare<Provider>,
    now: Timestamp,
    (desired, max): (u32, u32),
    config: &Config,
) -> Vec<Command> {
    let mut placement = Placement { pool, provider, now, max, config, commands: Vec::new() };
    placement.cut_off_late_drains();
    placement.give_up_overdue_starts();
    let committed = placement.pool.committed(now);
    // As many may be starting as are needed for what is missing to come.
    let most = target(placement.pool, placement.provider, desired, committed).min(max.max(desired));
    if committed < desired {
        placement.grow(desired.saturating_sub(committed), most.saturating_sub(committed));
    } else if committed > most {
        placement.shrink(most);
    }
    placement.prewarm();
    placement.commands
}

/// The committed count that brings the pool to `desired`: the same, and more where some of those that start do not come.
fn target(pool: &Pool, provider: &Provider, desired: u32, committed: u32) -> u32 {
    let there = committed.min(pool.census().ready).min(desired);
    there.saturating_add(provider.gross(desired.saturating_sub(there))).max(desired)
}

/// How many workers may come while `desired` are called for, the bounds permitting.
pub(crate) fn expected(pool: &Pool, provider: &Provider, (desired, max): (u32, u32)) -> u32 {
    target(pool, provider, desired, u32::MAX).min(max.max(desired))
}

/// Ready workers that the idle timeout does not let go at `now`, and when the next of them may.
pub(crate) fn held(pool: &Pool, now: Timestamp, config: &Config) -> (u32, Option<Timestamp>) {
    let Some(timeout) = config.idle_timeout().map(nanos) else { return (0, None) };
    let census = pool.census();
    if !pool.by_id() {
        return (census.idle.map_or(0, |idle| census.ready.saturating_sub(idle)), None);
    }
    let (free, [next, _]) = pool.idle(now, timeout);
    (census.ready.saturating_sub(free), next)
}

/// The first instant after `now` at which time alone calls for a command: an idle timeout, a drain deadline, or the end
/// of a back-off.
pub(crate) fn next_change(
    pool: &Pool,
    provider: &Provider,
    now: Timestamp,
    desired: u32,
    config: &Config,
) -> Option<Timestamp> {
    let committed = pool.committed(now);
    let orders = committed < desired || config.standby() > 0;
    let order = if orders { provider.next_order(now, patience(pool, config)) } else { None };
    let worker = next_worker(pool, now, committed > desired, config);
    order.into_iter().chain(worker).filter(|at| *at > now).min()
}

/// How long the outcome of a probe may take.
pub(crate) fn patience(pool: &Pool, config: &Config) -> u64 {
    pool.start_deadline(config).max(nanos(config.order_timeout()))
}

fn next_worker(pool: &Pool, now: Timestamp, surplus: bool, config: &Config) -> Option<Timestamp> {
    let idle_timeout = config.idle_timeout().filter(|_| surplus && pool.by_id()).map(nanos);
    let draining = pool.census().draining > 0;
    if idle_timeout.is_none() && !draining {
        return None;
    }
    let idle = idle_timeout.and_then(|timeout| pool.idle(now, timeout).1[1]);
    let drained = pool.next_late_drain(now, nanos(config.drain_timeout()));
    idle.into_iter().chain(drained).filter(|at| *at > now).min()
}

struct Placement<'a> {
    pool: &'a mut Pool,
    provider: &'a mut Rare<Provider>,
    now: Timestamp,
    max: u32,
    config: &'a Config,
    commands: Vec<Command>,
}

impl Placement<'_> {
    /// Brings in `need` workers; if they must be started, `gross` where some of them do not come.
    fn grow(&mut self, need: u32, gross: u32) {
        let spare = gross.saturating_sub(need);
        let (mut need, order_timeout) = (need, nanos(self.config.order_timeout()));
        let census = self.pool.census();
        if self.pool.by_id() {
            for id in self.pool.returning(need) {
                self.told(id, Pending::Revive, Command::Revive { id });
                need = need.saturating_sub(1);
            }
        } else if census.standby > 0 {
            let count = need.min(self.pool.standby(self.now));
            if count > 0 {
                self.pool.revived(self.now, count, order_timeout);
                self.commands.push(Command::ReviveAny { count });
                need = need.saturating_sub(count);
            }
        }
        let patience = patience(self.pool, self.config);
        let count = self.provider.allows(self.now, need, patience).min(need.saturating_add(spare));
        if count > 0 {
            self.provider.ordered(self.now);
            self.pool.ordered(self.now, count, order_timeout);
            self.commands.push(Command::Start { count });
        }
    }

    /// Workers that took too long to start are stopped, should they still come.
    fn give_up_overdue_starts(&mut self) {
        for id in self.pool.overdue_untold() {
            self.told(id, Pending::Stop, Command::Stop { id, to_standby: false, cut_off: false });
        }
    }

    /// Lets go of workers until no more than `most` are committed, as far as that is possible now.
    fn shrink(&mut self, most: u32) {
        let surplus = self.pool.surplus(self.now, most);
        if surplus == 0 {
            return;
        }
        if !self.pool.by_id() {
            let free = match (self.config.idle_timeout(), self.pool.census().idle) {
                (Some(_), Some(idle)) => idle,
                _ => u32::MAX,
            };
            let count = surplus.min(free.saturating_sub(self.pool.releases(self.now)));
            if count > 0 {
                self.pool.released(self.now, count, nanos(self.config.order_timeout()));
                self.commands.push(Command::Release { count });
            }
            return;
        }
        let timeout = self.config.idle_timeout().map(nanos);
        for (id, state) in self.pool.leaving(self.now, surplus, timeout) {
            match state {
                State::Starting { .. } => {
                    self.told(id, Pending::Stop, Command::Stop { id, to_standby: false, cut_off: false });
                }
                State::Idle => {
                    let to_standby = self.standby_room(1) > 0;
                    let pending = if to_standby { Pending::Park } else { Pending::Stop };
                    self.told(id, pending, Command::Stop { id, to_standby, cut_off: false });
                }
                _ => self.told(id, Pending::Drain, Command::Drain { id }),
            }
        }
        if let Some(timeout) = timeout {
            // When the next may go is asked for next.
            self.pool.look_at_idle(self.now, timeout);
        }
    }

    fn cut_off_late_drains(&mut self) {
        for id in self.pool.late_drains(self.now, nanos(self.config.drain_timeout())) {
            self.told(id, Pending::Stop, Command::Stop { id, to_standby: false, cut_off: true });
        }
    }

    /// How many more workers the standby tier has room for: what is configured, within max together with the others,
    /// of which so many are leaving.
    fn standby_room(&self, leaving: u32) -> u32 {
        let within_max = self.max.saturating_sub(self.pool.committed(self.now).saturating_sub(leaving));
        let there = self.pool.standby(self.now).saturating_add(self.pool.parking());
        let under_way = self.pool.prewarming(self.now);
        self.config.standby().min(within_max).saturating_sub(there).saturating_sub(under_way)
    }

    fn prewarm(&mut self) {
        if self.config.standby() == 0 {
            return;
        }
        let (room, patience) = (self.standby_room(0), patience(self.pool, self.config));
        let count = self.provider.allows(self.now, room, patience).min(room);
        if count > 0 {
            self.provider.ordered(self.now);
            self.pool.prewarmed(self.now, count, nanos(self.config.order_timeout()));
            self.commands.push(Command::Prewarm { count });
        }
    }

    fn told(&mut self, id: WorkerId, pending: Pending, command: Command) {
        let until = self.now.plus(nanos(self.config.order_timeout()));
        self.pool.told(id, Some((pending, until)));
        self.commands.push(command);
    }
}

#[cfg(test)]
mod tests;
