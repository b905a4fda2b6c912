//! Words and numbers for people, as the tables and the pages of several examples have them.
#![allow(dead_code, reason = "not every example that includes this needs all of it")]

use std::time::Duration;

use plimsoll::sim::{Reference, References};

/// The references of a workload by name.
pub(crate) const fn references(possible: &References) -> [(&'static str, Option<Reference>); 4] {
    [
        ("best fixed count", possible.fixed),
        ("knows the rate of now", possible.present_oracle),
        ("knows every rate", possible.rate_oracle),
        ("knows every arrival", possible.clairvoyant),
    ]
}

/// Seconds with a unit that suits them.
pub(crate) fn time(seconds: f64) -> String {
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    match duration.as_millis() {
        0 => "0".to_owned(),
        ms @ 1..=999 => format!("{ms} ms"),
        ms @ 1_000..=99_999 if ms % 1_000 > 0 => format!("{:.1} s", ms as f64 / 1_000.0),
        ms => format!("{} s", ms / 1_000),
    }
}

/// A number with as many digits as it needs.
pub(crate) fn short(value: f64) -> String {
    let text = if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The text with what HTML could mistake for markup replaced.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A share in percent, with as many digits as are needed near a whole.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
