//! What each frame of a client does to the state. No I/O.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fabrica_protocol::kterm::{
    Attach, AttachRole, ClientFrame, ErrorCode, Hello, OpenRequest, ServerFrame, TerminalType,
    Welcome, close,
};

use super::asked::is_answer;
use super::client::{Attachment, Client};
use super::events::What;
use super::reference::{HELLO, INPUT, OPEN, writes};
use super::size::Size;
use super::state::{Exit, MAX_CLIENTS, MAX_TERMINALS, RETRY_HINT, State};

/// The longest name of a page load.
const CLIENT_ID_BYTES: usize = 64;

/// Output sent to scroll back to when the ring has moved on past what a client had: whoever lost so much may be on a
/// poor network, and gets a screen soon rather than a mebibyte.
const RETURN_HISTORY: u32 = 32 * 1024;

/// Output sent to scroll back to when a client comes the first time: at 1 Mbit/s it is there within a second, and the screen
/// with it. Who wants more asks for it by ATTACH.
const FIRST_HISTORY: u32 = 128 * 1024;

/// What a frame asks of the world outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Open {
        key: u128,
        request: OpenRequest,
    },
    /// For what runs in the foreground.
    Signal {
        terminal: u16,
        signal: u8,
    },
    /// The state has to hear whether the shell is in the foreground.
    Command {
        terminal: u16,
        id: u64,
        line: String,
    },
}

impl State {
    /// Takes one frame. What it cannot do by itself is returned.
    pub fn handle(
        &mut self,
        connection: u32,
        frame: ClientFrame,
        now: DateTime<Utc>,
        uptime: Duration,
    ) -> Option<Request> {
        self.measures.now = uptime;
        let greeted = self.clients.get(&connection)?.is_greeted();
        if greeted && !self.may(connection, &frame) {
            return None;
        }
        match frame {
            ClientFrame::Hello(hello) if !greeted => self.hello(connection, &hello),
            ClientFrame::Hello(_) => {
                self.error(connection, 0, HELLO, ErrorCode::OutOfOrder, "HELLO came twice.");
            }
            _ if !greeted => {
                self.error(connection, 0, 0, ErrorCode::OutOfOrder, "Say HELLO first.");
            }
            ClientFrame::Input { terminal, auto, offset, bytes } => {
                self.input(connection, terminal, auto, offset, &bytes, now);
            }
            ClientFrame::Resize { terminal, cols, rows, .. } => {
                if let Some(size) = Size::new(cols, rows) {
                    self.resize(connection, terminal, size);
                }
            }
            ClientFrame::Ack { terminal, offset } => {
                self.acknowledged(connection, terminal, offset, uptime);
            }
            ClientFrame::Open { key, request } => return Some(Request::Open { key, request }),
            ClientFrame::Attach { terminal, attach } => {
                self.attach_as(connection, terminal, &attach);
            }
            ClientFrame::Detach { terminal } => self.detach(connection, terminal),
            ClientFrame::Close { terminal, signal } => self.close(terminal, signal),
            ClientFrame::Ping { visible, client_us } => {
                self.ping(connection, visible, client_us, uptime);
            }
            ClientFrame::Clear { terminal } => self.clear(terminal),
            ClientFrame::Signal { terminal, signal } => {
                let may = self.may_signal(connection, terminal, signal);
                return may.then_some(Request::Signal { terminal, signal });
            }
            ClientFrame::Command { terminal, id, line } => {
                return Some(Request::Command { terminal, id, line });
            }
            ClientFrame::Title { terminal, title } => self.rename(connection, terminal, title),
        }
        None
    }

    /// Tells a client what went wrong with its frame.
    pub fn error(
        &mut self,
        connection: u32,
        terminal: u16,
        reference: u32,
        code: ErrorCode,
        text: &str,
    ) {
        let of = Some(terminal).filter(|id| *id != 0);
        self.tell(connection, of, What::Refused { frame: reference, code });
        if let Some(client) = self.clients.get_mut(&connection) {
            let code = if client.caps.is_current() { code } else { code.plain() };
            client.reply(&ServerFrame::Error { terminal, reference, code, text: text.to_owned() });
            client.wake.notify_one();
        }
    }

    /// Tells a client that its OPEN failed.
    pub fn open_failed(&mut self, connection: u32, code: ErrorCode, text: &str) {
        self.error(connection, 0, OPEN, code, text);
    }

    /// Whether a frame is taken at all; if not, its client was told.
    fn may(&mut self, connection: u32, frame: &ClientFrame) -> bool {
        let Some((terminal, reference)) = writes(frame) else { return true };
        let missing = reference != OPEN && !self.terminals.contains_key(&terminal);
        match self.bar(connection, terminal, reference) {
            // What a viewer that might type has typed is counted, and then dropped.
            Some(code) if reference != INPUT || !self.is_control(connection) => {
                self.barred(connection, terminal, reference, code);
                false
            }
            _ if missing => {
                self.missing(connection, terminal, reference);
                false
            }
            _ => true,
        }
    }

    fn is_control(&self, connection: u32) -> bool {
        self.clients.get(&connection).is_some_and(|client| client.control)
    }

    pub(super) fn missing(&mut self, connection: u32, terminal: u16, reference: u32) {
        let text = format!("There is no terminal {terminal}.");
        self.error(connection, terminal, reference, ErrorCode::NoSuchTerminal, &text);
    }

    fn hello(&mut self, connection: u32, hello: &Hello) {
        let epoch = self.epoch;
        let Some(client) = self.clients.get_mut(&connection) else { return };
        let id = &hello.client_id;
        let plain =
            id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if id.is_empty() || id.len() > CLIENT_ID_BYTES || !plain {
            let reason = "client_id: use 1 to 64 letters, digits, - and _";
            return client.close(close::PROTOCOL, reason);
        }
        if hello.terms.len() > MAX_TERMINALS {
            return client.close(close::PROTOCOL, "terms: at most 16 terminals");
        }
        // Nobody is another user's client, whatever they call themselves.
        let name = &format!("{} {id}", client.user);
        client.client_id.clone_from(name);
        client.visible = hello.visible;
        client.caps = hello.caps.clone();
        let role = if client.control { "control" } else { "view" }.to_owned();
        self.supersede(name);
        if !self.has_place(connection) {
            return;
        }
        if let Some(cause) = &hello.cause {
            self.counters.reconnects += 1;
            self.counters.returns.add(cause);
            self.measures.returned(connection, hello);
        }
        let welcome = Welcome {
            epoch: format!("{epoch:x}"),
            conn_id: connection,
            role,
            limits: Self::limits(),
            terms: self.list(Some(name)).terms,
            commands: Some(self.tells_commands),
        };
        if let Some(client) = self.clients.get_mut(&connection) {
            client.reply(&ServerFrame::Welcome(welcome));
        }
        let same = hello.epoch.as_deref().and_then(|epoch| u64::from_str_radix(epoch, 16).ok())
            == Some(epoch);
        let quietly = hello.cause.is_some() || !hello.visible;
        for term in &hello.terms {
            let have = term.have_off.filter(|_| same);
            if hello.cause.is_some() && term.have_off.is_some() {
                self.resumed(connection, term.id, have, hello);
            }
            let history = if have.is_some() { RETURN_HISTORY } else { FIRST_HISTORY };
            let role = AttachRole::Control;
            let attach = Attach { have, epoch, history, cols: term.cols, rows: term.rows, role };
            self.attach(connection, term.id, &attach, quietly);
        }
    }

    /// Leaves of all connections of a client the newest: its page is open twice, or a socket is dead and does not know
    /// it, or a greeting came late.
    fn supersede(&mut self, name: &str) {
        let own = |client: &&mut Client| client.client_id == name;
        let mut connections = self.clients.values_mut().filter(own).rev();
        let _newest = connections.next();
        for client in connections {
            client.close(close::SUPERSEDED, "the same client connected again");
        }
    }

    /// Whether a client that has just said who it is can stay.
    fn has_place(&mut self, connection: u32) -> bool {
        let stays = |client: &&Client| client.is_greeted() && client.closing.is_none();
        let present = self.clients.values().filter(stays).count();
        let Some(client) = self.clients.get_mut(&connection) else { return false };
        if present > MAX_CLIENTS {
            client.close(close::TOO_MANY, RETRY_HINT);
        }
        client.closing.is_none()
    }

    /// Counts what a client that came back finds of a terminal, where it had this much of the present process.
    fn resumed(&mut self, connection: u32, id: u16, have: Option<u64>, hello: &Hello) {
        let ring = self.terminals.get(&id).map(|terminal| &terminal.ring);
        let (place, outcome) = match (have, ring) {
            (Some(have), Some(ring)) if (ring.tail()..=ring.head()).contains(&have) => {
                (&mut self.counters.resumes.exact, "exact")
            }
            (Some(_), Some(_)) => (&mut self.counters.resumes.snapshot, "snapshot"),
            (None, _) => (&mut self.counters.resumes.lost, "lost"),
            // Somebody closed it meanwhile.
            (Some(_), None) => return,
        };
        *place += 1;
        let (away_ms, tries) = (hello.down_ms, hello.attempts);
        self.tell(connection, Some(id), What::Resumed { outcome, away_ms, tries });
    }

    fn input(
        &mut self,
        connection: u32,
        id: u16,
        auto: bool,
        offset: u64,
        bytes: &Bytes,
        now: DateTime<Utc>,
    ) {
        if self.has_ended(connection, id, INPUT) {
            return;
        }
        let barred = self.bar(connection, id, INPUT);
        let answers = self.responder(id).is_some_and(|(responder, _)| responder == connection);
        let Some(terminal) = self.terminals.get_mut(&id) else { return };
        let Some(name) = self.clients.get(&connection).map(|client| &client.client_id) else {
            return;
        };
        let is_here = |name: &str| self.clients.values().any(|client| client.client_id == name);
        terminal.input.make_room(name, is_here);
        let Some(client) = self.clients.get_mut(&connection) else { return };
        let attachment = client.attachments.get(&id);
        // An emulator's reply to old output, or from one who only watches, would be typed into the shell.
        let stale = auto
            && attachment.is_none_or(|attachment| {
                attachment.view
                    || attachment.acked < attachment.replay_until
                    || is_answer(bytes) && (!answers || attachment.acked < terminal.answered)
            });
        let taken = if stale || barred.is_some() {
            terminal.input.drop_bytes(&client.client_id, offset, bytes.len())
        } else {
            terminal.input.push(&client.client_id, offset, bytes.clone()).map(|count| {
                if count > 0 && !auto {
                    self.last_input = now;
                    client.turns.typed(id);
                    terminal.prompt.typed(bytes);
                }
            })
        };
        client.blocked_on = terminal.input.is_full().then_some(id);
        terminal.wake.notify_one();
        if let Err(gap) = taken {
            return self.error(connection, id, INPUT, ErrorCode::InputGap, &gap.to_string());
        }
        match barred {
            Some(code) if !auto => {
                self.wake_attached(id);
                self.barred(connection, id, INPUT, code);
            }
            None if !auto => self.size_follows(connection, id),
            _ => self.wake_attached(id),
        }
    }

    fn close(&mut self, id: u16, signal: u8) {
        match self.terminals.get_mut(&id) {
            None => {}
            Some(terminal) if terminal.exit.is_some() => self.remove(id),
            // It has no program that would end first.
            Some(terminal) if terminal.kind == TerminalType::Agent => {
                self.ended(id, Exit::default());
            }
            Some(terminal) => {
                terminal.signal_due = Some(signal);
                terminal.wake.notify_one();
            }
        }
    }

    fn ping(&mut self, connection: u32, visible: bool, client_us: u64, uptime: Duration) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        if std::mem::replace(&mut client.visible, visible) != visible {
            // What is looked at may hold its program back, and what is not may not.
            for terminal in client.attachments.keys().filter_map(|id| self.terminals.get(id)) {
                terminal.wake.notify_one();
            }
        }
        let head = client.attachments.keys().next().and_then(|id| self.terminals.get(id));
        let head = head.map_or(0, |terminal| terminal.ring.head());
        let server_us = u64::try_from(uptime.as_micros()).unwrap_or(u64::MAX);
        client.reply(&ServerFrame::Pong { client_us, server_us, head });
    }

    pub(super) fn attachment(&mut self, connection: u32, id: u16) -> Option<&mut Attachment> {
        self.clients.get_mut(&connection)?.attachments.get_mut(&id)
    }
}
