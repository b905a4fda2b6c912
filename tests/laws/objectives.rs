//! What holds for an objective whatever it has learned: who is there is served, and nobody is kept for ever.

use super::*;

/// What happens to the requests of a batch, and how many of them there are.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Arrive,
    Start(Duration),
    Finish(Duration),
}

/// Batches: what passes before one, how many come, how long they wait and are served.
type Batches = Vec<(Duration, u32, Duration, Duration)>;

fn batches() -> impl Strategy<Value = Batches> {
    let millis = |most: u64| (0..most).prop_map(Duration::from_millis);
    let gap = prop_oneof![
        12 => millis(3_000),
        4 => (1_u64..600).prop_map(Duration::from_secs),
        1 => (1_u64..8).prop_map(|hours| Duration::from_secs(hours * 3_600)),
    ];
    let count = prop_oneof![6 => 1_u32..4, 1 => 1_u32..60];
    let service = prop_oneof![millis(20), millis(5_000), (1_u64..1_000).prop_map(Duration::from_secs)];
    vec((gap, count, millis(5_000), service), 1..60)
}

/// In the order of time; what happens at one instant in the order in which it can.
fn events(batches: &Batches) -> Vec<(Timestamp, u32, Happens)> {
    let mut events = Vec::new();
    let mut now = Timestamp::from_secs(100);
    for (gap, count, wait, service) in batches {
        now = now.saturating_add(*gap);
        let start = now.saturating_add(*wait);
        events.push((now, *count, Happens::Arrive));
        events.push((start, *count, Happens::Start(*wait)));
        events.push((start.saturating_add(*service), *count, Happens::Finish(*service)));
    }
    events.sort_by_key(|(at, ..)| *at);
    events
}

/// While requests are in the system the count is not zero. When there have been none for as long as
/// [`Objective::LONGEST_KEEP`] it is.
#[test]
fn an_objective_serves_who_is_there_and_keeps_nobody_for_ever() {
    let goal = prop_oneof![
        select(vec![0.0, 0.9, 0.99, 1.0]).prop_map(|share| Ok(Share::new(share).unwrap())),
        select(vec![1_u32, 100, 100_000]).prop_map(Err),
    ];
    let cold = (0_u64..300).prop_map(|secs| vec![Duration::from_secs(secs)]);
    let cap = select(vec![None, None, Some(1_u32), Some(100)]);
    let cases = ((goal, cap), positive(span()), 1_u32..=40, 1_u32..=8, cold, grain(), batches());
    let interesting = [("several", 30), ("forsaken", 20), ("let go before", 20)];
    holds(
        "an_objective_serves",
        cases,
        &interesting,
        |((goal, cap), within, max, slots, cold, grain, batches), tally| {
            let objective = match goal {
                Ok(share) => Objective::share(share, within),
                Err(price) => Objective::price(price, within),
            };
            let objective = cap.map_or(objective, |cap| objective.up_to(cap));
            let config = plimsoll::Config::objective(objective, 0, max)
                .and_then(|config| config.with_concurrency(slots))
                .and_then(|config| config.with_start_timeout(Duration::from_secs(3_600)))
                .expect("usable settings");
            let habits = Habits { answer: Duration::ZERO, cold, warm: Duration::ZERO, drain: Duration::ZERO };
            let mut world = World::new(config, Timestamp::ORIGIN, grain, habits);
            world.report_pool();

            let (mut there, mut quiet, mut seen) = (0, Timestamp::ORIGIN, 0);
            let (mut several, mut let_go, mut forsaken) = (false, false, false);
            let end = (Timestamp::MAX, 0, Happens::Arrive);
            for (at, count, happens) in events(&batches).into_iter().chain([end]) {
                let forsake = quiet.saturating_add(Objective::LONGEST_KEEP);
                if there == 0 && at >= forsake {
                    world.run_until(forsake);
                    prop_assert_eq!(world.autoscaler.desired(), 0, "{:?}", world.counts);
                    let last = world.counts.last().map_or(Timestamp::ORIGIN, |(at, _)| *at);
                    (forsaken, let_go) = (forsaken || last == forsake, let_go || (quiet..forsake).contains(&last));
                }
                if at == Timestamp::MAX {
                    break;
                }
                world.run_until(at);
                let zero = world.counts.iter().skip(seen).find(|(_, count)| there > 0 && *count == 0);
                prop_assert_eq!(zero, None, "with {} there: {:?}", there, world.counts);
                let fact = match happens {
                    Happens::Arrive => Observation::arrived(count),
                    Happens::Start(wait) => Observation::started(wait),
                    Happens::Finish(service) => Observation::finished(service),
                };
                let facts = if let Happens::Arrive = happens { 1 } else { count };
                world.observe_all(at, &vec![fact; facts as usize]);
                match happens {
                    Happens::Arrive => there += count,
                    Happens::Start(_) => {}
                    Happens::Finish(_) => there -= count,
                }
                quiet = at;
                prop_assert!(there == 0 || world.autoscaler.desired() > 0, "none for {}: {:?}", there, world.counts);
                several |= world.autoscaler.desired() > 1;
                seen = world.counts.len();
            }
            tally.saw("several", several);
            tally.saw("forsaken", forsaken);
            tally.saw("let go before", let_go);
            Ok(())
        },
    );
}
