//! What each frame of a client does to the state. No I/O.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fabrica_protocol::kterm::{
    Attach, ClientFrame, ErrorCode, Hello, OpenRequest, ServerFrame, SnapshotReason, Welcome, close,
};

use super::client::{Attachment, LEAST_WINDOW_BYTES, WINDOW_BYTES};
use super::ring::RING_BYTES;
use super::size::Size;
use super::state::{MAX_TERMINALS, State};

/// Type bytes that ERROR names as the frame that failed.
const INPUT: u32 = 0x01;
const RESIZE: u32 = 0x02;
const OPEN: u32 = 0x04;
const ATTACH: u32 = 0x05;
const CLOSE: u32 = 0x07;
const HELLO: u32 = 0x0C;

/// The longest name of a page load.
const CLIENT_ID_BYTES: usize = 64;

/// What a frame asks of the world outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Open { key: u128, request: OpenRequest },
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
        let client = self.clients.get(&connection)?;
        let (greeted, control) = (client.is_greeted(), client.control);
        match frame {
            ClientFrame::Hello(hello) if !greeted => self.hello(connection, &hello),
            ClientFrame::Hello(_) => {
                self.error(connection, 0, HELLO, ErrorCode::OutOfOrder, "HELLO came twice.");
            }
            _ if !greeted => {
                self.error(connection, 0, 0, ErrorCode::OutOfOrder, "Say HELLO first.");
            }
            ClientFrame::Input { terminal, .. } if !control => {
                self.read_only(connection, terminal, INPUT);
            }
            ClientFrame::Resize { terminal, .. } if !control => {
                self.read_only(connection, terminal, RESIZE);
            }
            ClientFrame::Open { .. } if !control => self.read_only(connection, 0, OPEN),
            ClientFrame::Close { terminal, .. } if !control => {
                self.read_only(connection, terminal, CLOSE);
            }
            ClientFrame::Input { terminal, auto, offset, bytes } => {
                self.input(connection, terminal, auto, offset, bytes, now);
            }
            ClientFrame::Resize { terminal, cols, rows, .. } => {
                self.resize(connection, terminal, Size::new(cols, rows));
            }
            ClientFrame::Ack { terminal, offset } => self.ack(connection, terminal, offset),
            ClientFrame::Open { key, request } => return Some(Request::Open { key, request }),
            ClientFrame::Attach { terminal, attach } => self.attach(connection, terminal, &attach),
            ClientFrame::Detach { terminal } => self.detach(connection, terminal),
            ClientFrame::Close { terminal, signal } => self.close(connection, terminal, signal),
            ClientFrame::Ping { visible, client_us } => {
                self.ping(connection, visible, client_us, uptime);
            }
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
        if let Some(client) = self.clients.get_mut(&connection) {
            client.reply(&ServerFrame::Error { terminal, reference, code, text: text.to_owned() });
        }
    }

    /// Tells a client that its OPEN failed.
    pub fn open_failed(&mut self, connection: u32, code: ErrorCode, text: &str) {
        self.error(connection, 0, OPEN, code, text);
    }

    fn read_only(&mut self, connection: u32, terminal: u16, reference: u32) {
        let text = "You may only watch: typing needs the right to create sessions/terminal.";
        self.error(connection, terminal, reference, ErrorCode::ReadOnly, text);
    }

    fn missing(&mut self, connection: u32, terminal: u16, reference: u32) {
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
        client.client_id.clone_from(id);
        client.visible = hello.visible;
        client.window =
            hello.caps.window.unwrap_or(WINDOW_BYTES).clamp(LEAST_WINDOW_BYTES, RING_BYTES as u64);
        let role = if client.control { "control" } else { "view" }.to_owned();
        if let Some(cause) = &hello.cause {
            self.counters.reconnects += 1;
            self.counters.returns.add(cause);
        }
        let welcome = Welcome {
            epoch: format!("{epoch:x}"),
            conn_id: connection,
            role,
            limits: Self::limits(),
            terms: self.list(Some(id)).terms,
        };
        if let Some(client) = self.clients.get_mut(&connection) {
            client.reply(&ServerFrame::Welcome(welcome));
        }
        let same = hello.epoch.as_deref().and_then(|epoch| u64::from_str_radix(epoch, 16).ok())
            == Some(epoch);
        for term in &hello.terms {
            let have = term.have_off.filter(|_| same);
            if hello.cause.is_some() && term.have_off.is_some() {
                self.resumed(term.id, have);
            }
            let history = u32::MAX;
            let attach =
                Attach { have, epoch, history, cols: term.cols, rows: term.rows, view: false };
            self.attach(connection, term.id, &attach);
        }
    }

    /// Counts what a client that came back finds of a terminal, where it had this much of the present process.
    fn resumed(&mut self, id: u16, have: Option<u64>) {
        let ring = self.terminals.get(&id).map(|terminal| &terminal.ring);
        let place = match (have, ring) {
            (Some(have), Some(ring)) if (ring.tail()..=ring.head()).contains(&have) => {
                &mut self.counters.resumes.exact
            }
            (Some(_), Some(_)) => &mut self.counters.resumes.snapshot,
            (None, _) => &mut self.counters.resumes.lost,
            // Somebody closed it meanwhile.
            (Some(_), None) => return,
        };
        *place += 1;
    }

    /// Resumes exactly when the ring still has what the client misses, else begins afresh.
    fn attach(&mut self, connection: u32, id: u16, attach: &Attach) {
        let Some(terminal) = self.terminals.get(&id) else {
            return self.missing(connection, id, ATTACH);
        };
        let Some(client) = self.clients.get_mut(&connection) else { return };
        let (head, tail) = (terminal.ring.head(), terminal.ring.tail());
        let have = attach.have.filter(|_| attach.epoch == self.epoch);
        let exact = have.filter(|have| (tail..=head).contains(have));
        let wanted = tail.max(head.saturating_sub(attach.history.into()));
        let reason = if have.is_some() { SnapshotReason::Overrun } else { SnapshotReason::Attach };
        let wanted = wanted.max(terminal.history.oldest());
        let cursor = exact.unwrap_or_else(|| terminal.ring.line_start(wanted));
        let view = attach.view || !client.control;
        let attachment = Attachment {
            cursor,
            acked: cursor,
            view,
            replay_until: head,
            snapshot_due: exact.is_none().then_some(reason),
            resized_due: false,
            input_acked: terminal.input.offsets(&client.client_id).1,
            exit_sent: false,
        };
        client.attachments.insert(id, attachment);
        client.wake.notify_one();
        terminal.wake.notify_one();
        if !view && let Some(size) = Size::new(attach.cols, attach.rows) {
            self.resize(connection, id, Some(size));
        } else if let Some(attachment) = self.attachment(connection, id) {
            // One who takes the size as it is has to know it.
            attachment.resized_due = attachment.snapshot_due.is_none();
        }
    }

    fn detach(&mut self, connection: u32, id: u16) {
        if let Some(client) = self.clients.get_mut(&connection) {
            client.attachments.remove(&id);
        }
        if let Some(terminal) = self.terminals.get(&id) {
            terminal.wake.notify_one();
        }
    }

    fn input(
        &mut self,
        connection: u32,
        id: u16,
        auto: bool,
        offset: u64,
        bytes: Bytes,
        now: DateTime<Utc>,
    ) {
        let answers = self.responder(id) == Some(connection);
        let Some(terminal) = self.terminals.get_mut(&id) else {
            return self.missing(connection, id, INPUT);
        };
        let Some(client) = self.clients.get_mut(&connection) else { return };
        if terminal.exit.is_some() {
            return self.error(
                connection,
                id,
                INPUT,
                ErrorCode::Ended,
                "The program of this terminal has ended.",
            );
        }
        let attachment = client.attachments.get(&id);
        // An emulator's reply to old output, or from one who only watches, would be typed into the shell.
        let stale = auto
            && attachment.is_none_or(|attachment| {
                attachment.view
                    || attachment.acked < attachment.replay_until
                    || !answers && is_answer(&bytes)
            });
        let taken = if stale {
            terminal.input.drop_bytes(&client.client_id, offset, bytes.len())
        } else {
            terminal.input.push(&client.client_id, offset, bytes).map(|count| {
                if count > 0 && !auto {
                    self.last_input = now;
                }
            })
        };
        client.blocked_on = terminal.input.is_full().then_some(id);
        terminal.wake.notify_one();
        if let Err(gap) = taken {
            self.error(connection, id, INPUT, ErrorCode::InputGap, &gap.to_string());
        }
    }

    fn resize(&mut self, connection: u32, id: u16, size: Option<Size>) {
        let Some(terminal) = self.terminals.get_mut(&id) else {
            return self.missing(connection, id, RESIZE);
        };
        let Some(size) = size else { return };
        terminal.owner = connection;
        if terminal.size == size {
            return;
        }
        terminal.size = size;
        terminal.history.resized(terminal.ring.head(), size);
        terminal.resize_due = Some(size);
        terminal.wake.notify_one();
        for client in self.clients.values_mut() {
            if let Some(attachment) = client.attachments.get_mut(&id) {
                attachment.resized_due = true;
                client.wake.notify_one();
            }
        }
    }

    fn ack(&mut self, connection: u32, id: u16, offset: u64) {
        if let Some(attachment) = self.attachment(connection, id) {
            // Cumulative, and never beyond what was sent: late and lost acknowledgements do no harm.
            attachment.acked = attachment.acked.max(offset.min(attachment.cursor));
        }
        if let Some(terminal) = self.terminals.get(&id) {
            terminal.wake.notify_one();
        }
    }

    fn close(&mut self, connection: u32, id: u16, signal: u8) {
        match self.terminals.get_mut(&id) {
            None => self.missing(connection, id, CLOSE),
            Some(terminal) if terminal.exit.is_some() => self.remove(id),
            Some(terminal) => {
                terminal.signal_due = Some(signal);
                terminal.wake.notify_one();
            }
        }
    }

    fn ping(&mut self, connection: u32, visible: bool, client_us: u64, uptime: Duration) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        client.visible = visible;
        let head = client.attachments.keys().next().and_then(|id| self.terminals.get(id));
        let head = head.map_or(0, |terminal| terminal.ring.head());
        let server_us = u64::try_from(uptime.as_micros()).unwrap_or(u64::MAX);
        client.reply(&ServerFrame::Pong { client_us, server_us, head });
    }

    fn attachment(&mut self, connection: u32, id: u16) -> Option<&mut Attachment> {
        self.clients.get_mut(&connection)?.attachments.get_mut(&id)
    }
}

/// Whether an emulator answers a question with this: to each there is one answer, whoever else watches. Reports of the
/// mouse and of the focus are a person's doing.
fn is_answer(bytes: &[u8]) -> bool {
    match bytes {
        [0x1B, b']' | b'P', ..] => true,
        [0x1B, b'[', .., last] => matches!(last, b'c' | b'n' | b'R' | b'y' | b't'),
        _ => false,
    }
}
