//! What the state lets others see of itself: what happens, for the log, and how fast it is, for the operator. No I/O.

use std::time::Duration;

use fabrica_protocol::kterm::close;
use tokio::time::Instant;

use super::events::What;
use super::state::State;

impl State {
    /// A terminal was opened, by a client or with the Session.
    pub(super) fn created(&mut self, connection: u32, terminal: u16) {
        self.tell(connection, Some(terminal), What::Created);
    }

    /// Says of a terminal, or of none in particular, what a connection did with it.
    pub(super) fn tell(&mut self, connection: u32, terminal: Option<u16>, what: What) {
        let name = self.clients.get(&connection).map_or("", |client| &client.connection);
        self.events.add(what, terminal, name);
    }

    /// A connection was ended, or turned away, with this code: that of an ordinary end is no error.
    pub(super) fn turned_away(&mut self, connection: &str, code: u16, now: Instant) {
        if !matches!(code, close::NORMAL | close::GOING_AWAY) {
            self.events.add(What::Ended { code }, None, connection);
        }
        self.events.write(now);
    }

    /// A client has been given all that it may have now. `uptime` is counted as in [`State::handle`].
    pub fn sent_all(&mut self, connection: u32, uptime: Duration) {
        let Some(client) = self.clients.get(&connection) else { return };
        let mut has_all = true;
        for (id, attachment) in &client.attachments {
            let head = self.terminals.get(id).map_or(0, |terminal| terminal.ring.head());
            self.measures.stalls(connection, *id, attachment.cursor < head);
            has_all &= attachment.cursor >= attachment.replay_until;
        }
        if has_all {
            self.measures.caught_up(connection, uptime);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fabrica_protocol::kterm::{ClientFrame, Hello, HelloTerminal};

    use super::*;
    use crate::terminal::fixture::{join, print, say, state};
    use crate::terminal::outgoing::Next;
    use crate::terminal::window::START_BYTES;

    fn drain(state: &mut State, connection: u32, at: u64) {
        while !matches!(state.next_message(connection, Duration::from_millis(at)), Next::Nothing) {}
        state.sent_all(connection, Duration::from_millis(at));
    }

    #[test]
    fn a_return_lasts_until_all_that_was_missed_is_sent_and_a_full_window_is_a_stall() {
        let mut state = state();
        print(&mut state, START_BYTES / 1024 + 4);
        let id = join(&mut state, "ada");
        let term = HelloTerminal { id: 1, have_off: Some(0), cols: 0, rows: 0 };
        let hello = Hello {
            client_id: "page".into(),
            epoch: Some("7".into()),
            cause: Some("closed with 1006".into()),
            attempts: 2,
            down_ms: 40,
            terms: vec![term],
            ..Hello::default()
        };
        say(&mut state, id, ClientFrame::Hello(hello), 100);
        drain(&mut state, id, 101);
        let counted = &state.measures.counted;
        assert_eq!((counted.client_stalls, counted.resume.microseconds), (1, 0));
        drain(&mut state, id, 102);
        assert_eq!(state.measures.counted.client_stalls, 1, "it is the same stall");
        say(&mut state, id, ClientFrame::Ack { terminal: 1, offset: START_BYTES }, 107);
        drain(&mut state, id, 108);
        let counted = state.measures.counted.clone();
        assert_eq!((counted.resume.microseconds, counted.away.microseconds), (8_000, 40_000));
        print(&mut state, 1);
        drain(&mut state, id, 200);
        assert_eq!(state.measures.counted, counted, "nothing is measured twice");
        let input = Bytes::from_static(b"x");
        say(
            &mut state,
            id,
            ClientFrame::Input { terminal: 1, auto: false, offset: 0, bytes: input },
            201,
        );
        state.leave(id);
        assert!(!state.clients.contains_key(&id));
    }
}
