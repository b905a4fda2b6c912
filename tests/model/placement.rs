//! The commands that bring the pool to a count, and which workers they name.

use std::cmp::Reverse;

use plimsoll::decision::Command;
use plimsoll::{Config, WorkerId};

use crate::fleet::{Doing, Order, Worker};
use crate::pool::{Outstanding, Pool};
use crate::signals::{Nanos, nanos};

impl Pool {
    /// The commands that bring the pool to `desired`, noted as given.
    pub fn place(&mut self, now: Nanos, desired: u32, max: u32, config: &Config) -> Vec<Command> {
        let mut commands = Vec::new();
        let late_drain =
            |worker: &Worker| worker.doing == Doing::Draining && now >= worker.since + nanos(config.drain_timeout());
        self.stop_late(now, late_drain, true, config, &mut commands);
        self.stop_late(now, |worker| worker.doing == Doing::Late, false, config, &mut commands);
        let committed = self.committed(now);
        let most = self.target(now, desired, committed).min(max.max(desired));
        if committed < desired {
            let revived = self.revive(now, desired - committed, config, &mut commands);
            let (need, most) = (desired - committed - revived, most - committed - revived);
            let allowed = self.provider.allows(now, need, self.patience(config));
            let count = allowed.min(most);
            if need > 0 && count > 0 {
                commands.push(Command::Start { count });
                self.provider.ordered(now);
                let until = now + nanos(config.order_timeout());
                self.orders = Outstanding { count: self.orders(now) + count, until };
            }
        } else if committed > most {
            // Orders that nobody has seen are the first to go, as soon as they are there.
            let unseen = if self.seen { self.orders.at(now) } else { 0 };
            let surplus = (committed - most).saturating_sub(unseen + self.revivals.at(now));
            if self.fleet.workers(now).is_empty() {
                self.release(now, surplus, config, &mut commands);
            } else {
                self.let_go(now, surplus, max, config, &mut commands);
            }
        }
        self.prewarm(now, max, config, &mut commands);
        commands
    }

    /// What is missing in standby is loaded.
    fn prewarm(&mut self, now: Nanos, max: u32, config: &Config, commands: &mut Vec<Command>) {
        let room = self.standby_room(now, 0, max, config);
        let count = self.provider.allows(now, room, self.patience(config)).min(room);
        if count > 0 {
            commands.push(Command::Prewarm { count });
            self.provider.ordered(now);
            let ordered = if self.seen { self.prewarms.at(now) } else { self.prewarms.count };
            self.prewarms = Outstanding { count: ordered + count, until: now + nanos(config.order_timeout()) };
        }
    }

    fn tell(&mut self, now: Nanos, id: WorkerId, order: Order, config: &Config) {
        self.fleet.tell(now, id, order, now + nanos(config.order_timeout()));
    }

    /// Who is late, and has not been told yet, is stopped.
    fn stop_late(
        &mut self,
        now: Nanos,
        late: impl Fn(&Worker) -> bool,
        cut_off: bool,
        config: &Config,
        commands: &mut Vec<Command>,
    ) {
        for worker in self.fleet.workers(now).iter().filter(|worker| worker.told.is_none() && late(worker)) {
            self.tell(now, worker.id, Order::Stop, config);
            commands.push(Command::Stop { id: worker.id, to_standby: false, cut_off });
        }
    }

    /// Who drains, or was told to go and is seen doing neither, comes back before others are started: the last to go
    /// first; then those in standby. How many do.
    fn revive(&mut self, now: Nanos, need: u32, config: &Config, commands: &mut Vec<Command>) -> u32 {
        let mut back = self.fleet.workers(now);
        if back.is_empty() {
            let count = need.min(self.standby(now));
            if count > 0 {
                commands.push(Command::ReviveAny { count });
                self.revivals.add(now, count, config);
            }
            return count;
        }
        back.retain(|worker| match worker.told {
            None => matches!(worker.doing, Doing::Draining | Doing::Standby),
            Some((Order::Drain, _)) => true,
            Some((Order::Stop | Order::Park, _)) => worker.doing == Doing::Idle,
            Some((Order::Revive, _)) => false,
        });
        back.sort_by_key(|worker| match worker.doing {
            Doing::Standby => (1, Reverse(0), worker.id),
            _ => (0, Reverse(worker.since), worker.id),
        });
        back.truncate(need as usize);
        for worker in &back {
            self.tell(now, worker.id, Order::Revive, config);
            commands.push(Command::Revive { id: worker.id });
        }
        back.len() as u32
    }

    /// By count: idle ones, where the idle timeout asks for it and they are known.
    fn release(&mut self, now: Nanos, surplus: u32, config: &Config, commands: &mut Vec<Command>) {
        let idle = config.idle_timeout().and(self.counts.idle);
        let count = surplus.min(idle.map_or(u32::MAX, |idle| idle.saturating_sub(self.releases.at(now))));
        if count > 0 {
            commands.push(Command::Release { count });
            if self.seen { self.releases.add(now, count, config) } else { self.orders.confirm(count) }
        }
    }

    /// By id: the last that began to start, then the longest idle, then the least busy, who finishes first. With an idle
    /// timeout only who has been idle for so long.
    fn let_go(&mut self, now: Nanos, surplus: u32, max: u32, config: &Config, commands: &mut Vec<Command>) {
        let timeout = config.idle_timeout().map(nanos);
        let turn = |worker: &Worker| match worker.doing {
            _ if worker.told.is_some() => None,
            Doing::Starting => Some((0, 0, u64::MAX - worker.since)),
            Doing::Idle if timeout.is_none_or(|timeout| now >= worker.since + timeout) => Some((1, 0, worker.since)),
            Doing::Busy if timeout.is_none() => Some((2, worker.load, worker.since)),
            // Of whom it is not known what they serve counts as the busiest.
            Doing::Untold | Doing::Leased(_) if timeout.is_none() => Some((2, u32::MAX, worker.since)),
            _ => None,
        };
        let workers = self.fleet.workers(now);
        let mut turns: Vec<_> = workers.iter().filter_map(|worker| Some((turn(worker)?, worker.id))).collect();
        turns.sort_unstable();
        for ((rank, ..), id) in turns.into_iter().take(surplus as usize) {
            // An idle one stays loaded where standby has room for it.
            let to_standby = rank == 1 && self.standby_room(now, 1, max, config) > 0;
            let (order, command) = match rank {
                2 => (Order::Drain, Command::Drain { id }),
                _ if to_standby => (Order::Park, Command::Stop { id, to_standby, cut_off: false }),
                _ => (Order::Stop, Command::Stop { id, to_standby, cut_off: false }),
            };
            self.tell(now, id, order, config);
            commands.push(command);
        }
    }
}
