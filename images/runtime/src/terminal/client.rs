//! One connected client and its place in each terminal. No I/O.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use fabrica_protocol::kterm::{ServerFrame, SnapshotReason};
use tokio::sync::Notify;

/// Output on its way to a client that its emulator has not parsed.
pub const WINDOW_BYTES: u64 = 256 * 1024;

/// The least that a client may ask for as its window: several acknowledgement steps, so that it cannot stall.
pub const LEAST_WINDOW_BYTES: u64 = 128 * 1024;

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
    /// Only watches: neither types nor holds the program back.
    pub view: bool,
    /// Output below was there before the client came: replies to it are stale.
    pub replay_until: u64,
    /// The client must start afresh at `cursor`.
    pub snapshot_due: Option<SnapshotReason>,
    pub resized_due: bool,
    /// Input confirmed to the client.
    pub input_acked: u64,
    pub exit_sent: bool,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    /// Wakes the task that owns the socket.
    pub wake: Arc<Notify>,
    /// The name by which the gateway closes it.
    pub connection: String,
    /// May type, open, close and resize.
    pub control: bool,
    /// Empty until HELLO.
    pub client_id: String,
    pub visible: bool,
    pub window: u64,
    pub attachments: BTreeMap<u16, Attachment>,
    /// The list of terminals changed since the client was told.
    pub terms_due: bool,
    pub closing: Option<Closing>,
    /// A terminal with so much input pending that this client must wait.
    pub blocked_on: Option<u16>,
    /// The terminal that was served last, so that each gets its turn.
    pub served: u16,
    replies: VecDeque<Bytes>,
}

impl Client {
    /// A client that has not said HELLO.
    pub fn new(connection: &str, control: bool, wake: Arc<Notify>) -> Self {
        Self {
            wake,
            connection: connection.to_owned(),
            control,
            client_id: String::new(),
            visible: false,
            window: WINDOW_BYTES,
            attachments: BTreeMap::new(),
            terms_due: false,
            closing: None,
            blocked_on: None,
            served: 0,
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
