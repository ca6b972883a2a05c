//! What a program said: its beginning and its end, when it is too much.

use std::collections::VecDeque;

use crate::secrets::Secrets;

/// Kept of the beginning, and of the end: together below the longest text of a record.
const HALF: usize = 30 * 1024;
/// At a cut, a character may be replaced by a longer one, on either side.
const REPLACED: usize = 16;

/// Bounded words.
#[derive(Debug, Default)]
pub(crate) struct Output {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: usize,
}

impl Output {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(HALF - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(HALF);
        self.tail.drain(..surplus);
        self.left_out += surplus;
    }

    /// As text, without secrets.
    pub(crate) fn text(&self, secrets: &Secrets) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        let clean = |bytes: &[u8]| secrets.redact(&String::from_utf8_lossy(bytes));
        if self.left_out == 0 {
            return clean(&[&self.head[..], &tail[..]].concat());
        }
        // A secret that lies across a cut is not recognised on either side: so both sides end far enough from it.
        let margin = secrets.longest() + REPLACED;
        let (head, tail) = (clean(&self.head), clean(&tail));
        let head = &head[..head.floor_char_boundary(head.len().saturating_sub(margin))];
        let tail = &tail[tail.ceil_char_boundary(margin.min(tail.len()))..];
        format!("{head}\n… ({} bytes or more left out) …\n{tail}", self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use fabrica_protocol::run::TEXT_BYTES;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn little_is_kept_as_it_is() {
        let mut output = Output::default();
        output.push(b"a\n");
        output.push(b"b\n");
        assert_eq!(output.text(&Secrets::default()), "a\nb\n");
    }

    #[test]
    fn of_much_the_beginning_and_the_end_are_kept() {
        let mut output = Output::default();
        output.push(b"first\n");
        output.push(&b"x".repeat(1_000_000));
        output.push(b"\nlast");
        let text = output.text(&Secrets::default());
        assert!(text.starts_with("first\n") && text.ends_with("\nlast"));
        assert!(text.contains("left out") && text.len() < TEXT_BYTES);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn no_cut_shows_a_piece_of_a_secret(before in 0_usize..40, between in 0_usize..40, size in 1_usize..5000) {
            let password = "abcdefghij";
            let secrets = Secrets::new(Some(password), []);
            let words = [" ".repeat(before), password.repeat(10_000), " ".repeat(between)].concat();
            let mut output = Output::default();
            for piece in words.as_bytes().chunks(size) {
                output.push(piece);
            }
            let text = output.text(&secrets).replace("bytes or more left out", "");
            prop_assert!(!text.contains(|character: char| character.is_ascii_lowercase()), "{}", text);
        }
    }
}
