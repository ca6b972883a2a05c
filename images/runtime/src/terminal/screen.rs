//! What a terminal shows, made again from its output: an emulator that lives for moments only.
//!
//! It follows xterm.js to its widths and its wrapping, for that is what draws our pages: the tests hold it against the real
//! one. [`Screen::snapshot`] says a screen in bytes that lead any fresh emulator to the same state, half an escape
//! sequence included, so that what follows may be cut anywhere.

mod attributes;
mod buffer;
mod cell;
mod control;
mod editing;
mod emulator;
mod modes;
mod parser;
mod plain;
pub mod query;
mod row;
mod snapshot;
mod widths;

pub use plain::Plain;
pub use snapshot::RESET;

use emulator::Emulator;
use parser::Parser;

use super::size::Size;

/// An emulator with its parser.
#[derive(Debug)]
pub struct Screen {
    parser: Parser,
    emulator: Emulator,
}

impl Screen {
    /// An empty screen.
    pub fn new(size: Size) -> Self {
        Self { parser: Parser::default(), emulator: Emulator::new(size) }
    }

    /// Takes output.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.emulator.allow(bytes.len());
        self.parser.feed(bytes, &mut self.emulator);
    }

    /// Takes output of which only what outlasts its text is kept: modes, colours, margins. Much cheaper, and right for
    /// what scrolls away.
    pub fn skim(&mut self, bytes: &[u8]) {
        self.emulator.skims = true;
        self.emulator.allow(bytes.len());
        self.parser.feed(bytes, &mut self.emulator);
        self.emulator.skims = false;
    }

    /// Cells and rows that output has touched beyond what it printed.
    pub const fn touched(&self) -> usize {
        self.emulator.touched
    }

    /// Its size.
    pub const fn size(&self) -> Size {
        self.emulator.size
    }

    /// Takes another size, as xterm.js does without lines to scroll back to.
    pub fn resize(&mut self, size: Size) {
        self.emulator.resize(size);
    }

    /// The cursor's row and column, from 1.
    pub fn cursor(&self) -> (usize, usize) {
        self.emulator.cursor()
    }

    /// The state as bytes for a fresh emulator of the same size. Colours go first when it would be longer than `limit`,
    /// and then rows from the top.
    pub fn snapshot(&self, limit: usize) -> Vec<u8> {
        let mut bytes =
            snapshot::write(&self.emulator, limit.saturating_sub(parser::PENDING_BYTES));
        bytes.extend_from_slice(&self.parser.pending());
        bytes
    }

    /// How a mode is set, as DECRQM numbers it: 0 unknown, 1 set, 2 reset, 3 and 4 for good.
    pub fn mode(&self, number: u16, private: bool) -> u8 {
        self.emulator.mode(number, private)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_cursor_above_the_margins_is_told() {
        let mut screen = Screen::new(Size::new(20, 12).unwrap());
        screen.feed(b"\x1b[5;10r\x1b[?47h\x1b[?6h\x1b[?47l");
        assert!(!screen.snapshot(4096).is_empty());
    }

    #[test]
    fn what_is_repeated_fills_a_row_at_most() {
        let mut screen = Screen::new(Size::new(20, 12).unwrap());
        screen.feed(b"a\x1b[65535b");
        assert_eq!(screen.cursor().0, 2);
    }

    /// What a piece of output costs of one that programs print, in times per byte.
    #[rstest]
    #[case::reset("\x1bc")]
    #[case::reset_behind_text("x\x1bc")]
    #[case::erased("\x1b[2J")]
    #[case::erased_in_colours("\x1b[41m\x1b[2J\x1b[42m\x1b[J")]
    #[case::erased_except_what_is_protected("\x1b[?2J")]
    #[case::filled("\x1b#8")]
    #[case::other_screen("\x1b[?1049h\x1b[?1049l")]
    #[case::shifted("\x1b#8\x1b[ @\x1b[ A")]
    #[case::inserted("\x1b[4h\x1b[Hxxxxxxxx\x1b[99@")]
    #[case::lines("\x1b[9S\x1b[9T\x1b[L")]
    #[case::line_feeds("\n")]
    #[case::repeated("e\u{301}\u{302}\u{303}\x1b[999b")]
    #[case::tabs("\x1b[999I\x1b[999Z")]
    fn nothing_costs_much_more_than_text(
        #[case] piece: &str,
        #[values((80, 24), (1000, 500))] (cols, rows): (u16, u16),
    ) {
        const BYTES: usize = 64 * 1024;
        const TIMES: u32 = 60;
        let cost = |piece: &str| {
            let output = piece.repeat(BYTES / piece.len());
            let mut screen = Screen::new(Size::new(cols, rows).unwrap());
            let started = std::time::Instant::now();
            screen.feed(output.as_bytes());
            started.elapsed()
        };
        let text = (0..3).map(|_| cost("2026-01-01 \x1b[32mINFO\x1b[0m a line of a log\r\n")).max();
        let most = text.unwrap() * TIMES;
        let taken = (0..3).map(|_| cost(piece)).min().unwrap();
        assert!(taken <= most, "{taken:?}, more than {most:?}");
    }

    #[test]
    fn a_screen_of_links_is_told_without_them() {
        const LIMIT: usize = 64 * 1024;
        let mut screen = Screen::new(Size::new(200, 50).unwrap());
        let link = format!("\x1b]8;;https://example.com/{}\x07", "x".repeat(2000));
        for row in 1..=50 {
            screen.feed(format!("{link}\x1b[{row};1H{}\x1b]8;;\x07", "a".repeat(200)).as_bytes());
            for column in (1..200).step_by(2) {
                screen.feed(format!("\x1b[{row};{column}Hb").as_bytes());
            }
        }
        let told = screen.snapshot(LIMIT);
        assert!(told.len() <= LIMIT && told.windows(4).any(|four| four == b"baba"));
    }
}
