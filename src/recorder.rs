//! The flight recorder: everything that an autoscaler was told and decided, kept so that it can be gone through again.
//!
//! A [`Recorder`] is an [`Autoscaler`] that hands over a [`Record`] of every call. A record is plain data: one line of
//! JSON each makes a log that can be searched, cut and kept. A [`Player`] takes the records one by one and says of every
//! decision whether it comes out the same; given another configuration, it says what would have been decided instead.
//!
//! ```
//! use plimsoll::recorder::{Played, Player, Record, Recorder};
//! use plimsoll::{Config, Observation, Preset, Timestamp};
//!
//! // The service records. A sink that cannot write decides by itself what to do about it.
//! let mut log = String::new();
//! let mut recorder = Recorder::new(Preset::OutpostGpu.config(), Timestamp::ORIGIN, |record: &Record| {
//!     log.push_str(&serde_json::to_string(record).unwrap_or_default());
//!     log.push('\n');
//! });
//! recorder.observe(Timestamp::from_secs(7), Observation::arrived(6))?;
//! let decided = recorder.decide(Timestamp::from_secs(7));
//!
//! // After the incident: the same again, then with room for one worker only.
//! let (mut same, mut other) = (Player::new(), Player::under(Config::fixed(1)?));
//! for line in log.lines() {
//!     let record: Record = serde_json::from_str(line)?;
//!     assert!(same.play(&record)?.is_same());
//!     if let Played::Decided { decision, same } = other.play(&record)? {
//!         assert_eq!((decided.desired, decision.desired, same), (2, 1, false));
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The log
//!
//! The first record is the [head](Head): the format's name and version, and how the autoscaler began. A process that
//! starts again appends another head, or begins another file. To begin another file at any time, take the autoscaler
//! [out](Recorder::into_autoscaler) and [resume](Recorder::resume): its head then holds the whole state.
//!
//! Text keeps every value exact. Arrival rates that many readers would round, and those that JSON has no number for
//! (they were refused), are written as strings: `"0.30000000000000004"`, `"NaN"`.
//!
//! # What would have been
//!
//! A player under another configuration is told the same as the one recorded, the workers of that time included: it is
//! an observer at the side, whose own orders nobody carries out. Workers that it would not have ordered appear to it as
//! somebody else's (`adopted`), and those that it orders do not come. So its counts say what it would have wanted in
//! that situation; what its workers would have done to the queue only a simulation can say. What was reconfigured at the
//! time is left out.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

use crate::autoscaler::{Autoscaler, RestoreError, Snapshot};
use crate::config::Config;
use crate::decision::Decision;
use crate::observation::{Observation, Rejected};
use crate::report::Report;
use crate::time::Timestamp;

/// The version that this crate writes and reads.
const VERSION: u16 = 1;

/// One call, and what came of it: one line of the log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Record {
    /// An autoscaler begins. Its name in the log is the format's.
    #[serde(rename = "plimsoll_flight_log")]
    Head(Head),
    /// [`Autoscaler::observe`].
    Observed {
        /// The instant given.
        at: Timestamp,
        /// What was said.
        observation: Observation,
        /// Why it was refused, if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// [`Autoscaler::report`].
    Reported {
        /// The instant given.
        at: Timestamp,
        /// What an observer reported.
        report: Box<Report>,
        /// Why it was refused, if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// [`Autoscaler::decide`].
    Decided {
        /// The instant given; a clock that went back shows here, not in the decision.
        at: Timestamp,
        /// The decision.
        decision: Box<Decision>,
    },
    /// [`Autoscaler::reconfigure`].
    Reconfigured {
        /// The instant given.
        at: Timestamp,
        /// The configuration from then on.
        config: Box<Config>,
    },
}

impl Record {
    /// Of an observation and its outcome.
    #[must_use]
    pub fn observed(at: Timestamp, observation: Observation, outcome: Result<(), Rejected>) -> Self {
        Self::Observed { at, observation, refused: outcome.err().map(|rejected| rejected.to_string()) }
    }

    /// Of a decision.
    #[must_use]
    pub fn decided(at: Timestamp, decision: &Decision) -> Self {
        Self::Decided { at, decision: Box::new(decision.clone()) }
    }
}

/// What stands first: which format this is, and where everything begins.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Stands first, so that a log of another version is refused as such and not for what it looks like.
    #[serde(deserialize_with = "version")]
    version: u16,
    /// How the autoscaler began.
    pub begins: Beginning,
}

fn version<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let version = u16::deserialize(deserializer)?;
    if version == VERSION {
        return Ok(version);
    }
    Err(serde::de::Error::custom(format_args!(
        "a flight log of version {version}, and this release reads version {VERSION} only: replay it with the release \
         that wrote it"
    )))
}

impl Head {
    /// The head of a log that begins in this way.
    #[must_use]
    pub const fn new(begins: Beginning) -> Self {
        Self { version: VERSION, begins }
    }

    /// The configuration at the beginning.
    #[must_use]
    pub fn config(&self) -> &Config {
        match &self.begins {
            Beginning::New { config, .. } => config,
            Beginning::Restored(snapshot) => snapshot.config(),
        }
    }

    /// The autoscaler as it was at the beginning.
    fn autoscaler(&self) -> Result<Autoscaler, RestoreError> {
        match &self.begins {
            Beginning::New { at, config } => Ok(Autoscaler::new((**config).clone(), *at)),
            Beginning::Restored(snapshot) => Autoscaler::restore((**snapshot).clone()),
        }
    }
}

/// How an autoscaler began.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Beginning {
    /// [`Autoscaler::new`].
    New {
        /// The instant given.
        at: Timestamp,
        /// The configuration.
        config: Box<Config>,
    },
    /// In the midst of its life.
    Restored(Box<Snapshot>),
}

/// An [`Autoscaler`] that hands a record of every call to `sink`, after the call and before it returns.
#[derive(Clone, Debug)]
pub struct Recorder<S> {
    autoscaler: Autoscaler,
    sink: S,
}

impl<S: FnMut(&Record)> Recorder<S> {
    /// As [`Autoscaler::new`]. The sink gets the head of a log.
    pub fn new(config: Config, now: Timestamp, mut sink: S) -> Self {
        sink(&Record::Head(Head::new(Beginning::New { at: now, config: Box::new(config.clone()) })));
        Self { autoscaler: Autoscaler::new(config, now), sink }
    }

    /// Records from now on what an autoscaler does that lives already. The sink gets the head of a log, which holds the
    /// whole state.
    pub fn resume(autoscaler: Autoscaler, mut sink: S) -> Self {
        sink(&Record::Head(Head::new(Beginning::Restored(Box::new(autoscaler.snapshot())))));
        Self { autoscaler, sink }
    }

    /// As [`Autoscaler::observe`].
    ///
    /// # Errors
    /// As [`Autoscaler::observe`]; what was refused is recorded too.
    pub fn observe(&mut self, now: Timestamp, observation: Observation) -> Result<(), Rejected> {
        let outcome = self.autoscaler.observe(now, observation);
        (self.sink)(&Record::observed(now, observation, outcome));
        outcome
    }

    /// As [`Autoscaler::report`].
    ///
    /// # Errors
    /// As [`Autoscaler::report`]; what was refused is recorded too.
    pub fn report(&mut self, now: Timestamp, report: &Report) -> Result<(), Rejected> {
        let outcome = self.autoscaler.report(now, report);
        let refused = outcome.err().map(|rejected| rejected.to_string());
        (self.sink)(&Record::Reported { at: now, report: Box::new(report.clone()), refused });
        outcome
    }

    /// As [`Autoscaler::decide`].
    #[must_use = "the commands are given once"]
    pub fn decide(&mut self, now: Timestamp) -> Decision {
        let decision = self.autoscaler.decide(now);
        (self.sink)(&Record::decided(now, &decision));
        decision
    }

    /// As [`Autoscaler::reconfigure`].
    pub fn reconfigure(&mut self, now: Timestamp, config: Config) {
        self.autoscaler.reconfigure(now, config.clone());
        (self.sink)(&Record::Reconfigured { at: now, config: Box::new(config) });
    }
}

impl<S> Recorder<S> {
    /// The autoscaler, to look at its status, its events and its next wake-up.
    pub const fn autoscaler(&self) -> &Autoscaler {
        &self.autoscaler
    }

    /// The autoscaler without the recorder.
    #[must_use]
    pub fn into_autoscaler(self) -> Autoscaler {
        self.autoscaler
    }
}

/// Goes through a log again.
#[derive(Clone, Debug, Default)]
pub struct Player {
    other: Option<Config>,
    autoscaler: Option<Autoscaler>,
}

/// What came of one record.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Played {
    /// An autoscaler began.
    Begun,
    /// It was told something.
    Observed {
        /// Why it refused that, if it did.
        refused: Option<Rejected>,
        /// Whether it did as recorded.
        same: bool,
    },
    /// It decided.
    Decided {
        /// What it decides now.
        decision: Box<Decision>,
        /// Whether that is the decision recorded, to the last byte.
        same: bool,
    },
    /// It was reconfigured; under another configuration, it was not.
    Reconfigured,
}

impl Played {
    /// Whether it came out as recorded.
    #[must_use]
    pub const fn is_same(&self) -> bool {
        match self {
            Self::Observed { same, .. } | Self::Decided { same, .. } => *same,
            Self::Begun | Self::Reconfigured => true,
        }
    }
}

/// Why a record cannot be played.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// The log does not begin with a head.
    #[error("a flight log begins with its head, {{\"plimsoll_flight_log\": …}}: give the log from its beginning")]
    NoHead,
    /// The state in a head cannot be.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

impl Player {
    /// A player under the recorded configuration: everything should come out the same.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A player under another configuration, from the beginning to the end.
    #[must_use]
    pub const fn under(config: Config) -> Self {
        Self { other: Some(config), autoscaler: None }
    }

    /// Takes the next record of the log.
    ///
    /// # Errors
    /// If a log does not begin with this record. Then nothing has changed.
    pub fn play(&mut self, record: &Record) -> Result<Played, PlayError> {
        if let Record::Head(head) = record {
            self.autoscaler = Some(self.begin(head)?);
            return Ok(Played::Begun);
        }
        let autoscaler = self.autoscaler.as_mut().ok_or(PlayError::NoHead)?;
        match record {
            Record::Head(_) => Ok(Played::Begun),
            Record::Observed { at, observation, refused } => {
                let outcome = autoscaler.observe(*at, *observation).err();
                let same = outcome.map(|rejected| rejected.to_string()) == *refused;
                Ok(Played::Observed { refused: outcome, same })
            }
            Record::Reported { at, report, refused } => {
                let outcome = autoscaler.report(*at, report).err();
                let same = outcome.map(|rejected| rejected.to_string()) == *refused;
                Ok(Played::Observed { refused: outcome, same })
            }
            Record::Decided { at, decision: recorded } => {
                let decision = Box::new(autoscaler.decide(*at));
                let same = decision == *recorded;
                Ok(Played::Decided { decision, same })
            }
            Record::Reconfigured { at, config } => {
                if self.other.is_none() {
                    autoscaler.reconfigure(*at, (**config).clone());
                }
                Ok(Played::Reconfigured)
            }
        }
    }

    fn begin(&self, head: &Head) -> Result<Autoscaler, RestoreError> {
        match (&self.other, &head.begins) {
            (None, _) => head.autoscaler(),
            (Some(other), Beginning::New { at, .. }) => Ok(Autoscaler::new(other.clone(), *at)),
            (Some(other), Beginning::Restored(_)) => {
                let mut autoscaler = head.autoscaler()?;
                autoscaler.reconfigure(autoscaler.status().at, other.clone());
                Ok(autoscaler)
            }
        }
    }

    /// The autoscaler as it stands now; `None` before the first head.
    #[must_use]
    pub const fn autoscaler(&self) -> Option<&Autoscaler> {
        self.autoscaler.as_ref()
    }
}
