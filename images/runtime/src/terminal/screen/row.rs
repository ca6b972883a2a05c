//! A line of the screen. What nobody wrote to since it was emptied costs nothing: to empty a screen is a matter of its rows.

use super::cell::{Cell, Pen, style};

/// Cells up to the last one that differs, and then as many of one kind as there are columns.
#[derive(Debug, Clone)]
pub(super) struct Row {
    cells: Vec<Cell>,
    fill: Cell,
    columns: usize,
    /// It continues the line above.
    pub(super) wrapped: bool,
}

impl Row {
    pub(super) const fn new(columns: usize, pen: Pen) -> Self {
        Self { cells: Vec::new(), fill: Cell::blank(pen), columns, wrapped: false }
    }

    pub(super) fn get(&self, column: usize) -> Cell {
        self.cells.get(column).copied().unwrap_or(self.fill)
    }

    pub(super) fn set(&mut self, column: usize, cell: Cell) {
        if column == self.cells.len() {
            return self.cells.push(cell);
        }
        self.reach(column + 1);
        self.cells[column] = cell;
    }

    /// The column behind the last cell that is not this one.
    pub(super) fn end(&self, plain: Cell) -> usize {
        if self.fill != plain {
            return self.columns;
        }
        self.cells.iter().rposition(|cell| *cell != plain).map_or(0, |last| last + 1)
    }

    /// Fills it with one cell.
    pub(super) fn fill(&mut self, cell: Cell) {
        self.cells.clear();
        self.fill = cell;
        self.wrapped = false;
    }

    /// Fills it from one column up to another.
    pub(super) fn fill_between(&mut self, from: usize, to: usize, cell: Cell) {
        let to = to.min(self.columns);
        if from >= to {
            return;
        }
        if to == self.columns {
            self.reach(from);
            self.cells.truncate(from);
            self.fill = cell;
        } else {
            self.reach(to);
            self.cells[from..to].fill(cell);
        }
    }

    pub(super) fn clear(&mut self, pen: Pen, selective: bool) {
        if selective {
            self.erase_unprotected(0, self.columns, pen);
            self.wrapped = false;
        } else {
            self.fill(Cell::blank(pen));
        }
    }

    /// Half a wide character is no character: the left half ahead of this column goes.
    pub(super) fn split_before(&mut self, column: usize, pen: Pen) {
        if column > 0 && self.get(column - 1).width == 2 {
            self.set(column - 1, Cell::blank(pen));
        }
    }

    /// The right half in this column goes when it lost its left one.
    pub(super) fn mend(&mut self, column: usize, pen: Pen) {
        if column < self.columns && self.get(column).is_right_half() {
            self.set(column, Cell::blank(pen));
        }
    }

    pub(super) fn erase(&mut self, from: usize, to: usize, pen: Pen, selective: bool) {
        let keeps = |cell: Cell| selective && cell.pen.has(style::PROTECTED);
        if from > 0 && !keeps(self.get(from - 1)) {
            self.split_before(from, pen);
        }
        if to < self.columns && to > 0 && self.get(to - 1).width == 2 && !keeps(self.get(to)) {
            self.set(to, Cell::blank(pen));
        }
        if selective {
            self.erase_unprotected(from, to, pen);
        } else {
            self.fill_between(from, to, Cell::blank(pen));
        }
    }

    pub(super) fn insert(&mut self, at: usize, count: usize, pen: Pen) {
        let at = at % self.columns;
        self.split_before(at, pen);
        let count = count.min(self.columns - at);
        self.reach(at);
        let blank = std::iter::repeat_n(Cell::blank(pen), count);
        self.cells.splice(at..at, blank);
        self.cells.truncate(self.columns);
        self.split_before(self.columns, pen);
    }

    pub(super) fn delete(&mut self, at: usize, count: usize, pen: Pen) {
        let at = at % self.columns;
        let count = count.min(self.columns - at);
        let end = self.cells.len().min(at + count);
        self.cells.drain(end.min(at)..end);
        self.fill_between(self.columns - count, self.columns, Cell::blank(pen));
        self.split_before(at, pen);
        self.mend(at, pen);
    }

    pub(super) fn resize(&mut self, columns: usize) {
        if columns > self.columns {
            let before = self.columns;
            self.columns = columns;
            self.fill_between(before, columns, Cell::blank(Pen::default()));
        }
        self.columns = columns;
        self.cells.truncate(columns);
        self.split_before(columns, Pen::default());
    }

    fn erase_unprotected(&mut self, from: usize, to: usize, pen: Pen) {
        self.reach(to.min(self.columns));
        for cell in self.cells.iter_mut().take(to).skip(from) {
            if !cell.pen.has(style::PROTECTED) {
                *cell = Cell::blank(pen);
            }
        }
    }

    /// Makes so many cells ones that can be written to.
    fn reach(&mut self, count: usize) {
        if self.cells.len() < count {
            self.cells.resize(count, self.fill);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COLUMNS: usize = 12;

    fn letter(letter: u8) -> Cell {
        Cell { content: letter.into(), width: 1, pen: Pen::default() }
    }

    fn colored(underline: u8) -> Pen {
        Pen { underline, ..Pen::default() }
    }

    proptest! {
        /// A row is what a plain vector of cells would be, whatever is done to it.
        #[test]
        fn a_row_is_its_cells(
            steps in prop::collection::vec((0..6_u8, 0..COLUMNS, 1..COLUMNS + 3, 0..3_u8), 0..60),
        ) {
            let mut row = Row::new(COLUMNS, Pen::default());
            let mut plain = vec![Cell::blank(Pen::default()); COLUMNS];
            for (step, at, count, pen) in steps {
                let (pen, blank) = (colored(pen), Cell::blank(colored(pen)));
                let to = (at + count).min(COLUMNS);
                match step {
                    0 => {
                        row.set(at, letter(b'x'));
                        plain[at] = letter(b'x');
                    }
                    1 => {
                        row.fill(letter(b'E'));
                        plain.fill(letter(b'E'));
                    }
                    2 => {
                        row.clear(pen, false);
                        plain.fill(blank);
                    }
                    3 => {
                        row.erase(at, to, pen, false);
                        plain[at..to].fill(blank);
                    }
                    4 => {
                        row.insert(at, count, pen);
                        plain[at..].rotate_right(to - at);
                        plain[at..to].fill(blank);
                    }
                    _ => {
                        row.delete(at, count, pen);
                        plain[at..].rotate_left(to - at);
                        plain[COLUMNS - (to - at)..].fill(blank);
                    }
                }
                let cells: Vec<Cell> = (0..COLUMNS).map(|column| row.get(column)).collect();
                prop_assert_eq!(cells, plain.clone());
            }
        }
    }
}
