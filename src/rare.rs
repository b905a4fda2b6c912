//! What most services never need: it takes room from when it is first different from nothing, and only looks like nothing
//! before. Whoever must not allocate later takes the room in advance.

use alloc::boxed::Box;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What it is as long as nothing has come of it.
pub(crate) trait Nothing: Clone + PartialEq + 'static {
    const NOTHING: &'static Self;
}

/// A part of a state that has room of its own, once there is anything in it. It is equal to, and written down as, the part
/// itself. To look at it takes no room; to change it does.
#[derive(Clone)]
pub(crate) struct Rare<T>(Option<Box<T>>);

impl<T> Rare<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Whether it was never changed.
    pub(crate) const fn is_untouched(&self) -> bool {
        self.0.is_none()
    }
}

impl<T: Nothing> Rare<T> {
    /// Takes the room in advance.
    pub(crate) fn make_room(&mut self) {
        let _: &mut T = self;
    }
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Nothing> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::NOTHING)
    }
}

impl<T: Nothing> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::NOTHING.clone()))
    }
}

impl<T: Nothing> PartialEq for Rare<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Nothing + Eq> Eq for Rare<T> {}

impl<T: Nothing + Hash> Hash for Rare<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T: Nothing + fmt::Debug> fmt::Debug for Rare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Nothing + Serialize> Serialize for Rare<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Nothing + Deserialize<'de>> Deserialize<'de> for Rare<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = T::deserialize(deserializer)?;
        Ok(Self((value != *T::NOTHING).then(|| Box::new(value))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Nothing for [u32; 4] {
        const NOTHING: &'static Self = &[0; 4];
    }

    #[test]
    fn a_look_takes_no_room_and_what_is_written_down_is_the_part_itself() {
        let mut part: Rare<[u32; 4]> = Rare::new();
        assert!(part.iter().all(|number| *number == 0) && part.is_untouched());
        part[2] = 0;
        assert_eq!((part.is_untouched(), &part), (false, &Rare::new()));
        part[1] = 7;
        let written = serde_json::to_string(&part).unwrap();
        assert_eq!(written, "[0,7,0,0]");
        assert_eq!(serde_json::from_str::<Rare<[u32; 4]>>(&written).unwrap(), part);
        assert!(serde_json::from_str::<Rare<[u32; 4]>>("[0,0,0,0]").unwrap().is_untouched());
    }
}
