//! Looks through what programs print on its way to the user's own emulator: hands over whole escape sequences and whole
//! characters only, so that words of ours can stand between them; leaves queries out of what is shown again, for their
//! answers would be typed into the shell; and knows which modes have to be taken back at the end.

use std::collections::BTreeSet;
use std::fmt::Write as _;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;
/// A terminal that is asked for its name answers with text.
const ENQUIRY: u8 = 0x05;

/// The longest sequence that is held back until it is whole. Longer ones (pictures, say) go through as they come.
const HELD_BYTES: usize = 4 * 1024;

/// Reports of the emulator that CSI … t asks for.
const WINDOW_REPORTS: [&str; 8] = ["11", "13", "14", "15", "16", "18", "19", "21"];

/// Private modes that are switched off at the end if they are on: mouse, focus, alternate screens, paste, synchronised
/// output. What else programs change (wrapping, the cursor, keypad and colours) is always taken back.
const TAKEN_BACK: [u16; 15] =
    [9, 47, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004, 2026];

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// So many bytes of a character are missing.
    Character(u8),
    Escape,
    Control,
    /// OSC, DCS and the like: text up to its end.
    Text,
    /// ESC inside such a text.
    TextEscape,
}

/// One screen's scanner.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    state: State,
    held: Vec<u8>,
    /// The sequence is too long and partly out already.
    through: bool,
    modes: BTreeSet<u16>,
    /// Kitty keyboard modes that were pushed.
    keyboards: u16,
}

impl Scanner {
    /// What the screen may have of these bytes, and what it was kept back before. `silent`: without queries.
    pub(super) fn take(&mut self, bytes: &[u8], silent: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + self.held.len());
        for byte in bytes {
            self.step(*byte, silent, &mut out);
        }
        out
    }

    /// Whether words of ours may be written now.
    pub(super) fn is_between(&self) -> bool {
        self.state == State::Ground || !self.through
    }

    /// Forgets what is held back: the stream begins anew.
    pub(super) fn restart(&mut self) {
        self.state = State::Ground;
        self.through = false;
        self.held.clear();
    }

    /// Brings the emulator back to what shells expect of it.
    pub(super) fn restore(&mut self) -> String {
        let mut text = String::new();
        for mode in std::mem::take(&mut self.modes) {
            let _ = write!(text, "\x1b[?{mode}l");
        }
        if self.keyboards > 0 {
            let _ = write!(text, "\x1b[<{}u", std::mem::take(&mut self.keyboards));
        }
        // Cursor keys, reverse video, wrapping, the cursor, numeric keypad, insert mode, line ends, charset, link, colours.
        text.push_str(
            "\x1b[?1l\x1b[?5l\x1b[?7h\x1b[?25h\x1b>\x1b[4l\x1b[20l\x1b(B\x0f\x1b]8;;\x07\x1b[0m",
        );
        text
    }

    /// Begins anew on an empty screen of so many rows, in the state in which a full reset leaves the emulator. What stood on
    /// it is scrolled up, not lost: line ends do that only on the last row, and whatever unsets margins leaves that row.
    pub(super) fn clear(&mut self, rows: u16) -> String {
        self.restart();
        let restored = self.restore();
        let lines = "\r\n".repeat(usize::from(rows));
        format!("{restored}\x1b[?6l\x1b[r\x1b[{rows};1H{lines}\x1b[H\x1b[2J")
    }

    fn step(&mut self, byte: u8, silent: bool, out: &mut Vec<u8>) {
        if matches!(self.state, State::Ground) && byte != ESCAPE {
            return self.plain(byte, silent, out);
        }
        // A new sequence, or CAN and SUB, end one that is not whole; in a text ESC may be half of its end.
        if byte == ESCAPE && self.state != State::Text {
            self.let_go(out);
            self.hold(byte, State::Escape, out);
            return;
        }
        if matches!(byte, 0x18 | 0x1a) {
            self.hold(byte, State::Ground, out);
            return self.let_go(out);
        }
        let next = match self.state {
            State::Ground => State::Escape,
            State::Character(_) if !(0x80..=0xbf).contains(&byte) => {
                self.let_go(out);
                return self.plain(byte, silent, out);
            }
            State::Character(1) => State::Ground,
            State::Character(missing) => State::Character(missing - 1),
            State::Escape => match byte {
                b'[' => State::Control,
                b']' | b'P' | b'X' | b'^' | b'_' => State::Text,
                0x20..=0x2f => State::Escape,
                _ => State::Ground,
            },
            State::Control if (0x40..=0x7e).contains(&byte) => State::Ground,
            State::Control => State::Control,
            State::Text if byte == BELL => State::Ground,
            State::Text if byte == ESCAPE => State::TextEscape,
            State::Text => State::Text,
            State::TextEscape if byte == b'\\' => State::Ground,
            // Not its end: a new sequence began after all.
            State::TextEscape => {
                self.held.pop();
                self.let_go(out);
                self.hold(ESCAPE, State::Escape, out);
                return self.step(byte, silent, out);
            }
        };
        self.hold(byte, next, out);
        if next == State::Ground {
            self.whole(silent, out);
        }
    }

    fn plain(&mut self, byte: u8, silent: bool, out: &mut Vec<u8>) {
        let missing = match byte {
            0xc2..=0xdf => 1,
            0xe0..=0xef => 2,
            0xf0..=0xf4 => 3,
            _ => 0,
        };
        self.state = State::Ground;
        if missing > 0 {
            self.hold(byte, State::Character(missing), out);
        } else if !(silent && byte == ENQUIRY) {
            out.push(byte);
        }
    }

    fn hold(&mut self, byte: u8, state: State, out: &mut Vec<u8>) {
        self.state = state;
        self.held.push(byte);
        if self.through || self.held.len() > HELD_BYTES {
            self.through = true;
            out.append(&mut self.held);
        }
    }

    /// A sequence that never became whole is the emulator's business.
    fn let_go(&mut self, out: &mut Vec<u8>) {
        self.state = State::Ground;
        self.through = false;
        out.append(&mut self.held);
    }

    fn whole(&mut self, silent: bool, out: &mut Vec<u8>) {
        self.note_modes();
        if silent && is_query(&self.held) {
            self.held.clear();
        }
        self.let_go(out);
    }

    fn note_modes(&mut self) {
        let Some(body) = text(&self.held).and_then(|text| text.strip_prefix("\x1b[")) else {
            return;
        };
        if let Some(set) = body.strip_prefix('?').and_then(|body| body.strip_suffix('h')) {
            let modes = set.split(';').filter_map(|mode| mode.parse().ok());
            self.modes.extend(modes.filter(|mode| TAKEN_BACK.contains(mode)));
        } else if let Some(unset) = body.strip_prefix('?').and_then(|body| body.strip_suffix('l')) {
            for mode in unset.split(';').filter_map(|mode| mode.parse().ok()) {
                self.modes.remove(&mode);
            }
        } else if body.starts_with('>') && body.ends_with('u') {
            self.keyboards = self.keyboards.saturating_add(1);
        } else if let Some(count) = body.strip_prefix('<').and_then(|body| body.strip_suffix('u')) {
            self.keyboards = self.keyboards.saturating_sub(count.parse().unwrap_or(1));
        }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Whether the emulator would answer this sequence.
fn is_query(sequence: &[u8]) -> bool {
    let Some(sequence) = text(sequence) else { return false };
    if sequence == "\x1bZ" {
        return true;
    }
    if let Some(body) = sequence.strip_prefix("\x1b]") {
        return body.trim_end_matches(['\x07', '\x1b', '\\']).ends_with(";?");
    }
    if let Some(body) = sequence.strip_prefix("\x1bP") {
        return body.starts_with("$q") || body.starts_with("+q");
    }
    if let Some(body) = sequence.strip_prefix("\x1b_G") {
        return body.contains("a=q");
    }
    let Some(body) = sequence.strip_prefix("\x1b[") else { return false };
    let Some((last, parameters)) =
        body.as_bytes().split_last().map(|(last, _)| (*last, &body[..body.len() - 1]))
    else {
        return false;
    };
    match last {
        b'c' => true,
        b'n' => !parameters.starts_with('>'),
        b'p' | b'w' => parameters.ends_with('$'),
        b'q' => parameters.starts_with('>'),
        b't' => WINDOW_REPORTS.contains(&parameters.split(';').next().unwrap_or_default()),
        b'u' | b'S' => parameters.starts_with('?'),
        b'x' => matches!(parameters, "" | "0" | "1"),
        b'y' => parameters.ends_with('*'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::device("a\x1b[cb\x1b[>0cc\x1b[=c", "abc")]
    #[case::cursor("\x1b[6n\x1b[?6n\x1b[5n\x1b[>4n", "\x1b[>4n")]
    #[case::mode("\x1b[?2026$p\x1b[!p", "\x1b[!p")]
    #[case::version("\x1b[>q\x1b[2 q", "\x1b[2 q")]
    #[case::window("\x1b[18t\x1b[22;2t", "\x1b[22;2t")]
    #[case::colour("\x1b]11;?\x07\x1b]4;1;?\x1b\\\x1b]0;what?\x07", "\x1b]0;what?\x07")]
    #[case::setting("\x1bP$qm\x1b\\\x1bP+q544e\x1b\\", "")]
    #[case::keyboard("\x1b[?u\x1b[u", "\x1b[u")]
    #[case::enquiry("\x05x", "x")]
    #[case::text_that_never_ends("\x1b]0;a\x1b[6nb", "\x1b]0;ab")]
    fn queries_are_left_out_of_a_replay(#[case] bytes: &str, #[case] shown: &str) {
        let seen = Scanner::default().take(bytes.as_bytes(), true);
        assert_eq!(String::from_utf8_lossy(&seen), shown);
        assert_eq!(Scanner::default().take(bytes.as_bytes(), false), bytes.as_bytes());
    }

    #[test]
    fn sequences_and_characters_come_whole() {
        let mut scanner = Scanner::default();
        let mut shown = Vec::new();
        for byte in "é\x1b[1;31mx\x1b]0;t\x1b\\".bytes() {
            let piece = scanner.take(&[byte], false);
            if !piece.is_empty() {
                shown.push(String::from_utf8(piece).unwrap());
            }
        }
        assert_eq!(shown, ["é", "\x1b[1;31m", "x", "\x1b]0;t\x1b\\"]);
        scanner.take(b"\x1b]52;c;", false);
        assert!(scanner.is_between());
        scanner.take(&[b'A'; HELD_BYTES], false);
        assert!(!scanner.is_between());
        scanner.take(b"\x07", false);
        assert!(scanner.is_between());
    }

    #[test]
    fn modes_that_are_on_are_taken_back() {
        let mut scanner = Scanner::default();
        scanner.take(b"\x1b[?1049h\x1b[?1002;1006h\x1b[?2004h\x1b[?2004l\x1b[>1u", false);
        let text = scanner.restore();
        assert!(text.starts_with("\x1b[?1002l\x1b[?1006l\x1b[?1049l\x1b[<1u\x1b[?1l"), "{text:?}");
        assert!(scanner.restore().starts_with("\x1b[?1l"));
    }

    /// No full reset comes before a snapshot, so each thing that it counts on is taken back one by one.
    #[rstest]
    #[case::reverse_video("\x1b[?5l")]
    #[case::line_ends("\x1b[20l")]
    #[case::line_drawing("\x1b(B\x0f")]
    #[case::link("\x1b]8;;\x07")]
    #[case::colours("\x1b[0m")]
    fn what_a_snapshot_counts_on_is_taken_back(#[case] undone: &str) {
        let text = Scanner::default().restore();
        assert!(text.contains(undone), "{text:?}");
    }

    #[test]
    fn an_old_screen_is_scrolled_up_from_its_last_row() {
        let mut scanner = Scanner::default();
        scanner.take(b"\x1b[?1049h\x1b[3;4", false);
        let text = scanner.clear(3);
        assert!(text.starts_with("\x1b[?1049l"), "{text:?}");
        let end = "\x1b[?6l\x1b[r\x1b[3;1H\r\n\r\n\r\n\x1b[H\x1b[2J";
        assert!(text.ends_with(end), "{text:?}");
        assert_eq!(scanner.take(b"5", false), b"5");
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..6),
            prop::sample::select(vec![
                "\x1b[6n",
                "\x1b[?1049h",
                "\x1b]0;é\x07",
                "\x1bP$qm\x1b\\",
                "日本",
                "\x1b",
                "\x18",
            ])
            .prop_map(|text| text.as_bytes().to_vec()),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// Nothing is lost and nothing changes its place, however the stream is cut.
        #[test]
        fn cuts_change_nothing(bytes in stream(), cut in 1_usize..7, silent: bool) {
            let mut whole = Scanner::default();
            let mut pieces = Scanner::default();
            let shown = whole.take(&bytes, silent);
            let cut: Vec<u8> = bytes.chunks(cut).flat_map(|piece| pieces.take(piece, silent)).collect();
            prop_assert_eq!(&cut, &shown);
            if !silent {
                prop_assert_eq!([shown, whole.held].concat(), bytes);
            }
        }
    }
}
