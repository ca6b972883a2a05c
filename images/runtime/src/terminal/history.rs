//! What a terminal showed at an offset of its output, of which the ring has the end alone.
//!
//! Nothing is emulated while the ring holds everything. Later the state at one offset that the ring still holds is kept as
//! bytes, a few kilobytes, and moved on before the ring overwrites what follows it.

use std::collections::VecDeque;
use std::time::Duration;

use super::ring::Ring;
use super::screen::Screen;
use super::size::Size;

/// How far the oldest state is moved on at a time.
const STEP_BYTES: u64 = 64 * 1024;

/// How far it is moved on where output is skimmed, which costs little more than taking the state up and laying it down
/// again. What the ring holds behind it is more than any screen.
const SKIMMED_STEP_BYTES: u64 = 512 * 1024;

/// Output that may be emulated in a second, and at once after a quiet time. Beyond it, what leaves the ring is skimmed: a
/// program that writes so much has scrolled its screen away many times over.
const EMULATED_BYTES: i64 = 1024 * 1024;

/// Cells or rows of a screen that cost as much as a byte of text, where a program touches many with few bytes.
const TOUCHED: i64 = 2;

/// Bytes of a kept state; larger screens lose colours in it before they lose text.
const STATE_BYTES: usize = 256 * 1024;

/// Sizes that are remembered with their offsets. More changes than this within a ring are few enough to mistake.
const SIZES: usize = 64;

/// How far an emulation that is done a step at a time has come.
#[derive(Debug)]
pub struct Progress(State);

/// The state at an offset.
#[derive(Debug, Clone, Default)]
struct State {
    offset: u64,
    /// The size in which it was taken: in another one its bytes would say something else.
    size: Size,
    /// Bytes that lead a fresh emulator of this size to it; none for a fresh one.
    bytes: Vec<u8>,
}

impl State {
    fn of(screen: &Screen, offset: u64) -> Self {
        Self { offset, size: screen.size(), bytes: screen.snapshot(STATE_BYTES) }
    }
}

/// What is known of a terminal's past.
#[derive(Debug)]
pub struct History {
    /// The oldest offset at which the state is known. The ring holds all that follows, also what was forgotten since.
    base: State,
    /// The newest one that somebody asked for.
    recent: Option<State>,
    /// From which offset on the terminal had which size; the first is at or ahead of the base.
    sizes: VecDeque<(u64, Size)>,
    /// Bytes that may be emulated now; less than none when what was emulated cost more than its bytes.
    credit: i64,
    credited: Duration,
}

impl History {
    /// A terminal that has said nothing.
    pub fn new(size: Size) -> Self {
        Self {
            base: State { size, ..State::default() },
            recent: None,
            sizes: VecDeque::from([(0, size)]),
            credit: EMULATED_BYTES,
            credited: Duration::ZERO,
        }
    }

    /// The oldest offset whose state is known.
    pub const fn oldest(&self) -> u64 {
        self.base.offset
    }

    /// The terminal has another size from this offset on.
    pub fn resized(&mut self, offset: u64, size: Size) {
        if self.sizes.back().is_some_and(|(at, _)| *at == offset) {
            self.sizes.pop_back();
        }
        if self.sizes.len() >= SIZES {
            self.sizes.pop_front();
        }
        self.sizes.push_back((offset, size));
    }

    /// Moves on while the ring still has what follows the base: `room` bytes are about to be overwritten.
    pub fn make_room(&mut self, ring: &Ring, room: usize, uptime: Duration) {
        let end = (ring.head() + room as u64).saturating_sub(ring.capacity() as u64);
        if self.base.offset < end {
            let base = self.base.offset;
            let step = |bytes: u64| (base + bytes).max(end).min(ring.head());
            let next = step(STEP_BYTES);
            if let Some(recent) =
                self.recent.take_if(|recent| (end..=next).contains(&recent.offset))
            {
                self.base = recent;
            } else {
                let skims = !self.affords((next - base).cast_signed(), uptime);
                let next = if skims { step(SKIMMED_STEP_BYTES) } else { next };
                let screen = self.emulate(ring, &self.base, next, skims);
                let dear = i64::try_from(screen.touched()).unwrap_or(i64::MAX) / TOUCHED;
                self.pay((next - base).cast_signed(), skims);
                self.credit = self.credit.saturating_sub(dear);
                self.base = State::of(&screen, next);
            }
        }
        if self.recent.as_ref().is_some_and(|recent| recent.offset <= self.base.offset) {
            self.recent = None;
        }
        while self.sizes.get(1).is_some_and(|(at, _)| *at <= self.base.offset) {
            self.sizes.pop_front();
        }
    }

    /// Comes a step closer to the screen at an offset between [`Self::oldest`] and the ring's head. Says whether no more
    /// than a step is left for [`Self::screen_at`], so that nobody waits for a whole ring to be read.
    pub fn approach(&mut self, ring: &Ring, progress: &mut Option<Progress>, offset: u64) -> bool {
        let known = self.known(offset);
        let usable = |state: &State| (known.offset..=offset).contains(&state.offset);
        let from = progress.take().map(|progress| progress.0).filter(usable);
        let from = from.unwrap_or_else(|| known.clone());
        if offset - from.offset > STEP_BYTES {
            let next = from.offset + STEP_BYTES;
            let screen = self.emulate(ring, &from, next, false);
            *progress = Some(Progress(State::of(&screen, next)));
            return false;
        }
        if from.offset > self.base.offset {
            self.recent = Some(from);
        }
        true
    }

    /// The screen at an offset between [`Self::oldest`] and the ring's head.
    pub fn screen_at(&mut self, ring: &Ring, offset: u64) -> Screen {
        let screen = self.emulate(ring, self.known(offset), offset, false);
        if offset > self.base.offset {
            self.recent = Some(State::of(&screen, offset));
        }
        screen
    }

    /// The newest state at or ahead of an offset.
    fn known(&self, offset: u64) -> &State {
        self.recent.as_ref().filter(|recent| recent.offset <= offset).unwrap_or(&self.base)
    }

    /// An emulator that has read everything up to an offset, or what is left of it.
    fn emulate(&self, ring: &Ring, from: &State, offset: u64, skims: bool) -> Screen {
        let mut sizes = self.sizes.iter().copied().peekable();
        let mut size = from.size;
        while let Some((_, next)) = sizes.next_if(|(at, _)| *at <= from.offset) {
            size = next;
        }
        let mut screen = Screen::new(from.size);
        screen.feed(&from.bytes);
        if size != from.size {
            screen.resize(size);
        }
        let mut at = from.offset;
        loop {
            let change = sizes.next_if(|(change, _)| *change <= offset);
            let end = change.map_or(offset, |(change, _)| change);
            for piece in ring.forgotten(at, end) {
                if skims {
                    screen.skim(piece);
                } else {
                    screen.feed(piece);
                }
            }
            at = end;
            let Some((_, size)) = change else { return screen };
            screen.resize(size);
        }
    }

    /// Whether so many bytes may be emulated now.
    fn affords(&mut self, bytes: i64, uptime: Duration) -> bool {
        let passed = uptime.saturating_sub(self.credited);
        let earned = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let earned = earned.saturating_mul(EMULATED_BYTES / 1000);
        self.credit = self.credit.saturating_add(earned).min(EMULATED_BYTES);
        self.credited = uptime;
        self.credit >= bytes
    }

    /// What is skimmed is paid for, too, as far as there is something left: a flood of which some is emulated shows no more
    /// than one of which nothing is.
    fn pay(&mut self, bytes: i64, skims: bool) {
        let least = if skims { self.credit.min(0) } else { i64::MIN };
        self.credit = self.credit.saturating_sub(bytes).max(least);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes into a small ring as the pump does.
    fn write(history: &mut History, ring: &mut Ring, mut bytes: &[u8], uptime: Duration) {
        while !bytes.is_empty() {
            history.make_room(ring, 16, uptime);
            let room = ring.room(16.min(bytes.len()));
            let count = room.len();
            room.copy_from_slice(&bytes[..count]);
            ring.commit(count);
            bytes = &bytes[count..];
        }
    }

    fn text(screen: &Screen) -> String {
        String::from_utf8_lossy(&screen.snapshot(STATE_BYTES)).into_owned()
    }

    proptest! {
        /// However much has left the ring, the screen is what it would be had nothing left.
        #[test]
        fn the_screen_is_that_of_the_whole_output(
            pieces in prop::collection::vec("[a-z]{0,12}|\r\n|\u{1b}\\[[0-9]{1,2}m|\u{1b}\\[[0-9];[0-9]H|\u{1b}\\[H\u{1b}\\[[0-2]J|漢", 0..150),
            asked in prop::collection::vec(any::<bool>(), 150),
        ) {
            let size = Size::new(20, 6).unwrap();
            let mut ring = Ring::with_capacity(256);
            let mut history = History::new(size);
            let mut whole = Screen::new(size);
            for (piece, asked) in pieces.iter().zip(asked) {
                write(&mut history, &mut ring, piece.as_bytes(), Duration::ZERO);
                whole.feed(piece.as_bytes());
                prop_assert!((ring.tail()..=ring.head()).contains(&history.oldest()));
                if asked {
                    let shown = history.screen_at(&ring, ring.head());
                    prop_assert_eq!(text(&again(&shown, size)), text(&again(&whole, size)));
                }
            }
        }
    }

    /// What a snapshot makes of a screen, as often as a kept state was made of it.
    fn again(screen: &Screen, size: Size) -> Screen {
        let mut fresh = Screen::new(size);
        fresh.feed(&screen.snapshot(STATE_BYTES));
        fresh
    }

    #[test]
    fn nothing_is_emulated_while_the_ring_has_everything() {
        let mut ring = Ring::with_capacity(256);
        let mut history = History::new(Size::default());
        write(&mut history, &mut ring, b"hello\r\n", Duration::ZERO);
        assert_eq!((history.oldest(), history.base.bytes.len()), (0, 0));
        assert!(history.recent.is_none());
    }

    #[test]
    fn a_screen_that_is_made_in_steps_is_the_same() {
        let mut ring = Ring::default();
        let mut history = History::new(Size::default());
        for number in 0..60_000 {
            ring.push(format!("\x1b[3{}mline {number}\r\n", number % 8).as_bytes());
        }
        let offset = ring.head() - 7;
        let at_once = text(&History::new(Size::default()).screen_at(&ring, offset));
        let (mut progress, mut steps) = (None, 1);
        while !history.approach(&ring, &mut progress, offset) {
            steps += 1;
        }
        assert_eq!(steps, offset.div_ceil(STEP_BYTES));
        assert_eq!(text(&history.screen_at(&ring, offset)), at_once);
    }

    #[test]
    fn a_state_is_read_in_the_size_in_which_it_was_taken() {
        let (wide, narrow) = (Size { cols: 60, rows: 6 }, Size { cols: 20, rows: 6 });
        let mut ring = Ring::with_capacity(1024);
        let mut history = History::new(wide);
        let lines = format!("{}\r\n", "x".repeat(50)).repeat(4);
        write(&mut history, &mut ring, lines.as_bytes(), Duration::ZERO);
        let mut plain = Screen::new(wide);
        plain.feed(lines.as_bytes());
        plain.resize(narrow);
        ring.forget();
        history.resized(ring.head(), narrow);
        assert_eq!(text(&history.screen_at(&ring, ring.head())), text(&plain));
    }

    #[test]
    fn what_was_forgotten_at_once_is_read_step_by_step() {
        let mut ring = Ring::default();
        let mut history = History::new(Size::default());
        ring.push(&b"line\r\n".repeat(100_000));
        ring.forget();
        let mut progress = None;
        assert!(!history.approach(&ring, &mut progress, ring.tail()));
        while !history.approach(&ring, &mut progress, ring.tail()) {}
        assert!(text(&history.screen_at(&ring, ring.tail())).contains("line"));
    }

    #[test]
    fn the_screen_outlasts_what_is_forgotten() {
        let mut ring = Ring::with_capacity(256);
        let mut history = History::new(Size::default());
        write(&mut history, &mut ring, b"\x1b[?2004hone\r\n", Duration::ZERO);
        ring.forget();
        assert_eq!(ring.tail(), ring.head());
        write(&mut history, &mut ring, b"two", Duration::ZERO);
        let screen = history.screen_at(&ring, ring.head());
        let shown = text(&screen);
        assert!(shown.contains("one") && shown.contains("two"), "{shown:?}");
        assert_eq!(screen.mode(2004, true), 1);
    }

    #[test]
    fn modes_outlast_a_flood() {
        let mut ring = Ring::with_capacity(1024);
        let mut history = History::new(Size::default());
        history.credit = 0;
        write(&mut history, &mut ring, b"\x1b[?1049h\x1b[?2004h\x1b[31m", Duration::ZERO);
        write(&mut history, &mut ring, &b"flood\r\n".repeat(1000), Duration::ZERO);
        let screen = history.screen_at(&ring, ring.head());
        assert_eq!((screen.mode(1049, true), screen.mode(2004, true)), (1, 1));
        assert!(text(&screen).contains("\x1b[0;31mflood"));
    }

    #[test]
    fn nothing_of_a_long_flood_is_emulated() {
        const LINE_BYTES: u64 = 17;
        let mut ring = Ring::default();
        let mut history = History::new(Size::default());
        for millisecond in 0..500 {
            let lines = (0..1_000).map(|line| format!("{:015}\r\n", millisecond * 1_000 + line));
            let lines: Vec<u8> = lines.flat_map(String::into_bytes).collect();
            write(&mut history, &mut ring, &lines, Duration::from_millis(millisecond));
        }
        let shown = String::from_utf8_lossy(&history.base.bytes).into_owned();
        let words = shown.split(|character: char| !character.is_ascii_digit());
        let lines =
            words.filter(|word| word.len() == 15).filter_map(|word| word.parse::<u64>().ok());
        let newest = lines.max().unwrap() * LINE_BYTES;
        assert!(newest < 2 * EMULATED_BYTES.cast_unsigned(), "{newest} of {}", ring.head());
    }

    #[test]
    fn each_byte_is_read_in_the_size_it_was_written_in() {
        let mut ring = Ring::with_capacity(64);
        let wide = Size::new(20, 3).unwrap();
        let mut history = History::new(wide);
        write(&mut history, &mut ring, b"0123456789abcdef", Duration::ZERO);
        history.resized(ring.head(), Size::new(10, 3).unwrap());
        write(&mut history, &mut ring, b"\r\n0123456789abcdef", Duration::ZERO);
        write(&mut history, &mut ring, &b"\x1b[3;1H-".repeat(12), Duration::ZERO);
        let screen = text(&history.screen_at(&ring, ring.head()));
        assert!(screen.contains("0123456789\x1b[2;1H0123456789\x1b[3;1H-"), "{screen:?}");
    }
}
