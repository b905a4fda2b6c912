//! What stands in the way of orders: back-off by cause, a breaker over all causes, the rate of success.

use plimsoll::config::{Backoff, Breaker};
use plimsoll::{Config, FailureCause};

use crate::signals::{Nanos, nanos};

#[derive(Clone, Copy, Debug)]
enum Event {
    /// So many starts, and what was to follow from it then.
    Failed(u32, FailureCause, Backoff, Breaker),
    Succeeded,
    Ordered,
}

/// Everything that a provider was asked for and answered.
#[derive(Clone, Debug, Default)]
pub struct Provider {
    events: Vec<(Nanos, Event)>,
}

/// What follows from it.
struct Standing {
    /// By cause: failures in a row, and when the next try is due.
    rows: [(u32, Nanos); 5],
    /// The last sixteen failures.
    recent: Vec<Nanos>,
    /// When the breaker's pause ends or has ended.
    open_until: Option<Nanos>,
    probed: Option<Nanos>,
    success: u32,
}

/// What may be ordered.
enum Way {
    Free,
    Closed,
    /// One at a time, the last at this instant.
    Probe(Option<Nanos>),
}

impl Provider {
    pub fn failed(&mut self, now: Nanos, starts: u32, cause: FailureCause, config: &Config) {
        self.events.push((now, Event::Failed(starts, cause, config.backoff(), config.breaker())));
    }

    pub fn succeeded(&mut self, now: Nanos) {
        self.events.push((now, Event::Succeeded));
    }

    pub fn ordered(&mut self, now: Nanos) {
        self.events.push((now, Event::Ordered));
    }

    fn standing(&self) -> Standing {
        let mut standing =
            Standing { rows: [(0, 0); 5], recent: Vec::new(), open_until: None, probed: None, success: 1_000_000 };
        for &(now, event) in &self.events {
            let Standing { rows, recent, open_until, probed, success } = &mut standing;
            match event {
                Event::Failed(starts, cause, backoff, breaker) => {
                    // A provider that has none to give does not count towards the rate of success.
                    let counts = !matches!(cause, FailureCause::Quota | FailureCause::StockOut);
                    for _ in 0..if counts { starts.min(16) } else { 0 } {
                        *success -= *success / 8;
                    }
                    // What fails while the way is closed is no second answer.
                    let (in_row, retry_at) = &mut rows[cause as usize];
                    if *in_row == 0 || *retry_at <= now {
                        *in_row += 1;
                        *retry_at = now + wait(cause, *in_row, backoff);
                    }
                    recent.push(now);
                    let pause =
                        rows.iter().fold(now + nanos(breaker.pause), |pause, (_, retry_at)| pause.max(*retry_at));
                    let in_time = recent.iter().rev().take(16).filter(|at| now - **at < nanos(breaker.within)).count();
                    match *open_until {
                        // The pause goes on, and a back-off may make it longer.
                        Some(until) if now < until => {
                            *open_until = rows.iter().map(|(_, retry_at)| *retry_at).max().max(Some(until));
                        }
                        None if in_time < breaker.failures as usize => {}
                        _ => (*open_until, *probed) = (Some(pause), None),
                    }
                }
                Event::Succeeded => {
                    *success += (1_000_000 - *success).div_ceil(8);
                    rows.iter_mut().filter(|(_, retry_at)| *retry_at <= now).for_each(|row| row.0 = 0);
                    if open_until.is_some_and(|until| until <= now) {
                        (*open_until, *probed) = (None, None);
                        recent.clear();
                    }
                }
                Event::Ordered => {
                    if open_until.is_some_and(|until| until <= now) {
                        *probed = Some(now);
                    }
                }
            }
        }
        standing
    }

    fn way(&self, now: Nanos) -> Way {
        let standing = self.standing();
        match standing.open_until {
            Some(until) if now < until => Way::Closed,
            Some(_) => Way::Probe(standing.probed),
            None if standing.rows.iter().any(|(in_row, retry_at)| *in_row > 0 && *retry_at > now) => Way::Closed,
            None => Way::Free,
        }
    }

    /// How many may be ordered for a need; one that is a probe is waited for.
    pub fn allows(&self, now: Nanos, need: u32, patience: Nanos) -> u32 {
        match self.way(now) {
            Way::Free => self.gross(need),
            Way::Closed => 0,
            Way::Probe(last) => need.min(u32::from(last.is_none_or(|last| now - last >= patience))),
        }
    }

    /// Starts that succeed, in millionths.
    pub fn success(&self) -> u32 {
        self.standing().success
    }

    /// How many to order so that `need` come: by the rate of success, at most twice as many, rounded.
    pub fn gross(&self, need: u32) -> u32 {
        let success = self.standing().success.max(500_000);
        (need * 1_000_000 + success / 2) / success
    }

    /// Instants at which orders may become possible.
    pub fn due(&self, patience: Nanos) -> Vec<Nanos> {
        let standing = self.standing();
        let rows = standing.rows.iter().map(|(_, retry_at)| *retry_at);
        rows.chain(standing.open_until).chain(standing.probed.map(|at| at + patience)).collect()
    }
}

/// The wait after the n-th failure in a row: doubled each time up to the longest, less a spread of up to a quarter that
/// seed, cause and n decide.
fn wait(cause: FailureCause, in_row: u32, backoff: Backoff) -> Nanos {
    let whole = nanos(backoff.first).saturating_mul(1 << (in_row - 1).min(62)).min(nanos(backoff.most));
    let hash = split_mix(backoff.seed ^ split_mix(u64::from(in_row) << 8 | cause as u64));
    let spread = (u128::from(whole / 4) * u128::from(hash >> 32)) >> 32;
    whole - u64::try_from(spread).expect("less than a quarter")
}

/// SplitMix64's finaliser.
const fn split_mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
