//! The state of a terminal: both screens, the pen, modes and character sets.

use super::buffer::Buffer;
use super::cell::{CLUSTER, Cell, Pen};
use super::modes::Modes;
use super::widths::width;
use crate::terminal::size::Size;

/// Clusters of characters and links that one emulator keeps. It reads a mebibyte at most, so few programs meet these.
const CLUSTERS: usize = 64 * 1024;
const LINKS: usize = 1024;

/// Bytes of one cluster: nothing that people write needs more.
const CLUSTER_BYTES: usize = 128;

/// Which character sets are chosen: a designation for each of the four, and which of them is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Charsets {
    pub(super) designated: [Option<u8>; 4],
    pub(super) level: usize,
    /// The one in use; a restored cursor may bring one that is designated nowhere.
    pub(super) used: Option<u8>,
}

impl Charsets {
    pub(super) fn shift(&mut self, level: usize) {
        self.level = level;
        self.used = self.designated[level];
    }

    pub(super) fn designate(&mut self, level: usize, charset: Option<u8>) {
        self.designated[level] = charset;
        if self.level == level {
            self.used = charset;
        }
    }
}

/// A terminal without its parser.
#[derive(Debug)]
pub(super) struct Emulator {
    pub(super) size: Size,
    pub(super) normal: Buffer,
    pub(super) alternate: Buffer,
    pub(super) on_alternate: bool,
    pub(super) pen: Pen,
    pub(super) modes: Modes,
    pub(super) charsets: Charsets,
    /// The width of what was printed, when nothing else happened since.
    pub(super) preceding: Option<u8>,
    pub(super) title: Vec<u8>,
    pub(super) cursor_style: u32,
    /// Flags of the kitty keyboard protocol, and xterm's modifyOtherKeys: other terminals than our page know them.
    pub(super) keyboard: u32,
    pub(super) other_keys: u32,
    pub(super) clusters: Vec<String>,
    pub(super) links: Vec<Vec<u8>>,
    /// Printed text is left out.
    pub(super) skims: bool,
}

impl Emulator {
    pub(super) fn new(size: Size) -> Self {
        Self {
            size,
            normal: Buffer::new(size),
            alternate: Buffer::new(size),
            on_alternate: false,
            pen: Pen::default(),
            modes: Modes::default(),
            charsets: Charsets::default(),
            preceding: None,
            title: Vec::new(),
            cursor_style: 0,
            keyboard: 0,
            other_keys: 0,
            clusters: Vec::new(),
            links: Vec::new(),
            skims: false,
        }
    }

    pub(super) fn buffer(&mut self) -> &mut Buffer {
        if self.on_alternate { &mut self.alternate } else { &mut self.normal }
    }

    pub(super) const fn shown(&self) -> &Buffer {
        if self.on_alternate { &self.alternate } else { &self.normal }
    }

    pub(super) fn resize(&mut self, size: Size) {
        if self.size != size {
            self.size = size;
            self.normal.resize(size);
            self.alternate.resize(size);
        }
    }

    pub(super) fn cursor(&self) -> (usize, usize) {
        let buffer = self.shown();
        let y = if self.modes.is(6) { buffer.y.saturating_sub(buffer.top) } else { buffer.y };
        (y + 1, buffer.x.min(buffer.columns - 1) + 1)
    }

    pub(super) fn mode(&self, number: u16, private: bool) -> u8 {
        match (private, number) {
            (true, 47 | 1047 | 1049) => {
                if self.on_alternate {
                    1
                } else {
                    2
                }
            }
            _ => self.modes.report(number, private),
        }
    }

    pub(super) fn put(&mut self, character: char) {
        let character = translate(self.charsets.used, character);
        let own = width(character);
        let joined = self.preceding.filter(|before| own == 0 && *before > 0);
        let before = joined.unwrap_or(0);
        let wide = own.max(before);
        self.preceding = (wide > 0).then_some(wide);
        let (pen, modes) = (self.pen, self.modes);
        let buffer = self.buffer();
        let (x, columns) = (buffer.x, buffer.columns);
        buffer.row().split_before(x, pen);
        let taken = usize::from(wide - before);
        if buffer.x + taken > columns {
            if modes.is(7) {
                wrap(buffer, pen);
            } else {
                buffer.x = columns - 1;
                if wide == 2 {
                    return;
                }
            }
        }
        if joined.is_some() && self.buffer().x > 0 {
            return self.join(character);
        }
        let buffer = self.buffer();
        if buffer.x >= columns {
            // A mark with nothing to mark, behind the last column.
            return;
        }
        if modes.inserts() {
            let x = buffer.x;
            buffer.row().insert(x, taken, pen);
            buffer.row().split_before(columns, pen);
        }
        let x = buffer.x;
        let row = buffer.row();
        row.cells[x] = Cell { content: character.into(), width: wide, pen };
        if wide == 2 {
            row.cells[x + 1] = Cell { content: 0, width: 0, pen };
        }
        buffer.x += usize::from(wide.max(1));
        let x = buffer.x;
        if x < columns {
            buffer.row().mend(x, pen);
        }
    }

    /// Adds a mark to the character ahead of the cursor.
    fn join(&mut self, mark: char) {
        let buffer = self.buffer();
        let x = buffer.x;
        let row = buffer.row();
        let at = if row.cells[x - 1].width > 0 { x - 1 } else { x.saturating_sub(2) };
        let content = row.cells[at].content;
        let mut text = self.text(content);
        if text.len() + mark.len_utf8() > CLUSTER_BYTES || self.clusters.len() >= CLUSTERS {
            return;
        }
        text.push(mark);
        let content = CLUSTER + u32::try_from(self.clusters.len()).unwrap_or(0);
        self.clusters.push(text);
        self.buffer().row().cells[at].content = content;
    }

    /// What a cell says.
    pub(super) fn text(&self, content: u32) -> String {
        match content {
            0 => String::new(),
            cluster @ CLUSTER.. => {
                let index = usize::try_from(cluster - CLUSTER).unwrap_or(usize::MAX);
                self.clusters.get(index).cloned().unwrap_or_default()
            }
            code => char::from_u32(code).map(String::from).unwrap_or_default(),
        }
    }

    /// The number of a link, which cells carry; 0 when there are too many.
    pub(super) fn link(&mut self, link: &[u8]) -> u16 {
        let known = self.links.iter().position(|known| known == link);
        let index = known.unwrap_or(self.links.len());
        if index >= LINKS {
            return 0;
        }
        if known.is_none() {
            self.links.push(link.to_vec());
        }
        u16::try_from(index + 1).unwrap_or(0)
    }

    pub(super) fn line_feed(&mut self) {
        let (pen, new_line) = (self.pen.erased(), self.modes.new_line());
        let buffer = self.buffer();
        if new_line {
            buffer.x = 0;
        }
        if buffer.y == buffer.bottom {
            buffer.scroll(pen, false);
        } else if buffer.y < buffer.last_row() {
            buffer.y += 1;
            buffer.row().wrapped = false;
        }
        if buffer.x >= buffer.columns {
            buffer.x -= 1;
        }
    }
}

/// The cursor begins a line that continues the one it was on.
fn wrap(buffer: &mut Buffer, pen: Pen) {
    let (x, y, columns) = (buffer.x, buffer.y, buffer.columns);
    buffer.x = 0;
    let left = x.min(columns)..columns;
    if y == buffer.bottom {
        buffer.rows[y].cells[left].fill(Cell::blank(pen));
        buffer.scroll(pen.erased(), true);
    } else {
        buffer.rows[y].cells[left].fill(Cell::blank(pen));
        buffer.y = (y + 1).min(buffer.last_row());
        buffer.row().wrapped = true;
    }
}

/// The graphics of DEC's terminals, which stand in the place of letters.
fn translate(charset: Option<u8>, character: char) -> char {
    const GRAPHICS: [char; 31] = [
        '◆', '▒', '\u{2409}', '\u{240C}', '\u{240D}', '\u{240A}', '°', '±', '\u{2424}', '\u{240B}',
        '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─', '⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π',
        '≠', '£', '·',
    ];
    match (charset, character) {
        (Some(b'0'), '`'..='~') => {
            GRAPHICS.get(usize::from(character as u8 - b'`')).copied().unwrap_or(character)
        }
        (Some(b'A'), '#') => '£',
        _ => character,
    }
}
