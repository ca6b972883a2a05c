//! The JSON bodies that open a conversation.

use serde::{Deserialize, Serialize};

/// The first frame of every client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// Made per page load; names the stream of input that is deduplicated.
    pub client_id: String,
    /// The epoch (hexadecimal) that the offsets below belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// Whether somebody can see the page.
    #[serde(default)]
    pub visible: bool,
    /// Why the last connection was lost, in the client's words; absent at the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Attempts it took to come back.
    #[serde(default)]
    pub attempts: u32,
    /// Time without a connection, in milliseconds.
    #[serde(default)]
    pub down_ms: u64,
    /// Terminals to attach at once: no further round trip after a reconnect.
    #[serde(default)]
    pub terms: Vec<HelloTerminal>,
    #[serde(default)]
    pub caps: Capabilities,
}

/// One terminal to attach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelloTerminal {
    pub id: u16,
    /// Output the client has, up to this offset; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub have_off: Option<u64>,
    /// The client's size in cells; 0 keeps the terminal's own.
    #[serde(default)]
    pub cols: u16,
    #[serde(default)]
    pub rows: u16,
}

/// What the client can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Bytes it lets be on their way unparsed; the runtime clamps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
    /// Whether it wants ACTIVITY of terminals that it is not attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<bool>,
    /// Whether it wants `COMMAND_DONE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<bool>,
}

impl Capabilities {
    /// Whether the client names, true or false, what came after the first frames: then it knows snapshot reasons from 2
    /// on and error codes from 9 on.
    pub const fn is_current(&self) -> bool {
        self.activity.is_some() || self.commands.is_some()
    }
}

/// The answer to HELLO.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Hexadecimal.
    pub epoch: String,
    pub conn_id: u32,
    /// `control` or `view`.
    pub role: String,
    pub limits: Limits,
    pub terms: Vec<TerminalInfo>,
    /// Whether new shells tell when a command has ended. Absent: a runtime of before CLEAR, SIGNAL, COMMAND, TITLE and
    /// sole control, which closes on them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<bool>,
}

/// What the runtime allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub max_frame: u64,
    pub window: u64,
    pub terminals: u16,
    pub clients: u16,
}

/// What a terminal was opened for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TerminalType {
    /// People's own.
    #[default]
    System,
    /// One in which an agent runs.
    Agent,
}

impl TerminalType {
    /// Whether it is what a terminal is when nothing is said.
    pub fn is_system(&self) -> bool {
        *self == Self::System
    }
}

/// A terminal as WELCOME and TERMS tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalInfo {
    pub id: u16,
    /// The idempotency key (hexadecimal) of the OPEN that made it; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(rename = "type", default)]
    pub terminal_type: TerminalType,
    pub title: String,
    pub cwd: String,
    pub alive: bool,
    pub cols: u16,
    pub rows: u16,
    /// Offset after the last byte of output, and of the oldest byte still kept.
    pub head: u64,
    pub tail: u64,
    /// Input of this client that was taken, up to this offset. In WELCOME only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_off: Option<u64>,
    /// As much of it was written to the program. In WELCOME only; absent: a runtime of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_written: Option<u64>,
}

/// The body of TERMS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminals {
    pub terms: Vec<TerminalInfo>,
}
