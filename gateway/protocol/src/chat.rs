//! `fabrica.chat.v1`: one conversation with an agent over a WebSocket of JSON text frames.
//!
//! What a journal holds is shown to every client alike, under its record's number, so that a client that comes back
//! names the last number it saw and gets what it missed. What only lives while it happens (pieces of a text, how the
//! agent stands) carries the number of the last record before it and is never repeated.

mod client;
mod server;

pub use client::{ClientError, ClientMessage};
pub use server::{
    AgentState, Body, ClaudeKind, ProgressKind, QuestionState, Rights, ServerMessage,
};

/// The WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "fabrica.chat.v1";
/// The largest frame in either direction, in bytes.
pub const MAX_FRAME: usize = 256 * 1024;
/// The longest id that a client may give, in letters, digits, `_` and `-`.
pub const ID_BYTES: usize = 64;
/// The longest message of a person, in bytes: a record holds as much.
pub const CONTENT_BYTES: usize = crate::run::TEXT_BYTES;
/// The longest id of a work item, as the Session's spec takes it.
pub const WORK_ID_BYTES: usize = 50;
/// The longest nonce of a ping.
pub const NONCE_BYTES: usize = 64;
/// So many messages of people wait for the agent at most.
pub const QUEUED: usize = 64;
