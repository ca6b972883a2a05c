//! How much of something may be open at a time, in all and for each user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts what is open.
#[derive(Debug, Clone)]
pub struct Quota {
    counts: Arc<Mutex<Counts>>,
    limit: usize,
    limit_per_user: usize,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    users: HashMap<String, usize>,
}

/// One thing that is open; dropping it gives its place back.
#[derive(Debug)]
pub struct Place {
    counts: Arc<Mutex<Counts>>,
    user: String,
}

impl Quota {
    /// A quota of so many in all, and so many for each user.
    pub fn new(limit: usize, limit_per_user: usize) -> Self {
        Self { counts: Arc::default(), limit, limit_per_user }
    }

    /// Takes a place, if there is one left.
    pub fn take(&self, user: &str) -> Option<Place> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.users.get(user).copied().unwrap_or(0);
        if counts.all >= self.limit || own >= self.limit_per_user {
            return None;
        }
        counts.all += 1;
        counts.users.insert(user.to_owned(), own + 1);
        Some(Place { counts: Arc::clone(&self.counts), user: user.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        if let Some(own) = counts.users.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                counts.users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_users_and_all_and_gives_places_back() {
        let quota = Quota::new(3, 2);
        let first = quota.take("a").unwrap();
        let _second = quota.take("a").unwrap();
        assert!(quota.take("a").is_none());
        let _third = quota.take("b").unwrap();
        assert!(quota.take("c").is_none());
        drop(first);
        assert!(quota.take("c").is_some());
        assert_eq!(quota.counts.lock().unwrap().users.len(), 2);
    }
}
