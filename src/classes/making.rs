//! How what is wanted is made up of classes, and the commands that bring them there.

use alloc::vec::Vec;

use super::learn::LEARNED;
use super::mix::{Mix, Offer, Order, mix, price};
use super::part::Part;
use super::planner::ROUNDS;
use super::{Class, ClassCommand, ClassCount, Decision, MixedPool, Price, REFERENCE, Reason};
use crate::time::Timestamp;

/// How what is wanted is made up, and of what.
pub(super) struct MadeUp {
    offers: Vec<Offer>,
    mix: Mix,
    /// Of each class whether it would have more, were its provider willing.
    passed_over: Vec<bool>,
    /// It costs more than it would if it did not matter how long workers take to start.
    hurried: bool,
}

impl MixedPool {
    /// Gives the commands, and how what is wanted is made up. They change nothing of what is wanted: the planner knows
    /// workers as they are observed.
    pub(super) fn act(&mut self, now: Timestamp) -> (Vec<ClassCommand>, MadeUp) {
        let made = self.foresee(now);
        (self.carry_out(now, &made.mix), made)
    }

    /// How what is wanted is made up when all that can be had at once is there: a worker that is brought back is ready at
    /// once, and others need not be ordered.
    fn foresee(&self, now: Timestamp) -> MadeUp {
        let mut made = self.make_up();
        if self.parts.iter().all(|part| part.staff().revivable == 0) {
            return made;
        }
        let mut trial = self.clone();
        for _ in 0..ROUNDS {
            if trial.carry_out(now, &made.mix).is_empty() {
                break;
            }
            made = trial.make_up();
        }
        made
    }

    fn carry_out(&mut self, now: Timestamp, mix: &Mix) -> Vec<ClassCommand> {
        let mut commands = Vec::new();
        for ((part, count), class) in self.parts.iter_mut().zip(&mix.counts).zip(self.settings.ids()) {
            part.aim(now, *count);
            commands.extend(part.commands(now).into_iter().map(|command| ClassCommand { class, command }));
        }
        commands
    }

    /// How what is wanted is made up now.
    fn make_up(&self) -> MadeUp {
        let wanted = u64::from(self.planner.desired()).saturating_mul(u64::from(REFERENCE));
        let (stand_ins, saving) = (self.settings.stand_ins(), self.settings.exchange_saving());
        let order = Order { wanted, stand_ins, saving };
        let waits = self.waits();
        let both = self.parts.iter().zip(self.settings.classes()).zip(&waits);
        let (offers, limits): (Vec<Offer>, Vec<u32>) =
            both.map(|((part, class), wait)| part.offer(class, *wait)).unzip();
        let mut made = mix(&order, &offers);
        let idle: Vec<Offer> = offers.iter().map(|offer| Offer { wait: 0, running: 0, ready: 0, ..*offer }).collect();
        let hurried = waits.iter().any(|wait| *wait > 0)
            && price(&offers, &mix(&order, &idle).planned) < price(&offers, &made.planned);
        for ((part, offer), count) in self.parts.iter().zip(&offers).zip(&mut made.counts) {
            *count = if part.probes() { offer.running.max(*count) } else { *count };
        }
        let passed_over = (0..offers.len()).map(|at| {
            let (offer, limit) = (offers.get(at)?, *limits.get(at)?);
            let mut willing = offers.clone();
            willing.get_mut(at).filter(|_| offer.most < limit)?.most = limit;
            Some(mix(&order, &willing).planned.get(at) > made.planned.get(at))
        });
        let passed_over = passed_over.map(|more| more == Some(true)).collect();
        MadeUp { offers, mix: made, passed_over, hurried }
    }

    /// What the cold start of each class costs: as much as it is longer than that of the fastest.
    fn waits(&self) -> Vec<u64> {
        let each = self.parts.iter().zip(self.settings.classes());
        let fastest = each.clone().filter_map(|(part, class)| part.cold_start(class)).min();
        let wait = |(part, class): (&Part, &Class)| {
            let (waiting, fastest) = self.settings.waiting().zip(fastest)?;
            let later = part.cold_start(class)?.saturating_sub(fastest);
            Some(waiting.costs(part.capacity, later))
        };
        each.map(|both| wait(both).unwrap_or(0)).collect()
    }

    pub(super) fn explained(&self, made: &MadeUp, commands: Vec<ClassCommand>, would: Vec<ClassCommand>) -> Decision {
        let MadeUp { offers, mix, passed_over, hurried } = made;
        let wanted = self.planner.desired();
        let classes = self.settings.ids().zip(self.settings.classes().iter().zip(&self.parts)).zip(0_usize..);
        let classes = classes.map(|((id, (class, part)), at)| {
            let staff = part.staff();
            let learns = !self.settings.is_reference(id) && part.learner.progress() < LEARNED;
            ClassCount {
                class: id,
                name: class.name.clone(),
                capacity: part.capacity,
                learning: learns.then(|| part.learner.progress()),
                planned: mix.planned.get(at).copied().unwrap_or(0),
                count: mix.counts.get(at).copied().unwrap_or(0),
                ready: staff.ready,
                starting: staff.committed.saturating_sub(staff.ready),
                trouble: part.trouble(),
                passed_over: passed_over.get(at).copied().unwrap_or(false),
            }
        });
        let ranked = self.settings.classes().windows(2).any(|pair| matches!(pair, [a, b] if a.rank != b.rank));
        let reason = match () {
            () if wanted == 0 => Reason::Idle,
            () if mix.short > 0 => Reason::Short,
            () if passed_over.contains(&true) => Reason::Fallback,
            () if mix.stays => Reason::Stays,
            () if *hurried => Reason::Soonest,
            () if ranked => Reason::InOrder,
            () => Reason::Cheapest,
        };
        Decision {
            at: self.now,
            sequence: self.sequence,
            wanted,
            reason,
            classes: classes.collect(),
            price: Price::of(price(offers, &mix.planned)),
            short: mix.short,
            commands,
            would,
            plan: self.planner.explanation(),
            next_wakeup: self.next_wakeup(),
        }
    }
}
