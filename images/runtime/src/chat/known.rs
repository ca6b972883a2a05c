//! What the records of a journal come to. No I/O: a pod that finds a journal knows as much as the one that wrote it.

use std::collections::{BTreeMap, HashSet};

use fabrica_protocol::run::{Answer, Autonomy, Entry, MessageState, Question, TurnState, Usage};

use super::engine::Engine;
use super::workflow::CORE;

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
    /// Of its work item.
    pub(crate) id: String,
    pub(crate) engine: Engine,
    /// What is to be done, where the item does not say it all.
    pub(crate) plan: Option<String>,
    /// Whether the agent has heard of it, as far as one can tell.
    pub(crate) is_begun: bool,
}

/// What a workflow that has ended leaves: whoever ends it by itself is not free of it.
#[derive(Debug)]
struct Past {
    autonomy: Autonomy,
    /// What was said before its end, and not read: it was said of that work.
    unread: HashSet<String>,
}

/// Everything that is known.
#[derive(Debug)]
pub(crate) struct Known {
    /// The most that the agent may do, whatever a record says.
    most: Autonomy,
    /// Ids of what people said and asked for.
    pub(crate) ids: HashSet<String>,
    /// In the order in which they were said.
    pub(crate) waiting: Vec<Said>,
    /// Whether the agent is in a turn.
    pub(crate) in_turn: bool,
    /// How the newest turn ended that did.
    over: Option<TurnState>,
    pub(crate) work: Option<Work>,
    /// Until somebody speaks, or another workflow begins.
    past: Option<Past>,
    /// The work items that workflows were about.
    worked: HashSet<String>,
    pub(crate) usage: Usage,
    pub(crate) questions: BTreeMap<String, (Question, Option<Answer>)>,
}

impl Known {
    pub(crate) fn new(most: Autonomy) -> Self {
        Self {
            most,
            ids: HashSet::new(),
            waiting: Vec::new(),
            in_turn: false,
            over: None,
            work: None,
            past: None,
            worked: HashSet::new(),
            usage: Usage::default(),
            questions: BTreeMap::new(),
        }
    }

    pub(crate) fn learn(&mut self, entry: &Entry) {
        match entry {
            Entry::Message { id, text, command, .. } => {
                self.ids.insert(id.clone());
                let (id, text) = (id.clone(), text.clone());
                self.waiting.push(Said { id, text, command: *command });
            }
            Entry::MessageState { id, state } if *state != MessageState::Queued => {
                self.waiting.retain(|said| said.id != *id);
                if *state == MessageState::Started {
                    self.begin_message(id);
                }
            }
            Entry::Turn { state, .. } => {
                self.in_turn = *state == TurnState::Started;
                self.over = Some(*state).filter(|_| !self.in_turn);
                if let Some(work) = &mut self.work {
                    work.is_begun |= self.in_turn;
                }
            }
            Entry::WorkflowStarted { work_id, autonomy, id, plan, .. } => {
                self.ids.insert(id.clone());
                self.begin(work_id, *autonomy, plan.clone());
            }
            Entry::WorkflowEnded { .. } => self.end(),
            Entry::Phase { phase, status, .. } => {
                if let Some(work) = &mut self.work {
                    work.engine.learn(*phase, *status);
                    work.is_begun = true;
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

    fn begin(&mut self, work_id: &str, autonomy: Autonomy, plan: Option<String>) {
        let engine = Engine::new(&CORE, autonomy.min(self.most));
        self.work = Some(Work { id: work_id.to_owned(), engine, plan, is_begun: false });
        self.worked.insert(plain(work_id).to_owned());
        self.past = None;
    }

    fn end(&mut self) {
        if let Some(work) = self.work.take() {
            let unread = self.waiting.iter().map(|said| said.id.clone()).collect();
            self.past = Some(Past { autonomy: work.engine.autonomy(), unread });
        }
    }

    /// The agent begins with what somebody said.
    pub(crate) fn begin_message(&mut self, id: &str) {
        self.past.take_if(|past| !past.unread.contains(id));
    }

    /// How far the agent may go now.
    pub(crate) fn autonomy(&self) -> Autonomy {
        let of_work = self.work.as_ref().map(|work| work.engine.autonomy());
        let of_past = self.past.as_ref().map(|past| past.autonomy);
        of_work.or(of_past).unwrap_or(self.most)
    }

    /// Whether the agent has ended its turn, and nobody has told it to.
    pub(crate) fn has_rested(&self) -> bool {
        matches!(self.over, Some(TurnState::Completed | TurnState::Failed))
    }

    /// Whether there ever was a workflow about this work item.
    pub(crate) fn has_worked(&self, work_id: &str) -> bool {
        self.worked.contains(plain(work_id))
    }
}

/// People write a number as `12` or `#12`.
fn plain(work_id: &str) -> &str {
    work_id.trim_start_matches('#')
}

#[cfg(test)]
mod tests {
    use fabrica_protocol::run::{Phase, PhaseStatus, QuestionKind};

    use super::*;
    use crate::chat::engine::Ending;

    fn after(entries: &[Entry]) -> Known {
        let mut known = Known::new(Autonomy::Guarded);
        for entry in entries {
            known.learn(entry);
        }
        known
    }

    fn message(id: &str) -> Entry {
        let (id, author, text) = (id.to_owned(), "ada".to_owned(), "t".to_owned());
        Entry::Message { id, author, text, command: false }
    }

    fn started(work_id: &str, autonomy: Autonomy) -> Entry {
        let (work_id, author, id) = (work_id.to_owned(), String::new(), String::new());
        Entry::WorkflowStarted { work_id, autonomy, author, id, plan: None }
    }

    fn ended() -> Entry {
        let (exit_code, summary, pull_request_url) = (1, String::new(), None);
        let estimated_cost_usd = "0.00".to_owned();
        Entry::WorkflowEnded { exit_code, summary, pull_request_url, estimated_cost_usd }
    }

    fn moved(id: &str, state: MessageState) -> Entry {
        Entry::MessageState { id: id.to_owned(), state }
    }

    fn turn(state: TurnState) -> Entry {
        Entry::Turn { state, code: None, message: None }
    }

    #[test]
    fn what_was_not_read_waits_and_every_id_is_known() {
        let known = after(&[
            message("a"),
            message("b"),
            moved("a", MessageState::Queued),
            moved("b", MessageState::Started),
            turn(TurnState::Started),
        ]);
        let waiting: Vec<&str> = known.waiting.iter().map(|said| said.id.as_str()).collect();
        assert_eq!((waiting, known.ids.len(), known.in_turn), (vec!["a"], 2, true));
        assert!(!after(&[turn(TurnState::Started), turn(TurnState::Interrupted)]).in_turn);
    }

    #[test]
    fn a_record_gives_the_agent_no_more_than_the_session_does() {
        let phase = |phase, status| {
            let (step, message, retry) = (String::new(), String::new(), 0);
            Entry::Phase { phase, status, step, message, retry }
        };
        let known = after(&[
            started("1", Autonomy::Autonomous),
            phase(Phase::Release, PhaseStatus::Started),
        ]);
        let engine = known.work.unwrap().engine;
        assert_eq!(
            (engine.autonomy(), engine.complete()),
            (Autonomy::Guarded, Ok(Ending::Release))
        );
        assert!(!engine.may_publish(), "somebody approves once more");
    }

    #[test]
    fn a_workflow_is_begun_once_the_agent_was_told() {
        let started = started("1", Autonomy::Assist);
        let is_begun = |entries: &[Entry]| after(entries).work.unwrap().is_begun;
        assert!(!is_begun(&[turn(TurnState::Started), started.clone()]));
        assert!(!is_begun(&[started.clone(), turn(TurnState::Failed)]));
        assert!(is_begun(&[started, turn(TurnState::Started), turn(TurnState::Completed)]));
    }

    #[test]
    fn a_workflow_that_has_ended_bounds_the_agent_until_somebody_speaks() {
        use Autonomy::{Assist, Autonomous, DryRun, Guarded};
        use MessageState::{Cancelled, Completed, Started};
        let mut told = vec![message("before"), started("1", Assist), message("during")];
        told.extend([moved("before", Started), ended(), moved("before", Completed)]);
        // An end without a workflow ends nothing.
        told.extend([message("withdrawn"), moved("withdrawn", Cancelled), ended()]);
        told.extend([moved("during", Started), message("after")]);
        assert_eq!(after(&told).autonomy(), Assist);
        let spoken = [told.clone(), vec![moved("after", Started)]].concat();
        assert_eq!(after(&spoken).autonomy(), Guarded);
        let next = |autonomy| [told.clone(), vec![started("2", autonomy)]].concat();
        assert_eq!(after(&next(Guarded)).autonomy(), Guarded);
        assert_eq!(after(&next(DryRun)).autonomy(), DryRun);
        let most = [started("1", Autonomous), ended()];
        assert_eq!(after(&most).autonomy(), Guarded, "never more than the Session");
    }

    #[test]
    fn each_work_item_is_known_that_was_begun() {
        let known = after(&[started("#1", Autonomy::Assist)]);
        assert!(known.has_worked("1") && known.has_worked("#1") && !known.has_worked("2"));
    }

    #[test]
    fn questions_come_back_with_their_answers() {
        let (id, question) = ("q".to_owned(), "Which?".to_owned());
        let (kind, options) = (QuestionKind::Selection, Vec::new());
        let asked = Entry::Question(Question { id: id.clone(), kind, question, options });
        assert!(after(std::slice::from_ref(&asked)).questions["q"].1.is_none());
        let answered = Entry::Answered { id, text: "t".to_owned(), answered_by: "a".to_owned() };
        let known = after(&[asked, answered]);
        assert_eq!(known.questions["q"].1.as_ref().unwrap().answered_by, "a");
    }
}
