//! What is told to those who watch over the whole: metrics and traces, from statuses and journals.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use fabrica_protocol::run::{Entry, Record};
use fabrica_protocol::runtime::Event;
use fabrica_telemetry::{Exporter, ExporterError, Kind, Span, Traceparent};
use kube::ResourceExt;
use tokio::time::Instant;

use crate::chronicle::{Chronicle, Happening, What};
use crate::metrics::{Counted, Metrics, Mode, Step};
use crate::trace;

/// Whose spans we send: our own, and those that runtimes leave to us.
const SERVICE: &str = "fabrica-operator";
const RUNTIME: &str = "fabrica-runtime";

/// What every pass tells.
#[derive(Debug, Default)]
pub struct Telemetry {
    pub metrics: Metrics,
    traces: Option<Exporter>,
    /// By the UID of the object, and by what names the journal among the object's.
    chronicles: Mutex<HashMap<(String, String), Chronicle>>,
}

/// An object that something is told of.
#[derive(Debug, Clone)]
pub struct Watched {
    uid: String,
    namespace: String,
    name: String,
    mode: Mode,
    trace: Option<Traceparent>,
}

impl Watched {
    pub fn of(object: &impl ResourceExt, mode: impl Into<Mode>) -> Self {
        Self {
            uid: object.uid().unwrap_or_default(),
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            mode: mode.into(),
            trace: trace::of(object),
        }
    }

    fn span(
        &self,
        service: &'static str,
        name: Cow<'static, str>,
        happened: &Happening,
    ) -> Option<Span> {
        let parent = self.trace?;
        Some(Span {
            service,
            name,
            kind: Kind::Internal,
            parent,
            own: parent.child(),
            from: happened.from,
            to: happened.to,
            failed: happened.failed,
            attributes: vec![
                ("fabrica.namespace", self.namespace.clone()),
                ("fabrica.name", self.name.clone()),
                ("fabrica.uid", self.uid.clone()),
                ("fabrica.mode", self.mode.as_str().to_owned()),
            ],
        })
    }
}

impl Telemetry {
    /// Sends spans to the collector at this address; without one there are none. Must be called within a tokio runtime.
    pub fn new(endpoint: Option<&str>) -> Result<Self, ExporterError> {
        let traces = endpoint.map(|endpoint| Exporter::start(endpoint, &[SERVICE, RUNTIME]));
        Ok(Self { traces: traces.transpose()?, ..Self::default() })
    }

    /// What was read of a journal, of records once more than once.
    pub fn told(&self, subject: &Watched, journal: &str, records: &[Record]) {
        let mut chronicles = self.chronicles.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (subject.uid.clone(), journal.to_owned());
        let chronicle = chronicles.entry(key).or_default();
        for happened in records.iter().filter_map(|record| chronicle.add(record)) {
            if self.metrics.happened(subject.mode, &happened) {
                self.export(|| subject.span(RUNTIME, name(&happened.what), &happened));
            }
        }
    }

    /// The same of a runtime without an agent, whose journal is its start steps. `life`: when its process began.
    pub fn steps(&self, subject: &Watched, life: DateTime<Utc>, events: &[Event]) {
        let record = |event: &Event| Record {
            seq: event.seq,
            time: event.time,
            entry: Entry::Step {
                step: event.step.clone(),
                kind: event.kind,
                text: String::new(),
                duration_ms: event.duration_ms,
            },
        };
        let records: Vec<_> = events.iter().map(record).collect();
        self.told(subject, &life.to_rfc3339(), &records);
    }

    /// What became of an object in a pass whose status stands.
    pub fn step(&self, subject: &Watched, step: Step) {
        let Some(took) = self.metrics.step(step, Instant::now()) else { return };
        let to = Utc::now();
        let from = to - TimeDelta::from_std(took).unwrap_or_default();
        let what = What::Step { name: "start".to_owned() };
        let happened = Happening { what, from, to, failed: false };
        self.export(|| subject.span(SERVICE, "start".into(), &happened));
    }

    fn export(&self, span: impl FnOnce() -> Option<Span>) {
        if let Some(exporter) = &self.traces
            && let Some(span) = span()
        {
            exporter.export(span);
        }
    }

    /// The page that Prometheus reads. `all`: every object there is; what is known of others is forgotten.
    pub fn render(&self, all: &[Counted], waiting: usize) -> Result<String, std::fmt::Error> {
        let there: HashSet<_> = all.iter().map(|counted| counted.uid.as_str()).collect();
        let mut chronicles = self.chronicles.lock().unwrap_or_else(PoisonError::into_inner);
        chronicles.retain(|(uid, _), _| there.contains(uid.as_str()));
        drop(chronicles);
        self.metrics.render(all, waiting)
    }
}

/// What a span is called.
fn name(what: &What) -> Cow<'static, str> {
    match what {
        What::Step { name } => format!("step {name}").into(),
        What::Phase { phase, .. } => format!("phase {}", phase.as_str()).into(),
        What::Workflow { .. } => "workflow".into(),
        What::Turn { .. } => "turn".into(),
        What::Tool { name } => format!("tool {name}").into(),
        What::Crash => "crash".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabrica_crds::{Session, names};
    use kube::core::ObjectMeta;
    use serde_json::json;

    #[test]
    fn a_span_bears_the_objects_trace_and_name() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut session = Session::new("one", serde_json::from_value(json!({})).unwrap());
        let uid = "11111111-2222-3333-4444-555555555555";
        session.metadata = ObjectMeta {
            name: Some("one".to_owned()),
            uid: Some(uid.to_owned()),
            ..ObjectMeta::default()
        };
        let of = |session: &Session| Watched::of(session, Mode::Chat);
        assert_eq!(of(&session).trace.unwrap().trace_id(), uid.replace('-', ""));
        session.annotations_mut().insert(names::TRACEPARENT.to_owned(), text.to_owned());
        let subject = of(&session);
        assert_eq!(subject.trace.unwrap().to_string(), text);
        let what = What::Tool { name: "Bash".to_owned() };
        let (from, to) = (Utc::now(), Utc::now());
        let happened = Happening { what, from, to, failed: true };
        let span = subject.span(RUNTIME, name(&happened.what), &happened).unwrap();
        assert_eq!((&*span.name, span.failed), ("tool Bash", true));
        assert_eq!(span.own.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert!(span.attributes.contains(&("fabrica.uid", uid.to_owned())));
    }
}
