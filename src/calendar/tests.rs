use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use core::ops::Range;
use core::time::Duration;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;

fn at(utc: &str) -> Timestamp {
    Timestamp::from_secs(utc.parse::<jiff::Timestamp>().unwrap().as_second().try_into().unwrap())
}

fn written(one: &Interval) -> String {
    let utc = |at: Timestamp| {
        let at = jiff::Timestamp::from_nanosecond(at.as_nanos().into()).unwrap();
        at.strftime("%Y-%m-%d %H:%M").to_string()
    };
    format!("{} - {}", utc(one.start), utc(one.end))
}

/// The intervals of one entry whose starts or ends lie between two instants, all in UTC.
fn given(zone: &str, days: &[Day], hours: (&str, &str), span: (&str, &str)) -> Vec<String> {
    let entry = Entry::new(days.iter().copied(), hours.0, hours.1).with_min(1);
    let weekly = Weekly::new(zone, vec![entry]).unwrap();
    weekly.intervals(at(span.0), at(span.1)).unwrap().iter().map(written).collect()
}

#[test]
fn an_entry_repeats_by_the_wall_clock() {
    let week = ("2026-01-04T23:00Z", "2026-01-11T23:00Z");
    assert_eq!(
        given("Europe/Berlin", &[Day::Mon, Day::Wed], ("08:00", "18:30"), week),
        ["2026-01-05 07:00 - 2026-01-05 17:30", "2026-01-07 07:00 - 2026-01-07 17:30"]
    );
    // At or before `from`, `to` is that of the next day.
    assert_eq!(given("Europe/Berlin", &[Day::Fri], ("22:00", "06:00"), week), ["2026-01-09 21:00 - 2026-01-10 05:00"]);
    for to in ["00:00", "24:00"] {
        assert_eq!(given("UTC", &[Day::Fri], ("00:00", to), week), ["2026-01-09 00:00 - 2026-01-10 00:00"]);
    }
    assert_eq!(given("UTC", &[Day::Fri], ("08:00", "24:00"), week), ["2026-01-09 08:00 - 2026-01-10 00:00"]);
    assert_eq!(given("UTC", &[Day::Fri], ("08:00", "08:00"), week), ["2026-01-09 08:00 - 2026-01-10 08:00"]);
}

#[test]
fn an_entry_keeps_what_it_states() {
    let entries = vec![
        Entry::new(Day::ALL, "12:00", "13:00").with_max(0).with_priority(-3),
        Entry::new(Day::WEEKDAYS, "08:00", "18:00").with_min(5).with_max(40).ahead(),
        Entry::new([Day::Mon, Day::Mon], "08:00", "09:00").with_min(7),
    ];
    let monday =
        Weekly::new("UTC", entries).unwrap().intervals(at("2026-01-05T00:00Z"), at("2026-01-06T00:00Z")).unwrap();
    let hour = |hour: u64| at("2026-01-05T00:00Z").saturating_add(Duration::from_secs(hour * 3_600));
    assert_eq!(
        monday,
        [
            Interval::new(hour(8), hour(18)).with_min(5).with_max(40).ahead(),
            Interval::new(hour(8), hour(9)).with_min(7),
            Interval::new(hour(12), hour(13)).with_max(0).with_priority(-3),
        ]
    );
}

#[test]
fn what_overlaps_the_span_is_given_whole() {
    let nights = |from, to| given("UTC", &[Day::Mon], ("22:00", "06:00"), (from, to));
    let night = ["2026-01-05 22:00 - 2026-01-06 06:00"];
    assert_eq!(nights("2026-01-06T05:59Z", "2026-01-06T07:00Z"), night);
    assert_eq!(nights("2026-01-05T21:00Z", "2026-01-05T22:01Z"), night);
    assert_eq!(nights("2026-01-06T01:00Z", "2026-01-06T02:00Z"), night);
    for (from, to) in [
        ("2026-01-06T06:00Z", "2026-01-06T07:00Z"),
        ("2026-01-05T21:00Z", "2026-01-05T22:00Z"),
        ("2026-01-06T01:00Z", "2026-01-06T01:00Z"),
        ("2026-01-06T02:00Z", "2026-01-06T01:00Z"),
    ] {
        assert!(nights(from, to).is_empty(), "{from} to {to}");
    }
}

#[test]
fn where_the_clock_springs_forward_a_skipped_time_is_the_end_of_the_gap() {
    // 02:00 becomes 03:00 at 01:00 UTC.
    let berlin = |from, to| given("Europe/Berlin", &[Day::Sun], (from, to), ("2026-03-28T23:00Z", "2026-03-29T22:00Z"));
    assert_eq!(berlin("02:00", "03:00"), [""; 0]);
    assert_eq!(berlin("02:15", "02:45"), [""; 0]);
    assert_eq!(berlin("02:30", "04:00"), ["2026-03-29 01:00 - 2026-03-29 02:00"]);
    assert_eq!(berlin("01:30", "02:30"), ["2026-03-29 00:30 - 2026-03-29 01:00"]);
    assert_eq!(berlin("00:00", "24:00"), ["2026-03-28 23:00 - 2026-03-29 22:00"]);
    let saturday = given("Europe/Berlin", &[Day::Sat], ("22:00", "06:00"), ("2026-03-28T22:00Z", "2026-03-29T22:00Z"));
    assert_eq!(saturday, ["2026-03-28 21:00 - 2026-03-29 04:00"]);

    // 02:00 becomes 03:00 at 07:00 UTC.
    let york =
        |from, to| given("America/New_York", &[Day::Sun], (from, to), ("2026-03-08T05:00Z", "2026-03-09T04:00Z"));
    assert_eq!(york("02:59", "04:00"), ["2026-03-08 07:00 - 2026-03-08 08:00"]);
    assert_eq!(york("01:00", "02:01"), ["2026-03-08 06:00 - 2026-03-08 07:00"]);

    // 02:00 becomes 02:30 at 15:30 UTC of the day before.
    let howe =
        |from, to| given("Australia/Lord_Howe", &[Day::Sun], (from, to), ("2026-10-03T13:30Z", "2026-10-04T13:00Z"));
    assert_eq!(howe("02:10", "02:45"), ["2026-10-03 15:30 - 2026-10-03 15:45"]);
    assert_eq!(howe("01:45", "02:20"), ["2026-10-03 15:15 - 2026-10-03 15:30"]);
    assert_eq!(howe("02:05", "02:25"), [""; 0]);

    // Midnight becomes 01:00 at 03:00 UTC.
    let paulo = ("2018-11-04T03:00Z", "2018-11-05T02:00Z");
    assert_eq!(
        given("America/Sao_Paulo", &[Day::Sun], ("00:00", "24:00"), paulo),
        ["2018-11-04 03:00 - 2018-11-05 02:00"]
    );

    // After the last change that the database lists, its rule goes on.
    let later = ("2100-03-28T00:00Z", "2100-03-29T00:00Z");
    assert_eq!(given("Europe/Berlin", &[Day::Sun], ("02:30", "04:00"), later), ["2100-03-28 01:00 - 2100-03-28 02:00"]);
}

#[test]
fn where_the_clock_falls_back_an_interval_is_the_longer_of_two() {
    // 03:00 becomes 02:00 at 01:00 UTC.
    let berlin = |from, to| given("Europe/Berlin", &[Day::Sun], (from, to), ("2026-10-24T22:00Z", "2026-10-25T23:00Z"));
    assert_eq!(berlin("02:30", "04:00"), ["2026-10-25 00:30 - 2026-10-25 03:00"]);
    assert_eq!(berlin("01:00", "02:30"), ["2026-10-24 23:00 - 2026-10-25 01:30"]);
    assert_eq!(berlin("01:00", "02:00"), ["2026-10-24 23:00 - 2026-10-25 01:00"]);
    assert_eq!(berlin("02:15", "02:45"), ["2026-10-25 00:15 - 2026-10-25 01:45"]);
    assert_eq!(berlin("02:00", "03:00"), ["2026-10-25 00:00 - 2026-10-25 02:00"]);
    assert_eq!(berlin("00:00", "24:00"), ["2026-10-24 22:00 - 2026-10-25 23:00"]);

    // 02:00 becomes 01:00 at 06:00 UTC.
    let york =
        |from, to| given("America/New_York", &[Day::Sun], (from, to), ("2026-11-01T04:00Z", "2026-11-02T05:00Z"));
    assert_eq!(york("01:30", "03:00"), ["2026-11-01 05:30 - 2026-11-01 08:00"]);
    assert_eq!(york("00:00", "01:30"), ["2026-11-01 04:00 - 2026-11-01 06:30"]);

    // 02:00 becomes 01:30 at 15:00 UTC of the day before.
    let howe =
        |from, to| given("Australia/Lord_Howe", &[Day::Sun], (from, to), ("2026-04-04T13:00Z", "2026-04-05T13:30Z"));
    assert_eq!(howe("01:45", "03:00"), ["2026-04-04 14:45 - 2026-04-04 16:30"]);
    assert_eq!(howe("01:00", "01:45"), ["2026-04-04 14:00 - 2026-04-04 15:15"]);

    // Midnight becomes 23:00 at 02:00 UTC: Saturday has 25 hours, and the last of them comes twice.
    let paulo = ("2018-02-17T02:00Z", "2018-02-18T03:00Z");
    assert_eq!(
        given("America/Sao_Paulo", &[Day::Sat], ("23:00", "24:00"), paulo),
        ["2018-02-18 01:00 - 2018-02-18 03:00"]
    );
}

#[test]
fn an_interval_that_a_clock_prolongs_past_midnight_is_found() {
    // On Sunday 00:01 became 23:01 of Saturday at 02:31 UTC. Asked just before, when the date was Sunday's.
    let prolonged = ("2010-11-07T02:30:30Z", "2010-11-07T02:30:40Z");
    assert_eq!(
        given("America/St_Johns", &[Day::Fri], ("23:31", "23:30"), prolonged),
        ["2010-11-06 02:01 - 2010-11-07 03:00"]
    );
}

#[test]
fn a_day_that_a_zone_left_out_gives_nothing() {
    // Thursday, 2011-12-29 was followed by Saturday at 10:00 UTC of what was Friday elsewhere.
    let apia = |days, from, to| given("Pacific/Apia", days, (from, to), ("2011-12-29T10:00Z", "2011-12-31T10:00Z"));
    assert_eq!(
        apia(&Day::ALL, "08:00", "18:00"),
        ["2011-12-29 18:00 - 2011-12-30 04:00", "2011-12-30 18:00 - 2011-12-31 04:00"]
    );
    assert_eq!(apia(&[Day::Fri], "00:00", "24:00"), [""; 0]);
    assert_eq!(apia(&[Day::Thu], "22:00", "06:00"), ["2011-12-30 08:00 - 2011-12-30 10:00"]);
    assert_eq!(apia(&[Day::Fri], "22:00", "06:00"), ["2011-12-30 10:00 - 2011-12-30 16:00"]);
}

#[test]
fn time_ends_where_timestamps_do() {
    let always = |zone| Weekly::new(zone, vec![Entry::new(Day::ALL, "00:00", "24:00").with_min(1)]).unwrap();
    let day = Duration::from_secs(86_400);
    let last = Timestamp::from_nanos(u64::MAX - 86_400_000_000_000);
    for zone in ["Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"] {
        let first = always(zone).intervals(Timestamp::ORIGIN, Timestamp::ORIGIN.saturating_add(day)).unwrap();
        assert_eq!(first[0].start, Timestamp::ORIGIN, "{zone}");
        assert!(first[0].end > Timestamp::ORIGIN && first[0].end <= Timestamp::ORIGIN.saturating_add(day), "{zone}");
        let end = always(zone).intervals(last, Timestamp::MAX).unwrap();
        assert_eq!((end.len(), end[1].end), (2, Timestamp::MAX), "{zone}");
        assert_eq!(end[0].end, end[1].start, "{zone}");
        assert!(always(zone).intervals(Timestamp::MAX, Timestamp::MAX).unwrap().is_empty(), "{zone}");
    }
}

#[test]
fn a_span_of_too_many_intervals_is_refused() {
    let weekly = Weekly::new("UTC", vec![Entry::new(Day::ALL, "08:00", "18:00").with_min(1)]).unwrap();
    let days = |days: u64| Timestamp::from_secs(days * 86_400);
    assert_eq!(weekly.intervals(days(0), days(10_000)).unwrap().len(), Weekly::MOST_INTERVALS);
    let error = weekly.intervals(days(0), days(10_001)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "from (0 s) to (864086400 s) must span at most 10000 intervals: ask for a shorter span, such as the next four \
         weeks, and again before it ends"
    );
    assert!(weekly.intervals(Timestamp::ORIGIN, Timestamp::MAX).is_err());
    let silent = Weekly::new("UTC", vec![]).unwrap();
    assert_eq!(silent.intervals(Timestamp::ORIGIN, Timestamp::MAX).unwrap(), []);
}

#[test]
fn errors_teach() {
    let refused = |entries: &str, wants: &str| {
        let text = format!(r#"{{"time_zone": "Europe/Berlin", "entries": [{entries}]}}"#);
        let error = serde_json::from_str::<Weekly>(&text).unwrap_err().to_string();
        assert!(error.starts_with(wants), "{text}: {error}");
    };
    let good = r#"{"days": ["mon"], "from": "08:00", "to": "18:00", "min": 1}"#;
    let times = |from: &str, to: &str| format!(r#"{{"days": ["mon"], "from": "{from}", "to": "{to}", "min": 1}}"#);
    refused(
        &format!("{good}, {}", times("08:00", "25:00")),
        "entries[1].to (\"25:00\") must be a time of day between \"00:00\" and \"24:00\": write hours and minutes, two \
         digits each, such as \"08:00\"",
    );
    for bad in ["24:00", "8:00", "08:60", "08:00:00", "-1:00", "+1:00", "08.00", "0800", "", ":", "８8:00", "08:00 "] {
        let wants = format!("entries[0].from ({bad:?}) must be a time of day between \"00:00\" and \"23:59\"");
        refused(&times(bad, "18:00"), &wants);
    }
    for bad in ["24:01", "24:0", "00:00:00"] {
        refused(&times("08:00", bad), &format!("entries[0].to ({bad:?}) must be a time of day"));
    }
    refused(
        r#"{"days": [], "from": "08:00", "to": "18:00", "min": 1}"#,
        "entries[0].days ([]) must name a day: write at least one of mon, tue, wed, thu, fri, sat, sun",
    );
    refused(
        r#"{"days": ["monday"], "from": "08:00", "to": "18:00", "min": 1}"#,
        "unknown variant `monday`, expected one of `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`",
    );
    refused(
        r#"{"days": ["mon"], "from": "08:00", "to": "18:00"}"#,
        "entries[0] has neither min nor max, so it changes nothing: give it one of them, or leave it out",
    );
    refused(
        r#"{"days": ["mon"], "from": "08:00", "to": "18:00", "min": 9, "max": 8}"#,
        "entries[0].min (9) must be at most its max (8): no worker count satisfies both; lower min or raise max",
    );
    refused(r#"{"days": ["mon"], "from": "08:00", "until": "18:00"}"#, "unknown field `until`");

    for bad in ["Europe/Berln", "", "Etc/Unknown", "Local", "CEST", "+02:00", "../UTC"] {
        let error = Weekly::new(bad, vec![]).unwrap_err();
        assert_eq!(error, CalendarError::UnknownTimeZone { name: bad.to_string() });
        assert!(error.to_string().starts_with(&format!("time_zone ({bad:?}) must be a name of the IANA")), "{error}");
    }
}

#[test]
fn a_schedule_survives_every_format() {
    let entries = vec![
        Entry::new(Day::WEEKDAYS, "08:00", "18:30").with_min(5).with_max(40).ahead(),
        Entry::new([Day::Sun, Day::Sat], "22:00", "24:00").with_max(0).with_priority(i32::MIN),
    ];
    let weekly = Weekly::new("europe/BERLIN", entries).unwrap();
    let json = serde_json::to_string(&weekly).unwrap();
    assert!(json.starts_with(r#"{"time_zone":"Europe/Berlin","entries":[{"days":["mon","tue"#), "{json}");
    assert_eq!(serde_json::from_str::<Weekly>(&json).unwrap(), weekly);
    assert_eq!(toml::from_str::<Weekly>(&toml::to_string(&weekly).unwrap()).unwrap(), weekly);
    assert_eq!(serde_saphyr::from_str::<Weekly>(&serde_saphyr::to_string(&weekly).unwrap()).unwrap(), weekly);
    let plain = "time_zone: UTC\nentries:\n- {days: [mon], from: 08:00, to: 24:00, min: 1}";
    let entry = Entry::new([Day::Mon], "08:00", "24:00").with_min(1);
    assert_eq!(serde_saphyr::from_str::<Weekly>(plain).unwrap(), Weekly::new("UTC", vec![entry]).unwrap());
}

/// Zones with changes of an hour, of half an hour, of two hours and of three, at midnight, at 00:01, around Ramadan, with
/// a day left out, and without any change.
const ZONES: &[&str] = &[
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Nuuk",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Antarctica/Casey",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Pacific/Kiritimati",
    "UTC",
];

const DAY: i64 = 1_440;

/// What the wall clock shows, minute by minute: minutes since 1970-01-01 00:00 by that clock. Of the time-zone crate it
/// needs nothing but the distance from UTC at an instant.
struct Walk {
    first: i64,
    shown: Vec<i64>,
}

impl Walk {
    fn new(zone: &str, minutes: Range<i64>) -> Self {
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        let shows = |minute: i64| {
            let at = jiff::Timestamp::from_second(minute * 60).unwrap();
            (minute * 60 + i64::from(zone.to_offset(at).seconds())).div_euclid(60)
        };
        Self { first: minutes.start, shown: minutes.map(shows).collect() }
    }

    /// From the first instant at which the clock shows `from` or later, to the last at which it shows `to`; if it never
    /// does, to the end of the last minute that is before `to`.
    fn interval(&self, from: i64, to: i64) -> Option<Range<i64>> {
        let start = self.shown.iter().position(|shown| *shown >= from)?;
        let skipped = || self.shown.iter().rposition(|shown| *shown < to).map(|last| last + 1);
        let end = self.shown.iter().rposition(|shown| *shown == to).or_else(skipped)?;
        let instant = |index: usize| self.first + i64::try_from(index).unwrap();
        (start < end).then(|| instant(start)..instant(end))
    }
}

/// Days since 1970-01-01, a Thursday.
fn falls_on(day: i64, days: &[Day]) -> bool {
    days.contains(&Day::ALL[usize::try_from((day + 3).rem_euclid(7)).unwrap()])
}

type Line = (Vec<Day>, i64, i64);

fn line() -> impl Strategy<Value = Line> {
    // Most changes of clocks are in the first hours of the day.
    let minute = || prop_oneof![0..240_i64, (0..8_i64).prop_map(|half| half * 30), 0..DAY];
    (subsequence(Day::ALL.to_vec(), 1..=7), minute(), prop_oneof![4 => minute(), 1 => Just(DAY)])
}

/// A zone and a span in minutes since 1970: from 1973, when all clocks had come to show UTC's seconds, to 2123. Half of
/// the spans are at a change of the clock.
fn span() -> impl Strategy<Value = (&'static str, Range<i64>)> {
    let minute = 3 * 365 * DAY..153 * 365 * DAY;
    (select(ZONES), minute, any::<bool>(), 0..3 * DAY, 1..14 * DAY).prop_map(
        |(name, minute, change, before, length)| {
            let zone = TimeZoneDatabase::bundled().get(name).unwrap();
            let next = zone.following(jiff::Timestamp::from_second(minute * 60).unwrap()).next();
            let start = next.filter(|_| change).map_or(minute, |next| next.timestamp().as_second() / 60) - before;
            (name, start..start + length)
        },
    )
}

fn clock(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn instant_of(minute: i64) -> Timestamp {
    Timestamp::from_secs(u64::try_from(minute * 60).unwrap())
}

proptest! {
    /// The intervals are those that a walk through time finds, and no minute that the wall clock names is left out.
    #[test]
    fn intervals_are_what_a_walk_through_time_finds(
        (zone, span) in span(),
        lines in proptest::collection::vec(line(), 1..4),
    ) {
        let entries = lines.iter().enumerate().map(|(number, (days, from, to))| {
            Entry::new(days.iter().copied(), clock(*from), clock(*to)).with_min(u32::try_from(number).unwrap())
        });
        let weekly = Weekly::new(zone, entries.collect()).unwrap();
        let found = weekly.intervals(instant_of(span.start), instant_of(span.end)).unwrap();

        let walk = Walk::new(zone, span.start - 5 * DAY..span.end + 5 * DAY);
        let mut wanted = Vec::new();
        for (number, (days, from, to)) in lines.iter().enumerate() {
            let to = if to <= from { to + DAY } else { *to };
            for day in (span.start / DAY - 3..=span.end / DAY + 3).filter(|day| falls_on(*day, days)) {
                let one = walk.interval(day * DAY + from, day * DAY + to);
                if let Some(one) = one.filter(|one| one.start < span.end && span.start < one.end) {
                    let (start, end) = (instant_of(one.start), instant_of(one.end));
                    wanted.push(Interval::new(start, end).with_min(u32::try_from(number).unwrap()));
                }
            }
        }
        wanted.sort_by_key(|one| one.start);
        prop_assert_eq!(&found, &wanted);

        for minute in span {
            let now = instant_of(minute);
            let shown = walk.shown[usize::try_from(minute - walk.first).unwrap()];
            let (today, time) = (shown.div_euclid(DAY), shown.rem_euclid(DAY));
            for (number, (days, from, to)) in lines.iter().enumerate() {
                let named = if from < to {
                    falls_on(today, days) && (*from..*to).contains(&time)
                } else {
                    falls_on(today, days) && time >= *from || falls_on(today - 1, days) && time < *to
                };
                let covers = |one: &Interval| one.min == u32::try_from(number).ok() && one.start <= now && now < one.end;
                prop_assert!(!named || found.iter().any(covers), "{} of line {number} in {zone}", clock(time));
            }
        }
    }
}
