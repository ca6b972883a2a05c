//! Output that is no terminal's: its text and its colours, and nothing that would move the cursor, change modes or ask
//! something.

use super::parser::{Parser, Perform, Sequence};

const RESET_COLOURS: &[u8] = b"\x1b[0m";

/// Reads output in pieces that may be cut anywhere.
#[derive(Debug, Default)]
pub struct Plain {
    parser: Parser,
    kept: Kept,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    /// The last line has begun and is not ended.
    in_line: bool,
    is_coloured: bool,
}

impl Plain {
    /// What is left of a piece, for a terminal.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.parser.feed(bytes, &mut self.kept);
        std::mem::take(&mut self.kept.bytes)
    }

    /// Ends it: the next output begins in a line of its own and without colours, and of half a sequence nothing is left.
    pub fn end(&mut self) -> Vec<u8> {
        let Kept { in_line, is_coloured, .. } = std::mem::take(self).kept;
        let colours = if is_coloured { RESET_COLOURS } else { b"" };
        [colours, if in_line { b"\r\n" } else { b"" }].concat()
    }
}

impl Perform for Kept {
    fn print(&mut self, character: char) {
        self.in_line = true;
        self.bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn execute(&mut self, control: u8) {
        match control {
            b'\n' => {
                self.in_line = false;
                self.bytes.extend_from_slice(b"\r\n");
            }
            b'\t' | b'\r' | 0x08 => self.bytes.push(control),
            _ => {}
        }
    }

    fn csi(&mut self, sequence: &Sequence) {
        if sequence.last == b'm' && sequence.collected == 0 {
            self.is_coloured = true;
            self.bytes.extend_from_slice(format!("\x1b[{}m", sequence.parameters()).as_bytes());
        }
    }

    fn escape(&mut self, _intermediate: u8, _last: u8) {}

    fn command(&mut self, _text: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn read(text: &str) -> String {
        String::from_utf8(Plain::default().read(text.as_bytes())).unwrap()
    }

    #[rstest]
    #[case::lines("a\nb\tc\r\n", "a\r\nb\tc\r\r\n")]
    #[case::colours("\x1b[1;38:5:9mred\x1b[m", "\x1b[1;38:5:9mred\x1b[m")]
    #[case::screens("\x1b[?1049h\x1b[2J\x1b[3;4Hx\x1b[6n", "x")]
    #[case::titles("\x1b]0;title\x07x\x1bP+q\x1b\\\x07", "x")]
    #[case::characters("漢😀é", "漢😀é")]
    fn text_and_colours_are_left(#[case] output: &str, #[case] expected: &str) {
        assert_eq!(read(output), expected);
    }

    #[test]
    fn an_end_leaves_nothing_behind() {
        let mut plain = Plain::default();
        assert_eq!(plain.read(b"\x1b[31mred\x1b]0;half a tit"), b"\x1b[31mred");
        assert_eq!(plain.end(), b"\x1b[0m\r\n");
        assert_eq!(plain.read(b"le"), b"le");
        assert_eq!(plain.end(), b"\r\n");
        assert_eq!(plain.end(), b"");
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes: Vec<u8>, at: prop::sample::Index) {
            let (first, second) = bytes.split_at(at.index(bytes.len() + 1));
            let mut cut = Plain::default();
            let pieces = [cut.read(first), cut.read(second)].concat();
            prop_assert_eq!(pieces, Plain::default().read(&bytes));
        }

        #[test]
        fn nothing_that_is_left_is_a_question(bytes: Vec<u8>) {
            let left = Plain::default().read(&bytes);
            prop_assert!(super::super::query::Watch::default().read(&left).is_empty());
        }
    }
}
