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
}

/// What the runtime allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub max_frame: u64,
    pub window: u64,
    pub terminals: u16,
    pub clients: u16,
}

/// A terminal as WELCOME and TERMS tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalInfo {
    pub id: u16,
    /// The idempotency key (hexadecimal) of the OPEN that made it; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub title: String,
    pub cwd: String,
    pub alive: bool,
    pub cols: u16,
    pub rows: u16,
    /// Offset after the last byte of output, and of the oldest byte still kept.
    pub head: u64,
    pub tail: u64,
    /// Input of this client that reached the program, up to this offset. In WELCOME only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_off: Option<u64>,
}

/// The body of TERMS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminals {
    pub terms: Vec<TerminalInfo>,
}
