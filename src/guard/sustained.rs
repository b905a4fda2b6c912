//! The memory of a delay: since when demand has stood at or above each level.
//!
//! An up delay `U` asks: which count has been wanted *throughout* the last `U`? That is the minimum of demand over a
//! sliding window, exact in time. A down delay asks the same of the maximum; it is the same table over complemented
//! levels.
//!
//! The table holds `(level, since)` pairs, both rising: demand has been at least `level` since `since`. When demand falls
//! below a level, that level *lapses*: it is not forgotten, its `since` moves forward by `1 + setback` times the
//! lapse, and it is dropped when nothing of its progress is left. So one stray sample sets a delay back a little
//! instead of restarting it, and demand that comes and goes makes progress only if it is there for more than
//! `setback / (1 + setback)` of the time. Without a lapse a level is due exactly when its delay has passed.
//!
//! Each entry knows how long after the one below it it began: the levels above one that lapse together move together, so that
//! a lapse changes one number and not one for each of them.
//!
//! Entries are at most [`CAPACITY`]. A demand that climbs through more distinct levels within one delay has its closest
//! steps merged into the later one: the count then arrives at some levels a little late, at the last one never.

use serde::{Deserialize, Serialize};

use self::table::Table;
use crate::time::Timestamp;

mod table;

/// Distinct levels remembered. Pools of up to sixteen workers are followed exactly, larger ones in sixteen steps.
pub(crate) const CAPACITY: usize = 16;

/// Packed, since there are 32 of them in every service.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(C, packed(4))]
struct Entry {
    level: u32,
    /// How long after the next lower one it began, in nanoseconds; of the lowest, after the caller's origin.
    after: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(from = "Table", into = "Table")]
pub(crate) struct Sustained {
    entries: [Entry; CAPACITY],
    len: u8,
    /// The demand now, and until when the table is up to date.
    demand: u32,
    at: Timestamp,
    /// How many times faster a lapse undoes progress than demand makes it.
    setback: u8,
    /// How many levels demand reaches: those from there on have lapsed. Follows from the entries, as what comes after it.
    held: u8,
    /// Since when demand has been at the highest of those that it reaches, and at the highest of all; the origin without one.
    since: Timestamp,
    highest: Timestamp,
}

impl Sustained {
    /// A table that has seen no demand before `now`.
    pub(crate) const fn new(now: Timestamp, setback: u8) -> Self {
        Self {
            entries: [Entry { level: 0, after: 0 }; CAPACITY],
            len: 0,
            demand: 0,
            at: now,
            setback,
            held: 0,
            since: Timestamp::ORIGIN,
            highest: Timestamp::ORIGIN,
        }
    }

    /// Whether this can be a table with such a setback: what comes from a snapshot may be anything.
    pub(crate) fn is_sound(&self, setback: u8) -> bool {
        let rises = |pair: &[Entry]| matches!(pair, [a, b] if a.level < b.level);
        self.len() <= CAPACITY && self.setback == setback && self.live().windows(2).all(rises)
    }

    /// Demand is `level` from `now` on. `delay` is the delay asked about, so that what is older can be dropped.
    #[inline]
    pub(crate) fn update(&mut self, now: Timestamp, level: u32, delay: u64) {
        // Demand is what it was and no level has lapsed: only time has passed.
        if level == self.demand && self.live().last().is_some_and(|highest| highest.level == level) {
            self.at = self.at.max(now);
            return;
        }
        self.move_to(now, level, delay);
    }

    #[inline(never)]
    fn move_to(&mut self, now: Timestamp, level: u32, delay: u64) {
        self.pass_time(now);
        // Demand mostly moves by a few levels, so its place is looked for from where it was.
        let mut next = self.lowest_lapsed();
        while let Some(entry) = next.filter(|entry| entry.level < level) {
            self.hold(entry);
            next = self.lowest_lapsed();
        }
        while let Some(entry) = self.highest_held().filter(|entry| entry.level >= level) {
            self.release(entry);
            next = Some(entry);
        }
        // A lower level has been exceeded at least since the next higher began.
        let began = next.map_or(now, |next| self.since.plus(next.after));
        let stands = next.filter(|next| next.level == level);
        if let Some(entry) = stands {
            self.hold(entry);
        }
        if level < self.demand {
            self.begin_lapse(delay);
        }
        self.demand = level;
        if stands.is_none() {
            self.insert(level, began, delay);
        }
    }

    /// The level that was demanded last.
    pub(crate) const fn demand(&self) -> u32 {
        self.demand
    }

    /// The count has moved against this delay at `now`, to `level`: whatever is above begins anew.
    pub(crate) fn restart_above(&mut self, now: Timestamp, level: u32) {
        self.pass_time(now);
        while let Some(highest) = self.live().last().copied().filter(|highest| highest.level > level) {
            if self.held == self.len {
                self.release(highest);
            }
            self.highest = self.highest.minus(highest.after);
            self.truncate(self.len().saturating_sub(1));
        }
        if self.demand > level {
            self.insert(self.demand, self.at, u64::MAX);
        }
    }

    /// The highest level that demand has reached throughout the last `delay`; 0 if there is none.
    pub(crate) fn reached(&self, delay: u64) -> u32 {
        self.ahead(delay).0
    }

    /// The next level above `count` that will be reached if demand stays, and when.
    pub(crate) fn next_above(&self, count: u32, delay: u64) -> Option<(u32, Timestamp)> {
        let due = self.above_since(count)?.plus(delay);
        let (last, _) = self.held().filter(|(_, since)| since.plus(delay) <= due).last()?;
        Some((last, due))
    }

    /// The first instant after the last update at which `reached` changes by time alone.
    pub(crate) fn next_change(&self, delay: u64) -> Option<Timestamp> {
        let pending = self.held().filter(|(level, _)| *level > 0);
        pending.map(|(_, since)| since.plus(delay)).find(|due| *due > self.at)
    }

    /// What `reached` is, and when it changes by time alone, the end of time if it does not: what has not been reached
    /// follows on what has.
    #[inline]
    pub(crate) fn ahead(&self, delay: u64) -> (u32, Timestamp) {
        let (mut reached, mut since) = (0, Timestamp::ORIGIN);
        for entry in self.live() {
            since = since.plus(entry.after);
            if self.at.since(since) >= delay {
                reached = entry.level;
            } else if entry.level > 0 {
                let due = if entry.level > self.demand { Timestamp::MAX } else { since.plus(delay) };
                return (reached.min(self.demand), due);
            }
        }
        (reached.min(self.demand), Timestamp::MAX)
    }

    /// Whether demand is above `count`.
    pub(crate) const fn is_above(&self, count: u32) -> bool {
        self.demand > count
    }

    /// Since when demand has been above `count`.
    pub(crate) fn above_since(&self, count: u32) -> Option<Timestamp> {
        self.held().find(|(level, _)| *level > count).map(|(_, since)| since)
    }

    const fn len(&self) -> usize {
        self.len as usize
    }

    /// How many levels demand reaches.
    const fn reached_by(&self) -> usize {
        self.held as usize
    }

    fn live(&self) -> &[Entry] {
        self.entries.get(..self.len()).unwrap_or(&[])
    }

    /// All levels, and since when demand has been there.
    fn levels(&self) -> impl Iterator<Item = (u32, Timestamp)> + '_ {
        self.live().iter().scan(Timestamp::ORIGIN, |since, entry| {
            *since = since.plus(entry.after);
            Some((entry.level, *since))
        })
    }

    /// The same of those that demand reaches.
    fn held(&self) -> impl Iterator<Item = (u32, Timestamp)> + '_ {
        self.levels().take(self.reached_by())
    }

    /// The highest of those that demand reaches.
    fn highest_held(&self) -> Option<Entry> {
        self.entries.get(self.reached_by().checked_sub(1)?).copied()
    }

    /// The lowest of those that it does not reach.
    fn lowest_lapsed(&self) -> Option<Entry> {
        self.entries.get(self.reached_by()).filter(|_| self.held < self.len).copied()
    }

    /// Demand reaches one level more: this one, the lowest that it did not reach.
    const fn hold(&mut self, entry: Entry) {
        self.since = self.since.plus(entry.after);
        self.held = self.held.saturating_add(1);
    }

    /// Demand no longer reaches this one, the highest that it reached.
    const fn release(&mut self, entry: Entry) {
        self.since = self.since.minus(entry.after);
        self.held = self.held.saturating_sub(1);
    }

    /// Lapsed levels lose progress for the time since the last update.
    fn pass_time(&mut self, now: Timestamp) {
        let lapse = now.since(self.at);
        self.at = self.at.max(now);
        if lapse == 0 || self.held >= self.len {
            return;
        }
        let loss = lapse.saturating_mul(u64::from(self.setback).saturating_add(1));
        if self.highest.plus(loss) >= self.at {
            self.drop_undone(loss);
        }
        let lapsed = self.reached_by()..self.len();
        if let Some(lapsed) = self.entries.get_mut(lapsed).and_then(<[Entry]>::first_mut) {
            lapsed.after = lapsed.after.saturating_add(loss);
            self.highest = self.highest.plus(loss);
        }
    }

    /// Of the lapsed levels, drops those that have no progress left after such a loss: they are the highest.
    #[inline(never)]
    fn drop_undone(&mut self, loss: u64) {
        let (mut left, mut highest) = (self.reached_by(), self.since);
        for entry in self.live().iter().skip(self.reached_by()) {
            let since = highest.plus(entry.after);
            if since.plus(loss) >= self.at {
                break;
            }
            (left, highest) = (left.saturating_add(1), since);
        }
        self.truncate(left);
        self.highest = highest;
    }

    /// The entries from this position on.
    fn rest(&mut self, position: usize) -> &mut [Entry] {
        let len = self.len();
        self.entries.get_mut(position..len).unwrap_or(&mut [])
    }

    /// What is not in use looks the same, so that equal tables are equal.
    fn truncate(&mut self, len: usize) {
        self.rest(len).fill(Entry::default());
        self.len = count(len);
    }

    /// The levels that demand no longer reaches begin to lapse with the progress of one delay at the most.
    fn begin_lapse(&mut self, delay: u64) {
        let (at, mut since, mut moved) = (self.at, self.since, self.since);
        for entry in self.rest(self.reached_by()) {
            since = since.plus(entry.after);
            // Those after it have progressed no further.
            let done = at.since(since) <= delay;
            let begins = if done { since } else { at.minus(delay) };
            entry.after = begins.since(moved);
            moved = begins;
            if done {
                return;
            }
        }
        self.highest = moved;
    }

    /// Of the levels that have been reached only the highest matters, among those that demand still reaches.
    fn forget_older_than(&mut self, delay: u64) {
        let is_old = |(_, since): &(u32, Timestamp)| self.at.since(*since) >= delay;
        let drop = self.held().take_while(is_old).count().saturating_sub(1);
        if drop > 0 {
            let began = self.levels().nth(drop).map_or(0, |(_, since)| since.as_nanos());
            let len = self.len();
            self.entries.copy_within(drop..len, 0);
            self.truncate(len.saturating_sub(drop));
            self.held = self.held.saturating_sub(count(drop));
            let [lowest, ..] = &mut self.entries;
            lowest.after = began;
        }
    }

    /// Demand is at `level`, which is none of the entries, and has been at the least since `began`.
    fn insert(&mut self, level: u32, began: Timestamp, delay: u64) {
        if self.len() == CAPACITY {
            // Only when room is needed, so that what is remembered does not depend on how often it was looked at.
            self.forget_older_than(delay);
        }
        let room = if self.len() < CAPACITY { self.len() } else { self.merge_closest() };
        // Only what stands between the room that there is and the place of the new one moves.
        let mut at = self.reached_by();
        if room < at {
            self.entries.copy_within(room.saturating_add(1)..at, room);
            at = at.saturating_sub(1);
        } else {
            self.entries.copy_within(at..room, at.saturating_add(1));
            self.held = self.held.saturating_add(1);
            self.len = self.len.saturating_add(u8::from(room == self.len()));
        }
        // It is later than what it follows on, unless a snapshot knew of what was to come.
        let (after, began) = (began.since(self.since), began.max(self.since));
        if let Some(next) = self.rest(at.saturating_add(1)).first_mut() {
            next.after = next.after.saturating_sub(after);
        } else {
            self.highest = began;
        }
        if let Some(slot) = self.entries.get_mut(at) {
            *slot = Entry { level, after };
        }
        self.since = began;
    }

    /// Gives up the inner entry whose loss delays its level the least: the next one follows on the one before it. Where it
    /// stood.
    fn merge_closest(&mut self) -> usize {
        let inner = self.entries.iter().enumerate().skip(2);
        let next = inner.min_by_key(|(_, next)| next.after).map_or(2, |(index, _)| index);
        let merged = next.saturating_sub(1);
        let gap = self.entries.get(merged).map_or(0, |merged| merged.after);
        if let Some(next) = self.entries.get_mut(next) {
            next.after = next.after.saturating_add(gap);
        }
        // The new one follows on the one before it, too.
        if next == self.reached_by() {
            self.since = self.since.minus(gap);
        }
        merged
    }
}

/// Of entries, which are sixteen at the most.
fn count(entries: usize) -> u8 {
    u8::try_from(entries).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests;
