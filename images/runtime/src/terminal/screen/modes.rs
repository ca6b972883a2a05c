//! Modes that programs set, and how DECRQM tells them.

/// Which mouse events a program wants; the number is the mode that says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Mouse {
    #[default]
    None,
    Press = 9,
    Buttons = 1000,
    Drag = 1002,
    Any = 1003,
}

/// All that DECSET, SM and their relatives change. Those that are on at first are named for being off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Modes {
    pub(super) flags: u16,
    pub(super) mouse: Mouse,
    /// 0, or the mode of the encoding of mouse events: 1006 or 1016.
    pub(super) encoding: u16,
}

/// Private modes that are no more than on and off, with whether they are on at first.
pub(super) const SWITCHES: [(u16, bool); 10] = [
    (1, false),
    (6, false),
    (7, true),
    (12, false),
    (25, true),
    (45, false),
    (66, false),
    (1004, false),
    (2004, false),
    (2026, false),
];

/// Bits of the two modes that are not private.
const INSERT: u16 = 1 << 14;
const NEW_LINE: u16 = 1 << 15;

impl Modes {
    /// Whether a private switch is on.
    pub(super) fn is(self, number: u16) -> bool {
        SWITCHES
            .iter()
            .position(|(switch, _)| *switch == number)
            .is_some_and(|bit| (self.flags >> bit & 1 == 1) != SWITCHES[bit].1)
    }

    pub(super) const fn inserts(self) -> bool {
        self.flags & INSERT != 0
    }

    pub(super) const fn new_line(self) -> bool {
        self.flags & NEW_LINE != 0
    }

    pub(super) fn set_ansi(&mut self, number: u32, on: bool) {
        let bit = match number {
            4 => INSERT,
            20 => NEW_LINE,
            _ => return,
        };
        self.flags = if on { self.flags | bit } else { self.flags & !bit };
    }

    pub(super) fn set(&mut self, number: u32, on: bool) {
        let Ok(number) = u16::try_from(number) else { return };
        if let Some(bit) = SWITCHES.iter().position(|(switch, _)| *switch == number) {
            let flag = 1 << bit;
            let differs = on != SWITCHES[bit].1;
            self.flags = if differs { self.flags | flag } else { self.flags & !flag };
        }
        let mouse = match number {
            9 => Mouse::Press,
            1000 => Mouse::Buttons,
            1002 => Mouse::Drag,
            1003 => Mouse::Any,
            1006 | 1016 => {
                self.encoding = if on { number } else { 0 };
                return;
            }
            _ => return,
        };
        self.mouse = if on { mouse } else { Mouse::None };
    }

    /// What DECRQM answers: 0 unknown, 1 set, 2 reset, 3 and 4 for good.
    pub(super) fn report(self, number: u16, private: bool) -> u8 {
        let told = |on: bool| if on { 1 } else { 2 };
        match (private, number) {
            (false, 2) | (true, 67 | 1005 | 1015) => 4,
            (false, 12) | (true, 8) => 3,
            (false, 4) => told(self.inserts()),
            (false, 20) => told(self.new_line()),
            (true, 9 | 1000 | 1002 | 1003) => told(self.mouse as u16 == number),
            (true, 1006 | 1016) => told(self.encoding == number),
            (true, 1048) => 1,
            (true, _) if SWITCHES.iter().any(|(switch, _)| *switch == number) => {
                told(self.is(number))
            }
            _ => 0,
        }
    }
}
