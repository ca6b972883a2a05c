//! Errors of one object slow down that object alone.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// The delay after a first failure; it doubles with each one after it.
const BASE: Duration = Duration::from_secs(1);
/// The longest delay: what is broken for long is looked at every five minutes.
const CAP: Duration = Duration::from_mins(5);

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
        let mut entries = self.lock();
        if outcome.is_ok() {
            entries.remove(uid);
            return outcome;
        }
        let now = Instant::now();
        let entry = entries.entry(uid.to_owned()).or_insert(Entry { failures: 0, until: now });
        // A watch event may call early; such a call must not drive the delay up.
        if now >= entry.until {
            entry.failures = entry.failures.saturating_add(1);
            entry.until = now + delay(entry.failures);
        }
        outcome
    }

    /// How long to wait before the next attempt.
    pub fn remaining(&self, uid: &str) -> Duration {
        let now = Instant::now();
        self.lock()
            .get(uid)
            .map_or(BASE, |entry| entry.until.saturating_duration_since(now).max(BASE))
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// How many objects are waiting.
    pub fn waiting(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn delay(failures: u32) -> Duration {
    /// Beyond this exponent the cap holds anyway.
    const STEPS: u32 = 10;
    CAP.min(BASE * 2_u32.pow(failures.saturating_sub(1).min(STEPS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fail(retry: &Retry) {
        let _ = retry.attempt("one", async { Err::<(), ()>(()) }).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_delay_doubles_only_when_it_was_waited_for() {
        let retry = Retry::default();
        fail(&retry).await;
        assert_eq!(retry.remaining("one"), Duration::from_secs(1));
        fail(&retry).await;
        assert_eq!(
            retry.remaining("one"),
            Duration::from_secs(1),
            "an early call counts for nothing"
        );
        tokio::time::advance(Duration::from_secs(1)).await;
        fail(&retry).await;
        assert_eq!(retry.remaining("one"), Duration::from_secs(2));
        let _ = retry.attempt("one", async { Ok::<(), ()>(()) }).await;
        assert_eq!(retry.waiting(), 0);
    }

    #[test]
    fn the_delay_is_capped() {
        assert_eq!(delay(100), CAP);
    }
}
