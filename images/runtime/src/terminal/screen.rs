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
pub mod query;
mod snapshot;
mod widths;

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
        self.parser.feed(bytes, &mut self.emulator);
    }

    /// Takes output of which only what outlasts its text is kept: modes, colours, margins. Much cheaper, and right for
    /// what scrolls away.
    pub fn skim(&mut self, bytes: &[u8]) {
        self.emulator.skims = true;
        self.parser.feed(bytes, &mut self.emulator);
        self.emulator.skims = false;
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
