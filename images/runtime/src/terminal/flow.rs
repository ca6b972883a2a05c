//! How far behind each client may be: acknowledgements, and what becomes of those who cannot follow. No I/O.

use std::time::Duration;

use fabrica_protocol::kterm::{SnapshotReason, close};

use super::client::Attachment;
use super::ring::READ_BYTES;
use super::state::{State, Terminal};
use super::window::START_BYTES;

/// New output that a client may have been sent nothing of, while a program goes on because others follow it.
pub(super) const LATE_BYTES: u64 = 512 * 1024;

/// How long it may be so: a burst that a client catches up with is no reason to take lines from it.
pub(super) const LATE_AFTER: Duration = Duration::from_secs(2);

impl State {
    /// A client has parsed everything up to an offset. Cumulative: lost and late acknowledgements do no harm.
    pub(super) fn acknowledged(&mut self, connection: u32, id: u16, offset: u64, now: Duration) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        let sent = client.sent.get(&id).copied();
        let Some(attachment) = client.attachments.get_mut(&id) else { return };
        // After an ATTACH, what was sent before it may still be acknowledged.
        if offset > sent.unwrap_or(0).max(attachment.cursor) {
            return client.close(close::PROTOCOL, "ACK of output that was never sent");
        }
        let before = attachment.acked;
        let acked = before.max(offset.min(attachment.cursor));
        attachment.window.acknowledged(before, acked, now);
        attachment.acked = acked;
        if let Some(terminal) = self.terminals.get(&id) {
            terminal.wake.notify_one();
        }
    }

    /// Notes which terminals a client is too far behind in, also while its socket takes nothing.
    pub fn note_late(&mut self, connection: u32, now: Duration) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        for (id, attachment) in &mut client.attachments {
            let head = self.terminals.get(id).map_or(0, |terminal| terminal.ring.head());
            // What was there before it came takes the time that it takes.
            let behind = head.saturating_sub(attachment.cursor.max(attachment.replay_until));
            // Who is behind by a whole window may hold the program back, and then it waits for nobody else.
            let most = LATE_BYTES.max(attachment.window.bytes() + READ_BYTES as u64);
            if behind <= most {
                attachment.late_since = None;
            } else {
                attachment.late_since.get_or_insert(now);
            }
        }
    }
}

/// Where a client goes on that cannot have all: one whose next byte has left the ring near the end, for from further back
/// it would only be overrun again, and one that is too slow at the end. Not before it has parsed something of what it was
/// sent.
pub(super) fn skip(terminal: &Terminal, attachment: &mut Attachment, now: Duration) {
    let room = attachment.cursor - attachment.acked < attachment.window.bytes();
    if !room || attachment.snapshot_due.is_some() {
        return;
    }
    let head = terminal.ring.head();
    let late = attachment.late_since.is_some_and(|since| now >= since + LATE_AFTER);
    let (from, reason) = if late {
        (head, SnapshotReason::Skip)
    } else if attachment.cursor < terminal.ring.tail() {
        (head.saturating_sub(START_BYTES), SnapshotReason::Overrun)
    } else {
        return;
    };
    attachment.goes_on_from(terminal.ring.line_start(from));
    terminal.wake.notify_one();
    attachment.replay_until = head;
    attachment.late_since = None;
    attachment.snapshot_due = Some(reason);
}

#[cfg(test)]
mod tests {
    use fabrica_protocol::kterm::{
        Attach, AttachRole, ClientFrame, Hello, HelloTerminal, ServerFrame,
    };

    use super::*;
    use crate::terminal::fixture::{self, print, say, state};
    use crate::terminal::outgoing::Next;
    use crate::terminal::window::Window;

    fn join(state: &mut State, user: &str) -> u32 {
        let id = fixture::join(state, user);
        let terms = vec![HelloTerminal { id: 1, have_off: None, cols: 0, rows: 0 }];
        let hello = Hello { client_id: "page".into(), visible: true, terms, ..Hello::default() };
        say(state, id, ClientFrame::Hello(hello), 0);
        id
    }

    /// What is told of a screen until nothing is left to send: its offset.
    fn snapshot(state: &mut State, connection: u32) -> Option<u64> {
        let mut told = None;
        loop {
            match state.next_message(connection, Duration::ZERO) {
                Next::Send(message) => {
                    let frame = ServerFrame::decode(message.head.clone());
                    if let Ok(ServerFrame::Snapshot { offset, .. }) = frame {
                        told = Some(offset);
                    }
                }
                Next::Working => {}
                Next::Nothing => return told,
            }
        }
    }

    #[test]
    fn a_screen_that_is_still_on_its_way_may_be_acknowledged_after_another_attach() {
        let mut state = state();
        let id = join(&mut state, "ada");
        snapshot(&mut state, id);
        print(&mut state, 2048);
        let offset = snapshot(&mut state, id).expect("the ring has moved on");
        let (have, role) = (Some(offset - 1000), AttachRole::Control);
        let attach = Attach { have, epoch: 7, history: 0, cols: 0, rows: 0, role };
        say(&mut state, id, ClientFrame::Attach { terminal: 1, attach }, 0);
        say(&mut state, id, ClientFrame::Ack { terminal: 1, offset }, 0);
        assert_eq!(state.clients[&id].closing, None);
        say(&mut state, id, ClientFrame::Ack { terminal: 1, offset: u64::MAX }, 0);
        assert!(state.clients[&id].closing.is_some());
    }

    #[test]
    fn a_program_that_waits_for_a_client_makes_it_late_for_nobody() {
        let mut state = state();
        let id = join(&mut state, "ada");
        snapshot(&mut state, id);
        state.clients.get_mut(&id).unwrap().attachments.get_mut(&1).unwrap().window =
            Window::new(Some(u64::MAX));
        while state.output_wanted(1) > 0 {
            print(&mut state, 1);
        }
        for second in 0..10 {
            state.note_late(id, Duration::from_secs(second));
        }
        assert_eq!(state.clients[&id].attachments[&1].late_since, None);
    }

    #[test]
    fn a_page_that_nobody_sees_holds_no_program_back() {
        let mut state = state();
        let id = join(&mut state, "ada");
        snapshot(&mut state, id);
        print(&mut state, 300);
        let seen = |visible| ClientFrame::Ping { visible, client_us: 0 };
        assert_eq!(state.output_wanted(1), 0);
        say(&mut state, id, seen(false), 0);
        assert!(state.output_wanted(1) > 0, "to the ring alone");
        say(&mut state, id, seen(true), 0);
        assert_eq!(state.output_wanted(1), 0);
        say(&mut state, id, seen(false), 0);
        let other = join(&mut state, "eve");
        snapshot(&mut state, other);
        print(&mut state, 300);
        assert_eq!(state.output_wanted(1), 0, "one who looks is waited for");
    }

    #[test]
    fn names_of_clients_are_their_users_own() {
        let mut state = state();
        let (ada, eve) = (join(&mut state, "ada"), join(&mut state, "eve"));
        assert_eq!((&state.clients[&ada].closing, &state.clients[&eve].closing), (&None, &None));
        join(&mut state, "ada");
        assert!(state.clients[&ada].closing.is_some() && state.clients[&eve].closing.is_none());
    }
}
