//! One of the two screens: rows, a cursor, margins and tab stops.

use super::cell::Pen;
use super::row::Row;
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
#[derive(Debug, Default)]
pub(super) struct Buffer {
    pub(super) rows: Vec<Row>,
    pub(super) columns: usize,
    pub(super) x: usize,
    pub(super) y: usize,
    /// The first and the last row that scroll.
    pub(super) top: usize,
    pub(super) bottom: usize,
    /// Where they were changed.
    tabs: Option<Vec<bool>>,
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
            tabs: None,
            saved: Saved::default(),
        }
    }

    /// Empties it, except what was saved; its rows when there is time for that.
    pub(super) fn clear(&mut self, pen: Pen, rows_too: bool) {
        let rows = self.rows.len();
        for row in self.rows.iter_mut().filter(|_| rows_too) {
            row.clear(pen, false);
        }
        (self.x, self.y, self.top, self.bottom) = (0, 0, 0, rows - 1);
        self.tabs = None;
    }

    /// Empties it, and forgets what was saved.
    pub(super) fn reset(&mut self, rows_too: bool) {
        self.clear(Pen::default(), rows_too);
        self.saved = Saved::default();
    }

    pub(super) fn row(&mut self) -> &mut Row {
        let y = self.y;
        &mut self.rows[y]
    }

    pub(super) fn last_row(&self) -> usize {
        self.rows.len() - 1
    }

    /// Where the tab stops are, if not where they are at first.
    pub(super) fn own_tabs(&self) -> Option<&[bool]> {
        self.tabs.as_deref()
    }

    pub(super) fn set_tab(&mut self, column: usize, on: bool) {
        let columns = self.columns;
        let tabs = self.tabs.get_or_insert_with(|| default_tabs(columns).collect());
        if let Some(tab) = tabs.get_mut(column) {
            *tab = on;
        }
    }

    pub(super) fn clear_tabs(&mut self) {
        self.tabs = Some(vec![false; self.columns]);
    }

    fn is_tab(&self, column: usize) -> bool {
        self.tabs.as_ref().map_or(column.is_multiple_of(TAB), |tabs| tabs[column])
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
        let next = (self.x + 1..self.columns).find(|column| self.is_tab(*column));
        next.unwrap_or(self.columns - 1)
    }

    pub(super) fn previous_tab(&self) -> usize {
        (0..self.x).rev().find(|column| self.is_tab(*column)).unwrap_or(0)
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
        if let Some(tabs) = &mut self.tabs {
            tabs.truncate(columns);
            tabs.extend((tabs.len()..columns).map(|column| column % TAB == 0));
        }
        self.columns = columns;
        self.x = self.x.min(columns - 1);
        self.y = self.y.min(rows - 1);
        self.saved.x = self.saved.x.min(columns - 1);
        (self.top, self.bottom) = (0, rows - 1);
    }
}

fn default_tabs(columns: usize) -> impl Iterator<Item = bool> {
    (0..columns).map(|column| column % TAB == 0)
}
