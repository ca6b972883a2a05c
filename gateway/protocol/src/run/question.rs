//! What an agent asks a human, and the answer.

use serde::{Deserialize, Serialize};

/// The longest id of a question: agents' own ids are a fraction of it.
pub const QUESTION_ID_BYTES: usize = 128;
/// The longest question, in characters: it stands in a status.
pub const QUESTION_CHARACTERS: usize = 2048;
/// As many answers are offered at most, each as long as this, in characters: a person chooses among them.
pub const OPTIONS: usize = 10;
pub const OPTION_CHARACTERS: usize = 200;
/// The longest answer, in bytes: as `spec.answers` takes them.
pub const ANSWER_BYTES: usize = 4096;

/// What the runtime offers where it reads the answer itself, as leave or as a refusal.
pub const DECISION: [&str; 2] = ["approve", "reject"];

/// What may follow the word of an answer that gives leave: the rest is a comment then, and no condition.
const MARKS: [char; 5] = [',', ':', '.', ';', '!'];

/// What the agent asks a human.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// The agent's own id of the call, at most [`QUESTION_ID_BYTES`] of letters, digits, `_` and `-`.
    pub id: String,
    /// Not `kind`, which a record has already.
    #[serde(rename = "questionKind")]
    pub kind: QuestionKind,
    /// At most [`QUESTION_CHARACTERS`].
    pub question: String,
    /// Answers to choose from: at most [`OPTIONS`], perhaps none. Any other answer is one, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// What kind of answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum QuestionKind {
    /// May this be done?
    Approval,
    /// Is this right?
    Confirmation,
    /// Which of these?
    Selection,
    /// What is meant?
    Clarification,
    /// What is to be said about this?
    Review,
    /// How does it go on after this error?
    ErrorResolution,
}

/// The body of `POST /v1/answers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answer {
    /// The question's.
    pub id: String,
    /// At most [`ANSWER_BYTES`].
    pub text: String,
    /// Who gave it; empty when nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answered_by: String,
}

/// Whether an answer gives leave: `approve` or `approved`, alone or with a comment after one of the marks.
pub fn approves(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let Some(rest) = text.strip_prefix(DECISION[0]) else { return false };
    let rest = rest.strip_prefix('d').unwrap_or(rest);
    rest.is_empty() || rest.starts_with(MARKS)
}

/// Whether an answer says that it gives leave, or that it does not. What says neither gives none.
pub fn decides(text: &str) -> bool {
    approves(text) || text.trim().to_ascii_lowercase().starts_with(DECISION[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leave_is_a_word_and_perhaps_a_comment() {
        for text in [" Approve\n", "APPROVED", "approve: nice work", "approved, but be quick"] {
            assert!(approves(text) && decides(text), "{text}");
        }
        for text in ["approve.", "Approved; next time sooner", "approve!"] {
            assert!(approves(text), "{text}");
        }
    }

    #[test]
    fn what_only_begins_like_leave_gives_none() {
        for text in [
            "",
            "approve only after the tests pass",
            "Approve button is still broken, fix it first",
            "approval: not yet",
            "approves: nobody",
            "approvedd",
            "I do not approve",
            "yes please",
        ] {
            assert!(!approves(text) && !decides(text), "{text}");
        }
        for text in ["reject", " Rejected: no test", "reject it"] {
            assert!(!approves(text) && decides(text), "{text}");
        }
    }
}
