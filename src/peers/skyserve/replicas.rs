//! The replicas as the controller's table has them, and which of them are stopped.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::{Failure, Mode};

/// One row of the controller's table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Replica {
    /// Its number: younger ones have higher ones.
    pub id: u64,
    /// Where it stands.
    pub status: Status,
    /// The version of the service that it runs.
    pub version: u32,
    /// Whether it is a spot instance.
    pub is_spot: bool,
    /// Its accelerator by name, such as `L4`.
    pub accelerator: Option<String>,
    /// Jobs that it runs, in a pool.
    pub running_jobs: u32,
    /// It failed in a way that no other replica of its version would survive.
    pub unrecoverable: bool,
}

impl Replica {
    /// A replica of version 1, on demand.
    #[must_use]
    pub const fn new(id: u64, status: Status) -> Self {
        let (accelerator, unrecoverable) = (None, false);
        Self { id, status, version: 1, is_spot: false, accelerator, running_jobs: 0, unrecoverable }
    }

    /// Whether it counts: ready or on its way.
    pub(super) const fn exists(&self) -> bool {
        self.status.rank().is_some()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.status == Status::Ready
    }
}

/// Where a replica stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Status {
    /// Asked for.
    Pending,
    /// Its machine is on its way.
    Provisioning,
    /// Its program starts.
    Starting,
    /// It answers no longer.
    NotReady,
    /// It serves.
    Ready,
    /// It is being stopped.
    ShuttingDown,
    /// Its program failed.
    Failed,
    /// It was not ready within its initial delay.
    FailedInitialDelay,
    /// Its probes failed for too long.
    FailedProbing,
    /// Its machine did not come.
    FailedProvision,
    /// It could not be removed.
    FailedCleanup,
    /// Its spot instance was taken away.
    Preempted,
    /// Nobody knows.
    Unknown,
}

impl Status {
    /// How far it has started; nothing if it is at an end.
    const fn rank(self) -> Option<u8> {
        match self {
            Self::Pending => Some(0),
            Self::Provisioning => Some(1),
            Self::Starting => Some(2),
            Self::NotReady => Some(3),
            Self::Ready => Some(4),
            _ => None,
        }
    }
}

/// The first `count` to stop: the least started, of those the oldest version, the fewest running jobs, the youngest.
pub(super) fn to_stop(mut replicas: Vec<&Replica>, count: u64) -> Result<Vec<u64>, Failure> {
    replicas.sort_by_key(|replica| (replica.status.rank(), replica.version, replica.running_jobs, Reverse(replica.id)));
    first(&replicas, count)
}

/// The ids of the first `count`: it is an assertion of the peer's that there are so many.
pub(super) fn first(replicas: &[&Replica], count: u64) -> Result<Vec<u64>, Failure> {
    let there = replicas.len();
    let asked = usize::try_from(count).unwrap_or(usize::MAX);
    let stopped = replicas.get(..asked).ok_or(Failure::TooFewToStop { asked: count, there, wanted: 0 })?;
    Ok(stopped.iter().map(|replica| replica.id).collect())
}

/// What of other versions is to be stopped.
///
/// Rolling: all of them once `wanted` replicas of this version are ready, before that all but as many as are missing.
/// Blue-green: whatever is older than every active version, once there is one; rows at an end as well.
pub(super) fn outdated(
    rows: &[Replica],
    (version, mode, wanted): (u32, Mode, u64),
    active: &[u32],
) -> Result<Vec<u64>, Failure> {
    if mode == Mode::BlueGreen {
        let Some(oldest) = active.iter().min() else { return Ok(Vec::new()) };
        return Ok(rows.iter().filter(|row| row.version < *oldest).map(|row| row.id).collect());
    }
    let ready = rows.iter().filter(|row| row.version == version && row.is_ready()).count();
    let old: Vec<&Replica> = rows.iter().filter(|row| row.version != version && row.exists()).collect();
    let missing = wanted.saturating_sub(len(ready));
    let surplus = len(old.len()).saturating_sub(missing);
    if missing == 0 {
        return Ok(old.iter().map(|row| row.id).collect());
    }
    to_stop(old, surplus)
}

/// A length as a count.
pub(super) fn len(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
