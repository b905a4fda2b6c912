//! The count for what demand may stray from its forecast: as far as the share asks for, or as is worth its price.

use super::Forecast;
use crate::policy::{Circumstances, Draft, Goal, Objective, Queue};

impl Forecast {
    /// The count for what demand may stray from its forecast.
    pub(super) fn draft(&self, known: &Circumstances, objective: &Objective) -> Draft {
        let errors = self.strays.by(known.spread);
        let draft = |error, queue| objective.draft(known, error, queue);
        let cheapest = |price, known: &Circumstances| {
            errors.cheapest(Objective::all_late(price, known), |error| objective.reserve(known, error))
        };
        let asked = errors.exceeded_by(objective.allowance(known));
        match objective.goal {
            Goal::Share(_) => draft(asked, Queue::Share),
            Goal::Price(price) => {
                let [share, price] = [draft(asked, Queue::Share), draft(cheapest(price, known), Queue::Whole)];
                if price.workers > share.workers { price } else { share }
            }
            Goal::ShareUpTo { price, .. } => {
                // A reserve is for those who come when few do: what comes on average is worth it, too.
                let mean = self.strays.per_second(self.ledger.requests());
                let worth = cheapest(price, &Circumstances { rate: known.rate.max(mean), ..*known });
                if worth < asked { draft(worth, Queue::Share).dear() } else { draft(asked, Queue::Share) }
            }
        }
    }
}
