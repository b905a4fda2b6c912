//! Whether an objective can be kept, and with how many workers: by how far demand has strayed from its forecast so far.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{Human, nanos};
use crate::units::Share;

/// What an objective asks for, what came of it, and what it takes.
///
/// The forecast says how much demand there will be a cold start ahead, and the errors of earlier forecasts, weighted by the
/// requests that saw them, how often that is too little. So a count of workers keeps the share of requests that saw no
/// greater error than it has room for. Requests that may wait a little and be in time are left out: it is what the
/// workers alone can promise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outlook {
    /// The share of requests that are to start in time.
    pub asked: Share,
    /// The share that did, of those of the last half day; `None` before any did.
    pub kept: Option<Share>,
    /// As many workers as there may be now.
    pub most: u32,
    /// The share that these would keep.
    pub most_keep: Share,
    /// The workers that would keep what is asked for, whatever the bounds.
    pub needs: u32,
    /// How many of those are idle as long as demand is what is forecast: a standing reserve against surges, at the price of
    /// as many workers.
    pub reserve: u32,
    /// What that costs for each request that it spares being late, in worker-seconds; `None` if there is none, or it spares none.
    /// Whether it is worth that much is for whoever pays: [`Objective::price`](super::Objective::price) asks for no more.
    pub price: Option<u32>,
    /// The most that it may be, if the objective says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_cap: Option<u32>,
    /// How far ahead that is: no worker that is ordered later helps before.
    pub lead: Duration,
}

impl Outlook {
    /// Whether the bounds and the price allow what is asked for.
    #[must_use]
    pub const fn is_within_reach(&self) -> bool {
        self.needs <= self.most && !self.is_dear()
    }

    /// Whether what is asked for costs more than it may.
    #[must_use]
    pub const fn is_dear(&self) -> bool {
        matches!((self.price, self.price_cap), (Some(price), Some(cap)) if price > cap)
    }
}

impl fmt::Display for Outlook {
    /// `98.2 % in time of late; 10 workers, as many as there may be, keep 91.5 %; 14 would keep 99 %, 6 of them idle until
    /// demand surges within 30 s: 86 worker-seconds for each late request less`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, most, most_keep, needs, reserve, price, .. } = self;
        if let Some(kept) = self.kept {
            write!(f, "{kept} in time of late; ")?;
        }
        if needs <= most {
            write!(f, "{needs} workers keep {asked}")?;
        } else {
            write!(f, "{most} workers, as many as there may be, keep {most_keep}; {needs} would keep {asked}")?;
        }
        if *reserve > 0 {
            write!(f, ", {reserve} of them idle until demand surges within {}", Human(nanos(self.lead)))?;
        }
        if let Some(price) = price {
            write!(f, ": {price} worker-seconds for each late request less")?;
            if let Some(cap) = self.price_cap.filter(|_| self.is_dear()) {
                write!(f, ", out of reach for {cap}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn it_says_what_the_most_would_keep_where_that_is_too_little() {
        let share = |share| Share::new(share).unwrap();
        let outlook = Outlook {
            asked: share(0.99),
            kept: Some(share(0.982)),
            most: 10,
            most_keep: share(0.915),
            needs: 14,
            reserve: 6,
            price: Some(86),
            price_cap: None,
            lead: Duration::from_secs(30),
        };
        assert_eq!(
            outlook.to_string(),
            "98.2 % in time of late; 10 workers, as many as there may be, keep 91.5 %; 14 would keep 99 %, 6 of them \
             idle until demand surges within 30 s: 86 worker-seconds for each late request less"
        );
        assert!(!outlook.is_within_reach());
        let paid = |cap| Outlook { most: 14, price_cap: Some(cap), ..outlook };
        assert_eq!([85, 86].map(|cap| paid(cap).is_within_reach()), [false, true]);
        let ends = |cap: u32, end: &str| paid(cap).to_string().ends_with(end);
        assert!(ends(86, "late request less") && ends(85, "late request less, out of reach for 85"), "{}", paid(85));
        let enough = Outlook { kept: None, most: 14, reserve: 0, price: None, ..outlook };
        assert!(enough.is_within_reach());
        assert_eq!(enough.to_string(), "14 workers keep 99 %");
    }
}
