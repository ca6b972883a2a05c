//! What is written down of a call of one of our tools.

use serde::{Deserialize, Serialize};

/// The longest of its texts, in characters: a name or a few words.
pub const AUDIT_CHARACTERS: usize = 200;

/// A call that has ended. Whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// The same as of the tool that was started; empty when the caller named none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    pub server: String,
    pub tool: String,
    pub outcome: CallOutcome,
    /// What it was about, in a few words; never all that was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    pub duration_ms: u64,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallOutcome {
    Ok,
    /// It may not be done, or not now.
    Refused,
    /// It was tried in vain, or could not be understood.
    Failed,
}

impl CallOutcome {
    /// As it is spelled everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}
