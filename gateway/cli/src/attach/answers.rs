//! What the user's own emulator says by itself: answers to what a program asked. They come the way keys come, and the
//! runtime has to know them, for only one of all emulators that watch may answer.

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// Whether these bytes, as they came at once, are answers and nothing else.
pub(super) fn is_answer(mut bytes: &[u8]) -> bool {
    let mut found = false;
    while !bytes.is_empty() {
        let Some(length) = answer(bytes) else { return false };
        bytes = &bytes[length..];
        found = true;
    }
    found
}

/// The length of the answer that these bytes begin with.
fn answer(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [ESCAPE, b'[', rest @ ..] => {
            let end = rest.iter().position(|byte| (0x40..0x7f).contains(byte))?;
            let parameters = str::from_utf8(&rest[..end]).ok()?;
            is_report(parameters, rest[end]).then_some(end + 3)
        }
        [ESCAPE, b']' | b'P', rest @ ..] => {
            let bell = bytes[1] == b']';
            let end = rest.iter().position(|byte| *byte == ESCAPE || bell && *byte == BELL)?;
            match rest[end..] {
                [BELL, ..] => Some(end + 3),
                [ESCAPE, b'\\', ..] => Some(end + 4),
                _ => None,
            }
        }
        _ => None,
    }
}

/// DA, DSR, CPR, DECRPM, sizes of the window, flags of the kitty keyboard.
fn is_report(parameters: &str, last: u8) -> bool {
    let numbers = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
    };
    match last {
        b'c' => parameters.starts_with(['?', '>', '=']),
        b'n' => matches!(parameters, "0" | "3") || parameters.starts_with('?'),
        b'R' => {
            // In the first row it may be F3 with Shift, Ctrl or Alt: a key is worth more than an answer.
            let key = parameters.strip_prefix("1;").and_then(|rest| rest.parse::<u8>().ok());
            let place = parameters.strip_prefix('?').unwrap_or(parameters);
            numbers(place) && place.contains(';') && key.is_none_or(|key| key > 16)
        }
        b'y' => parameters.ends_with('$'),
        b't' => numbers(parameters),
        b'u' => parameters.starts_with('?'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("\x1b[?1;2c", true)]
    #[case("\x1b[>0;276;0c\x1b[0n", true)]
    #[case("\x1b[24;80R", true)]
    #[case("\x1b[?24;80R", true)]
    #[case("\x1b[1;44R", true)]
    #[case("\x1b[?2004;1$y", true)]
    #[case("\x1b[8;24;80t", true)]
    #[case("\x1b[?1u", true)]
    #[case("\x1b]11;rgb:0000/0000/0000\x07", true)]
    #[case("\x1b]11;rgb:0000/0000/0000\x1b\\", true)]
    #[case("\x1bP>|xterm(390)\x1b\\", true)]
    #[case::keys("ls\r", false)]
    #[case::an_arrow("\x1b[A", false)]
    #[case::shift_f3("\x1b[1;2R", false)]
    #[case::f3("\x1b[R", false)]
    #[case::the_mouse("\x1b[<0;1;1M", false)]
    #[case::focus("\x1b[I", false)]
    #[case::a_key_of_kitty("\x1b[97;5u", false)]
    #[case::a_paste("\x1b[200~\x1b[0n\x1b[201~", false)]
    #[case::an_answer_and_a_key("\x1b[0nx", false)]
    #[case::half_an_answer("\x1b[0", false)]
    #[case::alt_and_a_bracket("\x1b]", false)]
    #[case::nothing("", false)]
    fn what_is_an_answer(#[case] typed: &str, #[case] expected: bool) {
        assert_eq!(is_answer(typed.as_bytes()), expected);
    }
}
