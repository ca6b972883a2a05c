//! Frames as ERROR names those that failed: by their type bytes.

use fabrica_protocol::kterm::ClientFrame;

pub(super) const INPUT: u32 = 0x01;
pub(super) const RESIZE: u32 = 0x02;
pub(super) const OPEN: u32 = 0x04;
pub(super) const ATTACH: u32 = 0x05;
pub(super) const CLOSE: u32 = 0x07;
pub(super) const CLEAR: u32 = 0x09;
pub(super) const SIGNAL: u32 = 0x0A;
pub(super) const COMMAND: u32 = 0x0B;
pub(super) const HELLO: u32 = 0x0C;
pub(super) const TITLE: u32 = 0x0D;

/// The terminal and the type byte of a frame that only those who type may send.
pub(super) const fn writes(frame: &ClientFrame) -> Option<(u16, u32)> {
    match frame {
        ClientFrame::Input { terminal, .. } => Some((*terminal, INPUT)),
        ClientFrame::Resize { terminal, .. } => Some((*terminal, RESIZE)),
        ClientFrame::Open { .. } => Some((0, OPEN)),
        ClientFrame::Close { terminal, .. } => Some((*terminal, CLOSE)),
        ClientFrame::Clear { terminal } => Some((*terminal, CLEAR)),
        ClientFrame::Signal { terminal, .. } => Some((*terminal, SIGNAL)),
        ClientFrame::Command { terminal, .. } => Some((*terminal, COMMAND)),
        ClientFrame::Title { terminal, .. } => Some((*terminal, TITLE)),
        _ => None,
    }
}
