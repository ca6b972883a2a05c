//! `kterm.v1`: all terminals of a Session over one WebSocket of binary messages.
//!
//! A frame is one message: `u8 type, u8 flags, u16 terminal`, then a body; integers are little-endian. Offsets count
//! the bytes of a terminal's output (or of a client's input) since the runtime started. They are void when the
//! `epoch`, a random number of each runtime process, has changed.

mod client;
mod hello;
mod server;
mod wire;

pub use client::{Attach, AttachRole, ClientFrame, OpenRequest};
pub use hello::{
    Capabilities, Hello, HelloTerminal, Limits, TerminalInfo, TerminalType, Terminals, Welcome,
};
pub use server::{ErrorCode, ServerFrame, SnapshotReason};

/// The WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "kterm.v1";

/// The largest frame in either direction, in bytes; a paste is cut into smaller ones.
pub const MAX_FRAME: usize = 64 * 1024;

/// The largest JSON body (HELLO, OPEN), in bytes.
pub const MAX_JSON: usize = 32 * 1024;

/// An ATTACH that has nothing yet.
pub const NOTHING: u64 = u64::MAX;

/// The longest title that TITLE gives, in bytes.
pub const MAX_TITLE: usize = 128;

/// Why a frame cannot be read. The socket closes with [`close::PROTOCOL`], or with [`close::TOO_BIG`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {0} bytes; at most {MAX_FRAME} are allowed")]
    TooBig(usize),
    #[error("frame type 0x{0:02x} is unknown")]
    UnknownType(u8),
    #[error("a frame of type 0x{kind:02x} ends {missing} bytes early")]
    Short { kind: u8, missing: usize },
    #[error("a frame of type 0x{kind:02x} has {surplus} bytes too many")]
    Long { kind: u8, surplus: usize },
    #[error("the JSON of {frame} is malformed: {reason}")]
    Json { frame: &'static str, reason: String },
    #[error("text is not UTF-8")]
    Text,
    #[error("field {0} has no such value")]
    Value(&'static str),
}

impl FrameError {
    /// The close code that tells it.
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::TooBig(_) => close::TOO_BIG,
            _ => close::PROTOCOL,
        }
    }
}

/// Close codes and who retries after them (terminal page of the developer guide).
pub mod close {
    /// The user closed it. Stop.
    pub const NORMAL: u16 = 1000;
    /// A server stops. Retry at once.
    pub const GOING_AWAY: u16 = 1001;
    /// A text frame came. Stop.
    pub const TEXT: u16 = 1003;
    /// A frame above the limit. Stop.
    pub const TOO_BIG: u16 = 1009;
    /// A malformed frame. Stop.
    pub const PROTOCOL: u16 = 4400;
    /// Not logged in. Log in, then retry once.
    pub const UNAUTHENTICATED: u16 = 4401;
    /// Not allowed, or no longer. Stop.
    pub const FORBIDDEN: u16 = 4403;
    /// No such Session. Stop.
    pub const NOT_FOUND: u16 = 4404;
    /// No HELLO in time, or silence. Retry.
    pub const TIMEOUT: u16 = 4408;
    /// The same client connected again. Stop, and offer to take back.
    pub const SUPERSEDED: u16 = 4409;
    /// The Session has ended. Stop.
    pub const GONE: u16 = 4410;
    /// Too many connections. Retry after the hint `ra=<ms>` in the reason.
    pub const TOO_MANY: u16 = 4429;
    /// A fault of the server. Back off.
    pub const INTERNAL: u16 = 4500;
    /// The pod is not ready. Look at the Session's state, retry after the hint.
    pub const NOT_READY: u16 = 4503;
    /// The gateway does not reach the pod. Back off.
    pub const UNREACHABLE: u16 = 4504;
}
