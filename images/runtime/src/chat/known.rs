//! What the records of a journal come to. No I/O: a pod that finds a journal knows as much as the one that wrote it.

use std::collections::{BTreeMap, HashSet};

use fabrica_protocol::run::{Answer, Autonomy, Entry, MessageState, Question, TurnState, Usage};

use super::engine::Engine;

/// A message of a person that the agent has not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) id: String,
    pub(crate) text: String,
    /// Whether a leading `/` is meant.
    pub(crate) command: bool,
}

/// A workflow that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) work_id: String,
    pub(crate) engine: Engine,
}

/// Everything that is known.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Ids of people's messages.
    pub(crate) ids: HashSet<String>,
    /// In the order in which they were said.
    pub(crate) waiting: Vec<Said>,
    /// Whether the agent is in a turn.
    pub(crate) in_turn: bool,
    pub(crate) work: Option<Work>,
    /// Whether there was ever a workflow.
    pub(crate) has_worked: bool,
    pub(crate) usage: Usage,
    pub(crate) questions: BTreeMap<String, (Question, Option<Answer>)>,
}

impl Known {
    pub(crate) fn learn(&mut self, entry: &Entry) {
        match entry {
            Entry::Message { id, text, .. } => {
                self.ids.insert(id.clone());
                self.waiting.push(Said { id: id.clone(), text: text.clone(), command: false });
            }
            Entry::MessageState { id, state } if *state != MessageState::Queued => {
                self.waiting.retain(|said| said.id != *id);
            }
            Entry::Turn { state, .. } => self.in_turn = *state == TurnState::Started,
            Entry::WorkflowStarted { work_id, autonomy, .. } => self.begin(work_id, *autonomy),
            Entry::WorkflowEnded { .. } => self.work = None,
            Entry::Phase { phase, status, .. } => {
                if let Some(work) = &mut self.work {
                    work.engine.learn(*phase, *status);
                }
            }
            Entry::Usage(usage) => self.usage = usage.clone(),
            Entry::Question(question) => {
                self.questions.insert(question.id.clone(), (question.clone(), None));
            }
            Entry::Answered { id, text, answered_by } => {
                if let Some((_, answer)) = self.questions.get_mut(id) {
                    let (id, text) = (id.clone(), text.clone());
                    *answer = Some(Answer { id, text, answered_by: answered_by.clone() });
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, work_id: &str, autonomy: Autonomy) {
        let engine = Engine::new(autonomy);
        self.work = Some(Work { work_id: work_id.to_owned(), engine });
        self.has_worked = true;
    }
}
