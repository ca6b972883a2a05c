//! The last mebibyte of a terminal's output, addressed by absolute offsets.

/// Bytes kept per terminal: what a client may miss and still resume exactly.
pub const RING_BYTES: usize = 1024 * 1024;

/// The most that is read into it at once.
pub const READ_BYTES: usize = 64 * 1024;

/// A ring of output. Pages that were never written are not resident, so a quiet terminal costs next to nothing.
#[derive(Debug)]
pub struct Ring {
    bytes: Box<[u8]>,
    head: u64,
    /// What lies below was forgotten on purpose.
    floor: u64,
}

impl Default for Ring {
    fn default() -> Self {
        Self::with_capacity(RING_BYTES)
    }
}

impl Ring {
    /// A ring of this many bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: vec![0; capacity.max(1)].into_boxed_slice(), head: 0, floor: 0 }
    }

    /// Bytes that it keeps.
    pub const fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// The offset behind the newest byte.
    pub const fn head(&self) -> u64 {
        self.head
    }

    /// The offset of the oldest byte still kept.
    pub fn tail(&self) -> u64 {
        self.oldest().max(self.floor)
    }

    /// The offset of the oldest byte that nothing has overwritten.
    const fn oldest(&self) -> u64 {
        self.head.saturating_sub(self.bytes.len() as u64)
    }

    /// Where the next bytes go. What is written there counts only after [`Self::commit`], but the oldest bytes are
    /// gone with it, so a reader must not be given room that it may leave unused for long.
    pub fn room(&mut self, limit: usize) -> &mut [u8] {
        let start = self.index(self.head);
        let end = self.bytes.len().min(start + limit);
        &mut self.bytes[start..end]
    }

    /// Counts the first bytes of the last [`Self::room`] as output.
    pub const fn commit(&mut self, count: usize) {
        self.head += count as u64;
    }

    /// Lets go of all that is kept.
    pub const fn forget(&mut self) {
        self.floor = self.head;
    }

    /// Appends bytes from elsewhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.room(bytes.len());
            let count = room.len();
            room.copy_from_slice(&bytes[..count]);
            self.commit(count);
            bytes = &bytes[count..];
        }
    }

    /// The bytes from one offset up to another, in at most two pieces. Both lie between tail and head.
    pub fn slices(&self, from: u64, to: u64) -> [&[u8]; 2] {
        self.pieces(from.clamp(self.tail(), self.head), to)
    }

    /// The same also of what was forgotten and not overwritten yet: for nobody but who makes of it what the screen shows.
    pub(super) fn forgotten(&self, from: u64, to: u64) -> [&[u8]; 2] {
        self.pieces(from.clamp(self.oldest(), self.head), to)
    }

    fn pieces(&self, from: u64, to: u64) -> [&[u8]; 2] {
        let to = to.clamp(from, self.head);
        let count = usize::try_from(to - from).unwrap_or(usize::MAX);
        let start = self.index(from);
        let first = count.min(self.bytes.len() - start);
        [&self.bytes[start..start + first], &self.bytes[..count - first]]
    }

    /// The first start of a line at or behind an offset, else the offset itself: where a replay may begin without
    /// showing half a line.
    pub fn line_start(&self, from: u64) -> u64 {
        let from = from.clamp(self.tail(), self.head);
        if from == 0 {
            return 0;
        }
        let [first, second] = self.slices(from, self.head);
        first
            .iter()
            .chain(second)
            .position(|byte| *byte == b'\n')
            .map_or(from, |position| from + position as u64 + 1)
    }

    fn index(&self, offset: u64) -> usize {
        usize::try_from(offset % self.bytes.len() as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keeps_the_newest_bytes(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut ring = Ring::with_capacity(64);
            let mut all = Vec::new();
            for piece in &pieces {
                ring.push(piece);
                all.extend_from_slice(piece);
                prop_assert_eq!(ring.head(), all.len() as u64);
                let tail = usize::try_from(ring.tail()).unwrap();
                prop_assert_eq!(ring.slices(ring.tail(), ring.head()).concat(), &all[tail..]);
            }
        }
    }

    #[test]
    fn a_replay_begins_with_a_line() {
        let mut ring = Ring::with_capacity(16);
        ring.push(b"first\nsecond\n");
        assert_eq!(ring.line_start(0), 0);
        assert_eq!(ring.line_start(3), 6);
        ring.push(b"third line");
        assert_eq!(ring.tail(), 7);
        assert_eq!(ring.line_start(ring.tail()), 13);
    }

    #[test]
    fn what_is_forgotten_does_not_come_back() {
        let mut ring = Ring::with_capacity(8);
        ring.push(b"secret");
        ring.forget();
        assert_eq!((ring.tail(), ring.head()), (6, 6));
        ring.push(b"new");
        assert_eq!(ring.slices(0, 9).concat(), b"new");
        ring.push(b"er bytes");
        assert_eq!((ring.tail(), ring.slices(0, 17).concat()), (9, b"er bytes".to_vec()));
    }

    #[test]
    fn a_line_without_an_end_is_replayed_from_its_middle() {
        let mut ring = Ring::with_capacity(8);
        ring.push(&[b'x'; 20]);
        assert_eq!(ring.line_start(0), 12);
    }
}
