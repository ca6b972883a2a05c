//! What a client may ask of a terminal besides bytes: to forget, to be called otherwise, to run a line, to get a signal. No
//! I/O.

use fabrica_protocol::kterm::{ErrorCode, SnapshotReason};

use super::prompt::{Command, Refusal};
use super::reference::{COMMAND, SIGNAL, TITLE};
use super::state::State;
use super::title;

/// Signals that a client may send, as Linux numbers them: HUP, INT, QUIT, KILL, USR1, USR2, TERM, CONT, TSTP and WINCH.
const SIGNALS: [u8; 10] = [1, 2, 3, 9, 10, 12, 15, 18, 20, 28];

impl State {
    /// Forgets what a terminal has printed. Everybody begins afresh with the screen as it is, which is made a step at a
    /// time when it is sent.
    pub(super) fn clear(&mut self, id: u16) {
        let Some(terminal) = self.terminals.get_mut(&id) else { return };
        let head = terminal.ring.head();
        terminal.ring.forget();
        for client in self.clients.values_mut() {
            if let Some(attachment) = client.attachments.get_mut(&id) {
                attachment.goes_on_from(head);
                attachment.replay_until = head;
                attachment.snapshot_due = Some(SnapshotReason::Clear);
                client.wake.notify_one();
            }
        }
        terminal.wake.notify_one();
    }

    /// Whether a signal may be sent to what runs in the foreground; if not, its client was told.
    pub(super) fn may_signal(&mut self, connection: u32, id: u16, signal: u8) -> bool {
        if self.has_ended(connection, id, SIGNAL) {
            return false;
        }
        let may = SIGNALS.contains(&signal);
        if !may {
            let text = format!("Signal {signal} is none that may be sent.");
            self.error(connection, id, SIGNAL, ErrorCode::Invalid, &text);
        }
        may
    }

    /// Gives a terminal another title, and tells everybody.
    pub(super) fn rename(&mut self, connection: u32, id: u16, title: String) {
        if !title::is_clean(&title) {
            let text = "A title has at most 128 bytes and no control characters.";
            return self.error(connection, id, TITLE, ErrorCode::Invalid, text);
        }
        if self.terminals.get_mut(&id).is_some_and(|terminal| terminal.title.rename(title)) {
            self.announce();
        }
    }

    /// Has a shell at its prompt run a line. `in_front` says that the terminal's foreground is the shell.
    pub fn command(&mut self, connection: u32, id: u16, command: u64, line: &str, in_front: bool) {
        if self.has_ended(connection, id, COMMAND) {
            return;
        }
        let Some(client) = self.clients.get(&connection) else { return };
        let Some(terminal) = self.terminals.get_mut(&id) else { return };
        let name = client.client_id.clone();
        if let Some(progress) = terminal.prompt.known(&name, command) {
            return self.tell_command(id, &Command { client: name, id: command, progress });
        }
        // A shell that has printed nothing is still starting.
        let started = terminal.ring.head() > 0;
        let in_front = in_front && started && terminal.input.front().is_none();
        match terminal.prompt.run(&name, command, line, in_front) {
            Ok(bytes) => {
                terminal.input.push_own(bytes.into());
                terminal.wake.notify_one();
            }
            Err(refusal) => {
                let code = match refusal {
                    Refusal::Busy => ErrorCode::Busy,
                    Refusal::Control | Refusal::Breaks => ErrorCode::Invalid,
                };
                self.error(connection, id, COMMAND, code, &refusal.to_string());
            }
        }
    }

    /// Tells a client that there is no program any more.
    pub(super) fn has_ended(&mut self, connection: u32, id: u16, reference: u32) -> bool {
        let ended = self.terminals.get(&id).is_some_and(|terminal| terminal.exit.is_some());
        if ended {
            let text = "The program of this terminal has ended.";
            self.error(connection, id, reference, ErrorCode::Ended, text);
        }
        ended
    }
}
