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
//! Entries are at most [`CAPACITY`]. A demand that climbs through more distinct levels within one delay has its closest
//! steps merged into the later one: the count then arrives at some levels a little late, at the last one never.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Distinct levels remembered. Pools of up to sixteen workers are followed exactly, larger ones in sixteen steps.
pub(crate) const CAPACITY: usize = 16;

/// Packed, since there are 32 of them in every service.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[repr(C, packed(4))]
struct Entry {
    level: u32,
    since: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Sustained {
    entries: [Entry; CAPACITY],
    len: usize,
    /// The demand now, and until when the table is up to date.
    demand: u32,
    at: Timestamp,
    /// How many times faster a lapse undoes progress than demand makes it.
    setback: u64,
}

impl Sustained {
    /// A table that has seen no demand before `now`.
    pub(crate) const fn new(now: Timestamp, setback: u64) -> Self {
        let nothing = Entry { level: 0, since: Timestamp::ORIGIN };
        Self { entries: [nothing; CAPACITY], len: 0, demand: 0, at: now, setback }
    }

    /// Whether this can be a table with such a setback: what comes from a snapshot may be anything.
    pub(crate) fn is_sound(&self, setback: u64) -> bool {
        let rises = |pair: &[Entry]| matches!(pair, [a, b] if a.level < b.level && { a.since } <= { b.since });
        self.len <= CAPACITY && self.setback == setback && self.live().windows(2).all(rises)
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
        let lapsed = self.pass_time(now);
        let at = self.position(level, lapsed);
        // A lower level has been exceeded at least since the next higher began.
        let next = self.live().get(at).copied();
        if level < self.demand {
            let stands = next.is_some_and(|next| next.level == level);
            self.begin_lapse(at.saturating_add(usize::from(stands)), delay);
        }
        self.demand = level;
        match next {
            None => self.insert(at, Entry { level, since: now }, delay),
            Some(next) if next.level != level => self.insert(at, Entry { level, since: next.since }, delay),
            Some(_) => {}
        }
    }

    /// The level that was demanded last.
    pub(crate) const fn demand(&self) -> u32 {
        self.demand
    }

    /// The count has moved against this delay at `now`, to `level`: whatever is above begins anew.
    pub(crate) fn restart_above(&mut self, now: Timestamp, level: u32) {
        self.pass_time(now);
        self.truncate(self.live().partition_point(|entry| entry.level <= level));
        if self.demand > level {
            self.insert(self.len, Entry { level: self.demand, since: self.at }, u64::MAX);
        }
    }

    /// The highest level that demand has reached throughout the last `delay`; 0 if there is none.
    pub(crate) fn reached(&self, delay: u64) -> u32 {
        let held = self.live().iter().take_while(|entry| self.at.since(entry.since) >= delay);
        held.last().map_or(0, |entry| entry.level.min(self.demand))
    }

    /// The next level above `count` that will be reached if demand stays, and when.
    pub(crate) fn next_above(&self, count: u32, delay: u64) -> Option<(u32, Timestamp)> {
        let above = self.live().iter().find(|entry| entry.level > count && entry.level <= self.demand)?;
        let due = above.since.plus(delay);
        let last = self.live().iter().rfind(|e| e.level <= self.demand && e.since.plus(delay) <= due)?;
        Some((last.level, due))
    }

    /// The first instant after the last update at which `reached` changes by time alone.
    pub(crate) fn next_change(&self, delay: u64) -> Option<Timestamp> {
        let pending = self.live().iter().filter(|entry| entry.level > 0 && entry.level <= self.demand);
        pending.map(|entry| entry.since.plus(delay)).find(|due| *due > self.at)
    }

    /// Both at once: what `reached` is, and when it changes by time alone, the end of time if it does not. What has not been
    /// reached follows on what has.
    #[inline]
    pub(crate) fn ahead(&self, delay: u64) -> (u32, Timestamp) {
        let mut reached = 0;
        for entry in self.live() {
            if self.at.since(entry.since) >= delay {
                reached = entry.level;
            } else if entry.level > 0 {
                let due = if entry.level > self.demand { Timestamp::MAX } else { entry.since.plus(delay) };
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
        self.live().iter().find(|entry| entry.level > count && entry.level <= self.demand).map(|entry| entry.since)
    }

    fn live(&self) -> &[Entry] {
        self.entries.get(..self.len).unwrap_or(&[])
    }

    /// Where `level` stands or belongs, if the lapsed levels begin at `lapsed`. Demand mostly moves by a few levels, so it is
    /// looked for from there.
    fn position(&self, level: u32, lapsed: usize) -> usize {
        let (below, above) = self.live().split_at_checked(lapsed).unwrap_or_default();
        if level > self.demand {
            return lapsed.saturating_add(above.iter().take_while(|entry| entry.level < level).count());
        }
        below.iter().rposition(|entry| entry.level < level).map_or(0, |below| below.saturating_add(1))
    }

    /// Lapsed levels lose progress for the time since the last update. Where they begin: they are the last, so they are found
    /// on the way.
    #[inline]
    fn pass_time(&mut self, now: Timestamp) -> usize {
        let lapse = now.since(self.at);
        self.at = self.at.max(now);
        let loss = lapse.saturating_mul(self.setback.saturating_add(1));
        let (at, demand, mut first) = (self.at, self.demand, self.len);
        for (place, entry) in self.from(0).iter_mut().enumerate().rev() {
            if entry.level <= demand {
                break;
            }
            entry.since = entry.since.plus(loss);
            first = place;
        }
        // `since` rises with the level, so what has no progress left is at the end.
        if lapse > 0 && first < self.len && self.live().last().is_some_and(|highest| { highest.since } >= at) {
            self.drop_undone(first);
        }
        first
    }

    /// Of the levels from this position on, drops those without any progress.
    #[inline(never)]
    fn drop_undone(&mut self, first: usize) {
        let at = self.at;
        let left = self.from(first).partition_point(|entry| { entry.since } < at);
        self.truncate(first.saturating_add(left));
    }

    /// The entries from this position on.
    fn from(&mut self, position: usize) -> &mut [Entry] {
        self.entries.get_mut(position..self.len).unwrap_or(&mut [])
    }

    /// What is not in use looks the same, so that equal tables are equal.
    fn truncate(&mut self, len: usize) {
        self.from(len).fill(Entry::default());
        self.len = len;
    }

    /// Levels from this position on begin to lapse with the progress of one delay at the most.
    fn begin_lapse(&mut self, first_lapsed: usize, delay: u64) {
        let at = self.at;
        for entry in self.from(first_lapsed) {
            // Those after it have progressed no further.
            if at.since(entry.since) <= delay {
                break;
            }
            entry.since = at.minus(delay);
        }
    }

    /// Of the levels that have been reached only the highest matters, among those that demand still reaches. How many
    /// were dropped.
    fn forget_older_than(&mut self, delay: u64) -> usize {
        let (at, demand) = (self.at, self.demand);
        let is_old = |entry: &Entry| at.since(entry.since) >= delay && entry.level <= demand;
        if !self.live().get(1).is_some_and(is_old) {
            return 0;
        }
        let old = self.live().partition_point(is_old);
        let drop = old.saturating_sub(1);
        if drop > 0 {
            self.entries.copy_within(drop..self.len, 0);
            self.truncate(self.len.saturating_sub(drop));
        }
        drop
    }

    fn insert(&mut self, at: usize, entry: Entry, delay: u64) {
        let mut at = at;
        if self.len == CAPACITY {
            // Only when room is needed, so that what is remembered does not depend on how often it was looked at.
            at = at.saturating_sub(self.forget_older_than(delay));
        }
        if self.len < CAPACITY {
            self.entries.copy_within(at..self.len, at.saturating_add(1));
            self.len = self.len.saturating_add(1);
        } else {
            // Only what stands between the one that goes and the one that comes moves.
            let merged = self.closest_step();
            if merged < at {
                self.entries.copy_within(merged.saturating_add(1)..at, merged);
                at = at.saturating_sub(1);
            } else {
                self.entries.copy_within(at..merged, at.saturating_add(1));
            }
        }
        if let Some(slot) = self.entries.get_mut(at) {
            *slot = entry;
        }
    }

    /// The inner entry whose loss delays its level the least.
    fn closest_step(&self) -> usize {
        let gap = |pair: &[Entry]| match pair {
            [this, next] => next.since.since(this.since),
            _ => u64::MAX,
        };
        let gaps = self.live().windows(2).enumerate().skip(1);
        gaps.min_by_key(|(_, pair)| gap(pair)).map_or(1, |(index, _)| index)
    }
}

#[cfg(test)]
mod tests;
