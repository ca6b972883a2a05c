//! What clients typed and the program has not read yet: each byte once, in order. No I/O.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, Bytes};

/// Pending input beyond which the runtime stops reading from those who type.
pub const PENDING_BYTES: usize = 64 * 1024;

/// Streams remembered per terminal: page loads that may still come back, and all who are here, of whom there are fewer.
const STREAMS: usize = 64;

/// The stream of what the runtime types: no client has an empty name.
const OWN: &str = "";

/// Where one client's stream of input stands.
#[derive(Debug, Default, Clone, Copy)]
struct Stream {
    /// Everything below was taken.
    taken: u64,
    /// Everything below reached the program.
    written: u64,
    /// When it was last used, by count.
    used: u64,
}

#[derive(Debug)]
struct Piece {
    client: String,
    end: u64,
    bytes: Bytes,
}

/// INPUT that begins behind what was taken: bytes between are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("input continues at {offset}, but was taken up to {taken} only")]
pub struct Gap {
    pub offset: u64,
    pub taken: u64,
}

/// The input of one terminal.
#[derive(Debug, Default)]
pub struct Input {
    streams: BTreeMap<String, Stream>,
    pending: VecDeque<Piece>,
    pending_bytes: usize,
    uses: u64,
}

impl Input {
    /// Forgets the streams that were not used for longest, so that there is room for another client's. None of a client that is
    /// here: it goes on counting, and would never hear that nobody else does.
    pub fn make_room(&mut self, client: &str, is_here: impl Fn(&str) -> bool) {
        while !self.streams.contains_key(client) && self.streams.len() >= STREAMS {
            let gone = self.streams.iter().filter(|(name, _)| !is_here(name));
            let oldest = gone.min_by_key(|(_, stream)| stream.used);
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { return };
            self.streams.remove(&oldest);
        }
    }

    /// Takes bytes that begin at this offset of the client's stream; those that were taken before are left out.
    /// Returns how many are new.
    pub fn push(&mut self, client: &str, offset: u64, mut bytes: Bytes) -> Result<usize, Gap> {
        let taken = self.stream(client).taken;
        if offset > taken {
            return Err(Gap { offset, taken });
        }
        let end = offset.saturating_add(bytes.len() as u64);
        if end <= taken {
            return Ok(0);
        }
        bytes.advance(usize::try_from(taken - offset).unwrap_or(bytes.len()));
        self.stream(client).taken = end;
        self.pending_bytes += bytes.len();
        let count = bytes.len();
        self.pending.push_back(Piece { client: client.to_owned(), end, bytes });
        Ok(count)
    }

    /// Takes bytes of the runtime itself, which no client numbers.
    pub fn push_own(&mut self, bytes: Bytes) {
        let taken = self.stream(OWN).taken;
        // It goes on where it stopped, so there is no gap.
        let _ = self.push(OWN, taken, bytes);
    }

    /// Counts bytes as taken and written without giving them to the program: a reply that came too late.
    pub fn drop_bytes(&mut self, client: &str, offset: u64, count: usize) -> Result<(), Gap> {
        let taken = self.stream(client).taken;
        if offset > taken {
            return Err(Gap { offset, taken });
        }
        let end = offset.saturating_add(count as u64).max(taken);
        // An empty piece keeps the order of acknowledgements.
        self.stream(client).taken = end;
        let own = |last: &&mut Piece| last.bytes.is_empty() && last.client == client;
        if let Some(last) = self.pending.back_mut().filter(own) {
            last.end = end;
        } else {
            let piece = Piece { client: client.to_owned(), end, bytes: Bytes::new() };
            self.pending.push_back(piece);
        }
        self.skip_empty();
        Ok(())
    }

    /// What the program should read next.
    pub fn front(&self) -> Option<&[u8]> {
        self.pending.front().map(|piece| &piece.bytes[..])
    }

    /// The program has read this many bytes of [`Self::front`].
    pub fn written(&mut self, count: usize) {
        if let Some(piece) = self.pending.front_mut() {
            let count = count.min(piece.bytes.len());
            piece.bytes.advance(count);
            self.pending_bytes -= count;
            let end = piece.end - piece.bytes.len() as u64;
            let client = piece.client.clone();
            self.confirm(&client, end);
        }
        self.skip_empty();
    }

    /// Offsets of a client's stream: taken, and written to the program.
    pub fn offsets(&self, client: &str) -> (u64, u64) {
        self.streams.get(client).map_or((0, 0), |stream| (stream.taken, stream.written))
    }

    /// Whether so much waits that those who type must wait too.
    pub const fn is_full(&self) -> bool {
        self.pending_bytes > PENDING_BYTES
    }

    /// Forgets what the program will never read.
    pub fn discard(&mut self) {
        self.pending.clear();
        self.pending_bytes = 0;
    }

    fn skip_empty(&mut self) {
        while let Some(piece) = self.pending.pop_front_if(|piece| piece.bytes.is_empty()) {
            self.confirm(&piece.client, piece.end);
        }
    }

    fn confirm(&mut self, client: &str, end: u64) {
        if let Some(stream) = self.streams.get_mut(client) {
            stream.written = end;
        }
    }

    fn stream(&mut self, client: &str) -> &mut Stream {
        self.uses += 1;
        let stream = self.streams.entry(client.to_owned()).or_default();
        stream.used = self.uses;
        stream
    }
}

#[cfg(test)]
mod tests {
    use fabrica_protocol::kterm::{ClientFrame, Hello};
    use proptest::prelude::*;

    use super::*;
    use crate::terminal::fixture::{self, say, state};
    use crate::terminal::state::State;

    #[test]
    fn what_is_dropped_behind_a_program_that_does_not_read_costs_nothing() {
        let mut input = Input::default();
        input.push("page", 0, Bytes::from_static(b"waits")).unwrap();
        for offset in 0..1000 {
            input.drop_bytes("viewer", offset, 1).unwrap();
        }
        assert_eq!(input.pending.len(), 2);
        input.written(5);
        assert_eq!(input.offsets("viewer"), (1000, 1000));
    }

    proptest! {
        /// However often a client sends again from an offset it is not sure of, the program reads each byte once.
        #[test]
        fn each_byte_once(steps in proptest::collection::vec((0..40_u64, 1..40_usize, 0..30_usize), 1..60)) {
            let source: Vec<u8> = (0..=255).cycle().take(10_000).collect();
            let mut input = Input::default();
            let mut read = Vec::new();
            for (back, count, drain) in steps {
                let taken = input.offsets("page").0;
                let from = taken.saturating_sub(back);
                let start = usize::try_from(from).unwrap();
                input.push("page", from, Bytes::copy_from_slice(&source[start..start + count])).unwrap();
                if let Some(front) = input.front() {
                    let count = drain.min(front.len());
                    read.extend_from_slice(&front[..count]);
                    input.written(count);
                }
            }
            while let Some(front) = input.front() {
                read.extend_from_slice(front);
                let count = front.len();
                input.written(count);
            }
            let (taken, written) = input.offsets("page");
            prop_assert_eq!(taken, written);
            prop_assert_eq!(&read, &source[..usize::try_from(taken).unwrap()]);
        }
    }

    /// It would go on with bytes that follow what nobody remembers.
    #[test]
    fn the_stream_of_who_is_here_is_kept() {
        let mut state = state();
        let join = |state: &mut State, name: &str| {
            let id = fixture::join(state, "ada");
            let hello = Hello { client_id: name.to_owned(), ..Hello::default() };
            say(state, id, ClientFrame::Hello(hello), 0);
            id
        };
        let letter = |state: &mut State, id, offset| {
            let bytes = Bytes::from_static(b"x");
            say(state, id, ClientFrame::Input { terminal: 1, auto: false, offset, bytes }, 0);
        };
        let here = join(&mut state, "here");
        letter(&mut state, here, 0);
        for number in 0..2 * STREAMS {
            let guest = join(&mut state, &format!("guest-{number}"));
            letter(&mut state, guest, 0);
            state.leave(guest);
        }
        letter(&mut state, here, 1);
        let input = &state.terminals[&1].input;
        assert_eq!(input.offsets("ada here").0, 2);
        assert_eq!(input.streams.len(), STREAMS);
    }

    #[test]
    fn a_gap_is_refused() {
        let mut input = Input::default();
        assert_eq!(
            input.push("page", 3, Bytes::from_static(b"x")),
            Err(Gap { offset: 3, taken: 0 })
        );
    }

    #[test]
    fn dropped_replies_are_acknowledged_in_order() {
        let mut input = Input::default();
        input.push("page", 0, Bytes::from_static(b"ls")).unwrap();
        input.drop_bytes("page", 2, 5).unwrap();
        assert_eq!(input.offsets("page"), (7, 0));
        input.written(2);
        assert_eq!(input.offsets("page"), (7, 7));
        assert_eq!(input.front(), None);
    }
}
