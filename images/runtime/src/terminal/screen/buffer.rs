//! One of the two screens: rows, a cursor, margins and tab stops.

use super::cell::{Pen, Row};
use crate::terminal::size::Size;

/// Columns between tab stops.
const TAB: usize = 8;

/// What DECSC keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) pen: Pen,
    pub(super) charset: Option<u8>,
}

/// A screen. `x` may be one behind the last column: then what is printed next begins a line.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) rows: Vec<Row>,
    pub(super) columns: usize,
    pub(super) x: usize,
    pub(super) y: usize,
    /// The first and the last row that scroll.
    pub(super) top: usize,
    pub(super) bottom: usize,
    pub(super) tabs: Vec<bool>,
    pub(super) saved: Saved,
}

impl Buffer {
    pub(super) fn new(size: Size) -> Self {
        let (columns, rows) = size.cells();
        Self {
            rows: vec![Row::new(columns, Pen::default()); rows],
            columns,
            x: 0,
            y: 0,
            top: 0,
            bottom: rows - 1,
            tabs: default_tabs(columns),
            saved: Saved::default(),
        }
    }

    /// Empties it, except what was saved.
    pub(super) fn clear(&mut self, pen: Pen) {
        let rows = self.rows.len();
        self.rows = vec![Row::new(self.columns, pen); rows];
        (self.x, self.y, self.top, self.bottom) = (0, 0, 0, rows - 1);
        self.tabs = default_tabs(self.columns);
    }

    pub(super) fn row(&mut self) -> &mut Row {
        let y = self.y;
        &mut self.rows[y]
    }

    pub(super) fn last_row(&self) -> usize {
        self.rows.len() - 1
    }

    pub(super) fn has_default_tabs(&self) -> bool {
        self.tabs == default_tabs(self.columns)
    }

    /// Keeps the cursor on the screen, or within the margins; `most` is the last column that it may have.
    pub(super) fn restrict(&mut self, origin: bool, most: usize) {
        self.x = self.x.min(most);
        self.y =
            if origin { self.y.clamp(self.top, self.bottom) } else { self.y.min(self.last_row()) };
    }

    pub(super) fn go(&mut self, x: usize, y: usize, origin: bool) {
        self.x = x;
        self.y = if origin { self.top.saturating_add(y) } else { y };
        self.restrict(origin, self.columns - 1);
    }

    /// The line above the bottom margin becomes free: all between the margins move up.
    pub(super) fn scroll(&mut self, pen: Pen, wrapped: bool) {
        self.rows[self.top..=self.bottom].rotate_left(1);
        let row = &mut self.rows[self.bottom];
        row.clear(pen, false);
        row.wrapped = wrapped;
    }

    /// Free lines from one row on; those at the bottom margin leave.
    pub(super) fn insert_lines(&mut self, at: usize, count: usize, pen: Pen) {
        let count = count.min(self.bottom + 1 - at);
        self.rows[at..=self.bottom].rotate_right(count);
        for row in &mut self.rows[at..at + count] {
            row.clear(pen, false);
        }
    }

    pub(super) fn delete_lines(&mut self, at: usize, count: usize, pen: Pen) {
        let count = count.min(self.bottom + 1 - at);
        self.rows[at..=self.bottom].rotate_left(count);
        for row in &mut self.rows[self.bottom + 1 - count..=self.bottom] {
            row.clear(pen, false);
        }
    }

    pub(super) fn within_margins(&self) -> bool {
        (self.top..=self.bottom).contains(&self.y)
    }

    pub(super) fn next_tab(&self) -> usize {
        let next = (self.x + 1..self.columns).find(|column| self.tabs[*column]);
        next.unwrap_or(self.columns - 1)
    }

    pub(super) fn previous_tab(&self) -> usize {
        (0..self.x).rev().find(|column| self.tabs[*column]).unwrap_or(0)
    }

    /// Rows leave at the bottom below the cursor, else at the top.
    pub(super) fn resize(&mut self, size: Size) {
        let (columns, rows) = size.cells();
        while self.rows.len() > rows {
            if self.rows.len() > self.y + 1 {
                self.rows.pop();
            } else {
                self.rows.remove(0);
                self.y -= 1;
                self.saved.y = self.saved.y.saturating_sub(1);
            }
        }
        for row in &mut self.rows {
            row.resize(columns);
        }
        self.rows.resize_with(rows, || Row::new(columns, Pen::default()));
        self.tabs.truncate(columns);
        for column in self.tabs.len()..columns {
            self.tabs.push(column % TAB == 0);
        }
        self.columns = columns;
        self.x = self.x.min(columns - 1);
        self.y = self.y.min(rows - 1);
        self.saved.x = self.saved.x.min(columns - 1);
        (self.top, self.bottom) = (0, rows - 1);
    }
}

fn default_tabs(columns: usize) -> Vec<bool> {
    (0..columns).map(|column| column % TAB == 0).collect()
}
