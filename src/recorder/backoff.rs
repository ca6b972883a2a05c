//! How long to wait for what is away.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// After the first failure: a restart of a database takes about so long.
const FIRST: Duration = Duration::from_millis(250);
/// Short enough that a database which is back is used soon, long enough that a thousand streams do not overrun it.
const LONGEST: Duration = Duration::from_secs(30);

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Waits longer with each failure, and never as long as others do.
    pub(super) async fn wait(&mut self) {
        // Each RandomState has other keys.
        let random = RandomState::new().hash_one(self.failures);
        let time = delay(self.failures, random);
        self.failures = self.failures.saturating_add(1);
        tokio::time::sleep(time).await;
    }
}

/// Between a half and the whole of what has doubled with each failure.
fn delay(failures: u32, random: u64) -> Duration {
    const STEPS: u32 = 1024;
    let whole = FIRST.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST);
    let part = u32::try_from(random % u64::from(STEPS)).unwrap_or_default();
    whole / 2 + whole / 2 * part / STEPS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_delay_is_between_a_half_and_the_whole(failures in 0..100_u32, random: u64) {
            let whole = FIRST.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST);
            let found = delay(failures, random);
            prop_assert!(found >= whole / 2 && found <= whole, "{found:?}");
        }
    }
}
