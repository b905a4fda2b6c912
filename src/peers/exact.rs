//! Doubles in text, kept to the last bit: where some reader would round one, it is written in quotes.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use crate::units::exact::{deserialize, serialize};

/// One double.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Exact(#[serde(with = "crate::units::exact")] pub(crate) f64);

impl From<Exact> for f64 {
    fn from(exact: Exact) -> Self {
        exact.0
    }
}

/// A double that may be absent.
pub(crate) mod optional {
    use super::{Deserialize, Deserializer, Exact, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Exact).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<Exact>::deserialize(deserializer)?.map(f64::from))
    }
}

/// Doubles by number.
pub(crate) mod map {
    use super::{BTreeMap, Deserialize, Deserializer, Exact, Serializer};

    pub(crate) fn serialize<S: Serializer>(values: &BTreeMap<u64, f64>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(values.iter().map(|(key, value)| (key, Exact(*value))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u64, f64>, D::Error> {
        let values = BTreeMap::<u64, Exact>::deserialize(deserializer)?;
        Ok(values.into_iter().map(|(key, value)| (key, value.0)).collect())
    }
}

/// Doubles in a row.
pub(crate) mod list {
    use alloc::vec::Vec;

    use super::{Deserialize, Deserializer, Exact, Serializer};

    pub(crate) fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().copied().map(Exact))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<Exact>::deserialize(deserializer)?.into_iter().map(f64::from).collect())
    }
}
