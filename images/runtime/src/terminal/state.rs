//! All terminals and all clients of the Session: what the edges ask and tell. No I/O, and time is an argument.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_protocol::kterm::{
    Limits, MAX_FRAME, ServerFrame, TerminalInfo, TerminalType, Terminals, close,
};
use fabrica_protocol::runtime::{Resumes, Returns};
use tokio::sync::Notify;

use super::client::Client;
use super::events::{Events, What};
use super::history::History;
use super::input::Input;
use super::marks::Scanner;
use super::measures::Measures;
use super::news::News;
use super::prompt::Prompt;
use super::ring::{READ_BYTES, Ring};
use super::screen::RESET;
use super::screen::query::Watch;
use super::size::{Size, SizePolicy};
use super::title::Title;
use super::typing::Typing;
use super::window::START_BYTES;

/// Terminals a Session may have: a node has 4,096 PTYs for all of its pods.
pub const MAX_TERMINALS: usize = 16;

/// Sockets a Session may have.
pub const MAX_CLIENTS: usize = 16;

/// When a client that found no place should ask again.
pub(super) const RETRY_HINT: &str = "too many connections; ra=5000";

/// How a program ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exit {
    pub code: i32,
    pub signal: u8,
}

/// One PTY and its history.
#[derive(Debug)]
pub struct Terminal {
    pub ring: Ring,
    pub history: History,
    /// Reads what programs ask while nobody's emulator sees it.
    pub(super) watch: Watch,
    /// What they asked below this offset was answered here: answers of emulators that come to it later are too many.
    pub(super) answered: u64,
    pub input: Input,
    pub size: Size,
    /// The connection whose size it has.
    pub owner: u32,
    /// Its client, whose size it stays over a lost connection.
    pub(super) sized_by: String,
    /// Set when the last byte of output is in the ring.
    pub exit: Option<Exit>,
    /// A size that the PTY does not have yet.
    pub resize_due: Option<Size>,
    /// A signal for the program.
    pub signal_due: Option<u8>,
    /// Wakes the task that owns the PTY.
    pub wake: Arc<Notify>,
    pub(super) key: Option<u128>,
    pub(super) kind: TerminalType,
    pub(super) title: Title,
    /// The client that has sole control.
    pub(super) alone: Option<String>,
    pub(super) scanner: Scanner,
    pub(super) prompt: Prompt,
    /// The folder in which it began, then the one that its shell tells.
    pub(super) cwd: String,
}

/// What the Session's sockets have done so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    pub reconnects: u64,
    pub returns: Returns,
    pub resumes: Resumes,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// The whole state.
#[derive(Debug)]
pub struct State {
    pub(super) epoch: u64,
    pub terminals: BTreeMap<u16, Terminal>,
    pub clients: BTreeMap<u32, Client>,
    pub counters: Counters,
    pub measures: Measures,
    pub events: Events,
    /// The last key that a person pressed.
    pub last_input: DateTime<Utc>,
    pub size_policy: SizePolicy,
    /// Whether new shells tell when a command has ended.
    pub tells_commands: bool,
    pub(super) typing: Typing,
    pub(super) news: News,
    pub(super) next_terminal: u16,
    next_client: u32,
}

impl State {
    /// A Session without terminals. The epoch tells this process from its predecessors.
    pub fn new(epoch: u64, now: DateTime<Utc>) -> Self {
        Self {
            epoch,
            terminals: BTreeMap::new(),
            clients: BTreeMap::new(),
            counters: Counters::default(),
            measures: Measures::default(),
            events: Events::default(),
            last_input: now,
            size_policy: SizePolicy::default(),
            tells_commands: false,
            typing: Typing::default(),
            news: News::default(),
            next_terminal: 1,
            next_client: 1,
        }
    }

    /// Takes in a client; `Err` holds the code and reason of a refusal.
    pub fn join(
        &mut self,
        connection: &str,
        user: &str,
        control: bool,
        wake: Arc<Notify>,
    ) -> Result<u32, (u16, &'static str)> {
        // Those who were taken in are counted when they say who they are: a client that is back takes its own place.
        let strangers = self.clients.values().filter(|client| !client.is_greeted());
        if strangers.count() >= MAX_CLIENTS {
            return Err((close::TOO_MANY, RETRY_HINT));
        }
        let id = self.next_client;
        self.next_client = self.next_client.wrapping_add(1).max(1);
        self.clients.insert(id, Client::new(connection, user, control, wake));
        Ok(id)
    }

    /// Forgets a client. Terminals that waited for it go on.
    pub fn leave(&mut self, connection: u32) {
        self.measures.left(connection);
        if let Some(client) = self.clients.remove(&connection) {
            for id in client.attachments.keys() {
                if let Some(terminal) = self.terminals.get(id) {
                    terminal.wake.notify_one();
                }
                self.fit(*id);
            }
        }
    }

    /// Closes the socket that came with this assertion. Says whether there was one.
    pub fn close_connection(&mut self, connection: &str, code: u16, reason: &str) -> bool {
        let mut found = false;
        for client in self.clients.values_mut().filter(|client| client.connection == connection) {
            client.close(code, reason);
            found = true;
        }
        found
    }

    /// Closes every socket.
    pub fn close_all(&mut self, code: u16, reason: &str) {
        for client in self.clients.values_mut() {
            client.close(code, reason);
        }
    }

    /// How much of the PTY may be read: nothing when every client that may hold it back is behind by its whole window. One
    /// that nobody looks at may not: browsers give hidden pages so little time that a program would stand still for it.
    pub fn output_wanted(&self, id: u16) -> usize {
        let Some(terminal) = self.terminals.get(&id) else { return READ_BYTES };
        let may_hold = |client: &&Client| client.control && client.visible;
        let holders = self.clients.values().filter(may_hold).filter_map(|client| {
            let attachment = client.attachments.get(&id).filter(|attachment| !attachment.view)?;
            let behind = terminal.ring.head().saturating_sub(attachment.acked);
            Some(attachment.window.bytes().saturating_sub(behind))
        });
        // Without anybody who looks, output goes to the ring alone.
        let most = holders.max().map(|most| usize::try_from(most).unwrap_or(usize::MAX));
        most.unwrap_or(READ_BYTES)
    }

    /// Puts output into the ring that is held already, as much at once as is read of a PTY.
    pub fn print(&mut self, id: u16, bytes: &[u8], uptime: Duration) {
        for mut bytes in bytes.chunks(READ_BYTES) {
            while let Some(terminal) = self.terminals.get_mut(&id)
                && !bytes.is_empty()
            {
                let room = terminal.room(bytes.len(), uptime);
                let (first, rest) = bytes.split_at(room.len());
                room.copy_from_slice(first);
                bytes = rest;
                self.produced(id, first.len());
            }
        }
    }

    /// Counts output that was read into the ring, and wakes those who watch.
    pub fn produced(&mut self, id: u16, count: usize) {
        let alone = self.responder(id).is_none_or(|(_, sees)| !sees);
        if let Some(terminal) = self.terminals.get_mut(&id) {
            terminal.ring.commit(count);
            terminal.answer(count, alone);
        }
        self.heard(id, count);
        self.wake_attached(id);
    }

    /// Counts input that the program has read.
    pub fn consumed(&mut self, id: u16, count: usize) {
        self.counters.bytes_in += count as u64;
        if let Some(terminal) = self.terminals.get_mut(&id) {
            terminal.input.written(count);
        }
        for client in self.clients.values().filter(|client| client.blocked_on == Some(id)) {
            client.wake.notify_one();
        }
        self.wake_attached(id);
    }

    /// The program ended, and all of its output is in the ring.
    pub fn ended(&mut self, id: u16, exit: Exit) {
        self.measures.ended(id);
        self.tell(0, Some(id), What::Closed { code: exit.code, signal: exit.signal });
        if let Some(terminal) = self.terminals.get_mut(&id) {
            terminal.exit = Some(exit);
            terminal.input.discard();
        }
        // EXIT tells those who show it, behind the last byte; the list tells everybody else.
        self.announce();
    }

    /// Whether to read more from a client: not while what it typed, or what it asked, waits.
    pub fn may_read(&self, connection: u32) -> bool {
        let answers = self.clients.get(&connection).is_some_and(Client::may_read);
        answers && !self.input_waits(connection)
    }

    /// Whether a program that does not read is why nothing more is taken from a client.
    pub fn input_waits(&self, connection: u32) -> bool {
        self.clients
            .get(&connection)
            .and_then(|client| self.terminals.get(&client.blocked_on?))
            .is_some_and(|terminal| terminal.input.is_full())
    }

    /// Tells a client that nothing more is taken from how far its input is, once more: so it hears that somebody is there.
    pub fn remind(&mut self, connection: u32) {
        let Some(client) = self.clients.get_mut(&connection) else { return };
        if let Some(id) = client.blocked_on
            && let Some(terminal) = self.terminals.get(&id)
            && client.is_answered()
        {
            let (_, offset) = terminal.input.offsets(&client.client_id);
            client.reply(&ServerFrame::InputAck { terminal: id, offset });
        }
    }

    pub(super) fn list(&self, client: Option<&str>) -> Terminals {
        let terms =
            self.terminals.iter().map(|(id, terminal)| terminal.info(*id, client)).collect();
        Terminals { terms }
    }

    pub(super) fn limits() -> Limits {
        Limits {
            max_frame: MAX_FRAME as u64,
            window: START_BYTES,
            terminals: MAX_TERMINALS.try_into().unwrap_or(u16::MAX),
            clients: MAX_CLIENTS.try_into().unwrap_or(u16::MAX),
        }
    }

    /// Tells one client the list of terminals.
    pub fn tell_terms(&mut self, connection: u32) {
        if let Some(client) = self.clients.get_mut(&connection) {
            client.terms_due = true;
        }
    }

    /// Tells every client the list of terminals.
    pub(super) fn announce(&mut self) {
        for client in self.clients.values_mut().filter(|client| client.is_greeted()) {
            client.terms_due = true;
            client.wake.notify_one();
        }
    }

    pub(super) fn wake_attached(&self, id: u16) {
        for client in self.clients.values().filter(|client| client.attachments.contains_key(&id)) {
            client.wake.notify_one();
        }
    }
}

impl Terminal {
    /// Where the next output goes. What it overwrites is remembered first, as far as screens show it.
    pub fn room(&mut self, limit: usize, uptime: Duration) -> &mut [u8] {
        self.history.make_room(&self.ring, limit, uptime);
        self.ring.room(limit)
    }

    /// What leads a fresh emulator of the terminal's size to the state at an offset that its history knows.
    pub(super) fn snapshot(&mut self, offset: u64, limit: usize) -> Vec<u8> {
        if offset == 0 {
            return RESET.to_vec();
        }
        let mut screen = self.history.screen_at(&self.ring, offset);
        screen.resize(self.size);
        screen.snapshot(limit)
    }

    fn info(&self, id: u16, client: Option<&str>) -> TerminalInfo {
        let input = client.map(|client| self.input.offsets(client));
        TerminalInfo {
            id,
            key: self.key.map(|key| format!("{key:032x}")),
            terminal_type: self.kind,
            title: self.title.shown().to_owned(),
            cwd: self.cwd.clone(),
            alive: self.exit.is_none(),
            cols: self.size.cols,
            rows: self.size.rows,
            head: self.ring.head(),
            tail: self.ring.tail(),
            in_off: input.map(|(taken, _)| taken),
            in_written: input.map(|(_, written)| written),
        }
    }
}
