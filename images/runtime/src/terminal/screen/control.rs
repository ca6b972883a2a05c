//! What controls and escape sequences do.

use super::attributes;
use super::buffer::Saved;
use super::cell::{Pen, style};
use super::emulator::{Charsets, Emulator};
use super::modes::Modes;
use super::parser::{Perform, Sequence};

/// Prefixes and intermediates, as sequences collect them.
const PLAIN: u32 = 0;
const PRIVATE: u32 = b'?' as u32;
const GREATER: u32 = b'>' as u32;
const EQUAL: u32 = b'=' as u32;
const LESS: u32 = b'<' as u32;
const SPACE: u32 = b' ' as u32;
const BANG: u32 = b'!' as u32;
const QUOTE: u32 = b'"' as u32;
const TICK: u32 = b'\'' as u32;

/// The longest title that is kept, in bytes.
const TITLE_BYTES: usize = 512;

/// Every count is bounded by this before it is bounded by the screen.
pub(super) const MANY: usize = 65_535;

impl Perform for Emulator {
    fn print(&mut self, character: char) {
        if !self.skims {
            self.put(character);
        }
    }

    fn execute(&mut self, control: u8) {
        self.preceding = None;
        if self.skims && !matches!(control, 0x0E | 0x0F) {
            return;
        }
        match control {
            0x08 => self.backspace(),
            0x09 => {
                let buffer = self.buffer();
                if buffer.x < buffer.columns {
                    buffer.x = buffer.next_tab();
                }
            }
            0x0A..=0x0C => self.line_feed(),
            0x0D => self.buffer().x = 0,
            0x0E => self.charsets.shift(1),
            0x0F => self.charsets.shift(0),
            0x84 => self.index(),
            0x85 => self.next_line(),
            0x88 => self.set_tab(),
            _ => {}
        }
    }

    fn csi(&mut self, sequence: &Sequence) {
        match sequence.collected {
            PLAIN if sequence.last == b'b' => self.repeat(sequence.count(0, MANY)),
            PLAIN => self.plain(sequence),
            PRIVATE => match sequence.last {
                b'h' => self.private_modes(sequence, true),
                b'l' => self.private_modes(sequence, false),
                b'J' => self.erase_display(sequence.get(0), true),
                b'K' => self.erase_line(sequence.get(0), true),
                _ => {}
            },
            other => self.others(other, sequence),
        }
        self.preceding = None;
    }

    fn escape(&mut self, intermediate: u8, last: u8) {
        self.preceding = None;
        match (intermediate, last) {
            (0, b'7') => self.save(),
            (0, b'8') => self.restore(),
            (0, b'D') => self.index(),
            (0, b'E') => self.next_line(),
            (0, b'H') => self.set_tab(),
            (0, b'M') => self.reverse_index(),
            (0, b'=') => self.modes.set(66, true),
            (0, b'>') => self.modes.set(66, false),
            (0, b'c') => self.reset(),
            (0, b'n' | b'}') => self.charsets.shift(2),
            (0, b'o' | b'|') => self.charsets.shift(3),
            (0, b'~') => self.charsets.shift(1),
            (b'%', b'@' | b'G') => {
                self.charsets.shift(0);
                self.charsets.designate(0, None);
            }
            (b'(', _) => self.charsets.designate(0, charset(last)),
            (b')' | b'-', _) => self.charsets.designate(1, charset(last)),
            (b'*' | b'.', _) => self.charsets.designate(2, charset(last)),
            (b'+', _) => self.charsets.designate(3, charset(last)),
            (b'#', b'8') => self.alignment(),
            _ => {}
        }
    }

    fn command(&mut self, text: &[u8]) {
        self.preceding = None;
        let end = text.iter().position(|byte| *byte == b';').unwrap_or(text.len());
        let rest = text.get(end + 1..).unwrap_or_default();
        match &text[..end] {
            b"0" | b"2" => self.title = rest[..rest.len().min(TITLE_BYTES)].to_vec(),
            b"8" => {
                let empty = rest.iter().position(|byte| *byte == b';');
                let none = empty.is_none_or(|at| rest.len() == at + 1);
                self.pen.link = if none { 0 } else { self.link(rest) };
            }
            _ => {}
        }
    }

    fn device(&mut self, _sequence: &Sequence, _text: &[u8]) {
        self.preceding = None;
    }

    fn skips_text(&self) -> bool {
        self.skims
    }
}

impl Emulator {
    fn plain(&mut self, sequence: &Sequence) {
        let buffer = self.buffer();
        let x = buffer.x;
        match sequence.last {
            b'A'..=b'I' | b'Z' | b'`' | b'a' | b'd'..=b'f' => self.travel(sequence),
            b'@' | b'J'..=b'M' | b'P' | b'S' | b'T' | b'X' => self.edit(sequence),
            b'g' => match sequence.get(0) {
                0 => buffer.set_tab(x, false),
                3 => buffer.clear_tabs(),
                _ => {}
            },
            b'h' | b'l' => {
                for index in 0..sequence.len() {
                    self.modes.set_ansi(sequence.get(index), sequence.last == b'h');
                }
            }
            b'm' => attributes::apply(&mut self.pen, sequence),
            b'r' => self.margins(sequence),
            b's' => self.save(),
            b'u' => self.restore(),
            _ => {}
        }
    }

    /// Sequences that move the cursor.
    fn travel(&mut self, sequence: &Sequence) {
        let origin = self.modes.is(6);
        let count = sequence.count(0, MANY);
        let buffer = self.buffer();
        let (x, y) = (buffer.x.min(buffer.columns - 1), buffer.y);
        match sequence.last {
            b'A' | b'F' => {
                let least = if y >= buffer.top { buffer.top } else { 0 };
                let column = if sequence.last == b'F' { 0 } else { x };
                self.move_to(column, y.saturating_sub(count).max(least));
            }
            b'B' | b'E' => {
                let last = if y <= buffer.bottom { buffer.bottom } else { buffer.last_row() };
                let column = if sequence.last == b'E' { 0 } else { x };
                self.move_to(column, (y + count).min(last));
            }
            b'e' => {
                let last = buffer.last_row();
                self.move_to(x, (y + count).min(last));
            }
            b'C' | b'a' => self.move_to(x + count, y),
            b'D' => self.move_to(x.saturating_sub(count), y),
            b'G' | b'`' => self.move_to(count - 1, y),
            b'd' => buffer.go(buffer.x, count - 1, origin),
            b'H' | b'f' => buffer.go(sequence.count(1, MANY) - 1, count - 1, origin),
            b'I' | b'Z' if buffer.x < buffer.columns => {
                if !self.may(2 * self.size.cells().0) {
                    return;
                }
                let buffer = self.buffer();
                for _ in 0..count.min(buffer.columns) {
                    let tab = if sequence.last == b'I' {
                        buffer.next_tab()
                    } else {
                        buffer.previous_tab()
                    };
                    buffer.x = tab;
                }
            }
            _ => {}
        }
    }

    fn others(&mut self, collected: u32, sequence: &Sequence) {
        let count = sequence.count(0, MANY);
        match (collected, sequence.last) {
            (SPACE, b'q') => self.cursor_style = sequence.get(0),
            (SPACE, b'@') => self.columns(0, count, false),
            (SPACE, b'A') => self.columns(0, count, true),
            (TICK, b'}') => self.columns(self.shown().x, count, true),
            (TICK, b'~') => self.columns(self.shown().x, count, false),
            (BANG, b'p') => self.soft_reset(),
            (QUOTE, b'q') => match sequence.get(0) {
                1 => self.pen.styles |= style::PROTECTED,
                0 | 2 => self.pen.styles &= !style::PROTECTED,
                _ => {}
            },
            (GREATER, b'm') if sequence.get(0) == 4 => self.other_keys = sequence.get(1),
            (GREATER | EQUAL, b'u') => self.keyboard = sequence.get(0),
            (LESS, b'u') => self.keyboard = 0,
            _ => {}
        }
    }

    fn move_to(&mut self, x: usize, y: usize) {
        let origin = self.modes.is(6);
        let buffer = self.buffer();
        (buffer.x, buffer.y) = (x, y);
        buffer.restrict(origin, buffer.columns - 1);
    }

    fn backspace(&mut self) {
        let (origin, reverse) = (self.modes.is(6), self.modes.is(45));
        let buffer = self.buffer();
        let most = if reverse { buffer.columns } else { buffer.columns - 1 };
        buffer.restrict(origin, most);
        if buffer.x > 0 {
            buffer.x -= 1;
        } else if reverse
            && buffer.y > buffer.top
            && buffer.y <= buffer.bottom
            && buffer.row().wrapped
        {
            buffer.row().wrapped = false;
            buffer.y -= 1;
            buffer.x = buffer.columns - 1;
            let x = buffer.x;
            let cell = buffer.row().get(x);
            if cell.width > 0 && cell.content == 0 {
                buffer.x -= 1;
            }
        }
        buffer.restrict(origin, buffer.columns - 1);
    }

    fn index(&mut self) {
        let (origin, pen) = (self.modes.is(6), self.pen.erased());
        let buffer = self.buffer();
        buffer.restrict(origin, buffer.columns - 1);
        if buffer.y == buffer.bottom {
            self.scroll(pen);
        } else {
            buffer.y += 1;
        }
        let buffer = self.buffer();
        buffer.restrict(origin, buffer.columns - 1);
    }

    fn next_line(&mut self) {
        self.buffer().x = 0;
        self.index();
    }

    fn reverse_index(&mut self) {
        let (origin, pen) = (self.modes.is(6), self.pen.erased());
        let buffer = self.buffer();
        buffer.restrict(origin, buffer.columns - 1);
        if buffer.y == buffer.top {
            if self.may(self.size.cells().1) {
                let buffer = self.buffer();
                buffer.insert_lines(buffer.top, 1, pen);
            }
        } else {
            buffer.y = buffer.y.saturating_sub(1);
            buffer.restrict(origin, buffer.columns - 1);
        }
    }

    fn set_tab(&mut self) {
        let buffer = self.buffer();
        buffer.set_tab(buffer.x, true);
    }

    fn save(&mut self) {
        let (pen, charset) = (self.pen, self.charsets.used);
        let buffer = self.buffer();
        buffer.saved = Saved { x: buffer.x, y: buffer.y, pen, charset };
    }

    fn restore(&mut self) {
        let origin = self.modes.is(6);
        let buffer = self.buffer();
        let Saved { x, y, pen, charset } = buffer.saved;
        (buffer.x, buffer.y) = (x, y);
        buffer.restrict(origin, buffer.columns - 1);
        self.pen = Pen { link: self.pen.link, ..pen };
        self.charsets.used = charset;
    }

    fn margins(&mut self, sequence: &Sequence) {
        let origin = self.modes.is(6);
        let buffer = self.buffer();
        let rows = buffer.rows.len();
        let top = sequence.count(0, MANY);
        let asked = sequence.count(1, MANY);
        let absent = sequence.len() < 2 || sequence.get(1) == 0 || asked > rows;
        let bottom = if absent { rows } else { asked };
        if bottom > top {
            (buffer.top, buffer.bottom) = (top - 1, bottom - 1);
            buffer.go(0, 0, origin);
        }
    }

    fn private_modes(&mut self, sequence: &Sequence, on: bool) {
        for index in 0..sequence.len() {
            match sequence.get(index) {
                2 if on => {
                    for level in 0..4 {
                        self.charsets.designate(level, None);
                    }
                }
                number @ 6 => {
                    self.modes.set(number, on);
                    self.buffer().go(0, 0, on);
                }
                1048 if on => self.save(),
                1048 => self.restore(),
                number @ (47 | 1047 | 1049) => self.switch(on, number == 1049),
                number => self.modes.set(number, on),
            }
        }
    }

    /// To the other screen, or back.
    fn switch(&mut self, on: bool, with_cursor: bool) {
        if on && with_cursor {
            self.save();
        }
        if on && !self.on_alternate {
            let may = self.may(self.size.cells().1);
            self.alternate.clear(self.pen.erased(), may);
            (self.alternate.x, self.alternate.y) = (self.normal.x, self.normal.y);
        } else if !on && self.on_alternate {
            (self.normal.x, self.normal.y) = (self.alternate.x, self.alternate.y);
        }
        self.on_alternate = on;
        if !on && with_cursor {
            self.restore();
        }
    }

    fn soft_reset(&mut self) {
        let blink = self.modes.is(12);
        let (mouse, encoding) = (self.modes.mouse, self.modes.encoding);
        let new_line = self.modes.new_line();
        self.modes = Modes { mouse, encoding, ..Modes::default() };
        self.modes.set(12, blink);
        self.modes.set_ansi(20, new_line);
        self.pen = Pen::default();
        self.charsets = Charsets::default();
        let buffer = self.buffer();
        (buffer.top, buffer.bottom) = (0, buffer.last_row());
        buffer.saved = Saved::default();
    }

    /// Prints the last character again.
    fn repeat(&mut self, count: usize) {
        let Some(wide) = self.preceding else { return };
        let buffer = self.buffer();
        let x = buffer.x.saturating_sub(wide.into()).min(buffer.columns - 1);
        let content = buffer.row().get(x).content;
        // Programs fill the rest of a row with it. More would let a few bytes cost as much as a screen of them.
        let most = buffer.columns;
        let text = self.text(content);
        if !self.may(count.min(most) * text.len() * PRINTED) {
            return;
        }
        for _ in 0..count.min(most) {
            for character in text.chars() {
                self.print(character);
            }
        }
    }
}

/// What it costs to print a byte, beside touching a cell.
const PRINTED: usize = 16;

/// The designation of a character set; B and what nobody uses are plain ASCII.
const fn charset(last: u8) -> Option<u8> {
    match last {
        b'0' | b'A' => Some(last),
        _ => None,
    }
}
