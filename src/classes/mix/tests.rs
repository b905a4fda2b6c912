use proptest::prelude::*;

use super::*;

fn offers() -> impl Strategy<Value = Vec<Offer>> {
    let capacity = prop_oneof![3 => Just(1_000_u32), 3 => (1..8_u32).prop_map(|n| n * 500), 1 => 1..4_000_u32];
    let workers = || prop_oneof![2 => Just(0_u32), 3 => 0..8_u32];
    let wait = prop_oneof![2 => Just(0_u64), 1 => 0..40_u64];
    let offer = (capacity, (0..40_u64, wait), 0..3_u8, workers(), 0..12_u32, (workers(), workers()), any::<bool>())
        .prop_map(|(capacity, (price, wait), rank, floor, most, (running, ready), spot)| {
            let running = running.min(most);
            Offer { capacity, price, rank, floor, most, running, ready: ready.min(running), spot, wait }
        });
    prop::collection::vec(offer, 0..5)
}

fn order() -> impl Strategy<Value = Order> {
    let saving = prop_oneof![Just(0.0), Just(0.1), Just(1.0)];
    (0..20_000_u64, any::<bool>(), saving).prop_map(|(wanted, stand_ins, saving)| Order {
        wanted,
        stand_ins,
        saving: Share::new(saving).unwrap(),
    })
}

fn all(offers: &[Offer]) -> Vec<u32> {
    offers.iter().map(|offer| offer.most).collect()
}

/// The least that any counts within `most` cost which cover `need`, by trying everything.
fn least(offers: &[Offer], need: u64) -> Option<u128> {
    let Some((offer, rest)) = offers.split_first() else { return (need == 0).then_some(0) };
    let tries = (0..=offer.most).filter_map(|count| {
        let own = u64::from(offer.capacity) * u64::from(count);
        least(rest, need.saturating_sub(own)).map(|cost| cost + u128::from(offer.price) * u128::from(count))
    });
    tries.min()
}

proptest! {
    #[test]
    fn never_above_what_a_class_has(offers in offers(), order in order()) {
        let mix = mix(&order, &offers);
        for ((offer, count), planned) in offers.iter().zip(&mix.counts).zip(&mix.planned) {
            prop_assert!(planned <= count && *count <= offer.most, "{offer:?}: {count}, {planned}");
        }
    }

    #[test]
    fn the_wanted_capacity_is_planned_as_far_as_it_is_there(offers in offers(), order in order()) {
        let mix = mix(&order, &offers);
        let planned = capacity(&offers, &mix.planned);
        prop_assert!(planned >= order.wanted.min(capacity(&offers, &all(&offers))));
        prop_assert_eq!(mix.short, order.wanted.saturating_sub(planned));
    }

    #[test]
    fn no_worker_of_the_plan_is_one_too_many(offers in offers(), order in order()) {
        let mix = mix(&order, &offers);
        let planned = capacity(&offers, &mix.planned);
        // Of the last rank that is called on, whoever costs something is needed, floors aside.
        let last = offers.iter().zip(&mix.planned).filter(|(offer, count)| **count > offer.floor).map(|(offer, _)| offer.rank).max();
        for (offer, count) in offers.iter().zip(&mix.planned).filter(|(offer, _)| Some(offer.rank) == last) {
            if *count > offer.floor && offer.price > 0 {
                prop_assert!(planned - u64::from(offer.capacity) < order.wanted, "{offer:?} of {:?}", mix);
            }
        }
    }

    #[test]
    fn it_is_the_least_cost_where_nothing_runs(offers in offers(), order in order()) {
        let one_rank: Vec<Offer> =
            offers.iter().map(|offer| Offer { rank: 0, floor: 0, running: 0, ready: 0, wait: 0, ..*offer }).collect();
        let planned = mix(&order, &one_rank).planned;
        if let Some(least) = least(&one_rank, order.wanted) {
            prop_assert_eq!(price(&one_rank, &planned), least);
        }
    }

    #[test]
    fn what_a_cold_start_costs_is_part_of_it_where_nothing_runs(offers in offers(), order in order()) {
        let empty = |wait: bool, offer: &Offer| {
            let wait = if wait { 0 } else { offer.wait };
            Offer { rank: 0, floor: 0, running: 0, ready: 0, wait, ..*offer }
        };
        let one_rank: Vec<Offer> = offers.iter().map(|offer| empty(false, offer)).collect();
        let dearer: Vec<Offer> =
            offers.iter().map(|offer| Offer { price: offer.price + offer.wait, ..empty(true, offer) }).collect();
        prop_assert_eq!(mix(&order, &one_rank).planned, mix(&order, &dearer).planned);
    }

    #[test]
    fn cold_starts_count_for_nothing_where_nothing_is_missing(offers in offers(), order in order()) {
        let ready: Vec<u32> = offers.iter().map(|offer| offer.ready).collect();
        let enough = Order { wanted: order.wanted.min(capacity(&offers, &ready)), ..order };
        let plain: Vec<Offer> = offers.iter().map(|offer| Offer { wait: 0, ..*offer }).collect();
        prop_assert_eq!(mix(&enough, &offers), mix(&enough, &plain));
    }

    #[test]
    fn what_runs_is_exchanged_only_where_it_saves_enough(offers in offers(), order in order()) {
        let one_rank: Vec<Offer> = offers.iter().map(|offer| Offer { rank: 0, floor: 0, wait: 0, ..*offer }).collect();
        let (planned, stays) = plan(&order, &one_rank);
        if let Some(least) = least(&one_rank, order.wanted) {
            let running: Vec<u32> = one_rank.iter().map(|offer| offer.running).collect();
            let dearer = price(&one_rank, &planned) - least;
            prop_assert_eq!(stays, dearer > 0);
            let bound = price(&one_rank, &running) * u128::from(order.saving.as_micros());
            prop_assert!(dearer * 1_000_000 <= bound, "dearer by {dearer}");
        }
    }

    #[test]
    fn floors_come_first(offers in offers(), order in order()) {
        let mix = mix(&order, &offers);
        // Each floor is met unless those before it, in rank and place, have all that is wanted.
        let mut sorted: Vec<usize> = (0..offers.len()).collect();
        sorted.sort_by_key(|at| offers[*at].rank);
        let mut before = 0;
        for at in sorted {
            let floor = offers[at].floor.min(offers[at].most);
            prop_assert!(mix.planned[at] >= floor || before + u64::from(offers[at].capacity) * u64::from(mix.planned[at]) >= order.wanted);
            before += u64::from(offers[at].capacity) * u64::from(floor);
        }
    }

    #[test]
    fn a_rank_is_passed_over_only_for_what_it_does_not_have(offers in offers(), order in order()) {
        let mix = mix(&order, &offers);
        let floors: Vec<u32> = offers.iter().map(|offer| offer.floor.min(offer.most)).collect();
        for (at, offer) in offers.iter().enumerate().filter(|(at, _)| mix.planned[*at] > floors[*at]) {
            for (better, other) in offers.iter().enumerate().filter(|(_, other)| other.rank < offer.rank) {
                prop_assert_eq!(mix.planned[better], other.most, "{:?} before {:?}, {}", other, offer, at);
            }
        }
    }

    #[test]
    fn nothing_goes_before_the_plan_is_ready(offers in offers(), order in order()) {
        let mix = mix(&order, &offers);
        // What is ready and stays has what was ready, or what is wanted.
        let ready = |counts: &[u32]| -> u64 {
            let staying: Vec<u32> = offers.iter().zip(counts).map(|(offer, count)| offer.ready.min(*count)).collect();
            capacity(&offers, &staying)
        };
        prop_assert!(ready(&mix.counts) >= ready(&all(&offers)).min(order.wanted), "{:?}", mix);
    }

    #[test]
    fn nothing_is_kept_beside_a_plan_that_is_ready(offers in offers(), order in order()) {
        let mix = mix(&order, &offers);
        let ready: Vec<u32> = offers.iter().zip(&mix.planned).map(|(offer, planned)| offer.ready.min(*planned)).collect();
        if capacity(&offers, &ready) >= order.wanted {
            prop_assert_eq!(&mix.counts, &mix.planned);
        }
    }

    #[test]
    fn stand_ins_are_ordered_for_spot_that_is_missing_and_for_nothing_else(offers in offers(), order in order()) {
        let with = mix(&Order { stand_ins: true, ..order }, &offers);
        for ((offer, count), planned) in offers.iter().zip(&with.counts).zip(&with.planned) {
            if offer.spot || offers.iter().all(|offer| !offer.spot) {
                prop_assert!(*count <= (*planned).max(offer.running), "{offer:?} stands in: {with:?}");
            }
        }
        // Where the others have room, ready workers and those that start have what the missing spot workers would.
        let spot: Vec<u32> = offers.iter().zip(&with.planned)
            .map(|(offer, planned)| if offer.spot { planned.saturating_sub(offer.ready) } else { 0 }).collect();
        let beside: Vec<u32> = with.counts.iter().zip(&with.planned).map(|(count, planned)| count - planned).collect();
        let full = offers.iter().zip(&with.counts).all(|(offer, count)| offer.spot || *count == offer.most);
        let ready: Vec<u32> = offers.iter().zip(&with.planned).map(|(offer, planned)| offer.ready.min(*planned)).collect();
        let open = order.wanted.saturating_sub(capacity(&offers, &ready)).min(capacity(&offers, &spot));
        prop_assert!(full || capacity(&offers, &beside) >= open, "{with:?}");
    }

    #[test]
    fn asking_again_changes_nothing(offers in offers(), order in order()) {
        let first = mix(&order, &offers);
        let obeyed: Vec<Offer> = offers.iter().zip(&first.counts)
            .map(|(offer, count)| Offer { running: *count, ready: offer.ready.min(*count), ..*offer }).collect();
        let again = mix(&order, &obeyed);
        prop_assert_eq!((&again.planned, &again.counts), (&first.planned, &first.counts));
    }
}

#[test]
fn a_spot_worker_that_is_ready_lets_its_stand_in_go() {
    let on_demand =
        Offer { capacity: 1_000, price: 30, rank: 0, floor: 1, most: 10, running: 0, ready: 0, spot: false, wait: 0 };
    let spot = Offer { price: 10, floor: 0, spot: true, ..on_demand };
    let order = Order { wanted: 4_000, stand_ins: true, saving: Share::ZERO };
    let counts = |spot, on_demand| mix(&order, &[spot, on_demand]).counts;
    assert_eq!(counts(spot, on_demand), [3, 4]);
    let on_demand = Offer { running: 4, ready: 4, ..on_demand };
    assert_eq!(counts(Offer { running: 3, ready: 1, ..spot }, on_demand), [3, 3]);
    assert_eq!(counts(Offer { running: 3, ready: 3, ..spot }, on_demand), [3, 1]);
    // The provider takes two back and has no more: those of the other class are ordered at once, for good.
    assert_eq!(
        counts(Offer { running: 1, ready: 1, most: 1, ..spot }, Offer { running: 1, ready: 1, ..on_demand }),
        [1, 3]
    );
}

#[test]
fn a_cheaper_class_that_has_stock_again_replaces_the_dearer_when_it_is_ready() {
    let dear =
        Offer { capacity: 1_000, price: 30, rank: 0, floor: 0, most: 10, running: 3, ready: 3, spot: false, wait: 0 };
    let cheap = Offer { price: 10, running: 0, ready: 0, ..dear };
    let order = Order { wanted: 3_000, stand_ins: false, saving: Share::new(0.1).unwrap() };
    let counts = |cheap, dear| mix(&order, &[cheap, dear]).counts;
    assert_eq!(counts(Offer { most: 0, ..cheap }, dear), [0, 3]);
    assert_eq!(counts(cheap, dear), [3, 3]);
    assert_eq!(counts(Offer { running: 3, ready: 2, ..cheap }, dear), [3, 1]);
    // One that saves a tenth is not worth the way.
    assert_eq!(counts(Offer { price: 27, ..cheap }, dear), [0, 3]);
    assert_eq!(counts(Offer { price: 26, ..cheap }, dear), [3, 3]);
}

#[test]
fn who_is_ready_sooner_is_ordered_while_capacity_is_missing_and_exchanged_when_it_is_not() {
    let slow =
        Offer { capacity: 1_000, price: 10, rank: 0, floor: 0, most: 10, running: 0, ready: 0, spot: false, wait: 5 };
    let soon = Offer { price: 14, wait: 0, ..slow };
    let order = Order { wanted: 3_000, stand_ins: false, saving: Share::new(0.1).unwrap() };
    let counts = |slow, soon| mix(&order, &[slow, soon]).counts;
    assert_eq!(counts(slow, soon), [0, 3]);
    // One that costs more than the wait is worth is not, nor is one of a higher rank.
    assert_eq!(counts(slow, Offer { price: 16, ..soon }), [3, 0]);
    assert_eq!(counts(slow, Offer { rank: 1, ..soon }), [3, 0]);
    // What starts already is let go only when the others are ready, and not at all where that saves less than a tenth.
    assert_eq!(counts(Offer { running: 2, ..slow }, soon), [2, 1]);
    assert_eq!(counts(Offer { running: 2, wait: 6, ..slow }, soon), [2, 3]);
    assert_eq!(counts(slow, Offer { running: 3, ready: 2, ..soon }), [0, 3]);
    // When all are ready the slow ones are cheaper: nobody waits for them.
    assert_eq!(counts(slow, Offer { running: 3, ready: 3, ..soon }), [3, 3]);
    assert_eq!(counts(Offer { running: 3, ready: 3, ..slow }, Offer { running: 3, ready: 3, ..soon }), [3, 0]);
}

#[test]
fn who_is_too_many_either_way_is_not_counted_as_exchanged() {
    let cheap =
        Offer { capacity: 1_000, price: 0, rank: 0, floor: 0, most: 1, running: 0, ready: 0, spot: false, wait: 0 };
    let dear = Offer { price: 10, most: 2, running: 2, ready: 2, ..cheap };
    let later = Offer { rank: 1, running: 1, ready: 1, ..cheap };
    let order = Order { wanted: 1_000, stand_ins: false, saving: Share::new(0.5).unwrap() };
    // The exchange saves all that one worker costs, whether another like it is let go besides or not. Until the cheap one
    // is ready, the cheapest that is stays.
    let both = mix(&order, &[cheap, dear, later]);
    assert_eq!((both.planned, both.counts), (vec![1, 0, 0], vec![1, 0, 1]));
    assert_eq!(mix(&order, &[cheap, Offer { running: 1, ready: 1, ..dear }, later]).counts, [1, 0, 1]);
}
