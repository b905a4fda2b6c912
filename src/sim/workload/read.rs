//! Reads workloads from CSV, row by row.

use core::time::Duration;
use std::borrow::ToOwned;
use std::collections::BTreeMap;
use std::format;
use std::io;
use std::string::{String, ToString};
use std::vec::Vec;

use csv::{ByteRecord, Terminator};

use super::{ReadOptions, Request, WorkloadError};
use crate::sim::chance::Chance;
use crate::time::Timestamp;

/// Either format, as one workload.
pub(super) fn all(
    name: &str,
    input: impl io::Read,
    options: &ReadOptions,
) -> Result<(Vec<Request>, Duration), WorkloadError> {
    let mut rows = Rows::open(name, input)?;
    match rows.format()? {
        Format::Rates => read_rates(&mut rows, options),
        Format::Requests => {
            let mut requests = Vec::new();
            let pool = options.pool.map(|_| rows.find(&POOL)).transpose()?;
            let end = read_requests(&mut rows, pool, options, |_, request| requests.push(request))?;
            match options.pool.filter(|_| requests.is_empty()) {
                Some(pool) => Err(WorkloadError::EmptyPool { file: rows.file(), pool }),
                None => Ok((requests, end)),
            }
        }
    }
}

/// A request-level file, pool by pool.
pub(super) fn pools(
    name: &str,
    input: impl io::Read,
    options: &ReadOptions,
) -> Result<(BTreeMap<u32, Vec<Request>>, Duration), WorkloadError> {
    let mut rows = Rows::open(name, input)?;
    rows.format()?;
    let pool = rows.find(&POOL)?;
    let mut pools: BTreeMap<u32, Vec<Request>> = BTreeMap::new();
    let keep = |pool, request| pools.entry(pool).or_default().push(request);
    let end = read_requests(&mut rows, Some(pool), options, keep)?;
    match options.pool.filter(|_| pools.is_empty()) {
        Some(pool) => Err(WorkloadError::EmptyPool { file: rows.file(), pool }),
        None => Ok((pools, end)),
    }
}

/// Hands over each request with its pool, zero without such a column; returns the end of the window.
fn read_requests(
    rows: &mut Rows<'_, impl io::Read>,
    pool: Option<(&'static Column, usize)>,
    options: &ReadOptions,
    mut keep: impl FnMut(u32, Request),
) -> Result<Duration, WorkloadError> {
    if options.divide_by != 1 {
        return Err(rows.mismatch("divide_by", RATE_LEVEL, REQUEST_LEVEL));
    }
    let (arrival, service) = (rows.find(&ARRIVAL)?, rows.find(&SERVICE)?);
    let (mut kept, mut end) = (0_usize, 0);
    while rows.advance()? {
        let at = rows.number(arrival)?;
        let millis = rows.number(service)?;
        if at < end {
            return Err(rows.unsorted(&ARRIVAL, at, end));
        }
        if millis == 0 {
            return Err(WorkloadError::ZeroService { file: rows.file(), line: rows.line });
        }
        end = at;
        let pool = pool.map_or(Ok(0), |column| rows.number(column))?;
        let pool = u32::try_from(pool).unwrap_or(u32::MAX);
        if options.pool.is_some_and(|wanted| wanted != pool) {
            continue;
        }
        if kept >= options.max_requests {
            return Err(rows.too_many(options.max_requests));
        }
        kept = kept.saturating_add(1);
        keep(pool, Request { arrival: Timestamp::from_millis(at), service: Duration::from_millis(millis) });
    }
    if rows.line == HEADER_LINE {
        return Err(WorkloadError::NoRows { file: rows.file() });
    }
    Ok(Duration::from_millis(end))
}

/// Reads all counts before it makes the first request, so that a refused file costs no more than its own size.
fn read_rates(
    rows: &mut Rows<'_, impl io::Read>,
    options: &ReadOptions,
) -> Result<(Vec<Request>, Duration), WorkloadError> {
    if options.pool.is_some() {
        return Err(rows.mismatch("pool", REQUEST_LEVEL, RATE_LEVEL));
    }
    let (start, requests) = (rows.find(&START)?, rows.find(&REQUESTS)?);
    let mut counts = Vec::new();
    let (mut previous, mut width) = (None::<u64>, None);
    let (mut carried, mut total) = (0, 0_usize);
    while rows.advance()? {
        let at = rows.number(start)?;
        let expected = match previous {
            None => 0,
            Some(previous) if at <= previous => return Err(rows.unsorted(&START, at, previous)),
            Some(previous) => previous.saturating_add(*width.get_or_insert(at)),
        };
        if at != expected {
            return Err(WorkloadError::IrregularBucket { file: rows.file(), line: rows.line, found: at, expected });
        }
        let max = MAX_SECS.saturating_sub(width.unwrap_or(0));
        if at > max {
            return Err(rows.out_of_range(&START, at.to_string(), max));
        }
        previous = Some(at);

        let (count, left) = divide(rows.number(requests)?, carried, options.divide_by);
        carried = left;
        let sum = usize::try_from(count).ok().and_then(|count| total.checked_add(count));
        total = sum.filter(|&sum| sum <= options.max_requests).ok_or_else(|| rows.too_many(options.max_requests))?;
        counts.push(count);
    }
    match (previous, width) {
        (None, _) => Err(WorkloadError::NoRows { file: rows.file() }),
        (Some(_), None) => Err(WorkloadError::SingleBucket { file: rows.file(), line: rows.line }),
        (Some(last), Some(width)) => {
            let mut requests = Vec::new();
            let reserved = requests.try_reserve_exact(total);
            reserved.map_err(|_| WorkloadError::OutOfMemory { file: rows.file(), requests: total })?;
            let request = |arrival| Request { arrival, service: options.service };
            if let Some(seed) = options.drawn {
                draw(&counts, width.saturating_mul(1_000_000_000), seed, |arrival| requests.push(request(arrival)));
            } else {
                let arrivals = place(&counts, width.saturating_mul(1_000)).map(Timestamp::from_millis);
                requests.extend(arrivals.map(request));
            }
            Ok((requests, Duration::from_secs(last.saturating_add(width))))
        }
    }
}

/// `(carried + count) / by` and what is left over, which is less than `by`.
fn divide(count: u64, carried: u64, by: u64) -> (u64, u64) {
    let sum = u128::from(count).saturating_add(u128::from(carried));
    let part = |value: Option<u128>| value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0);
    (part(sum.checked_div(u128::from(by))), part(sum.checked_rem(u128::from(by))))
}

/// Arrivals in milliseconds, by the rule of the module's documentation.
fn place(counts: &[u64], width_ms: u64) -> impl Iterator<Item = u64> {
    let starts = (0_u64..).map(move |bucket| bucket.saturating_mul(width_ms));
    starts.zip(counts).flat_map(move |(start_ms, &count)| {
        (0..count).filter_map(move |number| {
            let odd = u128::from(number).saturating_mul(2).saturating_add(1);
            let offset = odd.saturating_mul(u128::from(width_ms)).checked_div(u128::from(count).saturating_mul(2))?;
            u64::try_from(offset).ok()?.checked_add(start_ms)
        })
    })
}

/// As many arrivals in each bucket as counted, at instants drawn uniformly: what is known of a Poisson process of which
/// the counts are known.
fn draw(counts: &[u64], width: u64, seed: u64, mut keep: impl FnMut(Timestamp)) {
    let mut chance = Chance::of(seed, "workload.placement");
    let mut within = Vec::new();
    for (bucket, count) in (0_u64..).zip(counts) {
        let start = Timestamp::from_nanos(bucket.saturating_mul(width));
        within.extend((0..*count).map(|_| chance.below(width)));
        within.sort_unstable();
        within.drain(..).for_each(|offset| keep(start.plus(offset)));
    }
}

/// The rows of one file, each with its line and as many fields as the header.
struct Rows<'a, R> {
    file: &'a str,
    csv: csv::Reader<io::Chain<R, &'static [u8]>>,
    header: Vec<String>,
    record: ByteRecord,
    /// Line of `record`.
    line: u64,
}

impl<'a, R: io::Read> Rows<'a, R> {
    fn open(file: &'a str, input: R) -> Result<Self, WorkloadError> {
        let mut builder = csv::ReaderBuilder::new();
        // Only `\n` ends a line: the reader miscounts the lines of `\r\n` files. `field` takes the `\r` off.
        builder.has_headers(false).flexible(true).quoting(false).terminator(Terminator::Any(b'\n'));
        // With a line end after the last row, `advance` can tell a blank line from a missing line end.
        let csv = builder.from_reader(input.chain(b"\n".as_slice()));
        let mut rows = Self { file, csv, header: Vec::new(), record: ByteRecord::new(), line: 0 };
        if !rows.read_line()? {
            return Err(WorkloadError::Empty { file: rows.file() });
        }
        // The reader takes a byte order mark off only if its first read returns all of it.
        let name =
            |index| String::from_utf8_lossy(field(&rows.record, index)).trim_start_matches('\u{feff}').to_owned();
        rows.header = (0..rows.record.len()).map(name).collect();
        Ok(rows)
    }

    fn format(&self) -> Result<Format, WorkloadError> {
        match (self.has(&ARRIVAL), self.has(&START)) {
            (true, true) => Err(WorkloadError::AmbiguousHeader { file: self.file(), found: self.header() }),
            (true, false) => Ok(Format::Requests),
            (false, true) => Ok(Format::Rates),
            (false, false) => Err(WorkloadError::UnknownHeader { file: self.file(), found: self.header() }),
        }
    }

    /// Moves to the next row; `false` at the end.
    fn advance(&mut self) -> Result<bool, WorkloadError> {
        if !self.read_line()? {
            return Ok(false);
        }
        let (found, expected) = (self.record.len(), self.header.len());
        if found != expected {
            return Err(WorkloadError::FieldCount { file: self.file(), line: self.line, found, expected });
        }
        Ok(true)
    }

    fn read_line(&mut self) -> Result<bool, WorkloadError> {
        let read = self.csv.read_byte_record(&mut self.record);
        let more = read.map_err(|error| WorkloadError::Io {
            file: self.file(),
            line: self.line,
            source: match error.into_kind() {
                csv::ErrorKind::Io(error) => error,
                other => io::Error::other(format!("{other:?}")),
            },
        })?;
        if !more && self.line == 0 {
            return Ok(false);
        }
        // The reader skips blank lines without a word, but it counts them.
        let line = self.line.saturating_add(1);
        let blank = self.csv.position().line().saturating_sub(line) > 1;
        if blank || (more && self.record.as_slice() == b"\r") {
            return Err(WorkloadError::BlankLine { file: self.file(), line });
        }
        if more {
            self.line = line;
        }
        Ok(more)
    }

    /// Position of a column that may be there once at most.
    fn position(&self, column: &Column) -> Result<Option<usize>, WorkloadError> {
        let first = self.header.iter().position(|name| name == column.name);
        if first != self.header.iter().rposition(|name| name == column.name) {
            let (file, found) = (self.file(), self.header());
            return Err(WorkloadError::DuplicateColumn { file, column: column.name, found });
        }
        Ok(first)
    }

    fn has(&self, column: &Column) -> bool {
        !matches!(self.position(column), Ok(None))
    }

    fn find(&self, column: &'static Column) -> Result<(&'static Column, usize), WorkloadError> {
        let missing = || WorkloadError::MissingColumn { file: self.file(), column: column.name, found: self.header() };
        self.position(column)?.map(|index| (column, index)).ok_or_else(missing)
    }

    fn number(&self, (column, index): (&'static Column, usize)) -> Result<u64, WorkloadError> {
        let found = field(&self.record, index);
        if found.is_empty() || !found.iter().all(u8::is_ascii_digit) {
            return Err(WorkloadError::MalformedValue {
                file: self.file(),
                line: self.line,
                column: column.name,
                found: excerpt(found),
                expected: column.expected,
            });
        }
        let value = core::str::from_utf8(found).ok().and_then(|digits| digits.parse().ok());
        value.filter(|&value| value <= column.max).ok_or_else(|| self.out_of_range(column, excerpt(found), column.max))
    }

    fn file(&self) -> String {
        self.file.into()
    }

    fn header(&self) -> String {
        excerpt(self.header.join(",").as_bytes())
    }

    fn mismatch(&self, option: &'static str, expected: &'static str, found: &'static str) -> WorkloadError {
        WorkloadError::OptionMismatch { file: self.file(), option, expected, found }
    }

    fn unsorted(&self, column: &Column, found: u64, previous: u64) -> WorkloadError {
        WorkloadError::Unsorted { file: self.file(), line: self.line, column: column.name, found, previous }
    }

    fn out_of_range(&self, column: &Column, found: String, max: u64) -> WorkloadError {
        WorkloadError::OutOfRange { file: self.file(), line: self.line, column: column.name, found, max }
    }

    fn too_many(&self, limit: usize) -> WorkloadError {
        WorkloadError::TooManyRequests { file: self.file(), line: self.line, limit }
    }
}

/// A field without the `\r` at the end of a line.
fn field(record: &ByteRecord, index: usize) -> &[u8] {
    let field = record.get(index).unwrap_or_default();
    let last = index.saturating_add(1) == record.len();
    if last { field.strip_suffix(b"\r").unwrap_or(field) } else { field }
}

/// As much of a value as fits in a message.
fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..EXCERPT).unwrap_or(bytes));
    if bytes.len() > EXCERPT { format!("{text}…") } else { text.into_owned() }
}

/// What a row is.
#[derive(Clone, Copy)]
enum Format {
    Requests,
    Rates,
}

struct Column {
    name: &'static str,
    expected: &'static str,
    max: u64,
}

static ARRIVAL: Column =
    Column { name: "arrival_ms", expected: "a whole number of milliseconds since the start", max: MAX_MILLIS };
static SERVICE: Column =
    Column { name: "service_ms", expected: "a whole number of milliseconds, at least 1", max: MAX_MILLIS };
static POOL: Column = Column { name: "pool", expected: "a whole number that names a pool", max: u32::MAX as u64 };
static START: Column = Column { name: "t_s", expected: "a whole number of seconds since the start", max: MAX_SECS };
static REQUESTS: Column = Column { name: "requests", expected: "a whole number of requests", max: u64::MAX };

const REQUEST_LEVEL: &str = "request-level";
const RATE_LEVEL: &str = "rate-level";
const HEADER_LINE: u64 = 1;
/// The longest value or header quoted in a message, in bytes.
const EXCERPT: usize = 60;
/// A [`Timestamp`] counts nanoseconds in 64 bits: 584 years.
const MAX_MILLIS: u64 = u64::MAX / 1_000_000;
const MAX_SECS: u64 = u64::MAX / 1_000_000_000;
