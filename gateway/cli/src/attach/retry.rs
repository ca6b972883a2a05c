//! When to try again, as the web page does it (`gateway/web/src/link/retry.ts`): the first retry is at once, later ones
//! spread out, and it never gives up. After many failures a breaker leaves only rare probes, so that a returning gateway
//! is not met by a crowd.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const SHORTEST: Duration = Duration::from_millis(250);
/// The second try is spread over this much, so that clients that were cut together do not come back as one wave.
const SPREAD: Duration = Duration::from_millis(1_250);
const LONGEST: Duration = Duration::from_secs(10);

/// Failures before WELCOME within the window that open the breaker.
const BREAKER_FAILURES: usize = 5;
const BREAKER_WINDOW: Duration = Duration::from_mins(1);
const PROBE: Duration = Duration::from_secs(20);
const PROBE_SPREAD: f64 = 0.25;

/// How long a server's hint is stretched at most, for it tells the same one to all.
const HINT_SPREAD: Duration = Duration::from_secs(1);

/// A connection that lived this long was a good one: the next loss starts afresh.
const STABLE: Duration = Duration::from_secs(30);

/// Numbers from 0 to 1.
pub(super) type Random = Box<dyn FnMut() -> f64 + Send>;

/// The delays of one attachment. Moments are counted from its start.
pub(super) struct Retry {
    random: Random,
    previous: Option<Duration>,
    failures: Vec<Duration>,
    open: bool,
}

impl std::fmt::Debug for Retry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Retry").field("open", &self.open).finish_non_exhaustive()
    }
}

impl Retry {
    pub(super) fn new(random: Random) -> Self {
        Self { random, previous: None, failures: Vec::new(), open: false }
    }

    /// A socket was lost that had lived so long after WELCOME.
    pub(super) fn after_loss(&mut self, lived: Duration) -> Duration {
        if lived >= STABLE {
            self.previous = None;
        }
        self.back_off()
    }

    /// A socket never got as far as WELCOME.
    pub(super) fn after_failure(&mut self, now: Duration) -> Duration {
        self.failures.retain(|at| now.saturating_sub(*at) < BREAKER_WINDOW);
        self.failures.push(now);
        self.open |= self.failures.len() >= BREAKER_FAILURES;
        if self.open { self.probe() } else { self.back_off() }
    }

    /// What the other side asked for, within reason: not before, and not all at once.
    pub(super) fn hinted(&mut self, hint: Duration) -> Duration {
        hint.clamp(SHORTEST, PROBE) + HINT_SPREAD.mul_f64((self.random)())
    }

    /// WELCOME came: the way is free. The delay itself shrinks only after a stable connection.
    pub(super) fn welcomed(&mut self) {
        self.open = false;
        self.failures.clear();
    }

    fn probe(&mut self) -> Duration {
        PROBE.mul_f64(1.0 + PROBE_SPREAD * (2.0 * (self.random)() - 1.0))
    }

    fn back_off(&mut self) -> Duration {
        let Some(previous) = self.previous else {
            self.previous = Some(SHORTEST);
            return FIRST.mul_f64((self.random)());
        };
        let most = (previous * 3).max(SHORTEST + SPREAD);
        let delay = SHORTEST + most.saturating_sub(SHORTEST).mul_f64((self.random)());
        let delay = delay.min(LONGEST);
        self.previous = Some(delay);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_retry_is_at_once_and_later_ones_spread_out() {
        let mut retry = Retry::new(Box::new(|| 1.0));
        let delays: Vec<_> = (0..6).map(|_| retry.after_loss(Duration::ZERO).as_millis()).collect();
        assert_eq!(delays, [100, 1_500, 4_500, 10_000, 10_000, 10_000]);
        assert_eq!(retry.after_loss(STABLE).as_millis(), 100);
    }

    #[test]
    fn failures_open_the_breaker_and_a_welcome_closes_it() {
        let mut retry = Retry::new(Box::new(|| 0.5));
        let delays: Vec<_> =
            (0..5).map(|second| retry.after_failure(Duration::from_secs(second))).collect();
        assert!(delays[..4].iter().all(|delay| *delay < PROBE), "{delays:?}");
        assert_eq!(delays[4], PROBE);
        retry.welcomed();
        assert!(retry.after_failure(Duration::from_secs(6)) < PROBE);
    }
}
