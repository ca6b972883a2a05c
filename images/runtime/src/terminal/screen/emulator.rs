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

/// Cells or rows that each byte of output may touch; one of text touches one. A program that makes every byte empty a large
/// screen has what goes beyond left out: its screen is wrong then, and nobody waits for it.
const WORK: usize = 64;

/// What one piece of output may touch beside that: all cells of the largest screen, twice.
const SPARE_WORK: usize = 1024 * 1024;

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
    /// What the present piece of output may touch still, and what all of them touched.
    work: usize,
    pub(super) touched: usize,
}

impl Emulator {
    pub(super) fn new(size: Size) -> Self {
        Self::with(size, Buffer::new(size), Buffer::new(size))
    }

    fn with(size: Size, normal: Buffer, alternate: Buffer) -> Self {
        Self {
            size,
            normal,
            alternate,
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
            work: 0,
            touched: 0,
        }
    }

    /// Forgets everything but its size.
    pub(super) fn reset(&mut self) {
        let may = self.may(2 * self.size.cells().1);
        self.normal.reset(may);
        self.alternate.reset(may);
        let (normal, alternate) =
            (std::mem::take(&mut self.normal), std::mem::take(&mut self.alternate));
        let (skims, work, touched) = (self.skims, self.work, self.touched);
        *self = Self { skims, work, touched, ..Self::with(self.size, normal, alternate) };
    }

    /// A piece of output of this length begins. One that is skimmed touches no cells.
    pub(super) const fn allow(&mut self, length: usize) {
        self.work = if self.skims { 0 } else { SPARE_WORK + WORK * length };
    }

    /// Whether so many cells or rows may be touched.
    pub(super) const fn may(&mut self, work: usize) -> bool {
        let Some(left) = self.work.checked_sub(work) else { return false };
        self.work = left;
        self.touched += work;
        true
    }

    /// The line above the bottom margin becomes free.
    pub(super) fn scroll(&mut self, pen: Pen) {
        if self.may(self.size.cells().1) {
            self.buffer().scroll(pen, false);
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
        if modes.inserts() && self.may(columns) {
            let buffer = self.buffer();
            let x = buffer.x;
            buffer.row().insert(x, taken, pen);
            buffer.row().split_before(columns, pen);
        }
        let buffer = self.buffer();
        let x = buffer.x;
        let row = buffer.row();
        row.set(x, Cell { content: character.into(), width: wide, pen });
        if wide == 2 {
            row.set(x + 1, Cell { content: 0, width: 0, pen });
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
        let at = if row.get(x - 1).width > 0 { x - 1 } else { x.saturating_sub(2) };
        let content = row.get(at).content;
        let mut text = self.text(content);
        if text.len() + mark.len_utf8() > CLUSTER_BYTES || self.clusters.len() >= CLUSTERS {
            return;
        }
        text.push(mark);
        let content = CLUSTER + u32::try_from(self.clusters.len()).unwrap_or(0);
        self.clusters.push(text);
        let row = self.buffer().row();
        row.set(at, Cell { content, ..row.get(at) });
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
            self.scroll(pen);
        } else if buffer.y < buffer.last_row() {
            buffer.y += 1;
            buffer.row().wrapped = false;
        }
        let buffer = self.buffer();
        if buffer.x >= buffer.columns {
            buffer.x -= 1;
        }
    }
}

/// The cursor begins a line that continues the one it was on.
fn wrap(buffer: &mut Buffer, pen: Pen) {
    let (x, y, columns) = (buffer.x, buffer.y, buffer.columns);
    buffer.x = 0;
    buffer.rows[y].fill_between(x.min(columns), columns, Cell::blank(pen));
    if y == buffer.bottom {
        buffer.scroll(pen.erased(), true);
    } else {
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
