//! Errors of one object slow down that object alone.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The delay after a first failure; it doubles with each one after it.
const BASE: Duration = Duration::from_secs(1);
/// The longest delay: what is broken for long is looked at about every five minutes.
const CAP: Duration = Duration::from_mins(5);
/// How far a delay may be off, in percent of it: what failed at once for one cause must not come back at once.
const JITTER: u32 = 10;

#[derive(Debug, Clone, Copy)]
struct Entry {
    failures: u32,
    until: Instant,
}

/// Who failed how often, by UID.
#[derive(Debug, Default)]
pub struct Retry {
    entries: Mutex<HashMap<String, Entry>>,
}

impl Retry {
    /// Runs one attempt and remembers how it ended.
    pub async fn attempt<T, E>(
        &self,
        uid: &str,
        attempt: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let outcome = attempt.await;
        match outcome {
            Ok(_) => self.forget(uid),
            Err(_) => self.failed(uid, Instant::now()),
        }
        outcome
    }

    fn failed(&self, uid: &str, now: Instant) {
        let mut entries = self.lock();
        let entry = entries.entry(uid.to_owned()).or_insert(Entry { failures: 0, until: now });
        // A watch event may call early; such a call must not drive the delay up.
        if now >= entry.until {
            entry.failures = entry.failures.saturating_add(1);
            entry.until = now + delay(uid, entry.failures);
        }
    }

    /// How long to wait before the next attempt.
    pub fn remaining(&self, uid: &str) -> Duration {
        self.remaining_at(uid, Instant::now())
    }

    fn remaining_at(&self, uid: &str, now: Instant) -> Duration {
        self.lock().get(uid).map_or(BASE, |entry| entry.until.saturating_duration_since(now))
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// Forgets objects that are not among these: nobody tells of one that is deleted while it waits.
    pub fn prune(&self, there: &HashSet<&str>) {
        self.lock().retain(|uid, _| there.contains(uid.as_str()));
    }

    /// How many objects are waiting.
    pub fn waiting(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The delay after so many failures of an object: another for each object, yet the same whenever it is asked for.
fn delay(uid: &str, failures: u32) -> Duration {
    /// Beyond this exponent the cap holds anyway.
    const STEPS: u32 = 10;
    let delay = CAP.min(BASE * 2_u32.pow(failures.saturating_sub(1).min(STEPS)));
    delay * (100 - JITTER + spread(uid, failures)) / 100
}

/// A number from 0 to twice [`JITTER`] that looks random.
fn spread(uid: &str, failures: u32) -> u32 {
    let mut hasher = DefaultHasher::new();
    (uid, failures).hash(&mut hasher);
    let range = u64::from(2 * JITTER + 1);
    u32::try_from(hasher.finish() % range).unwrap_or(JITTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test]
    async fn the_delay_doubles_only_when_it_was_waited_for() {
        let retry = Retry::default();
        let begun = Instant::now();
        retry.failed("one", begun);
        assert_eq!(retry.remaining_at("one", begun), delay("one", 1));
        retry.failed("one", begun);
        assert_eq!(
            retry.remaining_at("one", begun),
            delay("one", 1),
            "an early call counts for nothing"
        );
        let later = begun + delay("one", 1);
        retry.failed("one", later);
        assert_eq!(retry.remaining_at("one", later), delay("one", 2));
        let _ = retry.attempt("one", async { Err::<(), ()>(()) }).await;
        assert_eq!(retry.waiting(), 1);
        let _ = retry.attempt("one", async { Ok::<(), ()>(()) }).await;
        assert_eq!(retry.waiting(), 0);
        retry.failed("gone", later);
        retry.prune(&HashSet::from(["one"]));
        assert_eq!(retry.waiting(), 0);
    }

    #[test]
    fn objects_that_failed_at_once_do_not_come_back_at_once() {
        let delays: HashSet<_> = (0..200).map(|each| delay(&format!("uid-{each}"), 9)).collect();
        assert!(delays.len() > 10, "{delays:?}");
    }

    proptest! {
        #[test]
        fn the_delay_doubles_up_to_the_cap_and_is_off_by_a_tenth_at_most(
            uid in "[0-9a-f]{8}",
            failures in 1..100_u32,
        ) {
            let exact = CAP.min(BASE * 2_u32.pow(failures.min(20) - 1));
            let found = delay(&uid, failures);
            prop_assert!(found >= exact * 9 / 10 && found <= exact * 11 / 10, "{found:?}");
        }
    }
}
