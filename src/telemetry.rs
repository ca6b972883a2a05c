//! What is told to those who watch over the whole: metrics and traces, from statuses and journals.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
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

/// Journals that are known of an object: that of its pod, and that of the pod before, which may not have ended yet.
const JOURNALS: usize = 2;

/// What every pass tells.
#[derive(Debug, Default)]
pub struct Telemetry {
    pub metrics: Metrics,
    traces: Option<Exporter>,
    /// By the UID of the object: its newest journals, each with what names it among the object's.
    chronicles: Mutex<HashMap<String, VecDeque<(String, Chronicle)>>>,
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
        let chronicle = one_of(chronicles.entry(subject.uid.clone()).or_default(), journal);
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

    /// Forgets what is known of objects that are not among these.
    pub fn forget(&self, there: &HashSet<&str>) {
        let mut chronicles = self.chronicles.lock().unwrap_or_else(PoisonError::into_inner);
        chronicles.retain(|uid, _| there.contains(uid.as_str()));
        drop(chronicles);
        self.metrics.forget(there);
    }

    /// The page that Prometheus reads. `all`: every object there is.
    pub fn render(&self, all: &[Counted], waiting: usize) -> Result<String, std::fmt::Error> {
        self.forget(&all.iter().map(|counted| counted.uid.as_str()).collect());
        self.metrics.render(all, waiting)
    }
}

/// The chronicle of this journal; a new one takes the oldest one's place.
fn one_of<'a>(journals: &'a mut VecDeque<(String, Chronicle)>, journal: &str) -> &'a mut Chronicle {
    let place = journals.iter().position(|(name, _)| name == journal).unwrap_or_else(|| {
        journals.truncate(JOURNALS - 1);
        journals.push_front((journal.to_owned(), Chronicle::default()));
        0
    });
    &mut journals[place].1
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

    fn known(telemetry: &Telemetry) -> usize {
        telemetry.chronicles.lock().unwrap().values().map(VecDeque::len).sum()
    }

    #[test]
    fn little_is_known_of_an_object_that_starts_again_and_again_and_nothing_of_one_that_is_gone() {
        let telemetry = Telemetry::default();
        let mut session = Session::new("one", serde_json::from_value(json!({})).unwrap());
        session.metadata.uid = Some("a".to_owned());
        let subject = Watched::of(&session, Mode::Terminal);
        let idle = serde_json::from_value(json!({"startedAt": "2026-01-01T00:00:00Z",
            "lastActivityAt": "2026-01-01T00:00:00Z", "busy": false, "clients": 0, "visibleClients": 0, "terminals": 3,
            "oomKills": 0, "reconnects": 0, "bytesIn": 0, "bytesOut": 0, "workspace": {"state": "None"}}));
        telemetry.metrics.report("a", Mode::Terminal, Some(&idle.unwrap()), Utc::now());
        for start in 0..100 {
            telemetry.steps(&subject, DateTime::from_timestamp(start, 0).unwrap(), &[]);
        }
        assert_eq!(known(&telemetry), JOURNALS);
        telemetry.forget(&HashSet::new());
        assert_eq!(known(&telemetry), 0);
        let page = telemetry.metrics.render(&[], 0).unwrap();
        assert!(page.contains("fabrica_operator_terminals 0\n"), "{page}");
    }

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
