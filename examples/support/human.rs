//! Numbers, times and commands in words, the same in every example.
#![allow(dead_code, reason = "not every example that includes this needs all of it")]

use std::time::Duration;

use plimsoll::Command;

/// A time since the start as `h:mm` or `h:mm:ss`, with the days in front once there are any.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from a float saturates")]
pub(crate) fn clock(t_s: f64, seconds: bool) -> String {
    let sign = if t_s < 0.0 { "−" } else { "" };
    let all = t_s.abs().round() as u64;
    let (days, hours, minutes) = (all / 86_400, all / 3_600 % 24, all / 60 % 60);
    let tail = if seconds { format!(":{:02}", all % 60) } else { String::new() };
    match days {
        0 => format!("{sign}{hours}:{minutes:02}{tail}"),
        _ => format!("{sign}{days}d {hours:02}:{minutes:02}{tail}"),
    }
}

/// A duration with a unit that suits its size.
pub(crate) fn duration(ms: f64) -> String {
    if ms < 999.5 { format!("{} ms", short(ms)) } else { format!("{} s", short(ms / 1_000.0)) }
}

/// A number with at most one decimal.
pub(crate) fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// A duration in milliseconds or seconds.
pub(crate) fn words(time: Duration) -> String {
    duration(time.as_secs_f64() * 1_000.0)
}

/// A length of time in words: `340 ms`, `1.5 s`, `4 min 20 s`, `2 h 5 min`.
pub(crate) fn span(time: Duration) -> String {
    let (secs, minutes) = (time.as_secs() % 60, time.as_secs() / 60);
    match (minutes, secs) {
        _ if time.is_zero() => "0 s".to_owned(),
        (0, _) => words(time),
        (1..=119, 0) => format!("{minutes} min"),
        (1..=119, _) => format!("{minutes} min {secs} s"),
        _ if minutes % 60 == 0 => format!("{} h", minutes / 60),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// With one decimal, rounded down: all is not within the target unless all is.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", short((share * 1_000.0).floor() / 10.0))
}

/// `8,819`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// A command in words.
pub(crate) fn command(command: &Command) -> String {
    match command {
        Command::Start { count } => format!("start {count}"),
        Command::Revive { id } => format!("revive {id}"),
        Command::ReviveAny { count } => format!("revive {count}"),
        Command::Drain { id } => format!("drain {id}"),
        Command::Stop { id, to_standby: true, .. } => format!("stop {id} into standby"),
        Command::Stop { id, cut_off: true, .. } => format!("cut off {id}"),
        Command::Stop { id, .. } => format!("stop {id}"),
        Command::Release { count } => format!("release {count}"),
        Command::Prewarm { count } => format!("load {count} into standby"),
        other => format!("{other:?}"),
    }
}
