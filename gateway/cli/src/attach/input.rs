//! Input that the shell has not confirmed yet, kept so that every byte reaches it exactly once.
//!
//! Bytes are numbered from the beginning of this client's stream. The runtime need not be told again what lies below `taken`;
//! `confirmed` is what it has written to the shell, and `sent` how far this socket has got. A new socket starts again at
//! what was taken.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

/// A paste is cut into frames of this size, so that other frames find room between them.
pub(super) const CHUNK: usize = 16 * 1024;

/// Bytes on their way without a confirmation. More waits here, where it can be counted and discarded.
const IN_FLIGHT: u64 = 64 * 1024;

/// Typed and not confirmed.
#[derive(Debug, Default)]
pub(super) struct InputQueue {
    /// From `taken` on.
    bytes: VecDeque<u8>,
    taken: u64,
    /// What waits in the runtime for a shell that does not read counts as on its way, whatever becomes of sockets.
    confirmed: u64,
    sent: u64,
    /// Where the emulator's own answers begin and end, in order.
    answers: VecDeque<Range<u64>>,
}

/// Bytes of the stream that are one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) offset: u64,
    pub(super) bytes: Bytes,
    /// The emulator's own words.
    pub(super) auto: bool,
}

impl InputQueue {
    /// How many bytes are not confirmed.
    pub(super) fn pending(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// As [`Self::push`], of what the emulator says by itself.
    pub(super) fn push_answer(&mut self, bytes: &[u8]) {
        let begin = self.taken + self.bytes.len() as u64;
        self.push(bytes);
        self.answers.push_back(begin..begin + bytes.len() as u64);
    }

    /// Whether what stands at this offset is an answer, and how far that is so.
    fn kind(&self, offset: u64) -> (bool, u64) {
        match self.answers.iter().find(|answer| answer.end > offset) {
            Some(answer) if answer.start <= offset => (true, answer.end),
            Some(answer) => (false, answer.start),
            None => (false, u64::MAX),
        }
    }

    /// The next frame, or nothing when all is sent or enough is on its way.
    pub(super) fn next(&mut self) -> Option<Frame> {
        let flying = self.sent - self.confirmed;
        let room = usize::try_from(IN_FLIGHT.saturating_sub(flying)).unwrap_or(0).min(CHUNK);
        let (auto, end) = self.kind(self.sent);
        let room = room.min(usize::try_from(end - self.sent).unwrap_or(usize::MAX));
        let from = usize::try_from(self.sent - self.taken).unwrap_or(usize::MAX);
        let bytes: Bytes = self.bytes.iter().skip(from).take(room).copied().collect();
        if bytes.is_empty() {
            return None;
        }
        let offset = self.sent;
        self.sent += bytes.len() as u64;
        Some(Frame { offset, bytes, auto })
    }

    /// The shell has everything below `offset`.
    pub(super) fn ack(&mut self, offset: u64) {
        self.take(offset);
        self.confirmed = self.confirmed.max(offset.min(self.taken));
    }

    /// The runtime has everything below `offset`.
    fn take(&mut self, offset: u64) {
        let done = offset.saturating_sub(self.taken).min(self.bytes.len() as u64);
        self.bytes.drain(..usize::try_from(done).unwrap_or(0));
        self.taken += done;
        self.sent = self.sent.max(self.taken);
        while self.answers.pop_front_if(|answer| answer.end <= self.taken).is_some() {}
    }

    /// A new socket whose runtime has taken everything below `taken`, and written it to the shell below `written`: the rest is
    /// sent again. Answers how many bytes had to be discarded, because the runtime's count does not belong to this stream.
    pub(super) fn resume(&mut self, taken: u64, written: u64) -> usize {
        if taken < self.taken || taken > self.taken + self.bytes.len() as u64 {
            return self.restart(taken);
        }
        self.take(taken);
        self.ack(written);
        self.sent = self.taken;
        0
    }

    /// Forgets everything and counts on from `offset`. Answers how many bytes that discards.
    pub(super) fn restart(&mut self, offset: u64) -> usize {
        let lost = self.bytes.len();
        self.bytes.clear();
        self.answers.clear();
        (self.taken, self.confirmed, self.sent) = (offset, offset, offset);
        lost
    }

    /// Drops what no socket has carried yet. What was sent may have arrived, so it stays. Answers how many bytes went.
    pub(super) fn discard_unsent(&mut self) -> usize {
        let kept = usize::try_from(self.sent - self.taken).unwrap_or(usize::MAX);
        let gone = self.bytes.len().saturating_sub(kept);
        self.bytes.truncate(kept);
        let end = self.taken + self.bytes.len() as u64;
        self.answers.iter_mut().for_each(|answer| answer.end = answer.end.min(end));
        self.answers.retain(|answer| answer.start < answer.end);
        gone
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Type(Vec<u8>),
        Deliver(usize),
        Confirm,
        Cut,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            prop::collection::vec(any::<u8>(), 1..40_000).prop_map(Step::Type),
            (0_usize..8).prop_map(Step::Deliver),
            Just(Step::Confirm),
            Just(Step::Cut),
        ];
        prop::collection::vec(step, 0..40)
    }

    /// Takes a byte once, as the runtime does, for a shell that reads at times.
    #[derive(Default)]
    struct Shell {
        typed: Vec<u8>,
        read: u64,
    }

    impl Shell {
        fn takes(&mut self, offset: u64, bytes: &[u8]) {
            let known = self.typed.len() as u64;
            assert!(offset <= known, "a gap");
            assert!(bytes.len() <= CHUNK);
            let seen = usize::try_from(known - offset).unwrap_or(usize::MAX);
            self.typed.extend(bytes.iter().skip(seen));
        }

        fn taken(&self) -> u64 {
            self.typed.len() as u64
        }

        fn reads(&mut self) -> u64 {
            self.read = self.taken();
            self.read
        }
    }

    proptest! {
        #[test]
        fn every_byte_arrives_once(steps in steps()) {
            let (mut queue, mut shell, mut all) = (InputQueue::default(), Shell::default(), Vec::new());
            for step in steps {
                match step {
                    Step::Type(bytes) => {
                        queue.push(&bytes);
                        all.extend(bytes);
                    }
                    Step::Deliver(count) => {
                        for _ in 0..count {
                            if let Some(Frame { offset, bytes, .. }) = queue.next() {
                                shell.takes(offset, &bytes);
                            }
                        }
                    }
                    Step::Confirm => queue.ack(shell.reads()),
                    // What was sent and did not arrive is lost; the runtime says what it has.
                    Step::Cut => {
                        while queue.next().is_some() {}
                        prop_assert_eq!(queue.resume(shell.taken(), shell.read), 0);
                    }
                }
                prop_assert!(shell.taken() - shell.read <= IN_FLIGHT);
            }
            prop_assert_eq!(queue.resume(shell.taken(), shell.read), 0);
            while queue.pending() > 0 {
                while let Some(Frame { offset, bytes, .. }) = queue.next() {
                    shell.takes(offset, &bytes);
                }
                queue.ack(shell.reads());
            }
            prop_assert_eq!(shell.typed, all);
        }
    }

    #[test]
    fn only_what_was_not_sent_is_discarded() {
        let mut queue = InputQueue::default();
        queue.push(b"sent");
        queue.next();
        queue.push(b"kept back");
        assert_eq!((queue.discard_unsent(), queue.pending()), (9, 4));
        assert_eq!(queue.resume(99, 99), 4);
    }

    #[test]
    fn what_waits_for_a_shell_that_does_not_read_stays_on_its_way_over_any_number_of_sockets() {
        let mut queue = InputQueue::default();
        queue.push(&vec![b'x'; 1024 * 1024]);
        while queue.next().is_some() {}
        for _ in 0..3 {
            assert_eq!(queue.resume(IN_FLIGHT, 0), 0);
            assert_eq!(queue.next(), None);
        }
        queue.ack(CHUNK as u64);
        assert_eq!(
            queue.next().map(|frame| (frame.offset, frame.bytes.len())),
            Some((IN_FLIGHT, CHUNK))
        );
        assert_eq!(queue.next(), None);
    }
}
