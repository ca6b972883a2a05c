//! Chunks of a stream into lines. Pure.

/// The longest line: a record's text of 64 KiB with every byte escaped fits.
const LINE_BYTES: usize = 512 * 1024;

/// What has come of a line that has not ended yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes a chunk; says what lines ended in it. One that is too long comes cut, so that nothing is waited for.
    pub(super) fn take(&mut self, chunk: &[u8]) -> Vec<Vec<u8>> {
        let mut ended = Vec::new();
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            let room = LINE_BYTES.saturating_sub(self.rest.len()).min(text.len());
            self.rest.extend_from_slice(&text[..room]);
            if ends {
                ended.push(std::mem::take(&mut self.rest));
            }
        }
        ended.retain(|line| !line.is_empty());
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn however_it_is_cut_the_lines_are_the_same(
            lines in prop::collection::vec("[a-z]{1,9}", 0..20),
            size in 1..30_usize,
        ) {
            let text = lines.join("\n") + if lines.is_empty() { "torn" } else { "\ntorn" };
            let mut state = Lines::default();
            let found: Vec<_> =
                text.as_bytes().chunks(size).flat_map(|chunk| state.take(chunk)).collect();
            prop_assert_eq!(found, lines.into_iter().map(String::into_bytes).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_line_without_end_takes_bounded_room() {
        let mut lines = Lines::default();
        for _ in 0..3 {
            assert!(lines.take(&vec![b'x'; LINE_BYTES]).is_empty());
        }
        let ended = lines.take(b"\nnext\n");
        assert_eq!(ended.iter().map(Vec::len).collect::<Vec<_>>(), [LINE_BYTES, 4]);
    }
}
