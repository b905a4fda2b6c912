use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::units::Share;

fn share(share: f64) -> Objective {
    Objective::share(Share::new(share).unwrap(), Duration::from_millis(100))
}

fn objectives() -> impl Strategy<Value = Objective> {
    prop_oneof![
        (0.0..=1.0).prop_map(share),
        (0_u32..100_000).prop_map(|price| Objective::price(price, Duration::from_secs(1))),
    ]
}

/// From nothing to very much, evenly by the number of digits.
fn any_size(bits: u32) -> impl Strategy<Value = u64> {
    (0..bits, any::<u64>()).prop_map(|(shift, value)| value >> (63 - shift))
}

prop_compose! {
    fn circumstances()(
        measured in any::<bool>(), demand in any_size(50), rate in any_size(50), coming in any_size(50), service in any_size(50), lead in any_size(50),
        highest in any_size(50), caution in 0..8 * ONE, concurrency in 1_u32..100, ready in 0_u32..1_000,
        starting in 0_u32..1_000, waiting in any_size(30),
    ) -> Circumstances {
        let highest = highest.max(demand);
        Circumstances {
            spread: Spread::Roots,
            demand, rate, coming, service, measured, lead, highest, caution, concurrency, ready, starting, waiting,
        }
    }
}

proptest! {
    /// More arrivals and a longer queue never propose fewer workers, nor more caution and greater errors.
    #[test]
    fn more_load_never_fewer(
        objective in objectives(), known in circumstances(), error in -512_i64..30_000,
        more in (0_u64..1 << 50, [0_u64..1 << 50, 0..1 << 50], 0_u64..1 << 30, 0_i64..30_000),
    ) {
        let (demand, rates, waiting, further) = more;
        let heavier = Circumstances {
            demand: known.demand + demand,
            highest: known.highest.max(known.demand + demand),
            rate: known.rate + rates[0],
            coming: known.coming + rates[1],
            waiting: known.waiting + waiting,
            ..known
        };
        let cautious = Circumstances { caution: known.caution + ONE, ..known };
        for queue in [Queue::Share, Queue::Whole] {
            let workers = |known: &Circumstances, error: i64| objective.draft(known, error, queue).workers;
            let few = workers(&known, error);
            prop_assert!(workers(&heavier, error) >= few);
            prop_assert!(workers(&heavier, error.saturating_add(further)) >= few);
            prop_assert!(workers(&cautious, error) >= few);
        }
        prop_assert!(objective.allowance(&cautious) <= objective.allowance(&known));
    }

    /// The allowance is a share of requests, and no more than half of them.
    #[test]
    fn an_allowance_is_a_share(objective in objectives(), known in circumstances()) {
        prop_assert!(objective.allowance(&known) <= ONE / 2);
    }
}

#[test]
fn demand_now_fades_into_what_comes() {
    let known = |lead| Circumstances { service: 1_000, measured: true, lead, ..Circumstances::default() };
    let (busy, rate) = (10 * MICRO, 2_000_000 * MICRO);
    assert_eq!(forecast(&known(0), busy, rate), busy, "at once nothing has changed");
    let far = forecast(&known(40_000), busy, rate);
    let unmeasured = Circumstances { measured: false, ..known(40_000) };
    assert_eq!(forecast(&unmeasured, busy, rate), busy, "who knows how long they take");
    assert!(far.abs_diff(2 * MICRO) <= 1, "two million a second, of a microsecond each: {far}");
}

#[test]
fn a_price_is_the_news_vendors() {
    let known = Circumstances { service: 2_000_000_000, concurrency: 4, ..Circumstances::default() };
    let allowed = Objective::price(50, Duration::from_millis(100)).allowance(&known);
    assert!(allowed.abs_diff(ONE / 100) < 10, "2 s / (50 worker-seconds × 4 slots) = 1 %");
}

#[test]
fn if_all_that_come_were_late() {
    let known = Circumstances { rate: 40 * MICRO, ..Circumstances::default() };
    assert_eq!(Objective::all_late(10, &known), 400 * MICRO, "worker-seconds a second");
}

#[test]
fn only_a_backlog_that_stays_is_worked_off() {
    let objective = share(0.99);
    let second = 1_000_000_000;
    let known = Circumstances {
        measured: true,
        demand: 10 * MICRO,
        rate: 10 * MICRO,
        coming: 10 * MICRO,
        service: second,
        lead: 30 * second,
        highest: 400 * MICRO,
        concurrency: 1,
        ready: 20,
        waiting: 200,
        ..Circumstances::default()
    };
    assert_eq!(objective.drain(&known), 0, "ten workers more than needed work off 200 in a lead");
    let slower = Circumstances { ready: 10, ..known };
    let drain = objective.drain(&slower);
    assert!((30..=210).contains(&drain), "but ten do not: {drain}");
    let late = Circumstances { starting: 20, ..slower };
    assert!(objective.drain(&late) < drain, "what is on its way works as well");
}

#[test]
fn an_objective_is_written_with_a_share_or_a_price() {
    let read = |text: &str| serde_json::from_str::<Objective>(text);
    let price = Objective::price(100, Duration::from_millis(100));
    assert_eq!(read(r#"{"within": "100ms", "price": 100}"#).unwrap(), price);
    assert_eq!(read(&serde_json::to_string(&share(0.99)).unwrap()).unwrap(), share(0.99));
    let said = read(r#"{"within": "100ms"}"#).unwrap_err().to_string();
    assert!(said.contains("a share, such as 0.99, a price, such as 100 worker-seconds, or both"), "{said}");
}

const SECOND: u64 = 1_000_000_000;

#[test]
fn what_one_late_request_is_worth() {
    assert_eq!(Objective::price(3, Duration::ZERO).worth(7 * SECOND), 3 * MICRO, "as it says");
    assert_eq!(share(0.99).worth(2 * SECOND), 200 * MICRO, "two seconds in a hundredth of the requests");
    assert_eq!(share(1.0).worth(SECOND), 1_000_000 * MICRO, "in a millionth at the least");
    assert_eq!([20, 300].map(|price| share(0.99).up_to(price).worth(2 * SECOND)), [20, 200].map(|it| it * MICRO));
}

#[test]
fn the_allowance_is_four_times_what_may_be_late_and_narrows_with_caution() {
    let allowed = |caution| share(0.99).allowance(&Circumstances { caution, ..Circumstances::default() });
    assert!(allowed(2 * ONE).abs_diff(ONE / 25) < 10_000, "neither cautious nor bold");
    assert!(allowed(3 * ONE).abs_diff(ONE * 14_715 / 1_000_000) < 10_000, "0.04 / e");
}

#[test]
fn headroom_is_so_many_deviations_up_to_the_peak() {
    // Demand 99 strays by √(99 + 1) = 10.
    let known = Circumstances {
        demand: 99 * MICRO,
        service: SECOND,
        highest: 1_000 * MICRO,
        concurrency: 10,
        ..Circumstances::default()
    };
    let objective = share(0.99);
    let plan = |known: &Circumstances, error| {
        let draft = objective.draft(known, error, Queue::Share);
        ([draft.forecast, draft.headroom, draft.queue], draft.workers, draft.because)
    };
    assert_eq!(plan(&known, 512), ([99 * MICRO, 20 * MICRO, 0], 12, Because::Headroom));
    assert_eq!(plan(&known, -256), ([99 * MICRO, 0, 0], 9, Because::Headroom));
    let never_more = Circumstances { highest: 99 * MICRO, ..known };
    assert_eq!(plan(&never_more, 128), ([99 * MICRO, 5 * MICRO, 0], 11, Because::Headroom), "half a root is let be");
    assert_eq!(plan(&never_more, 512), ([99 * MICRO, 5 * MICRO, 0], 11, Because::Peak));
    let nothing = Circumstances { demand: 0, highest: 0, ..known };
    assert_eq!(plan(&nothing, -256).1, 0, "who is there although nothing is planned keeps a worker by the zero gate");
}

#[test]
fn a_drain_is_as_dear_as_the_requests_that_it_spares() {
    // In a lead of 30 s ten slots serve 300 of the 200 + 300: of 200 that stay, √(100 × 10 × 200 / 35) = 75.6 slots more
    // than the load of ten are worth their price.
    let known = Circumstances {
        measured: true,
        coming: 10 * MICRO,
        service: SECOND,
        lead: 30 * SECOND,
        concurrency: 1,
        ready: 10,
        waiting: 200,
        ..Circumstances::default()
    };
    let drain = |objective: Objective, known: &Circumstances| objective.drain(known);
    assert_eq!(drain(share(0.99), &known), 86);
    assert_eq!(drain(share(0.99), &Circumstances { concurrency: 2, ready: 5, ..known }), 43);
    let starting = Circumstances { starting: 4, ..known };
    assert_eq!(drain(share(0.99), &starting), 73, "four serve half of the time: 140 stay, of which one is in time");
    let patient = |secs| Objective::share(Share::new(0.99).unwrap(), Duration::from_secs(secs));
    assert_eq!(drain(patient(10), &known), 64, "a hundred more are served in time");
    assert_eq!([19, 20].map(|secs| drain(patient(secs), &known)), [20, 0], "ten, and none of 200");
    let dear = Objective::price(1_000_000, Duration::ZERO);
    assert_eq!(drain(dear, &known), 210, "never more than one for each");
    assert_eq!(drain(dear, &Circumstances { waiting: 1, ..known }), 0, "a single one is not worth a worker");
    assert_eq!(drain(dear, &Circumstances { waiting: 2, ..known }), 12);
    assert_eq!(share(0.99).draft(&known, 0, Queue::Share).because, Because::Drain);
}

#[test]
fn some_of_the_demand_may_wait_unless_too_much_was_late() {
    // Demand 99 and two deviations want 119 slots; who waits up to half a service time is in time.
    let known = Circumstances {
        demand: 99 * MICRO,
        service: SECOND,
        measured: true,
        highest: 1_000 * MICRO,
        concurrency: 1,
        ..Circumstances::default()
    };
    let objective = Objective::share(Share::new(0.99).unwrap(), Duration::from_millis(500));
    let workers = |known: &Circumstances| objective.draft(known, 512, Queue::Share).workers;
    let draft = objective.draft(&known, 512, Queue::Share);
    assert_eq!((draft.forecast, draft.headroom, draft.queue), (99 * MICRO, 20 * MICRO, 23_800_000));
    assert_eq!(workers(&known), 96, "119 / 1.25: a quarter of the slots' worth may wait");
    assert_eq!(workers(&Circumstances { caution: 7 * ONE / 2, ..known }), 106, "119 / 1.125");
    assert_eq!(workers(&Circumstances { caution: 7 * ONE, ..known }), 119, "nothing is left to the queue");
    // As much demand of short requests, for which there are workers enough.
    let short =
        Circumstances { service: SECOND / 100, coming: 9_900 * MICRO, ready: 1_000, lead: 30 * SECOND, ..known };
    assert_eq!(workers(&short), 80, "half as much again at the most");
    assert_eq!(workers(&Circumstances { lead: SECOND / 2, ..short }), 60, "unless help comes within as long: twice");
    let soon = Circumstances { lead: SECOND / 8, ..short };
    assert_eq!(workers(&soon), 24, "or within a quarter of that: five times");
    assert_eq!(workers(&Circumstances { lead: 0, ..short }), 5, "1/26: no more than whom a slot serves in time");
    assert_eq!(workers(&Circumstances { measured: false, ..known }), 119);
    assert_eq!(workers(&Circumstances { rate: 99 * MICRO, ..known }), 104, "not below the load and half its root");
    assert_eq!(workers(&Circumstances { rate: 200 * MICRO, lead: 0, ..known }), 119, "nor above what is wanted");
    let busy = Circumstances { rate: 2_000 * MICRO, lead: 0, ..short };
    assert_eq!(workers(&busy), 21, "a tenth of a slot free keeps all but e⁻⁵ in time");
    let price = Objective::price(100, Duration::from_millis(500));
    assert_eq!(price.draft(&known, 512, Queue::Share).workers, 119, "nobody would see that it fails");
    assert_eq!(price.draft(&known, 512, Queue::Whole).workers, 96);
}

#[test]
fn one_request_at_a_time_needs_no_second_worker() {
    let known = Circumstances { service: SECOND, highest: MICRO, concurrency: 1, ..Circumstances::default() };
    let workers = |highest: u64| {
        share(0.99).draft(&Circumstances { highest: highest * MICRO, ..known }, 17_016, Queue::Share).workers
    };
    assert_eq!([1, 2, 3, 8, 30].map(workers), [1, 2, 4, 9, 32], "half the root, in whole slots");
}

#[test]
fn a_price_above_a_share_is_the_most_that_it_may_cost() {
    let within = Duration::from_millis(100);
    let (both, price) = (share(0.99).up_to(50), Objective::price(50, within));
    assert_eq!((both.asked(), both.price_cap(), both.may_be_late()), (Share::new(0.99).ok(), Some(50), Some(10_000)));
    assert_eq!((price.asked(), price.price_cap(), share(0.99).price_cap()), (None, None, None));
    assert_eq!([both.up_to(7).price_cap(), both.up_to(70).price_cap()], [Some(7), Some(70)], "the last says how much");
    assert_eq!([price.up_to(7), price.up_to(70)], [Objective::price(7, within), price], "a price is not raised by it");
    let written = serde_json::to_string(&both).unwrap();
    assert_eq!(written, r#"{"within":"100ms","share":0.99,"price":50}"#);
    assert_eq!(serde_json::from_str::<Objective>(&written).unwrap(), both);
}
