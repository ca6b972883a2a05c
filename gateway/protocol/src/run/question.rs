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
