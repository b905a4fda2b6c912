use super::*;
use crate::policy::Policy;

const fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn config() -> Config {
    Config::new(Policy::External, 1, 10).unwrap()
}

fn least(operator: &Operator, now: u64) -> u32 {
    operator.limits(at(now), 0, &config()).min
}

#[test]
fn a_reservation_holds_from_its_start_until_its_end() {
    let mut operator: Rare<Operator> = Rare::new();
    operator.reserve(at(0), ReservationId(1), 4, at(10), at(20));
    assert_eq!([9, 10, 19, 20].map(|now| least(&operator, now)), [1, 4, 4, 1]);
    let change = |now| operator.next_change(at(now), 0, &config());
    assert_eq!((change(0), change(10), change(20)), (Some(at(10)), Some(at(20)), None));
}

#[test]
fn a_reservation_takes_the_place_of_its_namesake_and_none_takes_it_back() {
    let mut operator: Rare<Operator> = Rare::new();
    operator.reserve(at(0), ReservationId(2), 4, at(10), at(20));
    operator.reserve(at(0), ReservationId(1), 3, at(10), at(20));
    operator.reserve(at(0), ReservationId(3), 2, at(10), at(20));
    assert!(operator.is_sound(), "they are kept in the order of their ids");
    operator.reserve(at(5), ReservationId(2), 0, at(10), at(20));
    assert_eq!((least(&operator, 15), operator.reservations.len()), (3, 2));
    operator.reserve(at(5), ReservationId(1), 5, at(10), at(10));
    assert_eq!((least(&operator, 15), operator.reservations.len()), (2, 1), "an empty span reserves nothing");
    operator.reserve(at(20), ReservationId(9), 1, at(30), at(40));
    assert_eq!(operator.reservations.len(), 1, "what has ended is forgotten");
}

#[test]
fn sixteen_reservations_stand_at_one_time() {
    let mut operator: Rare<Operator> = Rare::new();
    for id in 1..=16 {
        operator.accepts(at(0), ReservationId(id)).unwrap();
        operator.reserve(at(0), ReservationId(id), 2, at(10), at(10 + u64::from(id)));
    }
    assert!(operator.accepts(at(10), ReservationId(17)).is_err());
    operator.accepts(at(10), ReservationId(16)).unwrap();
    operator.accepts(at(11), ReservationId(17)).unwrap();
}

#[test]
fn what_cannot_be_an_operator_s_order_is_not_taken_from_a_snapshot() {
    let reservation = |id| Reservation { id: ReservationId(id), workers: 1, start: at(0), end: at(9) };
    let of = |reservations| Operator { reservations, ..Operator::default() };
    assert!(of((1..=17).map(reservation).collect()).is_sound());
    assert!(!of((1..=18).map(reservation).collect()).is_sound(), "more than were ever accepted");
    assert!(!of([2, 1].map(reservation).into()).is_sound());
    assert!(!of([1, 1].map(reservation).into()).is_sound());
}

#[test]
fn a_grant_is_named_where_it_allows_less_than_the_bounds() {
    let mut operator: Rare<Operator> = Rare::new();
    assert!(!operator.is_granted());
    for (workers, named) in [(9, true), (10, false), (11, false)] {
        operator.set_grant(Some(Grant { workers, budget: 64, others: 1 }));
        let limits = operator.limits(at(0), 0, &config());
        assert_eq!((limits.max, limits.most, operator.grant(limits).is_some()), (workers.min(10), 10, named));
        assert!(operator.is_granted());
    }
}
