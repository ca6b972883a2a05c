//! What is kept of an attempt's work outside of its pod, and what it has changed.

use serde::{Deserialize, Serialize};

/// As many changed files are named; of the others only the number is told.
pub const CHANGES: usize = 100;
/// The largest conversation of a checkpoint, compressed, in bytes: the agent's own file of hours of work is a fraction.
pub const CONVERSATION_BYTES: usize = 16 * 1024 * 1024;
/// The header of a conversation that says the SHA-256 of its bytes, in hexadecimal digits.
pub const SHA256_HEADER: &str = "fabrica-sha256";

/// The work of an attempt so far, kept outside of its pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// The commit that `refs/fabrica/<uid>/wip` was set to: the files, on top of the newest commit of the branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The agent's own id of its conversation, which `GET /v1/checkpoint` hands out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// How long the conversation is, compressed.
    pub bytes: u64,
    /// Of the compressed conversation, in hexadecimal digits; empty when there is none.
    pub sha256: String,
}

/// Files that have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// At most [`CHANGES`].
    pub files: Vec<Change>,
    /// Files that are not named.
    #[serde(default)]
    pub more: u32,
    /// Lines, of all files.
    pub added: u64,
    pub removed: u64,
}

/// One file that has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub path: String,
    /// Lines.
    pub added: u32,
    pub removed: u32,
    /// No lines are counted in it.
    #[serde(default)]
    pub binary: bool,
}
