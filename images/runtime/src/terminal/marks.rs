//! What output says beside its text: bells, titles, folders, where a shell's commands begin and end, and whether a paste may
//! be marked as one. Everything else passes at the speed of a search for two bytes. No I/O.

use reqwest::Url;

use super::title::clean;

const BELL: u8 = 0x07;
const ESCAPE: u8 = 0x1B;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1A;

/// The longest folder that is told: sixteen of them fit the list of terminals.
const FOLDER_BYTES: usize = 1024;

/// Bytes of a sequence that are looked at: a folder at its longest, each byte of it encoded, with the host that leads it. Of a
/// title this is more than is told.
const TEXT_BYTES: usize = 4 * FOLDER_BYTES;

/// What a shell tells when no exit status came with the end of a command.
pub const NO_STATUS: i32 = -1;

/// One thing that output said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// OSC 0 and 2.
    Title(String),
    /// OSC 7: the shell is in this folder.
    Folder(String),
    /// OSC 133 A: a prompt begins at this offset.
    Prompt(u64),
    /// OSC 133 C: what follows this offset is a command's output.
    Started(u64),
    /// OSC 133 D: what lies before this offset was it, and this was its exit status.
    Done(u64, i32),
    /// Mode 2004 is set or reset.
    Paste(bool),
}

/// What a piece of output said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub bell: bool,
    pub marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    Escape,
    /// Of an escape sequence with an intermediate, one byte is left.
    Intermediate,
    Control,
    /// An operating system command: it ends with a BEL, which is no bell.
    Command,
    /// A string that nothing is wanted of.
    Other,
}

/// Reads output in pieces that may be cut anywhere.
#[derive(Debug, Default)]
pub struct Scanner {
    place: Place,
    text: Vec<u8>,
    /// The offset of the next byte, and of the sequence that it belongs to.
    at: u64,
    began: u64,
}

impl Scanner {
    /// What this piece, which follows the one before, says.
    pub fn read(&mut self, mut bytes: &[u8]) -> Found {
        let mut found = Found::default();
        while !bytes.is_empty() {
            if self.place == Place::Text {
                let plain = memchr::memchr2(BELL, ESCAPE, bytes).unwrap_or(bytes.len());
                self.at += plain as u64;
                bytes = &bytes[plain..];
            }
            let Some((byte, rest)) = bytes.split_first() else { break };
            bytes = rest;
            self.byte(*byte, &mut found);
            self.at += 1;
        }
        found
    }

    fn byte(&mut self, byte: u8, found: &mut Found) {
        match (self.place, byte) {
            (Place::Command, BELL | ESCAPE) => {
                self.command(byte, found);
                self.begin(byte);
            }
            (_, ESCAPE) => self.begin(byte),
            (Place::Other, BELL) => {}
            (_, BELL) => found.bell = true,
            (Place::Text, _) => {}
            (_, CANCEL | SUBSTITUTE) | (Place::Intermediate, 0x30..) => self.place = Place::Text,
            (Place::Escape, _) => self.escape(byte, found),
            (Place::Control, 0x40..=0x7E) => {
                self.control(byte, found);
                self.place = Place::Text;
            }
            (Place::Control | Place::Command, _) if self.text.len() < TEXT_BYTES => {
                self.text.push(byte);
            }
            (Place::Intermediate | Place::Control | Place::Command | Place::Other, _) => {}
        }
    }

    /// A sequence that an ESC begins, or text behind one that a BEL has ended.
    fn begin(&mut self, byte: u8) {
        self.text.clear();
        self.place = if byte == ESCAPE { Place::Escape } else { Place::Text };
        self.began = self.at;
    }

    fn escape(&mut self, byte: u8, found: &mut Found) {
        self.place = match byte {
            b']' => Place::Command,
            b'[' => Place::Control,
            b'P' | b'X' | b'^' | b'_' => Place::Other,
            0x20..0x30 => Place::Intermediate,
            0..0x20 => Place::Escape,
            b'c' => {
                found.marks.push(Mark::Paste(false));
                Place::Text
            }
            _ => Place::Text,
        };
    }

    fn control(&self, last: u8, found: &mut Found) {
        if let Some(modes) = self.text.strip_prefix(b"?")
            && matches!(last, b'h' | b'l')
            && modes.split(|byte| *byte == b';').any(|mode| mode == b"2004")
        {
            found.marks.push(Mark::Paste(last == b'h'));
        }
    }

    fn command(&self, end: u8, found: &mut Found) {
        let mut parts = self.text.splitn(2, |byte| *byte == b';');
        match (parts.next(), parts.next()) {
            (Some(b"0" | b"2"), Some(title)) => {
                // Of titles in a row only the last one is seen.
                found.marks.pop_if(|mark| matches!(mark, Mark::Title(_)));
                found.marks.push(Mark::Title(clean(&String::from_utf8_lossy(title))));
            }
            // What does not fit may be cut, and would be another folder.
            (Some(b"7"), Some(url)) if self.text.len() < TEXT_BYTES => {
                found.marks.extend(folder(url).map(Mark::Folder));
            }
            (Some(b"133"), Some(words)) => found.marks.extend(self.semantic(words, end)),
            _ => {}
        }
    }

    fn semantic(&self, words: &[u8], end: u8) -> Option<Mark> {
        // What ends it is the byte that is being read, or `ESC \`, of which one more follows.
        let behind = self.at + if end == ESCAPE { 2 } else { 1 };
        let mut words = words.split(|byte| *byte == b';');
        match words.next() {
            Some(b"A") => Some(Mark::Prompt(self.began)),
            Some(b"C") => Some(Mark::Started(behind)),
            Some(b"D") => {
                let status = words.next().and_then(|word| str::from_utf8(word).ok());
                let status = status.and_then(|word| word.parse().ok()).unwrap_or(NO_STATUS);
                Some(Mark::Done(self.began, status))
            }
            _ => None,
        }
    }
}

/// The path of a URL of a file, whichever host it names: a pod is called by many names.
fn folder(url: &[u8]) -> Option<String> {
    let (_, path) = str::from_utf8(url).ok()?.strip_prefix("file://")?.split_once('/')?;
    let url = Url::parse(&format!("file:///{path}")).ok()?;
    let path = url.to_file_path().ok()?.into_os_string().into_string().ok()?;
    let plain = path.len() <= FOLDER_BYTES && !path.contains(char::is_control);
    plain.then_some(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn title(text: &str) -> Mark {
        Mark::Title(text.to_owned())
    }

    #[rstest]
    #[case::text("no more than text\r\n", false, vec![])]
    #[case::bell("a\x07b", true, vec![])]
    #[case::title("\x1b]0;vim\x07", false, vec![title("vim")])]
    #[case::title_by_st("\x1b]2;a;b\x1b\\", false, vec![title("a;b")])]
    #[case::last_title("\x1b]2;a\x07\x1b]2;b\x07", false, vec![title("b")])]
    #[case::no_title("\x1b]0;\x07", false, vec![title("")])]
    #[case::controls("\x1b]0;a\tb\u{9b}c\x07", false, vec![title("abc")])]
    #[case::other_command("\x1b]8;;https://example.com\x07link", false, vec![])]
    #[case::icon("\x1b]1;icon\x07", false, vec![])]
    #[case::string("\x1bPq\x07\x1b\\", false, vec![])]
    #[case::behind_string("\x1bPq\x1b\\\x07", true, vec![])]
    #[case::in_control("\x1b[3\x071m", true, vec![])]
    #[case::cancelled("\x1b]0;a\x18\x07", true, vec![])]
    #[case::charset("\x1b(]0;a\x07", true, vec![])]
    #[case::command("\x1b]133;A\x07$ x\x1b]133;C\x07out\x1b]133;D;7\x07", false,
        vec![Mark::Prompt(0), Mark::Started(19), Mark::Done(22, 7)])]
    #[case::by_st("\x1b]133;C\x1b\\out", false, vec![Mark::Started(9)])]
    #[case::no_status("\x1b]133;D\x1b\\", false, vec![Mark::Done(0, -1)])]
    #[case::more_words("\x1b]133;A;cl=m\x07\x1b]133;B\x07\x1b]133;D;x\x07", false, vec![Mark::Prompt(0), Mark::Done(21, -1)])]
    #[case::folder("\x1b]7;file://pod/a%20b/%E6%BC%A2\x07\x1b]7;file:///c\x1b\\", false,
        vec![Mark::Folder("/a b/漢".to_owned()), Mark::Folder("/c".to_owned())])]
    #[case::no_folder("\x1b]7;/a\x07\x1b]7;https://pod/a\x07\x1b]7;other://pod/a\x07\x1b]7;file:///%07\x07\x1b]7;file:///%FF\x07\x1b]7;\x07", false, vec![])]
    #[case::paste("\x1b[?1;2004h\x1b[?2004l\x1b[2004h\x1bc", false,
        vec![Mark::Paste(true), Mark::Paste(false), Mark::Paste(false)])]
    fn output_says(#[case] output: &str, #[case] bell: bool, #[case] marks: Vec<Mark>) {
        assert_eq!(Scanner::default().read(output.as_bytes()), Found { bell, marks });
    }

    #[test]
    fn a_title_is_no_longer_than_the_longest() {
        let long = format!("\x1b]2;{}\x07\x07", "漢".repeat(100_000));
        let found = Scanner::default().read(long.as_bytes());
        assert_eq!(found, Found { bell: true, marks: vec![title(&"漢".repeat(42))] });
    }

    #[test]
    fn a_folder_is_told_whole_or_not_at_all() {
        for (length, told) in [(FOLDER_BYTES, true), (FOLDER_BYTES + 1, false), (100_000, false)] {
            let path = format!("/{}", "x".repeat(length - 1));
            let found = Scanner::default().read(format!("\x1b]7;file://pod{path}\x07").as_bytes());
            assert_eq!(
                found.marks,
                told.then_some(Mark::Folder(path)).into_iter().collect::<Vec<_>>()
            );
        }
    }

    proptest! {
        /// Wherever output is cut, it says the same.
        #[test]
        fn cuts_change_nothing(
            pieces in proptest::collection::vec("[a-z]{0,4}|\u{7}|\u{1b}\\]0;[a-z]{0,5}\u{7}|\u{1b}\\]7;file://pod/[a-z]{0,5}\u{7}|\u{1b}\\]133;[ACD];?[0-9]?(\u{7}|\u{1b}\\\\)|\u{1b}\\[\\?2004[hl]|\u{1b}[P_(c]?|漢", 0..30),
            size in 1..7_usize,
        ) {
            let output = pieces.concat();
            let whole = Scanner::default().read(output.as_bytes());
            let mut scanner = Scanner::default();
            let mut cut = Found::default();
            for piece in output.as_bytes().chunks(size) {
                let Found { bell, marks } = scanner.read(piece);
                cut.bell |= bell;
                for mark in marks {
                    if matches!(mark, Mark::Title(_)) {
                        cut.marks.pop_if(|last| matches!(last, Mark::Title(_)));
                    }
                    cut.marks.push(mark);
                }
            }
            prop_assert_eq!(cut, whole);
        }

        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            Scanner::default().read(&bytes);
        }
    }
}
