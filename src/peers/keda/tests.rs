use super::*;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn keda(object: ScaledObject) -> Keda {
    let triggers = vec![Trigger::average_value(1_000), Trigger::average_value(1_000)];
    Keda::new(ScaledObject { triggers, ..object }, Timestamp::ORIGIN).unwrap()
}
