//! Recorded workloads: when requests arrive and how long each holds a slot, read from plain CSV.
//!
//! Two formats, told apart by their header; columns may come in any order and others are ignored. Every value is a
//! non-negative decimal integer, and there is no quoting:
//!
//! - **request-level** (`arrival_ms,service_ms`, optionally `pool`): one row per request, sorted by arrival.
//! - **rate-level** (`t_s,requests`): one row per bucket of constant width, which is the second row's `t_s`. The
//!   requests of a bucket are spread evenly over it: number `j` (from 0) of `k` arrives at
//!   `t_s * 1000 + (2 * j + 1) * width_ms / (2 * k)`, in whole milliseconds. That is the smoothest placement there is,
//!   so bursts inside a bucket are lost. [`ReadOptions::with_drawn`] draws the arrivals instead.

mod read;

use core::time::Duration;
use std::io;
use std::vec::Vec;

use thiserror::Error;

use crate::time::Timestamp;

/// One request: its arrival, and how long it holds a slot once started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// When it arrives, measured from the start of the workload's window.
    pub arrival: Timestamp,
    /// How long it holds one slot once it has started, without queueing and without cold start. More than zero.
    pub service: Duration,
}

/// Requests in order of arrival, and the length of the window in which they arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    name: String,
    requests: Vec<Request>,
    duration: Duration,
}

impl Workload {
    /// A workload of `requests`, whose window ends with the last arrival. No requests at all is a workload too.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::UnsortedRequest`] if a request arrives before the one in front of it (equal times are fine);
    /// [`WorkloadError::ZeroServiceRequest`] if one holds its slot for no time.
    pub fn from_requests(name: impl Into<String>, requests: Vec<Request>) -> Result<Self, WorkloadError> {
        let name = name.into();
        let mut previous = Timestamp::ORIGIN;
        for (index, &Request { arrival, service }) in requests.iter().enumerate() {
            if arrival < previous {
                return Err(WorkloadError::UnsortedRequest { name, index, arrival, previous });
            }
            if service.is_zero() {
                return Err(WorkloadError::ZeroServiceRequest { name, index });
            }
            previous = arrival;
        }
        Ok(Self { name, requests, duration: previous.saturating_since(Timestamp::ORIGIN) })
    }

    /// Reads either CSV format, as [the module](self) describes them. `name` is what error messages and
    /// [`name`](Self::name) call the file. `\r\n` line ends and a UTF-8 byte order mark are fine.
    ///
    /// The input is buffered here. Memory grows with the requests kept (24 bytes each) and with the longest line.
    ///
    /// ```
    /// use core::time::Duration;
    /// use plimsoll::Timestamp;
    /// use plimsoll::sim::{ReadOptions, Workload};
    ///
    /// let csv = "t_s,requests\n0,3\n60,0\n120,1\n";
    /// let workload = Workload::read("minutes.csv", csv.as_bytes(), &ReadOptions::default())?;
    /// let arrivals: Vec<_> = workload.requests().iter().map(|request| request.arrival).collect();
    /// assert_eq!(arrivals, [10, 30, 50, 150].map(Timestamp::from_secs));
    /// assert_eq!(workload.duration(), Duration::from_secs(180));
    ///
    /// let error = Workload::read("bad.csv", "t_s,requests\n0,3\n60,-1\n".as_bytes(), &ReadOptions::default());
    /// assert!(error.unwrap_err().to_string().starts_with("bad.csv, line 3, column `requests`: found \"-1\""));
    /// # Ok::<(), plimsoll::sim::WorkloadError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Any [`WorkloadError`] that names a file or an option. Nothing is skipped, rounded or repaired.
    pub fn read(name: &str, input: impl io::Read, options: &ReadOptions) -> Result<Self, WorkloadError> {
        options.check()?;
        let (requests, duration) = read::all(name, input, options)?;
        Ok(Self { name: name.into(), requests, duration })
    }

    /// Reads each pool of a request-level file as a workload of its own, in the order of their numbers: services that
    /// are scaled independently. Each is called after the file and its pool; the window of all is that of the file.
    ///
    /// ```
    /// use plimsoll::sim::{ReadOptions, Workload};
    ///
    /// let csv = "arrival_ms,service_ms,pool\n0,20,7\n5,20,3\n9,20,7\n";
    /// let pools = Workload::read_pools("apps.csv", csv.as_bytes(), &ReadOptions::default())?;
    /// let pools: Vec<_> = pools.iter().map(|pool| (pool.name(), pool.requests().len())).collect();
    /// assert_eq!(pools, [("apps.csv (pool 3)", 1), ("apps.csv (pool 7)", 2)]);
    /// # Ok::<(), plimsoll::sim::WorkloadError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and if the file has no `pool` column. [`ReadOptions::with_max_requests`] counts all
    /// pools together.
    pub fn read_pools(name: &str, input: impl io::Read, options: &ReadOptions) -> Result<Vec<Self>, WorkloadError> {
        options.check()?;
        let (pools, duration) = read::pools(name, input, options)?;
        let workload = |(pool, requests)| Self { name: std::format!("{name} (pool {pool})"), requests, duration };
        Ok(pools.into_iter().map(workload).collect())
    }

    /// Requests that are known to be in order and to take time, in a window of this length.
    pub(super) const fn drawn(name: String, requests: Vec<Request>, duration: Duration) -> Self {
        Self { name, requests, duration }
    }

    /// What the workload was called when it was made.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The requests, sorted by arrival.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The length of the window, which starts at [`Timestamp::ORIGIN`]. It ends with the last arrival; for a
    /// rate-level file with the last bucket; with a [pool](ReadOptions::with_pool) with the last arrival of any pool.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// The part from `start` to before `end`, both measured from the window's start: a workload of its own, whose window
    /// starts at `start`. From this window's end on, `end` is that end, and what arrives at that very instant is in. What
    /// had arrived before `start` is not part of it, whether or not it would have been served by then.
    ///
    /// ```
    /// use core::time::Duration;
    /// use plimsoll::Timestamp;
    /// use plimsoll::sim::{ReadOptions, Workload};
    ///
    /// let csv = "t_s,requests\n0,3\n60,0\n120,1\n";
    /// let workload = Workload::read("minutes.csv", csv.as_bytes(), &ReadOptions::default())?;
    /// let part = workload.between(Duration::from_secs(50), Duration::from_secs(170));
    /// let arrivals: Vec<_> = part.requests().iter().map(|request| request.arrival).collect();
    /// assert_eq!(arrivals, [0, 100].map(Timestamp::from_secs));
    /// assert_eq!(part.duration(), Duration::from_secs(120));
    /// # Ok::<(), plimsoll::sim::WorkloadError>(())
    /// ```
    #[must_use]
    pub fn between(&self, start: Duration, end: Duration) -> Self {
        let (to_the_end, end) = (end >= self.duration, end.min(self.duration));
        let (from, to) = (Timestamp::from_elapsed(start), Timestamp::from_elapsed(end));
        let first = self.requests.partition_point(|request| request.arrival < from || start >= end);
        let last = self.requests.partition_point(|request| request.arrival < to || to_the_end);
        let shifted = |request: &Request| {
            let arrival = Timestamp::from_elapsed(request.arrival.saturating_since(from));
            Request { arrival, ..*request }
        };
        let requests = self.requests.get(first..last).unwrap_or_default().iter().map(shifted).collect();
        Self { name: self.name.clone(), requests, duration: end.saturating_sub(start) }
    }

    /// All service time divided by the duration: the mean number of slots that an infinitely elastic pool would keep
    /// busy. Zero if the window has no length. Takes time proportional to the number of requests.
    #[must_use]
    pub fn offered_load(&self) -> f64 {
        let work = self.requests.iter().fold(Duration::ZERO, |sum, request| sum.saturating_add(request.service));
        if self.duration.is_zero() { 0.0 } else { work.div_duration_f64(self.duration) }
    }
}

/// How to read a workload. The default reads request-level files as they are, and gives each request of a rate-level
/// file 20 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    service: Duration,
    divide_by: u64,
    pool: Option<u32>,
    max_requests: usize,
    drawn: Option<u64>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { service: Duration::from_millis(20), divide_by: 1, pool: None, max_requests: 50_000_000, drawn: None }
    }
}

impl ReadOptions {
    /// Service time of every request of a rate-level file, which has none of its own. Default 20 ms, about a static
    /// web request; more than zero. Request-level files ignore it.
    #[must_use]
    pub const fn with_service(self, service: Duration) -> Self {
        Self { service, ..self }
    }

    /// Divides the counts of a rate-level file, for a small simulation of a busy site. What a division leaves over is
    /// carried into the next bucket, so the total is divided too. Default 1, at least 1; request-level files accept
    /// only 1.
    #[must_use]
    pub const fn with_divide_by(self, divide_by: u64) -> Self {
        Self { divide_by, ..self }
    }

    /// Keeps only the requests of this `pool` of a request-level file. Default: all, and no such column is needed. The
    /// window stays that of the whole file, so that pools can be compared and their offered loads added.
    #[must_use]
    pub const fn with_pool(self, pool: u32) -> Self {
        Self { pool: Some(pool), ..self }
    }

    /// Refuses files that would need more requests than this in memory, at 24 bytes each. Default 50 million (1.2 GB).
    #[must_use]
    pub const fn with_max_requests(self, max_requests: usize) -> Self {
        Self { max_requests, ..self }
    }

    /// Draws the arrivals of a rate-level file from this seed: those of a bucket are as a Poisson process would have them
    /// that came to the same count, each at any instant of the bucket with equal chances. Default: evenly spaced, which
    /// no seed changes, but which keeps step with whoever looks at round seconds. Request-level files ignore it.
    #[must_use]
    pub const fn with_drawn(self, seed: u64) -> Self {
        Self { drawn: Some(seed), ..self }
    }

    const fn check(&self) -> Result<(), WorkloadError> {
        if self.divide_by == 0 {
            return Err(WorkloadError::ZeroOption { option: "divide_by" });
        }
        if self.service.is_zero() {
            return Err(WorkloadError::ZeroOption { option: "service" });
        }
        Ok(())
    }
}

/// Why a workload was refused. Each message says where, what was found, what was expected, and what to do.
///
/// Lines count from 1, the header included. `file` is the name given to [`Workload::read`].
#[derive(Debug, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the parts of the message beside them")]
pub enum WorkloadError {
    /// The input could not be read; see the source.
    #[error("{file}: reading failed after line {line}; check that the file is there and readable")]
    Io { file: String, line: u64, source: io::Error },
    /// The input holds nothing.
    #[error("{file}: the file is empty; line 1 must be a header with `arrival_ms,service_ms` or `t_s,requests`")]
    Empty { file: String },
    /// There is a header and nothing else.
    #[error("{file}: found a header on line 1 but no rows; add one row per request or bucket")]
    NoRows { file: String },
    /// The header is of neither format.
    #[error(
        "{file}, line 1: found {found:?}, expected a header with column `arrival_ms` (one row per request) or column \
        `t_s` (one row per bucket); name the columns as written here"
    )]
    UnknownHeader { file: String, found: String },
    /// The header lacks a column.
    #[error("{file}, line 1: column `{column}` is missing, found {found:?}; name it in the header as written here")]
    MissingColumn { file: String, column: &'static str, found: String },
    /// The header has a column twice.
    #[error("{file}, line 1: column `{column}` is there twice, found {found:?}; rename or remove one of them")]
    DuplicateColumn { file: String, column: &'static str, found: String },
    /// The header is of both formats.
    #[error(
        "{file}, line 1: found both column `arrival_ms` and column `t_s` in {found:?}, expected one of them; \
        rename `t_s` if each row is a request, `arrival_ms` if each row is a bucket"
    )]
    AmbiguousHeader { file: String, found: String },
    /// A line has nothing on it.
    #[error("{file}, line {line}: found a blank line, expected a row; remove it")]
    BlankLine { file: String, line: u64 },
    /// A row has more or fewer fields than the header.
    #[error(
        "{file}, line {line}: found {found} fields, expected {expected} as in the header; \
        complete the row, and write no commas inside a field (there is no quoting)"
    )]
    FieldCount { file: String, line: u64, found: usize, expected: usize },
    /// A value is not a non-negative integer.
    #[error(
        "{file}, line {line}, column `{column}`: found {found:?}, expected {expected}; \
        write digits only, without sign, point, spaces or quotes"
    )]
    MalformedValue { file: String, line: u64, column: &'static str, found: String, expected: &'static str },
    /// A value is larger than its column can hold.
    #[error("{file}, line {line}, column `{column}`: found {found}, expected at most {max}; check the column's unit")]
    OutOfRange { file: String, line: u64, column: &'static str, found: String, max: u64 },
    /// A row lies before the one above it, or a bucket at the same time.
    #[error(
        "{file}, line {line}, column `{column}`: found {found} after {previous}, expected rows in order of time; \
        sort the rows by `{column}`, and let each bucket be there once"
    )]
    Unsorted { file: String, line: u64, column: &'static str, found: u64, previous: u64 },
    /// A bucket is not where the first two put it.
    #[error(
        "{file}, line {line}, column `t_s`: found {found}, expected {expected}, because buckets start at 0 and are all \
        as wide as the second row's `t_s`; write empty buckets as 0 requests, and shift the times if the first is not 0"
    )]
    IrregularBucket { file: String, line: u64, found: u64, expected: u64 },
    /// There is only one bucket, so nothing says how wide it is.
    #[error(
        "{file}, line {line}, column `t_s`: found only this bucket, expected at least two, because the second row's \
        `t_s` is the bucket width; add the next bucket, with 0 requests if there were none"
    )]
    SingleBucket { file: String, line: u64 },
    /// A request of a file holds its slot for no time.
    #[error(
        "{file}, line {line}, column `service_ms`: found 0, expected at least 1; \
        round short services up to 1, or drop the row"
    )]
    ZeroService { file: String, line: u64 },
    /// No request belongs to the pool asked for.
    #[error("{file}, column `pool`: found no row with {pool}, which `ReadOptions::with_pool` asks for; choose another")]
    EmptyPool { file: String, pool: u32 },
    /// There are more requests than allowed.
    #[error(
        "{file}, line {line}: this row takes the workload past {limit} requests, the most that is allowed; shorten the \
        file, divide a rate-level file with `ReadOptions::with_divide_by`, or allow more with \
        `ReadOptions::with_max_requests`"
    )]
    TooManyRequests { file: String, line: u64, limit: usize },
    /// The requests are allowed but do not fit in memory.
    #[error(
        "{file}: there is no memory for its {requests} requests; shorten the file, or divide a rate-level file with \
        `ReadOptions::with_divide_by`"
    )]
    OutOfMemory { file: String, requests: usize },
    /// An option is set that has no meaning for the file's format.
    #[error(
        "{file}, line 1: `ReadOptions::with_{option}` is for {expected} files, found a {found} header; leave it out"
    )]
    OptionMismatch { file: String, option: &'static str, expected: &'static str, found: &'static str },
    /// An option is zero.
    #[error("`ReadOptions::with_{option}`: found 0, expected more than zero; leave it out for the default")]
    ZeroOption { option: &'static str },
    /// A request given to [`Workload::from_requests`] arrives before the one in front of it.
    #[error(
        "{name}: request {index} (from 0) arrives at {arrival} s, the one in front of it at {previous} s; \
        sort the requests by arrival"
    )]
    UnsortedRequest { name: String, index: usize, arrival: Timestamp, previous: Timestamp },
    /// A request given to [`Workload::from_requests`] holds its slot for no time.
    #[error("{name}: request {index} (from 0) has a service of 0, expected more; give it at least a nanosecond")]
    ZeroServiceRequest { name: String, index: usize },
}

#[cfg(test)]
mod tests;
