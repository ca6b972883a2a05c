//! The operator's metrics. Labels come from fixed lists; no object is ever named.

use std::collections::HashMap;
use std::fmt::{self, Debug, Formatter};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fabrica_protocol::runtime::Idle;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// How a reconcile ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

/// How many are in a phase.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabel {
    phase: &'static str,
}

/// The last word of each live runtime, summed when somebody asks: nothing scrapes pods.
type Reports = Mutex<HashMap<String, Idle>>;

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    reconciles: Family<Outcome, Counter>,
    durations: Histogram,
    leader: Gauge,
    waiting: Gauge,
    phases: Family<PhaseLabel, Gauge>,
    runs: Family<PhaseLabel, Gauge>,
    clients: Gauge,
    terminals: Gauge,
    out_of_memory: Gauge,
    reconnects: Gauge,
    reports: Reports,
}

impl Default for Metrics {
    fn default() -> Self {
        /// From a millisecond to half a minute.
        const BUCKETS: u16 = 15;
        let mut metrics = Self {
            registry: Registry::with_prefix("fabrica_operator"),
            reconciles: Family::default(),
            durations: Histogram::new(exponential_buckets(0.001, 2.0, BUCKETS)),
            leader: Gauge::default(),
            waiting: Gauge::default(),
            phases: Family::default(),
            runs: Family::default(),
            clients: Gauge::default(),
            terminals: Gauge::default(),
            out_of_memory: Gauge::default(),
            reconnects: Gauge::default(),
            reports: Reports::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("reconciles", "Reconciles, by result", self.reconciles.clone());
        registry.register(
            "reconcile_duration_seconds",
            "Time of a reconcile",
            self.durations.clone(),
        );
        registry.register("leader", "1 while this process leads", self.leader.clone());
        registry.register(
            "backoff_objects",
            "Objects whose last reconcile failed",
            self.waiting.clone(),
        );
        registry.register("runs", "Runs by phase", self.runs.clone());
        registry.register("sessions", "Sessions by phase", self.phases.clone());
        registry.register(
            "terminal_clients",
            "Clients connected to all runtimes",
            self.clients.clone(),
        );
        registry.register("terminals", "Terminals open in all runtimes", self.terminals.clone());
        registry.register(
            "oom_kills",
            "Processes killed for lack of memory in live pods",
            self.out_of_memory.clone(),
        );
        registry.register(
            "client_reconnects",
            "Clients that came back to live pods",
            self.reconnects.clone(),
        );
    }

    /// One reconcile ended.
    pub fn reconciled(&self, ok: bool, took: Duration) {
        let result = if ok { "ok" } else { "error" };
        self.reconciles.get_or_create(&Outcome { result }).inc();
        self.durations.observe(took.as_secs_f64());
    }

    /// Leadership was won or lost.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// What a runtime said of itself; `None` when it is gone.
    pub fn report(&self, uid: &str, idle: Option<&Idle>) {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        match idle {
            Some(idle) => reports.insert(uid.to_owned(), idle.clone()),
            None => reports.remove(uid),
        };
    }

    /// The page that Prometheus reads.
    pub fn render(
        &self,
        phases: &[(&'static str, i64)],
        runs: &[(&'static str, i64)],
        waiting: usize,
    ) -> Result<String, fmt::Error> {
        for (phase, count) in phases {
            self.phases.get_or_create(&PhaseLabel { phase }).set(*count);
        }
        for (phase, count) in runs {
            self.runs.get_or_create(&PhaseLabel { phase }).set(*count);
        }
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        {
            let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
            let sum = |part: fn(&Idle) -> u64| {
                i64::try_from(reports.values().map(part).sum::<u64>()).unwrap_or(i64::MAX)
            };
            self.clients.set(sum(|idle| idle.clients.into()));
            self.terminals.set(sum(|idle| idle.terminals.into()));
            self.out_of_memory.set(sum(|idle| idle.oom_kills));
            self.reconnects.set(sum(|idle| idle.reconnects));
        }
        let mut page = String::new();
        encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

impl Debug for Metrics {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_phases_and_results_only() {
        let metrics = Metrics::default();
        metrics.reconciled(true, Duration::from_millis(3));
        let page = metrics.render(&[("Running", 2)], &[("Queued", 3)], 1).unwrap();
        assert!(page.contains("fabrica_operator_sessions{phase=\"Running\"} 2"), "{page}");
        assert!(page.contains("fabrica_operator_runs{phase=\"Queued\"} 3"), "{page}");
        assert!(page.contains("fabrica_operator_reconciles_total{result=\"ok\"} 1"), "{page}");
        assert!(page.contains("fabrica_operator_backoff_objects 1"), "{page}");
    }
}
