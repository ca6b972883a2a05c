//! Questions that programs ask their terminal, and the answers while nobody's emulator is there to give them.

use super::Screen;
use super::parser::{Parser, Perform, Sequence};

/// Questions taken from one piece of output; nobody asks more before reading an answer.
const QUESTIONS: usize = 16;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    Attributes,
    SecondaryAttributes,
    Version,
    Status,
    Cursor {
        private: bool,
    },
    Mode {
        number: u16,
        private: bool,
    },
    /// OSC 10 and 11: the colour of text, and of what is behind it.
    Color {
        number: u8,
    },
}

impl Query {
    /// What xterm.js would answer; the screen is asked for only where the answer depends on it.
    pub fn answer<'screen>(self, screen: impl FnOnce() -> &'screen Screen) -> String {
        let mark = |private: bool| if private { "?" } else { "" };
        match self {
            Self::Attributes => "\x1b[?1;2c".to_owned(),
            Self::SecondaryAttributes => "\x1b[>0;276;0c".to_owned(),
            Self::Version => "\x1bP>|fabrica\x1b\\".to_owned(),
            Self::Status => "\x1b[0n".to_owned(),
            Self::Cursor { private } => {
                let (row, column) = screen().cursor();
                format!("\x1b[{}{row};{column}R", mark(private))
            }
            Self::Mode { number, private } => {
                let set = screen().mode(number, private);
                format!("\x1b[{}{number};{set}$y", mark(private))
            }
            Self::Color { number: 10 } => "\x1b]10;rgb:ffff/ffff/ffff\x1b\\".to_owned(),
            Self::Color { number } => format!("\x1b]{number};rgb:0000/0000/0000\x1b\\"),
        }
    }
}

/// Looks for questions in output.
#[derive(Debug, Default)]
pub struct Watch {
    parser: Parser,
}

impl Watch {
    /// The questions that end in this piece.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Query> {
        let mut found = Found::default();
        self.parser.feed(bytes, &mut found);
        found.queries
    }
}

#[derive(Debug, Default)]
struct Found {
    queries: Vec<Query>,
}

impl Found {
    fn add(&mut self, query: Query) {
        if self.queries.len() < QUESTIONS {
            self.queries.push(query);
        }
    }
}

impl Perform for Found {
    fn print(&mut self, _character: char) {}

    fn execute(&mut self, _control: u8) {}

    fn csi(&mut self, sequence: &Sequence) {
        let number = sequence.get(0);
        let collected = sequence.collected.to_be_bytes();
        let [.., prefix, last] = collected;
        match ((prefix, last), sequence.last, number) {
            ((0, 0), b'c', 0) => self.add(Query::Attributes),
            ((0, b'>'), b'c', 0) => self.add(Query::SecondaryAttributes),
            ((0, b'>'), b'q', 0) => self.add(Query::Version),
            ((0, 0), b'n', 5) => self.add(Query::Status),
            ((0, 0), b'n', 6) => self.add(Query::Cursor { private: false }),
            ((0, b'?'), b'n', 6) => self.add(Query::Cursor { private: true }),
            ((private @ (0 | b'?'), b'$'), b'p', _) => {
                let number = u16::try_from(number).unwrap_or(u16::MAX);
                self.add(Query::Mode { number, private: private != 0 });
            }
            _ => {}
        }
    }

    fn escape(&mut self, _intermediate: u8, _last: u8) {}

    fn command(&mut self, text: &[u8]) {
        match text {
            b"10;?" => self.add(Query::Color { number: 10 }),
            b"11;?" => self.add(Query::Color { number: 11 }),
            _ => {}
        }
    }

    fn skips_text(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::terminal::size::Size;

    #[rstest]
    #[case("\x1b[c", "\x1b[?1;2c")]
    #[case("text \x1b[>c", "\x1b[>0;276;0c")]
    #[case("\x1b[>0q", "\x1bP>|fabrica\x1b\\")]
    #[case("\x1b[5n", "\x1b[0n")]
    #[case("ab\r\ncde\x1b[6n", "\x1b[2;4R")]
    #[case("\x1b[?6n", "\x1b[?1;1R")]
    #[case("\x1b[?2004h\x1b[?2004$p", "\x1b[?2004;1$y")]
    #[case("\x1b[4$p", "\x1b[4;2$y")]
    #[case("\x1b]11;?\x1b\\", "\x1b]11;rgb:0000/0000/0000\x1b\\")]
    #[case("\x1b[1c \x1b[7n \x1b]10;red\x07", "")]
    fn each_question_has_its_answer(#[case] output: &str, #[case] expected: &str) {
        let mut watch = Watch::default();
        // Cut anywhere.
        let queries: Vec<_> = output.bytes().flat_map(|byte| watch.read(&[byte])).collect();
        let mut screen = Screen::new(Size::default());
        screen.feed(output.as_bytes());
        let answers: String = queries.iter().map(|query| query.answer(|| &screen)).collect();
        assert_eq!(answers, expected);
    }
}
