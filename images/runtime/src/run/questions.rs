//! Questions that wait for a human, and the answers, from wherever they come first. While a question waits, no time
//! passes for the attempt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fabrica_protocol::run::{Answer, Question};
use tokio::sync::watch;
use tokio::time::Instant;

/// Answers that wait for their questions: as many as a spec holds.
const ANSWERS: usize = 64;

/// Why an answer is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    #[error("another answer was taken for the question {0}")]
    Other(String),
    #[error("more than {ANSWERS} questions were answered already")]
    TooMany,
}

/// The questions of an attempt.
#[derive(Debug, Default)]
pub struct Questions {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    answers: BTreeMap<String, Answer>,
    asked: BTreeMap<String, Question>,
    open: BTreeSet<String>,
    pause: Pause,
}

/// The time that questions took.
#[derive(Debug, Default)]
struct Pause {
    since: Option<Instant>,
    before: Duration,
}

impl State {
    /// Answers that have not reached the agent.
    fn unused(&self) -> usize {
        let has_reached = |id: &String| self.asked.contains_key(id) && !self.open.contains(id);
        self.answers.keys().filter(|id| !has_reached(id)).count()
    }
}

impl Questions {
    /// Takes an answer, perhaps before its question.
    pub fn take(&self, answer: Answer) -> Result<(), AnswerError> {
        let mut state = self.lock();
        match state.answers.get(&answer.id) {
            Some(known) if known.text == answer.text => return Ok(()),
            Some(_) => return Err(AnswerError::Other(answer.id)),
            None if state.unused() >= ANSWERS => return Err(AnswerError::TooMany),
            None => state.answers.insert(answer.id.clone(), answer),
        };
        drop(state);
        self.changed.send_replace(());
        Ok(())
    }

    /// The agent asks; false when it has asked this before.
    pub(crate) fn ask(&self, question: &Question, now: Instant) -> bool {
        let mut state = self.lock();
        let is_new = state.asked.insert(question.id.clone(), question.clone()).is_none();
        state.open.insert(question.id.clone());
        state.pause.since.get_or_insert(now);
        drop(state);
        self.changed.send_replace(());
        is_new
    }

    /// A question of a former process, and what was answered.
    pub(crate) fn restore(&self, question: &Question, answer: Option<&Answer>) {
        let mut state = self.lock();
        state.asked.insert(question.id.clone(), question.clone());
        match answer {
            Some(answer) => state.answers.insert(question.id.clone(), answer.clone()).map(|_| ()),
            None => Some(state.open.insert(question.id.clone())).map(|_| ()),
        };
    }

    /// The agent has its answer; false when it had it before.
    pub(crate) fn close(&self, id: &str, now: Instant) -> bool {
        let mut state = self.lock();
        let was_open = state.open.remove(id);
        if state.open.is_empty()
            && let Some(since) = state.pause.since.take()
        {
            state.pause.before += now.duration_since(since);
        }
        drop(state);
        self.changed.send_replace(());
        was_open
    }

    /// Whether the agent asked this and has its answer.
    pub(crate) fn is_closed(&self, id: &str) -> bool {
        let state = self.lock();
        state.asked.contains_key(id) && !state.open.contains(id)
    }

    /// What waits for an answer.
    pub(crate) fn open(&self) -> Vec<Question> {
        let state = self.lock();
        state.open.iter().filter_map(|id| state.asked.get(id).cloned()).collect()
    }

    /// What the agent asked under an id.
    pub(crate) fn asked(&self, id: &str) -> Option<Question> {
        self.lock().asked.get(id).cloned()
    }

    pub(crate) fn answer(&self, id: &str) -> Option<Answer> {
        self.lock().answers.get(id).cloned()
    }

    /// Waits for an answer to one of these. May be dropped and asked again.
    pub(crate) async fn answered(&self, ids: &[&str]) -> Answer {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(answer) = ids.iter().find_map(|id| self.answer(id)) {
                return answer;
            }
            // The sender lives as long as we do.
            let _ = changed.changed().await;
        }
    }

    /// When a time span that began then is over; nothing while a question waits.
    pub(crate) fn limit(&self, began: Instant, span: Duration) -> Option<Instant> {
        let state = self.lock();
        state.pause.since.is_none().then(|| began + span + state.pause.before)
    }

    /// Waits until that time is over, however it moves.
    pub(crate) async fn passed(&self, began: Instant, span: Duration) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let over = async {
                match self.limit(began, span) {
                    Some(limit) => tokio::time::sleep_until(limit).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => return,
                _ = changed.changed() => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use fabrica_protocol::run::QuestionKind;
    use futures::FutureExt;

    use super::*;

    fn answer(id: &str, text: &str) -> Answer {
        let (id, text) = (id.to_owned(), text.to_owned());
        Answer { id, text, answered_by: String::new() }
    }

    fn question(id: &str) -> Question {
        let (id, question) = (id.to_owned(), "q".to_owned());
        Question { id, kind: QuestionKind::Approval, question, options: Vec::new() }
    }

    #[test]
    fn an_answer_is_taken_once_and_waits_for_its_question() {
        let questions = Questions::default();
        assert!(questions.answered(&["a"]).now_or_never().is_none());
        assert_eq!(questions.take(answer("a", "yes")), Ok(()));
        assert_eq!(questions.take(answer("a", "yes")), Ok(()));
        assert_eq!(questions.take(answer("a", "no")), Err(AnswerError::Other("a".to_owned())));
        assert_eq!(questions.answered(&["b", "a"]).now_or_never().unwrap().text, "yes");
        for number in 1..ANSWERS {
            assert_eq!(questions.take(answer(&number.to_string(), "x")), Ok(()));
        }
        assert_eq!(questions.take(answer("z", "x")), Err(AnswerError::TooMany));
    }

    #[test]
    fn no_time_passes_while_a_question_waits() {
        let questions = Questions::default();
        let (began, second) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(questions.limit(began, second), Some(began + second));
        assert!(questions.ask(&question("a"), began));
        assert!(!questions.ask(&question("a"), began + second));
        assert!(questions.ask(&question("b"), began + second));
        questions.close("a", began + 2 * second);
        assert_eq!(questions.limit(began, second), None);
        assert!(questions.is_closed("a") && !questions.is_closed("b"));
        assert!(questions.close("b", began + 3 * second));
        assert!(!questions.close("b", began + 9 * second));
        assert_eq!(questions.limit(began, second), Some(began + 4 * second));
    }
}
