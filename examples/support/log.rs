//! Reads flight logs line by line, and says of what cannot be read where it stands and what to do.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use plimsoll::recorder::{Head, PlayError, Record};

use crate::Failure;

/// Where a log is.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "not every example that includes this has a built-in log")]
pub(crate) enum Log {
    File(PathBuf),
    BuiltIn { name: &'static str, text: &'static str },
}

/// A line of a log.
enum Line {
    Record(Record),
    Damaged {
        /// It breaks off, but is a record up to there.
        ends_early: bool,
        why: String,
    },
}

type Taker<'a> = &'a mut dyn FnMut(u64, &Record) -> Result<ControlFlow<()>, Failure>;
type Lines = Box<dyn Iterator<Item = Result<(u64, Line), Failure>>>;

impl Log {
    pub(crate) fn file(path: &Path) -> Self {
        Self::File(path.to_owned())
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::BuiltIn { name, .. } => (*name).to_owned(),
        }
    }

    /// The first record.
    #[allow(dead_code, reason = "not every example that includes this needs it")]
    pub(crate) fn head(&self) -> Result<Head, Failure> {
        match self.lines()?.next() {
            Some(Ok((_, Line::Record(Record::Head(head))))) => Ok(head),
            Some(Err(failure)) => Err(failure),
            Some(Ok((number, Line::Damaged { why, .. }))) => Err(self.damaged(number, &why)),
            Some(Ok((number, _))) => Err(self.at(number, &PlayError::NoHead.to_string())),
            None => Err(self.empty()),
        }
    }

    /// Hands over every record with its line. Lines that end in the midst of a record, as when the process that wrote
    /// them crashed, are left out, and their numbers returned.
    pub(crate) fn read(&self, take: &mut dyn FnMut(u64, &Record) -> Result<(), Failure>) -> Result<Vec<u64>, Failure> {
        self.read_until(&mut |number, record| take(number, record).map(ControlFlow::Continue))
    }

    /// The same, until there has been enough.
    pub(crate) fn read_until(&self, take: Taker<'_>) -> Result<Vec<u64>, Failure> {
        let (mut cut_off, mut begun, mut cut): (_, _, Option<(u64, String)>) = (Vec::new(), false, None);
        for line in self.lines()? {
            let (number, line) = line?;
            match line {
                Line::Record(record) => {
                    if let Some((cut, why)) = cut.take() {
                        // What follows a line that was cut off is the next process's log, or the line was not cut off.
                        if !matches!(record, Record::Head(_)) {
                            return Err(self.damaged(cut, &why));
                        }
                        cut_off.push(cut);
                    }
                    if take(number, &record)?.is_break() {
                        return Ok(cut_off);
                    }
                    begun = true;
                }
                Line::Damaged { ends_early, why } => {
                    if let Some((cut, why)) = cut.take() {
                        return Err(self.damaged(cut, &why));
                    }
                    if !ends_early || !begun {
                        return Err(self.damaged(number, &why));
                    }
                    cut = Some((number, why));
                }
            }
        }
        cut_off.extend(cut.map(|(number, _)| number));
        if begun { Ok(cut_off) } else { Err(self.empty()) }
    }

    /// The lines with their numbers, without blank ones.
    fn lines(&self) -> Result<Lines, Failure> {
        let name = self.name();
        let lines: Box<dyn Iterator<Item = io::Result<Vec<u8>>>> = match self {
            Self::BuiltIn { text, .. } => Box::new(text.lines().map(|line| Ok(line.as_bytes().to_vec()))),
            Self::File(path) => {
                let file = File::open(path)
                    .map_err(|error| Failure::Input(format!("{name}: cannot be opened: {error}; check the path")))?;
                Box::new(BufReader::new(file).split(b'\n'))
            }
        };
        let read = move |(number, line): (u64, io::Result<Vec<u8>>)| match line {
            Ok(line) if line.trim_ascii().is_empty() => None,
            Ok(line) => Some(Ok((number, parse(&line)))),
            Err(error) => Some(Err(Failure::Input(format!("{name}, line {number}: reading failed: {error}")))),
        };
        Ok(Box::new((1..).zip(lines).filter_map(read)))
    }

    /// What is wrong at a line.
    pub(crate) fn at(&self, number: u64, why: &str) -> Failure {
        Failure::Input(format!("{}, line {number}: {why}", self.name()))
    }

    fn damaged(&self, number: u64, why: &str) -> Failure {
        let name = self.name();
        let remedy = match number {
            1 => "expected a flight log from its beginning, such as replay --record writes".to_owned(),
            _ => format!("to replay up to there: head -n {} {name}", number - 1),
        };
        Failure::Input(format!("{name}, line {number}, {why}; {remedy}"))
    }

    fn empty(&self) -> Failure {
        let name = self.name();
        Failure::Input(format!("{name}: the file has no record, expected a flight log from its beginning"))
    }
}

fn parse(line: &[u8]) -> Line {
    match serde_json::from_slice(line) {
        Ok(record) => Line::Record(record),
        Err(error) => {
            let text = error.to_string();
            // The line's number stands in front; that it is the first of itself says nothing.
            let (why, _) = text.rsplit_once(" at line 1 column ").unwrap_or((text.as_str(), ""));
            Line::Damaged { ends_early: error.is_eof(), why: format!("column {}: {why}", error.column()) }
        }
    }
}
