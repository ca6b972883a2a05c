//! What statuses say: how long starts take, what fails and why, how Runs end, what models cost.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use fabrica_crds::Reason;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::family::{Counters, Histograms, Labels, begin, histograms, registered};
use super::mode::Mode;

/// Starts: up to 27 minutes, which is beyond the usual Pending deadline.
const DOUBLINGS: u16 = 15;
/// Why a Session is not ready, as far as each is a series from the beginning. Others appear when they happen.
const FAILURES: [Reason; 16] = [
    Reason::ImagePullFailed,
    Reason::Unschedulable,
    Reason::QuotaExceeded,
    Reason::SecretMissing,
    Reason::SecretKeyMissing,
    Reason::ConfigMissing,
    Reason::PendingDeadlineExceeded,
    Reason::CloneFailed,
    Reason::GitMissing,
    Reason::InitCrashed,
    Reason::ContainerCrashed,
    Reason::OOMKilled,
    Reason::Evicted,
    Reason::NodeLost,
    Reason::NameConflict,
    Reason::Rejected,
];

/// How attempts end, likewise.
const ENDINGS: [Reason; 10] = [
    Reason::Succeeded,
    Reason::NoChanges,
    Reason::AgentFailed,
    Reason::PushRejected,
    Reason::PodLost,
    Reason::OOMKilled,
    Reason::Evicted,
    Reason::NodeLost,
    Reason::DeadlineExceeded,
    Reason::BudgetExceeded,
];

/// How far an object is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// It should run, and cannot be used yet.
    #[default]
    Waits,
    Ready,
    /// Somebody has to do something.
    Failed,
    /// It need not run.
    Rests,
    Completed,
    Cancelled,
}

/// An object as its status has it, as far as it is counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    pub stage: Stage,
    /// Of the head condition.
    pub reason: Option<Reason>,
    /// How each attempt that has ended did.
    pub attempts: Vec<Option<Reason>>,
    pub spent: Spent,
}

/// What models were used for. Only in metrics is money a float.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    pub dollars: f64,
    /// By the classes of [`CLASSES`].
    pub tokens: [i64; 4],
}

/// Classes of tokens.
const CLASSES: [&str; 4] = ["input", "output", "cache_read", "cache_write"];

/// What becomes of an object in one pass.
#[derive(Debug, Clone)]
pub struct Step {
    pub uid: String,
    pub mode: Mode,
    pub before: Standing,
    pub after: Standing,
    /// Whether it had no pod yet when the pass began: only then does its wait begin now.
    pub begins: bool,
}

#[derive(Debug)]
pub(super) struct Standings {
    /// As they were counted. The store may show older ones for a moment.
    known: HashMap<String, Standing>,
    waiting: HashMap<String, Instant>,
    starts: Histograms<1>,
    failures: Counters<2>,
    finished: Counters<1>,
    attempts: Counters<1>,
    cost: Family<Labels<1>, Counter<f64, AtomicU64>>,
    tokens: Counters<2>,
}

impl Standings {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let words = "From a pod's first pass until it can be used, by mode";
        let starts = registered(registry, "start_seconds", words, histograms::<1, DOUBLINGS>());
        let mut counters = |name, help| registered(registry, name, help, Counters::default());
        let failures =
            counters("ready_failures", "Sessions that became Failed, by mode and reason");
        let tokens = counters("tokens", "Tokens of models by mode and class");
        let mut counters = |name, help| registered(registry, name, help, Counters::default());
        let finished = counters("runs_finished", "Runs that ended, by outcome");
        let attempts = counters("run_attempts", "Attempts of Runs that ended, by reason");
        let words = "What models cost by list prices in US dollars, by mode";
        let cost = registered(registry, "cost_dollars", words, Family::default());
        begin(&finished, "outcome", ["Completed", "Failed", "Cancelled"]);
        begin(&attempts, "reason", ENDINGS.map(Reason::as_str));
        for mode in Mode::ALL {
            drop(starts.get_or_create(&[mode.label()]));
            drop(cost.get_or_create(&[mode.label()]));
            for class in CLASSES {
                drop(tokens.get_or_create(&[mode.label(), ("class", class)]));
            }
        }
        for mode in [Mode::Terminal, Mode::Chat] {
            for reason in FAILURES {
                drop(failures.get_or_create(&[mode.label(), ("reason", reason.as_str())]));
            }
        }
        let (known, waiting) = (HashMap::new(), HashMap::new());
        Self { known, waiting, starts, failures, finished, attempts, cost, tokens }
    }

    /// Counts what a pass has changed; how long the object waited, when it does not wait any more.
    pub(super) fn step(&mut self, step: Step, now: Instant) -> Option<Duration> {
        let Step { uid, mode, before, after, begins } = step;
        let before = self.known.remove(&uid).unwrap_or(before);
        let took = self.time(&uid, mode, after.stage, begins, now);
        if after.stage != before.stage || after.reason != before.reason {
            self.ended(mode, &before, &after);
        }
        for reason in after.attempts.iter().skip(before.attempts.len()) {
            self.attempts.get_or_create(&[("reason", name(*reason))]).inc();
        }
        self.spent(mode, before.spent, after.spent);
        self.known.insert(uid, after);
        took
    }

    fn time(
        &mut self,
        uid: &str,
        mode: Mode,
        stage: Stage,
        begins: bool,
        now: Instant,
    ) -> Option<Duration> {
        if stage == Stage::Waits {
            if begins {
                self.waiting.entry(uid.to_owned()).or_insert(now);
            }
            return None;
        }
        let took = now.duration_since(self.waiting.remove(uid)?);
        if stage != Stage::Ready {
            return None;
        }
        self.starts.get_or_create(&[mode.label()]).observe(took.as_secs_f64());
        Some(took)
    }

    fn ended(&self, mode: Mode, before: &Standing, after: &Standing) {
        let finished = |outcome| {
            self.finished.get_or_create(&[("outcome", outcome)]).inc();
        };
        match (mode, after.stage) {
            (Mode::Terminal | Mode::Chat, Stage::Failed) => {
                let labels = [mode.label(), ("reason", name(after.reason))];
                self.failures.get_or_create(&labels).inc();
            }
            (Mode::Run, stage) if stage == before.stage => {}
            (Mode::Run, Stage::Failed) => finished("Failed"),
            (Mode::Run, Stage::Completed) => finished("Completed"),
            (Mode::Run, Stage::Cancelled) => finished("Cancelled"),
            _ => {}
        }
    }

    fn spent(&self, mode: Mode, before: Spent, after: Spent) {
        let added = (after.dollars - before.dollars).max(0.0);
        self.cost.get_or_create(&[mode.label()]).inc_by(added);
        let tokens = after.tokens.into_iter().zip(before.tokens);
        for (class, (now, before)) in CLASSES.into_iter().zip(tokens) {
            let added = u64::try_from(now.saturating_sub(before)).unwrap_or_default();
            self.tokens.get_or_create(&[mode.label(), ("class", class)]).inc_by(added);
        }
    }

    /// Forgets objects that are gone.
    pub(super) fn prune(&mut self, there: &HashSet<&str>) {
        self.known.retain(|uid, _| there.contains(uid.as_str()));
        self.waiting.retain(|uid, _| there.contains(uid.as_str()));
    }
}

fn name(reason: Option<Reason>) -> &'static str {
    reason.map_or("Other", Reason::as_str)
}
