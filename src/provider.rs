//! What is known of the provider's willingness: back-off by cause, a breaker over all causes, and how many of the ordered
//! workers come.
//!
//! - **Back-off**: the n-th failure of a cause in a row closes the way for `first × 2^(n-1)`, at most `most`, less a
//!   spread of up to a quarter. The spread is a hash of seed, cause and n (SplitMix64's finaliser), not a drawn number.
//!   Failures that come while the way is closed are answers to the same question and do not count as another. A start that
//!   succeeds after the wait ends the row.
//! - **Breaker**: at so many failures within a time (of many starts together: one), whatever their causes, nothing is ordered for a pause, nor before the
//!   back-off allows it; then one worker at a time, as a probe. A start that succeeds closes the breaker, a failure begins another pause.
//! - **Success rate** `p`: a moving average with weight 1/8 over the starts that were tried. With it `need / p` workers are
//!   ordered, rounded, at most twice the need. A provider that has none to give, or may not give more, does not count:
//!   to ask it for more would not help.
//!
//! All of this limits orders only. The desired count stays what demand makes it.

use serde::{Deserialize, Serialize};

use crate::config::{Backoff, Config, MAX_BREAKER_FAILURES};
use crate::observation::FailureCause;
use crate::rare::{Nothing, Rare};
use crate::time::{Timestamp, nanos};

/// Failures remembered for the breaker.
const MAX_FAILURES: usize = MAX_BREAKER_FAILURES as usize;

const WHOLE: u32 = 1_000_000;

/// Why the provider is not asked as usual, and until when.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trouble {
    /// The cause of the last failed start.
    pub cause: FailureCause,
    /// What is done about it.
    pub measure: Measure,
    /// When orders are next possible; for a probe, since when they are, one at a time.
    pub at: Timestamp,
}

/// What is done about failing starts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Measure {
    /// Waits before the next try.
    BackOff,
    /// The breaker is open: nothing is ordered.
    Open,
    /// The breaker lets one worker at a time through.
    Probe,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[repr(C, packed(4))]
struct Row {
    /// Failures in a row.
    failures: u32,
    retry_at: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Provider {
    rows: [Row; FailureCause::ALL.len()],
    /// The last failures, oldest first.
    recent: [Timestamp; MAX_FAILURES],
    recent_len: usize,
    /// When the breaker's pause ends or has ended; `None` while it is closed.
    open_until: Option<Timestamp>,
    /// When a probe was last ordered, since the end of the pause.
    probed: Option<Timestamp>,
    last_cause: FailureCause,
    /// Millionths of the starts that succeed.
    success: u32,
}

/// One that has never failed.
impl Nothing for Provider {
    const NOTHING: &'static Self = &Self {
        rows: [Row { failures: 0, retry_at: Timestamp::ORIGIN }; FailureCause::ALL.len()],
        recent: [Timestamp::ORIGIN; MAX_FAILURES],
        recent_len: 0,
        open_until: None,
        probed: None,
        last_cause: FailureCause::Crash,
        success: WHOLE,
    };
}

impl Rare<Provider> {
    /// A worker became ready: that says nothing new of a provider that has never failed.
    pub(crate) fn succeeded(&mut self, now: Timestamp) {
        if !self.is_untouched() {
            (**self).succeeded(now);
        }
    }

    /// What stands in the way of orders at `now`.
    pub(crate) fn trouble(&self, now: Timestamp) -> Option<Trouble> {
        if self.is_untouched() { None } else { (**self).trouble(now) }
    }

    /// The first instant after `now` at which what stands in the way changes by time alone.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_untouched() { None } else { (**self).next_change(now) }
    }

    /// Workers were ordered.
    pub(crate) fn ordered(&mut self, now: Timestamp) {
        if !self.is_untouched() {
            (**self).ordered(now);
        }
    }
}

impl Provider {
    /// Whether this can be what is known of a provider: what comes from a snapshot may be anything.
    pub(crate) const fn is_sound(&self) -> bool {
        self.recent_len <= MAX_FAILURES && self.success <= WHOLE
    }

    /// A start failed.
    pub(crate) fn failed(&mut self, now: Timestamp, starts: u32, cause: FailureCause, config: &Config) {
        self.last_cause = cause;
        if matches!(cause, FailureCause::Crash | FailureCause::Timeout | FailureCause::Preempted) {
            // After sixteen nothing that matters is left of it.
            for _ in 0..starts.min(16) {
                self.success = self.success.saturating_sub(self.success / 8);
            }
        }
        if let Some(row) = self.rows.get_mut(cause as usize).filter(|row| row.failures == 0 || { row.retry_at } <= now)
        {
            row.failures = row.failures.saturating_add(1);
            row.retry_at = now.plus(wait(config.backoff(), cause, row.failures));
        }
        if self.recent_len == MAX_FAILURES {
            self.recent.rotate_left(1);
            self.recent_len = self.recent_len.saturating_sub(1);
        }
        if let Some(slot) = self.recent.get_mut(self.recent_len) {
            *slot = now;
            self.recent_len = self.recent_len.saturating_add(1);
        }
        let breaker = config.breaker();
        // An open breaker asks no earlier than the back-off would.
        let backed_off = self.rows.iter().map(|row| row.retry_at).max().unwrap_or(now);
        let pause = Some(now.plus(nanos(breaker.pause)).max(backed_off));
        match self.open_until {
            Some(until) if now < until => self.open_until = Some(until.max(backed_off)),
            Some(_) => (self.open_until, self.probed) = (pause, None),
            None => {
                let within = nanos(breaker.within);
                let recent = self.recent.get(..self.recent_len).unwrap_or(&[]);
                let failures = recent.iter().filter(|at| now.since(**at) < within).count();
                if failures >= breaker.failures as usize {
                    (self.open_until, self.probed) = (pause, None);
                }
            }
        }
    }

    /// A worker became ready.
    fn succeeded(&mut self, now: Timestamp) {
        self.success = self.success.saturating_add(WHOLE.saturating_sub(self.success).div_ceil(8));
        for row in self.rows.iter_mut().filter(|row| { row.retry_at } <= now) {
            row.failures = 0;
        }
        if self.open_until.is_some_and(|until| until <= now) {
            (self.open_until, self.probed, self.recent_len) = (None, None, 0);
        }
    }

    /// What stands in the way of orders at `now`.
    fn trouble(&self, now: Timestamp) -> Option<Trouble> {
        let cause = self.last_cause;
        if let Some(at) = self.open_until {
            let measure = if now < at { Measure::Open } else { Measure::Probe };
            return Some(Trouble { cause, measure, at });
        }
        let rows =
            FailureCause::ALL.into_iter().zip(&self.rows).filter(|(_, row)| row.failures > 0 && { row.retry_at } > now);
        let (cause, row) = rows.max_by_key(|(_, row)| row.retry_at)?;
        Some(Trouble { cause, measure: Measure::BackOff, at: row.retry_at })
    }

    /// How many workers to order for a need. `patience` is how long a probe's outcome may take.
    pub(crate) fn allows(&self, now: Timestamp, need: u32, patience: u64) -> u32 {
        match self.trouble(now) {
            None => self.gross(need),
            Some(Trouble { measure: Measure::Probe, .. }) => {
                need.min(u32::from(self.probed.is_none_or(|at| now.since(at) >= patience)))
            }
            Some(_) => 0,
        }
    }

    /// Workers were ordered.
    fn ordered(&mut self, now: Timestamp) {
        if self.open_until.is_some_and(|until| until <= now) {
            self.probed = Some(now);
        }
    }

    /// How many must be ordered so that `need` come, as far as the rate of success tells; at most twice as many.
    pub(crate) fn gross(&self, need: u32) -> u32 {
        let rate = u64::from(self.success.clamp(WHOLE / 2, WHOLE));
        let gross = u64::from(need).saturating_mul(u64::from(WHOLE)).saturating_add(rate / 2).checked_div(rate);
        gross.and_then(|gross| u32::try_from(gross).ok()).unwrap_or(need)
    }

    /// Starts that succeed, in millionths.
    pub(crate) const fn success(&self) -> u32 {
        self.success
    }

    /// The first instant after `now` at which what stands in the way changes by time alone.
    fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let rows = self.rows.iter().filter(|row| row.failures > 0).map(|row| row.retry_at);
        rows.chain(self.open_until).filter(|at| *at > now).min()
    }

    /// When an order that is not possible at `now` becomes so.
    pub(crate) fn next_order(&self, now: Timestamp, patience: u64) -> Option<Timestamp> {
        let trouble = self.trouble(now)?;
        if trouble.measure == Measure::Probe {
            return Some(self.probed.map_or(trouble.at, |at| at.plus(patience)));
        }
        Some(trouble.at)
    }
}

/// The wait after the n-th failure in a row, in nanoseconds.
fn wait(backoff: Backoff, cause: FailureCause, failures: u32) -> u64 {
    let doublings = failures.saturating_sub(1).min(63);
    let whole = nanos(backoff.first).saturating_mul(1 << doublings).min(nanos(backoff.most));
    let hash = mix(backoff.seed ^ mix(u64::from(failures) << 8 | cause as u64));
    // The hash's upper half as a fraction of a quarter.
    let spread = u128::from(whole / 4).saturating_mul(u128::from(hash >> 32)) >> 32;
    whole.saturating_sub(u64::try_from(spread).unwrap_or(0))
}

/// SplitMix64's finaliser (Steele, Lea and Flood 2014).
const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::policy::Policy;

    const MINUTE: u64 = 60_000_000_000;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn config() -> Config {
        Config::new(Policy::External, 0, 10).unwrap()
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_spread_by_a_quarter_at_most() {
        let mut provider = Rare::<Provider>::new();
        let (config, mut now) = (config(), at(0));
        for want in [10, 20, 40, 80, 160, 300, 300] {
            provider.open_until = None;
            provider.failed(now, 1, FailureCause::StockOut, &config);
            let Row { retry_at, .. } = provider.rows[FailureCause::StockOut as usize];
            let waited = retry_at.saturating_since(now);
            let whole = Duration::from_secs(want);
            assert!(waited <= whole && waited >= whole * 3 / 4, "{waited:?} for {whole:?}");
            now = retry_at;
        }
        let wait = |seed| wait(Backoff::default().with_seed(seed), FailureCause::Quota, 1);
        assert_ne!(wait(1), wait(2));
        assert_eq!(wait(1), wait(1));
    }

    #[test]
    fn what_fails_while_the_way_is_closed_is_no_second_answer() {
        let mut provider = Rare::<Provider>::new();
        for secs in 0..4 {
            provider.failed(at(secs), 1, FailureCause::Crash, &config());
        }
        let trouble = provider.trouble(at(4)).unwrap();
        assert_eq!((trouble.cause, trouble.measure), (FailureCause::Crash, Measure::BackOff));
        assert!(trouble.at <= at(10) && provider.allows(at(4), 3, MINUTE) == 0);
        assert_eq!(provider.next_order(at(4), MINUTE), Some(trouble.at));
        assert!(provider.allows(trouble.at, 3, MINUTE) >= 3);
    }

    #[test]
    fn the_breaker_opens_lets_one_probe_through_and_closes_on_success() {
        let mut provider = Rare::<Provider>::new();
        for (secs, cause) in (0..).zip(FailureCause::ALL) {
            provider.failed(at(secs), 1, cause, &config());
        }
        assert_eq!(provider.trouble(at(5)).unwrap().measure, Measure::Open);
        let end = at(64);
        assert_eq!((provider.allows(at(63), 3, MINUTE), provider.allows(end, 3, MINUTE)), (0, 1));
        provider.ordered(end);
        assert_eq!(provider.allows(at(65), 3, MINUTE), 0, "the first probe is under way");
        assert_eq!(provider.next_order(at(65), MINUTE), Some(at(124)));
        assert_eq!(provider.allows(at(124), 3, MINUTE), 1, "it was lost: another one");

        let mut failing = provider.clone();
        failing.failed(at(70), 1, FailureCause::Quota, &config());
        assert_eq!(failing.trouble(at(71)).unwrap().measure, Measure::Open);
        provider.succeeded(at(70));
        assert_eq!(provider.trouble(at(70)), None);
    }

    #[test]
    fn more_are_ordered_where_some_do_not_come_but_never_more_than_twice_the_need() {
        let mut provider = Rare::<Provider>::new();
        assert_eq!(provider.gross(7), 7);
        for _ in 0..3 {
            provider.failed(at(0), 1, FailureCause::Crash, &config());
        }
        assert_eq!((provider.gross(1), provider.gross(10)), (1, 15));
        for _ in 0..90 {
            provider.failed(at(0), 1, FailureCause::Crash, &config());
        }
        assert_eq!(provider.gross(10), 20);
        for _ in 0..90 {
            provider.succeeded(at(0));
        }
        assert_eq!(provider.gross(1_000), 1_000);
    }

    #[test]
    fn the_rate_of_success_falls_by_an_eighth_and_recovers_by_an_eighth() {
        let mut provider = Rare::<Provider>::new();
        assert_eq!(provider.success(), 1_000_000);
        provider.failed(at(0), 1, FailureCause::Crash, &config());
        assert_eq!(provider.success(), 875_000);
        provider.failed(at(0), 1, FailureCause::Quota, &config());
        assert_eq!(provider.success(), 875_000, "a provider that refuses says nothing of those that come");
        provider.succeeded(at(1));
        assert_eq!(provider.success(), 890_625);
    }

    #[test]
    fn what_stands_in_the_way_changes_at_the_end_of_the_back_off_and_of_the_pause() {
        let mut provider = Rare::<Provider>::new();
        assert_eq!(provider.next_change(at(0)), None);
        provider.failed(at(0), 1, FailureCause::Quota, &config());
        let retry = provider.trouble(at(0)).unwrap().at;
        assert_eq!(provider.next_change(at(0)), Some(retry));
        assert_eq!((provider.next_change(retry), provider.trouble(retry)), (None, None));
        for cause in FailureCause::ALL {
            provider.failed(retry, 1, cause, &config());
        }
        let open = provider.trouble(retry).unwrap();
        assert_eq!((open.measure, open.at), (Measure::Open, retry.plus(MINUTE)));
        assert!(provider.next_change(retry) < Some(open.at), "the first back-off ends before");
        assert_eq!(provider.next_change(open.at.minus(1)), Some(open.at));
        assert_eq!(provider.trouble(open.at).unwrap().measure, Measure::Probe);
        // What fails while it is open does not open it anew.
        provider.failed(retry.plus(MINUTE / 2), 1, FailureCause::Crash, &config());
        assert_eq!(provider.trouble(retry.plus(MINUTE / 2)).unwrap().at, open.at);
    }

    #[test]
    fn what_cannot_be_known_of_a_provider_is_not_taken_from_a_snapshot() {
        let provider = Rare::<Provider>::new();
        assert!(provider.is_sound());
        assert!(!Provider { recent_len: MAX_FAILURES + 1, ..(*provider).clone() }.is_sound());
        assert!(!Provider { success: WHOLE + 1, ..(*provider).clone() }.is_sound());
    }
}
