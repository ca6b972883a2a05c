//! What the screen shows, what of it is acknowledged, and the end once it has shown all.

use std::time::Duration;

use bytes::Bytes;
use fabrica_protocol::kterm::ClientFrame;

use super::{ACK_DELAY, ACK_STEP, Effect, Stream};

impl Stream {
    pub(super) fn output(&mut self, offset: u64, bytes: &Bytes) {
        // What comes before the snapshot that was asked for belongs to what was there before.
        let (Some(have), Some(terminal)) = (self.have, self.terminal) else { return };
        let end = offset + bytes.len() as u64;
        // A gap cannot happen on one socket; asking again is cheaper than trusting that.
        if offset > have {
            return self.send_attach(terminal);
        }
        if end <= have {
            return;
        }
        let known = usize::try_from(have - offset).unwrap_or(bytes.len());
        let old = usize::try_from(self.replay_until.saturating_sub(offset)).unwrap_or(bytes.len());
        self.have = Some(end);
        let old = old.clamp(known, bytes.len());
        self.write(bytes.slice(known..old), offset + old as u64, true);
        self.write(bytes.slice(old..), end, false);
    }

    pub(super) fn write(&mut self, bytes: Bytes, end: u64, replayed: bool) {
        // Who only watches answers nothing.
        let silent = replayed || self.view;
        if !bytes.is_empty() {
            let generation = self.generation;
            self.effects.push(Effect::Write { bytes, end, generation, silent });
        }
    }

    pub(super) fn ack(&mut self) {
        self.ack_at = None;
        self.acked = self.written;
        if let Some(terminal) = self.terminal {
            self.send(ClientFrame::Ack { terminal, offset: self.written });
        }
    }

    /// Whether the program has ended: nothing more comes, whatever becomes of the connection.
    pub(in crate::attach) const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Tells the end once the screen has everything: a slow one has a whole window of it before it still.
    pub(super) fn end(&mut self) {
        if let Some((code, signal)) = self.ended
            && self.have.is_none_or(|have| self.written >= have)
        {
            self.effects.push(Effect::Exit { code, signal });
        }
    }

    /// The screen has everything up to here.
    pub(in crate::attach) fn written(&mut self, end: u64, generation: u32, now: Duration) {
        if generation != self.generation || end < self.written {
            return;
        }
        self.written = end;
        self.end();
        if self.live && self.written - self.acked >= ACK_STEP {
            self.ack();
        } else if self.live {
            self.ack_at.get_or_insert(now + ACK_DELAY);
        }
    }
}
