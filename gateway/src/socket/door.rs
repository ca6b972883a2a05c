//! Which of a pod's WebSockets.

use fabrica_protocol::{chat, kterm};

/// One of the WebSockets of a Session's pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// All of its terminals.
    Terminal,
    /// The conversation with its agent.
    Chat,
}

impl Door {
    /// The virtual subresource that decides, the last part of the path here, and the label of metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Chat => "chat",
        }
    }

    /// Where it is in the pod.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Terminal => "/v1/terminal",
            Self::Chat => "/v1/chat",
        }
    }

    /// The WebSocket subprotocol.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Terminal => kterm::SUBPROTOCOL,
            Self::Chat => chat::SUBPROTOCOL,
        }
    }
}
