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
                let until = now + nanos(config.order_timeout());
                self.orders = Outstanding { count: self.orders(now) + count, until };
            }
        } else if committed > most {
            // Orders that nobody has seen are the first to go, as soon as they are there.
            let unseen = if self.seen { self.orders.at(now) } else { 0 };
            let surplus = (committed - most).saturating_sub(unseen);
            if self.fleet.workers(now).is_empty() {
                self.release(now, surplus, config, &mut commands);
            } else {
                self.let_go(now, surplus, config, &mut commands);
            }
        }
        self.provider.told(now, &commands);
        commands
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
    /// first. How many do.
    fn revive(&mut self, now: Nanos, need: u32, config: &Config, commands: &mut Vec<Command>) -> u32 {
        let mut leaving = self.fleet.workers(now);
        leaving.retain(|worker| match worker.told {
            None => worker.doing == Doing::Draining,
            Some((Order::Drain, _)) => true,
            Some((Order::Stop, _)) => worker.doing == Doing::Idle,
            Some((Order::Revive, _)) => false,
        });
        leaving.sort_by_key(|worker| (Reverse(worker.since), worker.id));
        leaving.truncate(need as usize);
        for worker in &leaving {
            self.tell(now, worker.id, Order::Revive, config);
            commands.push(Command::Revive { id: worker.id });
        }
        leaving.len() as u32
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
    fn let_go(&mut self, now: Nanos, surplus: u32, config: &Config, commands: &mut Vec<Command>) {
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
            let busy = rank == 2;
            self.tell(now, id, if busy { Order::Drain } else { Order::Stop }, config);
            commands.push(if busy {
                Command::Drain { id }
            } else {
                Command::Stop { id, to_standby: false, cut_off: false }
            });
        }
    }
}
