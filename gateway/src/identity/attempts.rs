//! Attempts to log in, within the limit of those that may fail. Many people behind one address wait for each other.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::limit::{LoginLimit, network};
use crate::quota::Quota;

/// How long one waits for others of the same address: a review takes milliseconds, and clients give a connection ten
/// seconds and more.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who may wait so: an office that comes back after the gateway was rolled, and no more than costs little memory.
const WAITING: usize = 1024;

/// Who may wait so behind one address: others must find a place, too.
const WAITING_PER_ADDRESS: usize = 256;

/// Lets attempts through.
#[derive(Debug)]
pub struct Attempts {
    limit: Mutex<LoginLimit>,
    waiting: Quota,
    /// Told whenever an attempt has ended.
    ended: Notify,
}

/// An attempt under way. It has failed unless somebody says otherwise, also when nobody waits for its end.
#[derive(Debug)]
pub struct Attempt<'attempts> {
    attempts: &'attempts Attempts,
    address: IpAddr,
    succeeded: bool,
}

impl Attempts {
    /// Nobody has tried yet.
    pub fn new(now: Instant) -> Self {
        Self {
            limit: Mutex::new(LoginLimit::new(now)),
            waiting: Quota::new(WAITING, WAITING_PER_ADDRESS),
            ended: Notify::new(),
        }
    }

    /// Begins an attempt, or tells how long to wait for the next. While attempts of others are under way that most likely
    /// will succeed, it waits for them a little.
    pub async fn begin(&self, address: IpAddr) -> Result<Attempt<'_>, Duration> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut place = None;
        loop {
            // From here on no end is missed, also of one before the wait.
            let ended = self.ended.notified();
            let Err(full) = self.limit().attempt(address, Instant::now()) else {
                return Ok(Attempt { attempts: self, address, succeeded: false });
            };
            if !full.under_way {
                return Err(full.wait);
            }
            place = place.or_else(|| self.waiting.take(&network(address).to_string()));
            if place.is_none() {
                return Err(full.wait);
            }
            if tokio::time::timeout_at(deadline, ended).await.is_err() {
                return Err(full.wait);
            }
        }
    }

    fn limit(&self) -> MutexGuard<'_, LoginLimit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// It was no guess: it is given back.
    pub fn succeed(mut self) {
        self.succeeded = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.attempts.limit().ended(self.address, self.succeeded, Instant::now());
        self.attempts.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::future::FutureExt;

    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn all_at_once(attempts: &Attempts) -> Vec<Attempt<'_>> {
        std::iter::from_fn(|| attempts.begin(ADDRESS).now_or_never()?.ok()).collect()
    }

    #[tokio::test]
    async fn who_comes_later_waits_for_those_who_succeed() {
        let attempts = Attempts::new(Instant::now());
        let mut under_way = all_at_once(&attempts);
        assert_eq!(under_way.len(), 10);
        let mut next = Box::pin(attempts.begin(ADDRESS));
        assert!(next.as_mut().now_or_never().is_none());
        under_way.pop().unwrap().succeed();
        assert!(next.await.is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_for_those_who_have_failed() {
        let attempts = Attempts::new(Instant::now());
        let under_way = all_at_once(&attempts);
        let mut next = Box::pin(attempts.begin(ADDRESS));
        assert!(next.as_mut().now_or_never().is_none());
        drop(under_way);
        assert!(next.await.is_err());
        assert!(attempts.begin(ADDRESS).now_or_never().unwrap().is_err());
    }

    #[tokio::test]
    async fn no_more_wait_than_may() {
        let attempts = Attempts::new(Instant::now());
        let _under_way = all_at_once(&attempts);
        let mut waiting: Vec<_> =
            (0..WAITING_PER_ADDRESS).map(|_| Box::pin(attempts.begin(ADDRESS))).collect();
        assert!(waiting.iter_mut().all(|one| one.as_mut().now_or_never().is_none()));
        assert!(attempts.begin(ADDRESS).now_or_never().unwrap().is_err());
        waiting.pop();
        assert!(attempts.begin(ADDRESS).now_or_never().is_none(), "there is a place again");
    }
}
