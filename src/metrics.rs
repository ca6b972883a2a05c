//! The operator's metrics. Labels come from fixed lists; no object is ever named.

mod census;
mod family;
mod mode;
mod runtimes;
mod standings;
mod terminals;
mod told;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_protocol::runtime::Idle;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use self::census::Census;
use self::family::{Counters, begin, gauge, registered};
use self::runtimes::Runtimes;
use self::standings::Standings;
use self::told::Told;
use crate::chronicle::Happening;

pub use self::census::Counted;
pub use self::mode::Mode;
pub use self::standings::{Spent, Stage, Standing, Step};

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// What happened before is another process's to export.
    began: DateTime<Utc>,
    reconciles: Counters<1>,
    durations: Histogram,
    leader: Gauge,
    waiting: Gauge,
    census: Census,
    told: Told,
    runtimes: Mutex<Runtimes>,
    standings: Mutex<Standings>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Utc::now())
    }
}

impl Metrics {
    /// Counts from this time on.
    pub fn new(began: DateTime<Utc>) -> Self {
        /// From a millisecond to half a minute.
        const BUCKETS: u16 = 15;
        let mut all = Registry::with_prefix("fabrica_operator");
        let reconciles =
            registered(&mut all, "reconciles", "Passes by result", Counters::default());
        begin(&reconciles, "result", ["ok", "error"]);
        let buckets = Histogram::new(exponential_buckets(0.001, 2.0, BUCKETS));
        let durations =
            registered(&mut all, "reconcile_duration_seconds", "Time of a pass", buckets);
        let leads = Gauge::default();
        let leader = registered(&mut all, "leader", "1 while this process leads", leads);
        let words = "Objects whose last pass failed";
        let waiting = registered(&mut all, "backoff_objects", words, Gauge::default());
        let (census, runtimes) = (Census::new(&mut all), Runtimes::new(&mut all, began));
        Self {
            census,
            told: Told::new(&mut all, runtimes.crashes()),
            runtimes: Mutex::new(runtimes),
            standings: Mutex::new(Standings::new(&mut all)),
            registry: all,
            began,
            reconciles,
            durations,
            leader,
            waiting,
        }
    }

    /// One pass ended.
    pub fn reconciled(&self, ok: bool, took: Duration) {
        let result = if ok { "ok" } else { "error" };
        self.reconciles.get_or_create(&[("result", result)]).inc();
        self.durations.observe(took.as_secs_f64());
    }

    /// Leadership was won or lost.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// What a runtime said of itself; `None` when it cannot be asked.
    pub fn report(&self, uid: &str, mode: Mode, idle: Option<&Idle>, now: DateTime<Utc>) {
        guard(&self.runtimes).report(uid, mode, idle, now);
    }

    /// What became of an object in a pass whose status stands; how long it waited to be used, when it has just become so.
    pub fn step(&self, step: Step, now: Instant) -> Option<Duration> {
        guard(&self.standings).step(step, now)
    }

    /// What a journal told has ended; whether that is for this process to tell.
    pub fn happened(&self, mode: Mode, happening: &Happening) -> bool {
        let is_ours = happening.to >= self.began;
        if is_ours {
            self.told.add(mode, happening);
        }
        is_ours
    }

    /// Forgets what is known of objects that are not there any more.
    pub fn forget(&self, there: &HashSet<&str>) {
        guard(&self.runtimes).prune(there);
        guard(&self.standings).prune(there);
    }

    /// The page that Prometheus reads. `all`: every object there is; of others everything was forgotten.
    pub fn render(&self, all: &[Counted], waiting: usize) -> Result<String, fmt::Error> {
        self.census.set(all);
        guard(&self.runtimes).sum();
        self.waiting.set(gauge(waiting));
        let mut page = String::new();
        encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "metrics/metrics_tests.rs"]
mod tests;
