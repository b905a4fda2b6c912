//! The table as a snapshot has it: with the instants themselves.

use serde::{Deserialize, Serialize};

use super::{CAPACITY, Entry, Sustained};
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Level {
    pub(super) level: u32,
    pub(super) since: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) entries: [Level; CAPACITY],
    pub(super) len: u8,
    demand: u32,
    at: Timestamp,
    setback: u8,
}

impl From<Sustained> for Table {
    fn from(sustained: Sustained) -> Self {
        let mut entries = [Level::default(); CAPACITY];
        for (slot, (level, since)) in entries.iter_mut().zip(sustained.levels()) {
            *slot = Level { level, since };
        }
        let Sustained { len, demand, at, setback, .. } = sustained;
        Self { entries, len, demand, at, setback }
    }
}

impl From<Table> for Sustained {
    /// What cannot be a table has more entries than there is room for, which [`is_sound`](Sustained::is_sound) tells.
    fn from(table: Table) -> Self {
        let Table { entries, len, demand, at, setback } = table;
        let live = entries.get(..usize::from(len)).unwrap_or(&[]);
        let rises = live.is_sorted_by_key(|entry| entry.since);
        let mut sustained = Self { len: if rises { len } else { u8::MAX }, demand, ..Self::new(at, setback) };
        for (slot, Level { level, since }) in sustained.entries.iter_mut().zip(live) {
            *slot = Entry { level: *level, after: since.since(sustained.highest) };
            sustained.highest = *since;
            if *level <= demand {
                (sustained.held, sustained.since) = (sustained.held.saturating_add(1), *since);
            }
        }
        sustained
    }
}
