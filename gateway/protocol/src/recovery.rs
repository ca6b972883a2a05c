//! What helps after an error: one thing for each, whoever tells it. The tables of `docs/developer/reconnect.md` are these.

use serde::Serialize;

/// The one thing that helps. REST has it as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Recovery {
    /// The client tries again by itself, later each time or when it is told to.
    Retry = 0,
    /// Somebody logs in, and the client comes back.
    Login = 1,
    /// What was asked for is not there: another one is made, or chosen.
    Recreate = 2,
    /// A person decides: the client stops and offers a button.
    Button = 3,
}

/// What follows from an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Whether work goes on where it was, once that has been done.
    pub recoverable: bool,
    pub recovery: Recovery,
}

const RETRY: Way = Way { recoverable: true, recovery: Recovery::Retry };
const LOGIN: Way = Way { recoverable: true, recovery: Recovery::Login };
const RECREATE: Way = Way { recoverable: false, recovery: Recovery::Recreate };
/// The person can put it right here and now.
const BUTTON: Way = Way { recoverable: true, recovery: Recovery::Button };
/// Something else has to change first: a right, a request, a program.
const STOP: Way = Way { recoverable: false, recovery: Recovery::Button };

impl Way {
    /// Flags of an ERROR frame: bit 0 recoverable, bits 1 and 2 the recovery.
    pub const fn flags(self) -> u8 {
        self.recoverable as u8 | (self.recovery as u8) << 1
    }
}

/// After a socket was closed with this code.
pub const fn after_close(code: u16) -> Way {
    match code {
        4401 => LOGIN,
        4404 | 4410 => RECREATE,
        1000 | 4409 => BUTTON,
        1002 | 1003 | 1009 | 4400 | 4403 => STOP,
        _ => RETRY,
    }
}

/// After an ERROR frame of `kterm.v1` with this code.
pub const fn after_error(code: u16) -> Way {
    match code {
        // INPUT has a gap: WELCOME of the next connection says from where.
        5 => RETRY,
        // No such terminal; its program has ended.
        1 | 4 => RECREATE,
        // Too many, none left on the node, no prompt, taken over.
        3 | 8 | 9 | 10 => BUTTON,
        _ => STOP,
    }
}

/// After an HTTP answer of this status that is an error.
pub const fn after_status(status: u16) -> Way {
    match status {
        401 => LOGIN,
        404 | 410 => RECREATE,
        408 | 429 | 500 | 502..=504 => RETRY,
        _ => STOP,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::cut(after_close(1006), RETRY)]
    #[case::unknown(after_close(4999), RETRY)]
    #[case::expired(after_close(4401), LOGIN)]
    #[case::malformed(after_close(4400), STOP)]
    #[case::taken(after_close(4409), BUTTON)]
    #[case::gone(after_close(4410), RECREATE)]
    #[case::no_such_terminal(after_error(1), RECREATE)]
    #[case::view(after_error(2), STOP)]
    #[case::too_many(after_error(3), BUTTON)]
    #[case::ended(after_error(4), RECREATE)]
    #[case::gap(after_error(5), RETRY)]
    #[case::cannot_open(after_error(6), STOP)]
    #[case::out_of_order(after_error(7), STOP)]
    #[case::exhausted(after_error(8), BUTTON)]
    #[case::no_prompt(after_error(9), BUTTON)]
    #[case::taken_over(after_error(10), BUTTON)]
    #[case::invalid(after_error(11), STOP)]
    #[case::busy(after_status(503), RETRY)]
    #[case::wrong(after_status(422), STOP)]
    fn each_error_has_one_way(#[case] way: Way, #[case] expected: Way) {
        assert_eq!(way, expected);
    }

    #[test]
    fn flags_hold_both() {
        assert_eq!([STOP, RETRY, LOGIN, RECREATE, BUTTON].map(Way::flags), [6, 1, 3, 4, 7]);
    }
}
