//! What people are asked before something is published. Pure.
//!
//! An id proves nothing, as the agent can write the journal that a former process left: what was asked has to be ours.

use fabrica_protocol::run::{DECISION, Question, QuestionKind};

/// Begins the id of every question of ours, and of none of the agent's.
const ID: &str = "approval-";
/// Of a workflow.
pub(super) const RELEASE: &str = "The agent wants to release its work: push the branch and open the pull request. Do you approve?";
/// Of a plain conversation.
pub(super) const PROPOSE: &str = "The agent wants to open a pull request. Do you approve?";

/// A new question. Nobody can have answered what nobody could foresee.
pub(super) fn ask(what: &str) -> Question {
    worded(format!("{ID}{}", uuid::Uuid::new_v4()), what)
}

/// Whether this is our question, word for word.
pub(super) fn asks(question: &Question, what: &str) -> bool {
    is_ours(&question.id) && *question == worded(question.id.clone(), what)
}

pub(super) fn is_ours(id: &str) -> bool {
    id.starts_with(ID)
}

fn worded(id: String, what: &str) -> Question {
    let (kind, question) = (QuestionKind::Approval, what.to_owned());
    Question { id, kind, question, options: DECISION.map(str::to_owned).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_our_own_question_asks_for_leave() {
        let ours = ask(RELEASE);
        assert!(asks(&ours, RELEASE) && !asks(&ours, PROPOSE));
        assert_ne!(ours.id, ask(RELEASE).id);
        let harmless =
            Question { question: "Do you approve of olive oil?".to_owned(), ..ours.clone() };
        let renamed = Question { options: vec!["approve".to_owned()], ..ours.clone() };
        let of_the_agent = Question { id: "toolu_1".to_owned(), ..ours };
        for question in [harmless, renamed, of_the_agent] {
            assert!(!asks(&question, RELEASE), "{question:?}");
        }
    }
}
