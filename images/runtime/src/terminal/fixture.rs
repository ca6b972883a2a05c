//! A state as tests need it: one terminal, and clients that come and speak.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use fabrica_protocol::kterm::{ClientFrame, TerminalType};
use tokio::sync::Notify;

use super::opening::Wanted;
use super::size::Size;
use super::state::State;
use super::title::Title;

/// The epoch is 7, and the terminal 1.
pub(super) fn state() -> State {
    let mut state = State::new(7, DateTime::UNIX_EPOCH);
    let title = Title::new(String::new(), String::new());
    let (kind, size) = (TerminalType::System, Size::default());
    state.opened(1, Wanted { key: None, kind, title, size }, String::new());
    state
}

/// A connection of this user, who may type.
pub(super) fn join(state: &mut State, user: &str) -> u32 {
    state.join("c", user, true, Arc::new(Notify::new())).unwrap()
}

/// So many milliseconds after the start.
pub(super) fn say(state: &mut State, connection: u32, frame: ClientFrame, at: u64) {
    state.handle(connection, frame, DateTime::UNIX_EPOCH, Duration::from_millis(at));
}

pub(super) fn print(state: &mut State, kibibytes: u64) {
    for _ in 0..kibibytes {
        output(state, &[b'x'; 1024]);
    }
}

pub(super) fn output(state: &mut State, bytes: &[u8]) {
    state.print(1, bytes, Duration::ZERO);
}
