//! What the terminal's title says about the connection, and bytes in words.

use std::fmt::Write as _;
use std::time::Duration;

use super::link::State;

/// The words for a state, or none while all is well. `since`: the time without a connection; `waiting`: bytes that were
/// typed meanwhile.
pub(super) fn title(
    name: &str,
    state: &State,
    why: Option<&str>,
    since: Duration,
    waiting: usize,
) -> Option<String> {
    let state = match state {
        State::Live | State::Halted(_) => return None,
        State::Waiting => "no connection, trying again",
        State::Connecting | State::Greeting => "connecting",
    };
    let mut words = format!("{name}: {state}");
    if let Some(why) = why {
        let _ = write!(words, " ({why})");
    }
    if since.as_secs() > 0 {
        let _ = write!(words, ", for {} s", since.as_secs());
    }
    if waiting > 0 {
        let _ = write!(words, ", {waiting} bytes typed wait");
    }
    // A title is between ESC ] and BEL: nothing of the other side's words may end it.
    Some(words.chars().filter(|letter| !letter.is_control()).collect())
}

/// So many bytes, in words.
pub(super) fn count(bytes: usize) -> String {
    if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(State::Live, None, 9, 9, None)]
    #[case(State::Connecting, None, 0, 0, Some("box: connecting"))]
    #[case(
        State::Waiting,
        Some("starting\x07"),
        3,
        5,
        Some("box: no connection, trying again (starting), for 3 s, 5 bytes typed wait")
    )]
    fn says_what_is_the_matter(
        #[case] state: State,
        #[case] why: Option<&str>,
        #[case] since: u64,
        #[case] waiting: usize,
        #[case] words: Option<&str>,
    ) {
        let said = title("box", &state, why, Duration::from_secs(since), waiting);
        assert_eq!(said.as_deref(), words);
    }
}
