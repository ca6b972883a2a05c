//! Output as characters, controls and escape sequences: the state machine of xterm.js over its decoder of UTF-8.

/// The longest unfinished sequence that is kept. Only strings get longer, and of those the rest is left out.
pub(super) const PENDING_BYTES: usize = 4096;

/// Parameters of one sequence; more are ignored.
const PARAMETERS: usize = 64;

/// The largest value of a parameter.
const LARGEST: u32 = 0x7FFF_FFFF;

/// What a parser tells.
pub(super) trait Perform {
    fn print(&mut self, character: char);
    fn execute(&mut self, control: u8);
    fn csi(&mut self, sequence: &Sequence);
    fn escape(&mut self, intermediate: u8, last: u8);
    /// The text of an operating system command.
    fn command(&mut self, text: &[u8]);
    /// The head of a device control string, whose text is of no interest.
    fn device(&mut self, _sequence: &Sequence, _text: &[u8]) {}
    /// Whether printed text may be left out, except what shifts character sets.
    fn skips_text(&self) -> bool {
        false
    }
}

/// A control sequence. `collected` is its prefix and intermediates as one number, as `parameter` reads its values.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    pub(super) collected: u32,
    pub(super) last: u8,
    values: Vec<Value>,
}

/// One parameter, or a part of the one before it.
#[derive(Debug, Clone, Copy)]
struct Value {
    number: Option<u32>,
    part: bool,
}

impl Sequence {
    fn clear(&mut self) {
        self.collected = 0;
        self.values.clear();
    }

    /// How many parameters there are; at least one.
    pub(super) fn len(&self) -> usize {
        self.values.iter().filter(|value| !value.part).count().max(1)
    }

    /// A parameter; 0 when it is absent.
    pub(super) fn get(&self, index: usize) -> u32 {
        let mut whole = self.values.iter().filter(|value| !value.part);
        whole.nth(index).and_then(|value| value.number).unwrap_or(0)
    }

    /// A parameter that counts: 1 when it is absent or 0, and no more than `most`.
    pub(super) fn count(&self, index: usize, most: usize) -> usize {
        usize::try_from(self.get(index).max(1)).unwrap_or(most).min(most)
    }

    /// The parts behind a parameter, divided by colons.
    pub(super) fn parts(&self, index: usize) -> Vec<u32> {
        let mut whole = 0;
        let mut parts = Vec::new();
        for value in &self.values {
            if !value.part {
                whole += 1;
            } else if whole == index + 1 {
                parts.push(value.number.unwrap_or(0));
            }
        }
        parts
    }

    /// The parameters as they stand in a sequence.
    pub(super) fn parameters(&self) -> String {
        let mut text = String::new();
        for (index, value) in self.values.iter().enumerate() {
            if index > 0 {
                text.push(if value.part { ':' } else { ';' });
            }
            text.extend(value.number.map(|number| number.to_string()));
        }
        text
    }

    fn digit(&mut self, digit: u8) {
        if self.values.is_empty() {
            self.values.push(Value { number: None, part: false });
        }
        if let Some(value) = self.values.last_mut() {
            let number = value.number.unwrap_or(0).saturating_mul(10).saturating_add(digit.into());
            value.number = Some(number.min(LARGEST));
        }
    }

    fn divide(&mut self, part: bool) {
        if self.values.is_empty() {
            self.values.push(Value { number: None, part: false });
        }
        if self.values.len() < PARAMETERS {
            self.values.push(Value { number: None, part });
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    EscapeIntermediate,
    CsiEntry,
    CsiParameter,
    CsiIntermediate,
    CsiIgnore,
    Command,
    DeviceHead,
    DeviceText,
    /// SOS, PM and APC.
    Ignored,
}

/// What follows text that says nothing but itself: shifts of character sets, escape sequences, and the first byte of controls
/// that are characters.
fn behind_text(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr3(0x0E, 0x0F, 0x1B, bytes).unwrap_or(bytes.len());
    let end = memchr::memchr(0xC2, &bytes[..end]).unwrap_or(end);
    &bytes[end..]
}

/// Where output stands between two bytes.
#[derive(Debug, Default)]
pub(super) struct Parser {
    state: State,
    sequence: Sequence,
    text: Vec<u8>,
    /// What was read of an unfinished sequence, without controls inside it, which were executed.
    pending: Vec<u8>,
    /// An unfinished character, and how many bytes it will have.
    character: Vec<u8>,
    expected: usize,
}

impl Parser {
    /// What has to be read again for a fresh parser to stand where this one stands.
    pub(super) fn pending(&self) -> Vec<u8> {
        [&self.pending[..], &self.character].concat()
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8], to: &mut impl Perform) {
        while !bytes.is_empty() {
            if to.skips_text() && self.state == State::Ground && self.character.is_empty() {
                bytes = behind_text(bytes);
            }
            let Some((byte, rest)) = bytes.split_first() else { return };
            bytes = rest;
            self.byte(*byte, to);
        }
    }

    /// Invalid bytes are left out, as xterm.js does.
    fn byte(&mut self, byte: u8, to: &mut impl Perform) {
        if !self.character.is_empty() {
            if byte & 0xC0 == 0x80 {
                self.character.push(byte);
                return self.complete(to);
            }
            self.character.clear();
        }
        match byte {
            0..0x80 => self.step(byte.into(), &[byte], to),
            0xC0..0xE0 => self.begin(byte, 2),
            0xE0..0xF0 => self.begin(byte, 3),
            0xF0..0xF8 => self.begin(byte, 4),
            _ => {}
        }
    }

    /// Takes a character whose last byte has come.
    fn complete(&mut self, to: &mut impl Perform) {
        if self.character.len() == self.expected {
            let bytes = std::mem::take(&mut self.character);
            let decoded = str::from_utf8(&bytes).ok().and_then(|text| text.chars().next());
            if let Some(character) = decoded.filter(|character| *character != '\u{FEFF}') {
                self.step(character, &bytes, to);
            }
        }
    }

    fn begin(&mut self, byte: u8, expected: usize) {
        self.character.push(byte);
        self.expected = expected;
    }

    fn step(&mut self, character: char, bytes: &[u8], to: &mut impl Perform) {
        let printable = (' '..='\u{7E}').contains(&character) || character > '\u{9F}';
        if self.state == State::Ground && printable {
            return to.print(character);
        }
        let code = u8::try_from(u32::from(character)).unwrap_or(0xFF);
        if !self.anywhere(code, character, bytes, to) {
            let executed = self.inside(code, bytes, to);
            if self.state != State::Ground && !executed && self.pending.len() < PENDING_BYTES {
                self.pending.extend_from_slice(bytes);
            }
        }
        if self.state == State::Ground {
            self.pending.clear();
        }
    }

    /// What ends or begins a sequence in every state. Says whether this was such a byte.
    fn anywhere(&mut self, code: u8, character: char, bytes: &[u8], to: &mut impl Perform) -> bool {
        if character > '\u{9F}' {
            return false;
        }
        let next = match code {
            0x1B => State::Escape,
            0x90 => State::DeviceHead,
            0x9B => State::CsiEntry,
            0x9D => State::Command,
            0x98 | 0x9E | 0x9F => State::Ignored,
            0x18 | 0x1A | 0x80..=0x9C => State::Ground,
            _ => return false,
        };
        let cancelled = matches!(code, 0x18 | 0x1A);
        self.end_text(cancelled, to);
        if next == State::Ground && code != 0x9C {
            to.execute(code);
        }
        self.enter(next);
        self.pending.clear();
        self.pending.extend_from_slice(bytes);
        true
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.sequence.clear();
        self.text.clear();
    }

    /// A string ends: a command is carried out unless it was cancelled.
    fn end_text(&mut self, cancelled: bool, to: &mut impl Perform) {
        match self.state {
            State::Command if !cancelled => to.command(&self.text),
            State::DeviceText if !cancelled => to.device(&self.sequence, &self.text),
            _ => {}
        }
    }

    /// One code within a state. Says whether it was a control that was executed.
    fn inside(&mut self, code: u8, bytes: &[u8], to: &mut impl Perform) -> bool {
        let control = code < 0x20;
        match self.state {
            State::Ground => {
                if control {
                    to.execute(code);
                }
            }
            State::Command if code == 0x07 => {
                self.end_text(false, to);
                self.state = State::Ground;
            }
            State::Command | State::DeviceText => {
                if (!control || self.state == State::DeviceText) && self.text.len() < PENDING_BYTES
                {
                    self.text.extend_from_slice(bytes);
                }
            }
            State::Ignored => {
                if code > 0x9F {
                    self.state = State::Ground;
                }
            }
            State::DeviceHead => self.device_head(code),
            State::CsiIgnore if code == 0xFF => {}
            _ if control => {
                to.execute(code);
                return true;
            }
            _ if code == 0x7F => return true,
            State::Escape => self.escape(code, to),
            State::EscapeIntermediate => self.escape_intermediate(code, to),
            State::CsiEntry | State::CsiParameter | State::CsiIntermediate | State::CsiIgnore => {
                self.csi(code, to);
            }
        }
        false
    }

    fn escape(&mut self, code: u8, to: &mut impl Perform) {
        match code {
            b'[' => self.state = State::CsiEntry,
            b']' => self.state = State::Command,
            b'P' => self.state = State::DeviceHead,
            b'X' | b'^' | b'_' => self.state = State::Ignored,
            0x20..0x30 => {
                self.collect(code);
                self.state = State::EscapeIntermediate;
            }
            0x30..0x7F => {
                self.state = State::Ground;
                to.escape(0, code);
            }
            _ => self.state = State::Ground,
        }
    }

    fn escape_intermediate(&mut self, code: u8, to: &mut impl Perform) {
        if (0x20..0x30).contains(&code) {
            return self.collect(code);
        }
        self.state = State::Ground;
        if code < 0x7F {
            to.escape(u8::try_from(self.sequence.collected).unwrap_or(0xFF), code);
        }
    }

    fn csi(&mut self, code: u8, to: &mut impl Perform) {
        match (self.state, code) {
            (State::CsiIgnore, 0x40..0x7F) => self.state = State::Ground,
            (State::CsiIgnore, _) => {}
            (_, 0x40..0x7F) => {
                self.state = State::Ground;
                self.sequence.last = code;
                to.csi(&self.sequence);
            }
            (_, 0x20..0x30) => {
                self.collect(code);
                self.state = State::CsiIntermediate;
            }
            (State::CsiEntry | State::CsiParameter, 0x30..0x3C) => {
                self.parameter(code);
                self.state = State::CsiParameter;
            }
            (State::CsiEntry, 0x3C..0x40) => {
                self.collect(code);
                self.state = State::CsiParameter;
            }
            (_, 0x30..0x40) => self.state = State::CsiIgnore,
            _ => self.state = State::Ground,
        }
    }

    fn device_head(&mut self, code: u8) {
        match code {
            0x40..0x7F => {
                self.sequence.last = code;
                self.state = State::DeviceText;
            }
            0x20..0x30 | 0x3C..0x40 => self.collect(code),
            0x30..0x3C => self.parameter(code),
            0..0x20 | 0x7F => {}
            _ => self.state = State::Ground,
        }
    }

    fn parameter(&mut self, code: u8) {
        match code {
            b':' => self.sequence.divide(true),
            b';' => self.sequence.divide(false),
            digit => self.sequence.digit(digit - b'0'),
        }
    }

    fn collect(&mut self, code: u8) {
        self.sequence.collected = self.sequence.collected << 8 | u32::from(code);
    }
}
