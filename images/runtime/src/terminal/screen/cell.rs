//! Cells and how they are drawn.

/// A colour as a program chose it: the same number means different colours in different palettes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Color {
    #[default]
    Default,
    /// One of the 16 that a theme may change.
    Basic(u8),
    Indexed(u8),
    Rgb(u8, u8, u8),
}

/// Ways of drawing that are on or off, as bits.
pub(super) mod style {
    pub(in super::super) const BOLD: u16 = 1;
    pub(in super::super) const DIM: u16 = 1 << 1;
    pub(in super::super) const ITALIC: u16 = 1 << 2;
    pub(in super::super) const BLINK: u16 = 1 << 3;
    pub(in super::super) const INVERSE: u16 = 1 << 4;
    pub(in super::super) const INVISIBLE: u16 = 1 << 5;
    pub(in super::super) const STRIKE: u16 = 1 << 6;
    pub(in super::super) const OVERLINE: u16 = 1 << 7;
    /// Not drawn, but kept by selective erasing.
    pub(in super::super) const PROTECTED: u16 = 1 << 8;
}

/// How what is printed next looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pen {
    pub(super) foreground: Color,
    pub(super) background: Color,
    pub(super) line: Color,
    pub(super) styles: u16,
    /// None, single, double, curly, dotted, dashed.
    pub(super) underline: u8,
    /// The link it belongs to, counted from 1.
    pub(super) link: u16,
}

impl Pen {
    /// What erasing leaves: the background alone.
    pub(super) fn erased(&self) -> Self {
        Self { background: self.background, ..Self::default() }
    }

    pub(super) const fn has(&self, style: u16) -> bool {
        self.styles & style != 0
    }
}

/// Content from here on is the number of a cluster of characters.
pub(super) const CLUSTER: u32 = 0x11_0000;

/// One place on the screen. Content 0 was never printed; width 0 without content is the right half of a wide character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) content: u32,
    pub(super) width: u8,
    pub(super) pen: Pen,
}

impl Cell {
    pub(super) const fn blank(pen: Pen) -> Self {
        Self { content: 0, width: 1, pen }
    }

    const fn is_right_half(&self) -> bool {
        self.width == 0 && self.content == 0
    }
}

/// A line of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) cells: Vec<Cell>,
    /// It continues the line above.
    pub(super) wrapped: bool,
}

impl Row {
    pub(super) fn new(columns: usize, pen: Pen) -> Self {
        Self { cells: vec![Cell::blank(pen); columns], wrapped: false }
    }

    pub(super) fn clear(&mut self, pen: Pen, selective: bool) {
        for cell in &mut self.cells {
            if !(selective && cell.pen.has(style::PROTECTED)) {
                *cell = Cell::blank(pen);
            }
        }
        self.wrapped = false;
    }

    /// Half a wide character is no character: the left half ahead of this column goes.
    pub(super) fn split_before(&mut self, column: usize, pen: Pen) {
        if column > 0 && self.cells[column - 1].width == 2 {
            self.cells[column - 1] = Cell::blank(pen);
        }
    }

    /// The right half in this column goes when it lost its left one.
    pub(super) fn mend(&mut self, column: usize, pen: Pen) {
        if self.cells.get(column).is_some_and(Cell::is_right_half) {
            self.cells[column] = Cell::blank(pen);
        }
    }

    pub(super) fn erase(&mut self, from: usize, to: usize, pen: Pen, selective: bool) {
        let columns = self.cells.len();
        let keeps = |cell: &Cell| selective && cell.pen.has(style::PROTECTED);
        if from > 0 && !keeps(&self.cells[from - 1]) {
            self.split_before(from, pen);
        }
        if to < columns && to > 0 && self.cells[to - 1].width == 2 && !keeps(&self.cells[to]) {
            self.cells[to] = Cell::blank(pen);
        }
        for cell in self.cells.iter_mut().take(to).skip(from) {
            if !keeps(cell) {
                *cell = Cell::blank(pen);
            }
        }
    }

    pub(super) fn insert(&mut self, at: usize, count: usize, pen: Pen) {
        let columns = self.cells.len();
        let at = at % columns;
        self.split_before(at, pen);
        let count = count.min(columns - at);
        self.cells[at..].rotate_right(count);
        self.cells[at..at + count].fill(Cell::blank(pen));
        self.split_before(columns, pen);
    }

    pub(super) fn delete(&mut self, at: usize, count: usize, pen: Pen) {
        let columns = self.cells.len();
        let at = at % columns;
        let count = count.min(columns - at);
        self.cells[at..].rotate_left(count);
        self.cells[columns - count..].fill(Cell::blank(pen));
        self.split_before(at, pen);
        self.mend(at, pen);
    }

    pub(super) fn resize(&mut self, columns: usize) {
        self.cells.resize(columns, Cell::blank(Pen::default()));
        self.split_before(columns, Pen::default());
    }
}
