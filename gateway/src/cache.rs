//! A bounded table whose entries expire: the memory of decisions and token reviews.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Remembers values for a while, and never more than `capacity` of them.
#[derive(Debug)]
pub struct ExpiringTable<K, V> {
    entries: HashMap<K, (V, Instant)>,
    lifetime: Duration,
    capacity: usize,
}

impl<K: Eq + Hash, V: Clone> ExpiringTable<K, V> {
    /// An empty table.
    pub fn new(lifetime: Duration, capacity: usize) -> Self {
        Self { entries: HashMap::new(), lifetime, capacity }
    }

    /// The value under a key, unless it has expired by `now`.
    pub fn get(&self, key: &K, now: Instant) -> Option<V> {
        self.entries.get(key).filter(|(_, until)| now < *until).map(|(value, _)| value.clone())
    }

    /// Remembers a value from `now` on. A full table drops what has expired, else everything: a
    /// forgotten decision only costs one more question.
    pub fn insert(&mut self, key: K, value: V, now: Instant) {
        if self.entries.len() >= self.capacity {
            self.entries.retain(|_, (_, until)| now < *until);
        }
        if self.entries.len() >= self.capacity {
            self.entries.clear();
        }
        self.entries.insert(key, (value, now + self.lifetime));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forgets_after_its_lifetime() {
        let start = Instant::now();
        let mut table = ExpiringTable::new(Duration::from_secs(10), 4);
        table.insert("a", 1, start);
        assert_eq!(table.get(&"a", start + Duration::from_secs(9)), Some(1));
        assert_eq!(table.get(&"a", start + Duration::from_secs(10)), None);
    }

    proptest! {
        #[test]
        fn never_grows_past_its_capacity(keys in prop::collection::vec(0_u32..1000, 0..300), capacity in 1_usize..20) {
            let start = Instant::now();
            let mut table = ExpiringTable::new(Duration::from_secs(10), capacity);
            for (age, key) in keys.into_iter().enumerate() {
                let now = start + Duration::from_millis(100 * age as u64);
                table.insert(key, key, now);
                prop_assert!(table.entries.len() <= capacity);
                prop_assert_eq!(table.get(&key, now), Some(key));
            }
        }
    }
}
