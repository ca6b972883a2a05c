//! What is counted of a conversation since this process began: the operator asks for it, and exports it as metrics.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_protocol::runtime::AgentCounters;
use tokio::time::Instant;

/// Written by the doors and by the agent's life.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    report: AgentCounters,
    /// When people's messages came that the program has not got, by their ids: as many as may wait.
    came: HashMap<String, Instant>,
}

impl Counters {
    /// A client came back for what it had missed.
    pub(crate) fn returned(&self) {
        self.counted().report.reconnects += 1;
    }

    /// The agent's program ended by itself.
    pub(crate) fn crashed(&self) {
        self.counted().report.crashes += 1;
    }

    /// A person's message was taken that came then.
    pub(crate) fn came(&self, id: &str, then: Instant) {
        self.counted().came.insert(id.to_owned(), then);
    }

    /// The program has it.
    pub(crate) fn heard(&self, id: &str, now: Instant) {
        let mut counted = self.counted();
        if let Some(came) = counted.came.remove(id) {
            counted.report.heard.add(now.duration_since(came));
        }
    }

    /// What waits did so for a program to start, which says nothing of how fast messages are.
    pub(crate) fn starts(&self) {
        self.counted().came.clear();
    }

    /// A client was shown what happened at this time.
    pub(crate) fn shown(&self, happened: DateTime<Utc>) {
        let took = (Utc::now() - happened).to_std().unwrap_or(Duration::ZERO);
        self.counted().report.shown.add(took);
    }

    pub(crate) fn report(&self) -> AgentCounters {
        self.counted().report.clone()
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waited_for_a_program_is_left_out() {
        let (counters, now) = (Counters::default(), Instant::now());
        counters.came("early", now);
        counters.starts();
        counters.heard("early", now);
        assert_eq!(counters.report().heard.counts, [0; 0]);
        counters.came("late", now);
        counters.heard("late", now + Duration::from_millis(2));
        counters.heard("late", now + Duration::from_millis(3));
        let heard = counters.report().heard;
        assert_eq!((heard.counts.iter().sum::<u64>(), heard.counts[2]), (1, 1));
        assert_eq!(heard.microseconds, 2000);
    }
}
