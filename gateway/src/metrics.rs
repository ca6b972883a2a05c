//! What the gateway counts. No object, user or address is a label.

use std::sync::Arc;

use fabrica_protocol::kterm::close;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of request durations, in seconds.
const DURATION_BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Created {
    mode: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: u16,
}

/// All metrics; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    connections: Family<Kind, Gauge>,
    bytes: Family<Direction, Counter>,
    sockets: Family<Code, Counter>,
    requests: Family<Code, Counter>,
    durations: Histogram,
    decisions: Family<Outcome, Counter>,
    logins: Family<Outcome, Counter>,
    revocations: Family<Outcome, Counter>,
    snapshots: Counter,
    creations: Family<Created, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("fabrica_gateway");
        let connections = Family::default();
        registry.register("connections", "Open streams and sockets", connections.clone());
        let bytes = Family::default();
        registry.register("bytes", "Bytes carried through terminal tunnels", bytes.clone());
        let sockets = Family::default();
        registry.register(
            "sockets",
            "Terminal sockets by code: 101, or the close code of a refusal",
            sockets.clone(),
        );
        let requests = Family::default();
        registry.register("requests", "HTTP requests by status code", requests.clone());
        let durations = Histogram::new(DURATION_BUCKETS);
        registry.register(
            "request_duration_seconds",
            "Time to the head of a response",
            durations.clone(),
        );
        let decisions = Family::default();
        registry.register("decisions", "Access decisions by how they were had", decisions.clone());
        let logins = Family::default();
        registry.register("logins", "Logins by outcome", logins.clone());
        let revocations = Family::default();
        registry.register(
            "rechecks",
            "Live sockets checked again, by outcome",
            revocations.clone(),
        );
        let snapshots = Counter::default();
        registry.register("event_snapshots", "Snapshots sent to event streams", snapshots.clone());
        let creations = Family::default();
        registry.register(
            "creations",
            "Sessions and Runs that somebody wanted, by mode and outcome",
            creations.clone(),
        );
        let metrics = Self {
            registry: Arc::new(registry),
            connections,
            bytes,
            sockets,
            requests,
            durations,
            decisions,
            logins,
            revocations,
            snapshots,
            creations,
        };
        metrics.begin();
        metrics
    }
}

impl Metrics {
    /// Begins series at nothing, so that their first increase is seen as one.
    fn begin(&self) {
        for kind in ["terminal", "chat", "events"] {
            self.connections(kind);
        }
        for direction in ["to_pod", "to_client"] {
            self.bytes(direction);
        }
        for code in [101, close::NOT_READY, close::UNREACHABLE] {
            drop(self.sockets.get_or_create(&Code { code }));
        }
        let begin = |family: &Family<Outcome, Counter>, outcomes: &[&'static str]| {
            for outcome in outcomes {
                drop(family.get_or_create(&Outcome { outcome }));
            }
        };
        begin(&self.decisions, &["remembered", "allowed", "denied", "failed"]);
        begin(&self.logins, &["succeeded", "refused", "limited", "failed"]);
        begin(&self.revocations, &["kept", "ended", "unknown"]);
        for mode in ["Terminal", "Chat", "Run"] {
            for outcome in ["created", "refused", "failed"] {
                drop(self.creations.get_or_create(&Created { mode, outcome }));
            }
        }
    }

    /// The metrics as OpenMetrics text.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// The gauge of open streams of a kind.
    pub fn connections(&self, kind: &'static str) -> Gauge {
        self.connections.get_or_create(&Kind { kind }).clone()
    }

    /// The counter of bytes that went to or came from pods.
    pub fn bytes(&self, direction: &'static str) -> Counter {
        self.bytes.get_or_create(&Direction { direction }).clone()
    }

    /// Counts a terminal socket by what it was answered.
    pub fn socket(&self, code: u16) {
        self.sockets.get_or_create(&Code { code }).inc();
    }

    /// Counts a request.
    pub fn request(&self, code: u16, seconds: f64) {
        self.requests.get_or_create(&Code { code }).inc();
        self.durations.observe(seconds);
    }

    /// Counts an access decision: `remembered`, `allowed`, `denied` or `failed`.
    pub fn decision(&self, outcome: &'static str) {
        self.decisions.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts a login: `succeeded`, `refused`, `limited` or `failed`.
    pub fn login(&self, outcome: &'static str) {
        self.logins.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts a live socket that was checked again: `kept`, `ended` or `unknown`.
    pub fn recheck(&self, outcome: &'static str) {
        self.revocations.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts an object that somebody wants, by what the API server answered: `created`, `refused` or `failed`.
    pub fn creation(&self, mode: &'static str, outcome: &'static str) {
        self.creations.get_or_create(&Created { mode, outcome }).inc();
    }

    /// Counts a snapshot sent to an event stream.
    pub fn snapshot(&self) {
        self.snapshots.inc();
    }
}
