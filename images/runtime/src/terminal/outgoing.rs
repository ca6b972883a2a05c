//! What to send a client next: decided only when its socket has room, so nothing is queued for a slow one. No I/O.

use bytes::Bytes;
use fabrica_protocol::kterm::{MAX_FRAME, ServerFrame, SnapshotReason};

use super::client::{Attachment, Client, WINDOW_BYTES};
use super::state::{State, Terminal};

/// Bytes of output in one frame: all that fits, or a share when several terminals have something to say.
const OUTPUT_BYTES: u64 = (MAX_FRAME - 12) as u64;
const SHARED_OUTPUT_BYTES: u64 = 16 * 1024;

/// What a frame leaves for the bytes of a snapshot behind its head.
const SNAPSHOT_BYTES: usize = MAX_FRAME - 64;

/// A message for a client: bytes of its own, then bytes that lie in a ring.
#[derive(Debug)]
pub struct Outgoing<'state> {
    pub head: Bytes,
    pub body: [&'state [u8]; 2],
}

impl Outgoing<'_> {
    /// The message's length.
    pub fn len(&self) -> usize {
        self.head.len() + self.body[0].len() + self.body[1].len()
    }

    /// Never: each message has a head.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Output that a client gets next.
struct Chunk {
    terminal: u16,
    from: u64,
    to: u64,
}

impl State {
    /// The next message for a client, which counts as sent from now on.
    pub fn next_message(&mut self, connection: u32) -> Option<Outgoing<'_>> {
        if let Some(head) = self.next_control(connection) {
            return Some(Outgoing { head, body: [&[], &[]] });
        }
        let chunk = self.next_chunk(connection)?;
        self.counters.bytes_out += chunk.to - chunk.from;
        let head = ServerFrame::output_head(chunk.terminal, chunk.from);
        let ring = &self.terminals.get(&chunk.terminal)?.ring;
        Some(Outgoing {
            head: Bytes::copy_from_slice(&head),
            body: ring.slices(chunk.from, chunk.to),
        })
    }

    fn next_control(&mut self, connection: u32) -> Option<Bytes> {
        let client = self.clients.get_mut(&connection)?;
        if let Some(reply) = client.next_reply() {
            return Some(reply);
        }
        if std::mem::take(&mut client.terms_due) {
            return Some(ServerFrame::Terms(self.list(None)).encode());
        }
        let Client { attachments, client_id, window, .. } = client;
        attachments.iter_mut().find_map(|(id, attachment)| {
            let terminal = self.terminals.get_mut(id)?;
            overrun(terminal, attachment, *window);
            control(*id, terminal, attachment, client_id)
        })
    }

    /// Output for the terminal whose turn it is.
    fn next_chunk(&mut self, connection: u32) -> Option<Chunk> {
        let client = self.clients.get_mut(&connection)?;
        let window = client.window;
        let ready: Vec<u16> = client
            .attachments
            .iter()
            .filter(|(id, attachment)| {
                let head = self.terminals.get(id).map_or(0, |terminal| terminal.ring.head());
                attachment.cursor < head && attachment.cursor - attachment.acked < window
            })
            .map(|(id, _)| *id)
            .collect();
        let terminal = *ready.iter().find(|id| **id > client.served).or_else(|| ready.first())?;
        client.served = terminal;
        let limit = if ready.len() > 1 { SHARED_OUTPUT_BYTES } else { OUTPUT_BYTES };
        let head = self.terminals.get(&terminal)?.ring.head();
        let attachment = client.attachments.get_mut(&terminal)?;
        let from = attachment.cursor;
        let to = head.min(from + limit).min(attachment.acked + window);
        attachment.cursor = to;
        Some(Chunk { terminal, from, to })
    }
}

/// A client whose next byte has left the ring starts afresh, near the end: from further back it would only be
/// overrun again.
fn overrun(terminal: &Terminal, attachment: &mut Attachment, window: u64) {
    let in_flight = attachment.cursor - attachment.acked;
    if attachment.cursor < terminal.ring.tail() && in_flight < window {
        let from = terminal.ring.head().saturating_sub(WINDOW_BYTES);
        attachment.cursor = terminal.ring.line_start(from);
        attachment.acked = attachment.cursor;
        attachment.replay_until = terminal.ring.head();
        attachment.snapshot_due = Some(SnapshotReason::Overrun);
    }
}

fn control(
    id: u16,
    terminal: &mut Terminal,
    attachment: &mut Attachment,
    client: &str,
) -> Option<Bytes> {
    let (_, written) = terminal.input.offsets(client);
    if written > attachment.input_acked {
        attachment.input_acked = written;
        return Some(ServerFrame::InputAck { terminal: id, offset: written }.encode());
    }
    if let Some(reason) = attachment.snapshot_due.take() {
        let size = terminal.size;
        let offset = attachment.cursor.max(terminal.history.oldest());
        (attachment.cursor, attachment.acked) = (offset, offset);
        let head = ServerFrame::snapshot_head(id, offset, size.cols, size.rows, reason);
        let screen = terminal.snapshot(offset, SNAPSHOT_BYTES);
        return Some([&head[..], &screen].concat().into());
    }
    if std::mem::take(&mut attachment.resized_due) {
        let (size, owner) = (terminal.size, terminal.owner);
        let offset = terminal.ring.head();
        return Some(
            ServerFrame::Resized { terminal: id, offset, cols: size.cols, rows: size.rows, owner }
                .encode(),
        );
    }
    let exit = terminal
        .exit
        .filter(|_| !attachment.exit_sent && attachment.cursor == terminal.ring.head())?;
    attachment.exit_sent = true;
    let offset = attachment.cursor;
    Some(ServerFrame::Exit { terminal: id, offset, code: exit.code, signal: exit.signal }.encode())
}
