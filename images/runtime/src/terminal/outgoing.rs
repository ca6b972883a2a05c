//! What to send a client next: decided only when its socket has room, so nothing is queued for a slow one. No I/O.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use fabrica_protocol::kterm::{Capabilities, MAX_FRAME, ServerFrame};

use super::client::{Attachment, Client};
use super::flow::skip;
use super::ring::Ring;
use super::size::Size;
use super::state::{Exit, State, Terminal};

/// Bytes of output in one frame of a fast client that has no other terminal: all that fits.
const OUTPUT_BYTES: u64 = (MAX_FRAME - 12) as u64;

/// Bytes of a character behind its first one, at most.
const CONTINUATIONS: u64 = 3;

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

/// What there is to do for a client.
#[derive(Debug)]
pub enum Next<'state> {
    Send(Outgoing<'state>),
    /// A part of a long work is done; others may have their turn before the next one.
    Working,
    Nothing,
}

/// A frame, or a part of the work that one takes.
enum Made {
    Frame(Bytes),
    Part,
}

/// Output that a client gets next.
struct Chunk {
    terminal: u16,
    from: u64,
    to: u64,
}

impl State {
    /// The next message for a client, which counts as sent from now on.
    pub fn next_message(&mut self, connection: u32, now: Duration) -> Next<'_> {
        match self.next_control(connection, now) {
            Some(Made::Frame(head)) => return Next::Send(Outgoing { head, body: [&[], &[]] }),
            Some(Made::Part) => return Next::Working,
            None => {}
        }
        if let Some(head) = self.next_activity(connection) {
            return Next::Send(Outgoing { head, body: [&[], &[]] });
        }
        let Some(chunk) = self.next_chunk(connection, now) else { return Next::Nothing };
        let Some(terminal) = self.terminals.get(&chunk.terminal) else { return Next::Nothing };
        self.counters.bytes_out += chunk.to - chunk.from;
        let head = ServerFrame::output_head(chunk.terminal, chunk.from);
        Next::Send(Outgoing {
            head: Bytes::copy_from_slice(&head),
            body: terminal.ring.slices(chunk.from, chunk.to),
        })
    }

    fn next_control(&mut self, connection: u32, now: Duration) -> Option<Made> {
        let client = self.clients.get_mut(&connection)?;
        if let Some(reply) = client.next_reply() {
            return Some(Made::Frame(reply));
        }
        if std::mem::take(&mut client.terms_due) {
            return Some(Made::Frame(ServerFrame::Terms(self.list(None)).encode()));
        }
        let Client { attachments, sent, client_id, caps, .. } = client;
        attachments.iter_mut().find_map(|(id, attachment)| {
            let terminal = self.terminals.get_mut(id)?;
            skip(terminal, attachment, now);
            control(*id, terminal, attachment, sent, client_id, caps)
        })
    }

    /// Output of the terminal whose turn it is. Nothing is taken for one that waits for its SNAPSHOT.
    fn next_chunk(&mut self, connection: u32, now: Duration) -> Option<Chunk> {
        let client = self.clients.get_mut(&connection)?;
        let ready: Vec<u16> = client
            .attachments
            .iter()
            .filter(|(id, attachment)| {
                let head = self.terminals.get(id).map_or(0, |terminal| terminal.ring.head());
                let on_its_way = attachment.cursor - attachment.acked;
                attachment.cursor < head && on_its_way < attachment.window.bytes()
            })
            .map(|(id, _)| *id)
            .collect();
        // With a second terminal there may be an echo to send at any time.
        let alone = client.attachments.len() == 1;
        let (id, share) = client.turns.next(&ready)?;
        let Terminal { ring, answered, .. } = self.terminals.get(&id)?;
        let attachment = client.attachments.get_mut(&id)?;
        let from = attachment.cursor;
        let large = alone && attachment.window.takes_large_frames();
        let limit = if large { OUTPUT_BYTES } else { share };
        let to = (from + limit).min(attachment.acked + attachment.window.bytes());
        // Of one frame a client acknowledges the whole: its emulator's answers count from here on.
        let border = attachment.replay_until.max(*answered);
        let to = if from < border { to.min(border) } else { to };
        let to = cut(ring, from, to);
        attachment.cursor = to;
        attachment.window.sent(attachment.acked, to, now);
        let sent = client.sent.entry(id).or_default();
        *sent = to.max(*sent);
        client.turns.spent(id, to - from);
        Some(Chunk { terminal: id, from, to })
    }
}

/// Where a frame ends that may go up to `to`: when more follows, ahead of a character that does not fit, for xterm.js may
/// lose one that is divided.
fn cut(ring: &Ring, from: u64, to: u64) -> u64 {
    if to >= ring.head() {
        return ring.head();
    }
    let continues = |at: u64| {
        let [byte, _] = ring.slices(at, at + 1);
        byte.first().is_some_and(|byte| byte & 0xC0 == 0x80)
    };
    let least = to.saturating_sub(CONTINUATIONS).max(from + 1);
    (least..=to).rev().find(|at| !continues(*at)).unwrap_or(to)
}

fn control(
    id: u16,
    terminal: &mut Terminal,
    attachment: &mut Attachment,
    sent: &mut BTreeMap<u16, u64>,
    client: &str,
    caps: &Capabilities,
) -> Option<Made> {
    let (_, written) = terminal.input.offsets(client);
    if written > attachment.input_acked {
        attachment.input_acked = written;
        return Some(Made::Frame(ServerFrame::InputAck { terminal: id, offset: written }.encode()));
    }
    if let Some(reason) = attachment.snapshot_due {
        let told = if caps.is_current() { reason } else { reason.plain() };
        let size = terminal.size;
        let offset = attachment.cursor.max(terminal.history.oldest());
        attachment.goes_on_from(offset);
        terminal.wake.notify_one();
        if !terminal.history.approach(&terminal.ring, &mut attachment.progress, offset) {
            return Some(Made::Part);
        }
        attachment.snapshot_due = None;
        let sent = sent.entry(id).or_default();
        *sent = offset.max(*sent);
        let head = ServerFrame::snapshot_head(id, offset, size.cols, size.rows, told);
        let screen = terminal.snapshot(offset, SNAPSHOT_BYTES);
        return Some(Made::Frame([&head[..], &screen].concat().into()));
    }
    if std::mem::take(&mut attachment.resized_due) {
        let (size, owner) = (terminal.size, terminal.owner);
        let offset = terminal.ring.head();
        let Size { cols, rows } = size;
        let resized = ServerFrame::Resized { terminal: id, offset, cols, rows, owner };
        return Some(Made::Frame(resized.encode()));
    }
    let exit = terminal
        .exit
        .filter(|_| !attachment.exit_sent && attachment.cursor == terminal.ring.head())?;
    attachment.exit_sent = true;
    let offset = attachment.cursor;
    let Exit { code, signal } = exit;
    Some(Made::Frame(ServerFrame::Exit { terminal: id, offset, code, signal }.encode()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ascii("abcdef", 3, 3)]
    #[case::between_characters("ab漢字", 5, 5)]
    #[case::inside("ab漢字", 4, 2)]
    #[case::inside_the_last_byte("ab漢字", 7, 5)]
    #[case::four_bytes("a😀b", 4, 1)]
    #[case::nothing_else_fits("漢字", 2, 2)]
    #[case::everything("ab漢", 9, 5)]
    fn a_frame_ends_with_a_character(#[case] text: &str, #[case] to: u64, #[case] expected: u64) {
        let mut ring = Ring::with_capacity(64);
        ring.push(text.as_bytes());
        assert_eq!(cut(&ring, 0, to), expected);
    }

    #[test]
    fn what_is_no_text_is_cut_anywhere() {
        let mut ring = Ring::with_capacity(64);
        ring.push(&[0x80; 32]);
        assert_eq!(cut(&ring, 0, 16), 16);
    }
}
