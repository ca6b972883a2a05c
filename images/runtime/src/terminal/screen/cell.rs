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

    pub(super) const fn is_right_half(&self) -> bool {
        self.width == 0 && self.content == 0
    }
}
