//! A screen as bytes that lead a fresh emulator to it.

use std::io::Write;

use super::attributes;
use super::buffer::{Buffer, Saved};
use super::cell::{Cell, Pen, style};
use super::emulator::Emulator;
use super::modes::{Mouse, SWITCHES};
use super::row::Row;

/// What every snapshot begins with: the emulator forgets all it knew. xterm.js keeps a hidden cursor and new-line mode.
pub const RESET: &[u8] = b"\x1bc\x1b[?25h\x1b[20l";

/// How much of a screen a snapshot tells.
#[derive(Debug, Clone, Copy)]
struct Detail {
    colors: bool,
    /// The first row that is told.
    from: usize,
    /// The screen that is not shown, too.
    hidden: bool,
    /// Bytes at which it is given up: one link in every second cell would come to a hundred times the screen.
    limit: usize,
}

/// The state in at most `limit` bytes: what is hidden goes first, then colours, then rows from the top.
pub(super) fn write(emulator: &Emulator, limit: usize) -> Vec<u8> {
    let rows = emulator.normal.rows.len();
    let steps = [(true, 0, true), (true, 0, false), (false, 0, false), (false, rows / 2, false)];
    let details = steps.map(|(colors, from, hidden)| Detail { colors, from, hidden, limit });
    let mut found = details.iter().map(|detail| Writer::new(emulator, *detail).all());
    let none = Detail { colors: false, from: rows, hidden: false, limit };
    found.find(|bytes| bytes.len() <= limit).unwrap_or_else(|| Writer::new(emulator, none).all())
}

struct Writer<'screen> {
    emulator: &'screen Emulator,
    detail: Detail,
    bytes: Vec<u8>,
    /// How the reader's pen is, as far as what was written says.
    pen: Pen,
}

impl<'screen> Writer<'screen> {
    fn new(emulator: &'screen Emulator, detail: Detail) -> Self {
        Self { emulator, detail, bytes: RESET.to_vec(), pen: Pen::default() }
    }

    fn all(mut self) -> Vec<u8> {
        let emulator = self.emulator;
        self.title();
        if emulator.on_alternate {
            if self.detail.hidden {
                self.rows(&emulator.normal);
            }
            self.frame(&emulator.normal);
            // Entering the other screen by 1049 saves the cursor, which is how the first one's is told.
            self.place_saved(emulator.normal.saved);
            self.say("\x1b[?1049h");
            self.say("\x1b[H");
        }
        let shown = emulator.shown();
        self.rows(shown);
        self.frame(shown);
        if shown.saved != Saved::default() {
            self.place_saved(shown.saved);
            self.say("\x1b7");
        }
        self.modes();
        self.cursor(shown);
        self.bytes
    }

    fn say(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn go(&mut self, x: usize, y: usize) {
        // Writing into a vector does not fail.
        let _ = write!(self.bytes, "\x1b[{};{}H", y + 1, x + 1);
    }

    fn title(&mut self) {
        if !self.emulator.title.is_empty() {
            self.say("\x1b]2;");
            self.bytes.extend_from_slice(&self.emulator.title);
            self.say("\x07");
        }
    }

    fn rows(&mut self, buffer: &Buffer) {
        let told = buffer.rows.iter().enumerate().skip(self.detail.from);
        for (y, row) in told.clone() {
            if row.wrapped && y > 0 {
                self.mark_wrapped(buffer, y);
            }
        }
        for (y, row) in told {
            if self.bytes.len() > self.detail.limit {
                return;
            }
            self.row(y, row);
        }
        self.draw_with(Pen::default());
    }

    /// A row continues the one above only when printing ran over its end.
    fn mark_wrapped(&mut self, buffer: &Buffer, y: usize) {
        self.go(buffer.columns - 1, y - 1);
        self.say("  ");
        self.go(buffer.columns - 1, y - 1);
        self.say("\x1b[X");
        self.go(0, y);
        self.say("\x1b[X");
    }

    fn row(&mut self, y: usize, row: &Row) {
        let columns = self.emulator.shown().columns;
        let plain = Cell::blank(Pen::default());
        let end = row.end(plain);
        let mut x = 0;
        let mut placed = None;
        while x < end {
            let cell = row.get(x);
            if cell == plain || cell.is_right_half() {
                x += 1;
                continue;
            }
            if placed != Some(x) {
                self.go(x, y);
            }
            self.draw_with(cell.pen);
            if cell.content == 0 && cell.pen == cell.pen.erased() {
                // Erased with a colour: the cursor stays.
                let same = (x..end).take_while(|next| row.get(*next) == cell).count();
                let _ = write!(self.bytes, "\x1b[{same}X");
                x += same;
                continue;
            }
            self.print(&cell);
            x += usize::from(cell.width.max(1));
            placed = (x < columns).then_some(x);
        }
    }

    fn print(&mut self, cell: &Cell) {
        let text = self.emulator.text(cell.content);
        if cell.width == 0 {
            // Alone it would join what stands before; behind an escape sequence it does not.
            self.say("\x1b[?7h");
        }
        self.say(if text.is_empty() { " " } else { &text });
    }

    fn draw_with(&mut self, pen: Pen) {
        let pen = if self.detail.colors { pen } else { Pen { link: 0, ..Pen::default() } };
        self.force(pen);
    }

    fn force(&mut self, pen: Pen) {
        if pen == self.pen {
            return;
        }
        if pen.link != self.pen.link {
            let link =
                usize::from(pen.link).checked_sub(1).and_then(|at| self.emulator.links.get(at));
            self.say("\x1b]8;");
            self.bytes.extend_from_slice(link.map_or(b";", |link| link));
            self.say("\x07");
        }
        if pen.has(style::PROTECTED) != self.pen.has(style::PROTECTED) {
            self.say(if pen.has(style::PROTECTED) { "\x1b[1\"q" } else { "\x1b[0\"q" });
        }
        let bare = |pen: Pen| Pen { link: 0, styles: pen.styles & !style::PROTECTED, ..pen };
        if bare(pen) != bare(self.pen) {
            attributes::write(&pen, &mut self.bytes);
            if pen.has(style::PROTECTED) {
                // A reset of all takes it away.
                self.say("\x1b[1\"q");
            }
        }
        self.pen = pen;
    }

    /// Margins and tab stops.
    fn frame(&mut self, buffer: &Buffer) {
        if let Some(tabs) = buffer.own_tabs() {
            self.say("\x1b[3g");
            for column in (0..buffer.columns).filter(|column| tabs[*column]) {
                self.go(column, 0);
                self.say("\x1bH");
            }
        }
        if (buffer.top, buffer.bottom) != (0, buffer.last_row()) {
            let _ = write!(self.bytes, "\x1b[{};{}r", buffer.top + 1, buffer.bottom + 1);
        }
    }

    /// The state that DECSC is to save.
    fn place_saved(&mut self, saved: Saved) {
        // A place behind the last column is not told: to restore it brings the last column anyway.
        self.go(saved.x, saved.y);
        self.force(saved.pen);
        self.charset('(', saved.charset);
    }

    fn charset(&mut self, slot: char, charset: Option<u8>) {
        let name = charset.map_or('B', char::from);
        let _ = write!(self.bytes, "\x1b{slot}{name}");
    }

    fn modes(&mut self) {
        let emulator = self.emulator;
        for (number, at_first) in SWITCHES {
            let on = emulator.modes.is(number);
            if on != at_first && number != 7 {
                let _ = write!(self.bytes, "\x1b[?{number}{}", if on { 'h' } else { 'l' });
            }
        }
        let mouse = emulator.modes.mouse;
        if mouse != Mouse::None {
            let _ = write!(self.bytes, "\x1b[?{}h", mouse as u16);
        }
        if emulator.modes.encoding != 0 {
            let _ = write!(self.bytes, "\x1b[?{}h", emulator.modes.encoding);
        }
        if emulator.modes.new_line() {
            self.say("\x1b[20h");
        }
        if emulator.cursor_style != 0 {
            let _ = write!(self.bytes, "\x1b[{} q", emulator.cursor_style);
        }
        if emulator.keyboard != 0 {
            let _ = write!(self.bytes, "\x1b[={}u", emulator.keyboard);
        }
        if emulator.other_keys != 0 {
            let _ = write!(self.bytes, "\x1b[>4;{}m", emulator.other_keys);
        }
    }

    /// Last of all: where printing goes on, with what pen, and what a mark would be added to.
    fn cursor(&mut self, buffer: &Buffer) {
        let emulator = self.emulator;
        let before = last_printed(buffer).filter(|_| buffer.y >= self.detail.from);
        let pending = buffer.x >= buffer.columns;
        // It may stand above: whoever sets the mode on the other screen moves none on this one.
        let y = buffer.y.saturating_sub(if emulator.modes.is(6) { buffer.top } else { 0 });
        self.say("\x1b(B");
        match before.filter(|_| pending) {
            Some((x, cell)) => {
                self.go(x, y);
                self.draw_with(cell.pen);
                self.print(&cell);
                // An escape sequence that changes nothing: no mark joins what stands here.
                self.say("\x1b[?7h");
            }
            None => self.go(buffer.x.min(buffer.columns - 1), y),
        }
        self.charsets();
        self.force(emulator.pen);
        if !emulator.modes.is(7) {
            self.say("\x1b[?7l");
        }
        if emulator.modes.inserts() {
            self.say("\x1b[4h");
        }
        if let Some((x, cell)) = before.filter(|(_, cell)| {
            let kept = pending || !emulator.modes.inserts();
            emulator.preceding.is_some() && cell.pen == emulator.pen && kept
        }) {
            self.go(x, y);
            self.print(&cell);
        }
    }

    fn charsets(&mut self) {
        let charsets = self.emulator.charsets;
        for (level, slot) in ['(', ')', '*', '+'].into_iter().enumerate() {
            let used = level == charsets.level;
            let charset = if used { charsets.used } else { charsets.designated[level] };
            if charset.is_some() {
                self.charset(slot, charset);
            }
        }
        self.say(["", "\x0e", "\x1bn", "\x1bo"][charsets.level]);
    }
}

/// The character that stands ahead of the cursor, and its column.
fn last_printed(buffer: &Buffer) -> Option<(usize, Cell)> {
    let row = &buffer.rows[buffer.y];
    let x = buffer.x.checked_sub(1)?;
    let cell = row.get(x);
    if cell.is_right_half() { Some((x.checked_sub(1)?, row.get(x - 1))) } else { Some((x, cell)) }
}
