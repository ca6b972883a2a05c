//! The size of a terminal.

/// The largest size in cells: more than any display shows, and an emulator of it is a few MiB.
const MOST_COLUMNS: u16 = 1000;
const MOST_ROWS: u16 = 500;

/// The least: below it an emulator has no place for a wide character.
const LEAST_COLUMNS: u16 = 2;

/// A size in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub cols: u16,
    pub rows: u16,
}

impl Default for Size {
    fn default() -> Self {
        Self { cols: 80, rows: 24 }
    }
}

impl Size {
    /// A client's size, within what an emulator can be; 0 says that it has none.
    pub fn new(cols: u16, rows: u16) -> Option<Self> {
        (cols != 0 && rows != 0).then(|| Self {
            cols: cols.clamp(LEAST_COLUMNS, MOST_COLUMNS),
            rows: rows.min(MOST_ROWS),
        })
    }

    /// Both as counts: columns, rows.
    pub fn cells(self) -> (usize, usize) {
        (self.cols.into(), self.rows.into())
    }
}

/// Whose size counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SizePolicy {
    /// That of the client that typed or resized last; others show a part, or a border.
    #[default]
    Latest,
    /// The smallest width and the smallest height of all that may type: nobody sees less than the whole.
    Smallest,
}

impl SizePolicy {
    /// As `FABRICA_TERMINAL_SIZE` names it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "latest" => Some(Self::Latest),
            "smallest" => Some(Self::Smallest),
            _ => None,
        }
    }
}
