//! Who answers what programs ask their terminal. To each question there is one answer: that of one client's emulator, or
//! ours where no emulator sees it. No I/O.

use std::cell::LazyCell;

use super::screen::query::Watch;
use super::state::{State, Terminal};

impl State {
    /// The client whose emulator's answers a program is given, and whether it will see what is asked now: not where nobody
    /// looks, for what it is sent may be left out in a flood, and not when it is so late that something will be. Among
    /// equals it is the owner of the size, else who came first.
    pub(super) fn responder(&self, id: u16) -> Option<(u32, bool)> {
        let owner = self.terminals.get(&id)?.owner;
        let able = self.clients.iter().filter(|(_, client)| client.control);
        let able = able.filter_map(|(connection, client)| {
            let attachment = client.attachments.get(&id).filter(|attachment| !attachment.view)?;
            Some((*connection, client.visible && attachment.late_since.is_none()))
        });
        // Of equals the last is taken, so who came first has to be that.
        able.rev().max_by_key(|(connection, sees)| (*sees, *connection == owner))
    }
}

impl Terminal {
    /// Answers what the newest output asks, when nobody else sees it.
    pub(super) fn answer(&mut self, count: usize, alone: bool) {
        if !alone || self.exit.is_some() {
            self.watch = Watch::default();
            return;
        }
        let head = self.ring.head();
        let pieces = self.ring.slices(head - count as u64, head);
        let queries: Vec<_> = pieces.iter().flat_map(|piece| self.watch.read(piece)).collect();
        if !queries.is_empty() {
            self.answered = head;
        }
        // Made once for all of them, if one asks for it at all.
        let screen = LazyCell::new(|| self.history.screen_at(&self.ring, head));
        for query in queries {
            if self.input.is_full() {
                return;
            }
            self.input.push_own(query.answer(|| &screen).into());
        }
    }
}

/// Whether an emulator answers a question with this: to each there is one answer, whoever else watches. Reports of the
/// mouse and of the focus are a person's doing.
pub(super) fn is_answer(bytes: &[u8]) -> bool {
    match bytes {
        [0x1B, b']' | b'P', ..] => true,
        [0x1B, b'[', .., last] => matches!(last, b'c' | b'n' | b'R' | b'y' | b't'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use fabrica_protocol::kterm::{ClientFrame, Hello, HelloTerminal};

    use super::*;
    use crate::terminal::fixture::{self, output, print, say, state};
    use crate::terminal::outgoing::Next;

    const QUESTION: &[u8] = b"\x1b[5n";
    const ANSWER: &[u8] = b"\x1b[0n";

    /// A page that has read all there is, in sight or not.
    fn join(state: &mut State, name: &str, visible: bool) -> u32 {
        let id = fixture::join(state, "ada");
        let terms = vec![HelloTerminal { id: 1, have_off: None, cols: 0, rows: 0 }];
        let hello = Hello { client_id: name.into(), visible, terms, ..Hello::default() };
        say(state, id, ClientFrame::Hello(hello), 0);
        read(state, id);
        id
    }

    /// Reads and acknowledges all that may be sent.
    fn read(state: &mut State, connection: u32) {
        while !matches!(state.next_message(connection, Duration::ZERO), Next::Nothing) {}
        let offset = state.clients[&connection].attachments[&1].cursor;
        say(state, connection, ClientFrame::Ack { terminal: 1, offset }, 0);
    }

    fn sees(state: &mut State, connection: u32, visible: bool) {
        say(state, connection, ClientFrame::Ping { visible, client_us: 0 }, 0);
    }

    /// The answer of a page's emulator, the first that it gives.
    fn answers(state: &mut State, connection: u32) {
        let bytes = Bytes::from_static(ANSWER);
        let input = ClientFrame::Input { terminal: 1, auto: true, offset: 0, bytes };
        say(state, connection, input, 0);
    }

    /// What the program reads next.
    fn reads(state: &mut State) -> Vec<u8> {
        let read = state.terminals[&1].input.front().unwrap_or_default().to_vec();
        state.consumed(1, read.len());
        read
    }

    #[test]
    fn what_is_asked_behind_a_hidden_page_is_answered_once_whatever_that_page_is_sent() {
        let mut state = state();
        let page = join(&mut state, "page", false);
        output(&mut state, QUESTION);
        assert_eq!(reads(&mut state), ANSWER);
        print(&mut state, 4096);
        output(&mut state, QUESTION);
        assert_eq!(reads(&mut state), ANSWER, "of what the page is not sent");
        // What lay in the page is parsed when somebody looks again.
        sees(&mut state, page, true);
        answers(&mut state, page);
        assert_eq!(reads(&mut state), b"");
    }

    #[test]
    fn a_page_answers_what_it_saw_also_when_it_is_hidden_meanwhile() {
        let mut state = state();
        let page = join(&mut state, "page", true);
        output(&mut state, QUESTION);
        assert_eq!(reads(&mut state), b"");
        sees(&mut state, page, false);
        answers(&mut state, page);
        assert_eq!(reads(&mut state), ANSWER);
    }

    #[test]
    fn who_looks_answers_before_the_owner_of_the_size() {
        let mut state = state();
        let owner = join(&mut state, "owner", false);
        let other = join(&mut state, "other", true);
        state.terminals.get_mut(&1).unwrap().owner = owner;
        output(&mut state, QUESTION);
        answers(&mut state, owner);
        assert_eq!(reads(&mut state), b"");
        answers(&mut state, other);
        assert_eq!(reads(&mut state), ANSWER);
    }

    #[test]
    fn who_will_be_sent_less_than_all_answers_nothing() {
        let mut state = state();
        let late = join(&mut state, "late", true);
        let quick = join(&mut state, "quick", true);
        state.terminals.get_mut(&1).unwrap().owner = late;
        for _ in 0..900 {
            print(&mut state, 1);
            read(&mut state, quick);
        }
        state.note_late(late, Duration::ZERO);
        output(&mut state, QUESTION);
        read(&mut state, quick);
        answers(&mut state, quick);
        assert_eq!(reads(&mut state), ANSWER);
    }
}
