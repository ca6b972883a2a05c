//! One connected client and its place in each terminal. No I/O.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fabrica_protocol::kterm::{Capabilities, ServerFrame, SnapshotReason};
use tokio::sync::Notify;

use super::history::Progress;
use super::size::Size;
use super::turns::Turns;
use super::window::Window;

/// Answers that may wait for a client to read. With more, nothing is read from it.
const REPLIES: usize = 64;

/// Why the runtime ends a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    pub code: u16,
    pub reason: String,
}

/// Where a client stands in one terminal.
#[derive(Debug)]
pub struct Attachment {
    /// Output up to here was handed to the socket.
    pub cursor: u64,
    /// Output up to here was parsed by the client's emulator.
    pub acked: u64,
    /// How much may lie between the two.
    pub window: Window,
    /// Since when the client is too far behind what others have.
    pub late_since: Option<Duration>,
    /// How far the screen is made that a SNAPSHOT is to tell.
    pub progress: Option<Progress>,
    /// Only watches: neither types nor holds the program back.
    pub view: bool,
    /// The size in which the client shows it.
    pub size: Option<Size>,
    /// Output below was there before the client came: replies to it are stale.
    pub replay_until: u64,
    /// The client must start afresh at `cursor`.
    pub snapshot_due: Option<SnapshotReason>,
    pub resized_due: bool,
    /// Input confirmed to the client.
    pub input_acked: u64,
    pub exit_sent: bool,
}

impl Attachment {
    /// The client goes on from here, whatever it has: what is on its way to it counts no more.
    pub const fn goes_on_from(&mut self, offset: u64) {
        self.cursor = offset;
        self.acked = offset;
        self.window.moved();
    }
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    /// Wakes the task that owns the socket.
    pub wake: Arc<Notify>,
    /// The name by which the gateway closes it.
    pub connection: String,
    /// Whose it is, as the gateway says: a client's name is its user's own.
    pub user: String,
    /// May type, open, close and resize.
    pub control: bool,
    /// Empty until HELLO.
    pub client_id: String,
    /// Somebody can see it, as its HELLO or the last PING said.
    pub visible: bool,
    /// What it said it can do. Without a window of its own, its windows adapt.
    pub caps: Capabilities,
    pub attachments: BTreeMap<u16, Attachment>,
    /// How far output was sent on this connection, for each terminal that was ever attached.
    pub sent: BTreeMap<u16, u64>,
    /// Terminals that it does not watch and that have printed, and whether they rang.
    pub activity: BTreeMap<u16, bool>,
    /// The list of terminals changed since the client was told.
    pub terms_due: bool,
    pub closing: Option<Closing>,
    /// A terminal with so much input pending that this client must wait.
    pub blocked_on: Option<u16>,
    /// Which terminal sends next.
    pub turns: Turns,
    replies: VecDeque<Bytes>,
}

impl Client {
    /// A client that has not said HELLO.
    pub fn new(connection: &str, user: &str, control: bool, wake: Arc<Notify>) -> Self {
        Self {
            wake,
            connection: connection.to_owned(),
            user: user.to_owned(),
            control,
            client_id: String::new(),
            visible: false,
            caps: Capabilities::default(),
            attachments: BTreeMap::new(),
            sent: BTreeMap::new(),
            activity: BTreeMap::new(),
            terms_due: false,
            closing: None,
            blocked_on: None,
            turns: Turns::default(),
            replies: VecDeque::new(),
        }
    }

    /// Whether HELLO came.
    pub const fn is_greeted(&self) -> bool {
        !self.client_id.is_empty()
    }

    /// Queues an answer. What is read from a client is bounded by [`Self::may_read`], so this is too.
    pub fn reply(&mut self, frame: &ServerFrame) {
        self.replies.push_back(frame.encode());
    }

    /// The oldest answer.
    pub fn next_reply(&mut self) -> Option<Bytes> {
        self.replies.pop_front()
    }

    /// Whether it has been sent all answers.
    pub fn is_answered(&self) -> bool {
        self.replies.is_empty()
    }

    /// Whether answers leave room for another question.
    pub fn may_read(&self) -> bool {
        self.replies.len() < REPLIES && self.closing.is_none()
    }

    /// Ends the connection; the first reason counts.
    pub fn close(&mut self, code: u16, reason: &str) {
        if self.closing.is_none() {
            self.closing = Some(Closing { code, reason: reason.to_owned() });
            self.wake.notify_one();
        }
    }
}
