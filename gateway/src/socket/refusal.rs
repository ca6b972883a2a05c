//! Refusals of sockets. A browser cannot see the status of a failed upgrade, so the gateway completes the handshake
//! itself and sends one close frame that says why.

use std::time::Duration;

use fabrica_protocol::kterm::close;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::identity::Refused;

/// The longest reason of a close frame: a control frame holds 125 bytes, two of them the code.
const REASON_BYTES: usize = 123;

/// How long the client may take to close in turn.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The first byte of a close frame: final, opcode 8.
const CLOSE_FRAME: u8 = 0x88;

/// Why a socket is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: u16,
    text: String,
}

impl Refusal {
    /// Log in first.
    pub fn not_logged_in() -> Self {
        Self::new(close::UNAUTHENTICATED, "not logged in")
    }

    /// Not allowed.
    pub fn forbidden(text: &str) -> Self {
        Self::new(close::FORBIDDEN, text)
    }

    /// The URL names what can be no Session.
    pub fn malformed(text: &str) -> Self {
        Self::new(close::PROTOCOL, text)
    }

    /// No such Session, or not for this caller.
    pub fn not_found() -> Self {
        Self::new(close::NOT_FOUND, "no such session, or you may not see it")
    }

    /// The Session is one without an agent.
    pub fn no_chat() -> Self {
        let text =
            "the session has no chat: its spec.mode is not Chat, and it has no spec.agentState";
        Self::new(close::NOT_FOUND, text)
    }

    /// The Session is being deleted.
    pub fn gone() -> Self {
        Self::new(close::GONE, "the session is being deleted")
    }

    /// Too many sockets.
    pub fn too_many(retry_after: Duration) -> Self {
        Self::with_hint(close::TOO_MANY, retry_after, "too many connections")
    }

    /// Not now: look at the Session's state and try again.
    pub fn not_ready(retry_after: Duration, text: &str) -> Self {
        Self::with_hint(close::NOT_READY, retry_after, text)
    }

    /// The pod does not answer.
    pub fn unreachable(text: &str) -> Self {
        Self::new(close::UNREACHABLE, text)
    }

    /// The close frame's bytes, unmasked as servers send them.
    pub fn frame(&self) -> Vec<u8> {
        let end = self.text.floor_char_boundary(REASON_BYTES);
        let reason = &self.text.as_bytes()[..end];
        let length = u8::try_from(reason.len() + 2).unwrap_or(2);
        let mut frame = vec![CLOSE_FRAME, length];
        frame.extend(self.code.to_be_bytes());
        frame.extend(reason);
        frame
    }

    fn new(code: u16, text: &str) -> Self {
        Self { code, text: text.to_owned() }
    }

    fn with_hint(code: u16, retry_after: Duration, text: &str) -> Self {
        Self { code, text: format!("ra={} {text}", retry_after.as_millis()) }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotLoggedIn | Refused::InvalidToken => Self::not_logged_in(),
            Refused::Origin => Self::forbidden("the Origin is missing or is not this site"),
            Refused::TooMany { seconds } => Self::too_many(Duration::from_secs(seconds)),
            Refused::Unavailable => {
                Self::not_ready(Duration::from_secs(2), "logins cannot be checked now")
            }
        }
    }
}

/// Sends the close frame over the upgraded connection and waits a moment for the client's own.
pub async fn send(upgrade: OnUpgrade, refusal: Refusal) {
    let Ok(upgraded) = upgrade.await else { return };
    let mut socket = TokioIo::new(upgraded);
    if socket.write_all(&refusal.frame()).await.is_err() || socket.flush().await.is_err() {
        return;
    }
    let mut answer = [0; 128];
    // Whatever comes first, the client's close frame, its FIN or the time: the connection ends here.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, socket.read(&mut answer)).await;
    let _ = socket.shutdown().await;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hint_stands_in_front() {
        let frame = Refusal::not_ready(Duration::from_secs(1), "the pod is starting").frame();
        assert_eq!(frame[..4], [0x88, 29, 0x11, 0x97]);
        assert_eq!(&frame[4..], b"ra=1000 the pod is starting");
    }

    proptest! {
        #[test]
        fn frames_are_valid(text in "\\PC{0,200}", code in 4400_u16..4600) {
            let frame = Refusal { code, text }.frame();
            prop_assert!(frame.len() <= 127);
            prop_assert_eq!(usize::from(frame[1]), frame.len() - 2);
            prop_assert!(std::str::from_utf8(&frame[4..]).is_ok());
        }
    }
}
