//! Calls that are held until somebody answers their question, or for as long as they can be held.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fabrica_protocol::run::Answer;
use tokio::time::Instant;

use crate::run::questions::Questions;

/// What ends a call's wait.
#[derive(Debug)]
pub(super) enum Held {
    Answered(Answer),
    /// Nobody answered in time; the call's id.
    Over(String),
}

/// The calls, and until when each is held.
#[derive(Debug)]
pub(super) struct Calls {
    questions: Arc<Questions>,
    hold: Duration,
    until: BTreeMap<String, Instant>,
}

impl Calls {
    pub(super) fn new(questions: Arc<Questions>, hold: Duration) -> Self {
        Self { questions, hold, until: BTreeMap::new() }
    }

    pub(super) fn questions(&self) -> &Arc<Questions> {
        &self.questions
    }

    pub(super) fn hold(&mut self, id: String) {
        self.until.insert(id, Instant::now() + self.hold);
    }

    /// The calls are gone with the program that made them.
    pub(super) fn clear(&mut self) {
        self.until.clear();
    }

    /// What ends the next wait; never when there is none. May be dropped and asked again.
    pub(super) async fn next(&mut self) -> Held {
        let first = self.until.iter().min_by_key(|(_, until)| **until);
        let Some((first, until)) = first.map(|(id, until)| (id.clone(), *until)) else {
            return std::future::pending().await;
        };
        let ids: Vec<&str> = self.until.keys().map(String::as_str).collect();
        let held = tokio::select! {
            biased;
            answer = self.questions.answered(&ids) => Held::Answered(answer),
            () = tokio::time::sleep_until(until) => Held::Over(first),
        };
        match &held {
            Held::Answered(answer) => self.until.remove(&answer.id),
            Held::Over(id) => self.until.remove(id),
        };
        held
    }
}
