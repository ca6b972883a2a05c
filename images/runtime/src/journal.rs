//! What happened at the start, numbered, for whoever asks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::Utc;
use fabrica_protocol::runtime::{Event, EventType};
use tokio::sync::watch;
use tokio::time::Instant;

/// Events kept: far more than a start has steps.
const KEPT: usize = 256;
/// The longest text, in characters.
const TEXT: usize = 512;

/// Who else is told of every event.
pub trait Sink: std::fmt::Debug + Send + Sync {
    fn take(&self, event: &Event);
}

/// The journal of one life of the container.
#[derive(Debug, Default)]
pub struct Journal {
    events: Mutex<VecDeque<Event>>,
    newest: watch::Sender<u64>,
    sink: OnceLock<Arc<dyn Sink>>,
}

impl Journal {
    /// One that passes everything on.
    pub fn passing_to(sink: Arc<dyn Sink>) -> Self {
        Self { sink: sink.into(), ..Self::default() }
    }

    /// From now on everything is passed on, unless it is already.
    pub fn pass_to(&self, sink: Arc<dyn Sink>) {
        // The first one stays.
        let _ = self.sink.set(sink);
    }

    /// Writes one event.
    pub fn tell(&self, step: &str, kind: EventType, text: impl Into<String>) {
        self.write(step, kind, &text.into(), None);
    }

    /// Begins a step; what is told through it carries its duration.
    pub fn begin<'a>(&'a self, step: &'static str, text: &str) -> Step<'a> {
        self.tell(step, EventType::Started, text);
        Step { journal: self, name: step, since: Instant::now() }
    }

    /// Events after this number.
    pub fn after(&self, seq: u64) -> Vec<Event> {
        self.lock().iter().filter(|event| event.seq > seq).cloned().collect()
    }

    /// Tells when something new was written.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    fn write(&self, step: &str, kind: EventType, text: &str, duration_ms: Option<u64>) {
        let text: String = text.chars().take(TEXT).collect();
        tracing::info!(step, kind = ?kind, text, "start");
        let mut events = self.lock();
        let seq = *self.newest.borrow() + 1;
        if events.len() == KEPT {
            events.pop_front();
        }
        let time = Utc::now();
        let event = Event { seq, time, step: step.to_owned(), kind, text, duration_ms };
        if let Some(sink) = self.sink.get() {
            sink.take(&event);
        }
        events.push_back(event);
        self.newest.send_replace(seq);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step that has begun.
#[derive(Debug)]
pub struct Step<'a> {
    journal: &'a Journal,
    name: &'static str,
    since: Instant,
}

impl Step<'_> {
    /// How far it is.
    pub fn progress(&self, text: impl Into<String>) {
        self.journal.tell(self.name, EventType::Progress, text);
    }

    /// Something worth knowing.
    pub fn notice(&self, text: impl Into<String>) {
        self.journal.tell(self.name, EventType::Notice, text);
    }

    /// It went well.
    pub fn finish(self, text: impl Into<String>) {
        self.end(EventType::Finished, &text.into());
    }

    /// It did not.
    pub fn fail(self, text: impl Into<String>) {
        self.end(EventType::Failed, &text.into());
    }

    fn end(self, kind: EventType, text: &str) {
        let duration = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.journal.write(self.name, kind, text, Some(duration));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_numbered_bounded_and_asked_for_by_number() {
        let journal = Journal::default();
        for _ in 0..KEPT + 5 {
            journal.tell("clone", EventType::Notice, "x".repeat(TEXT + 1));
        }
        let all = journal.after(0);
        assert_eq!(all.len(), KEPT);
        assert_eq!(all.last().unwrap().seq, (KEPT + 5) as u64);
        assert_eq!(all.last().unwrap().text.len(), TEXT);
        assert_eq!(journal.after(all.last().unwrap().seq - 1).len(), 1);
    }
}
