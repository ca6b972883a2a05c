//! What follows from each close code of `kterm.v1`.

use std::time::Duration;

use fabrica_protocol::kterm::close;

/// What is to be done about a lost socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Come back, at once at first.
    Retry,
    /// Come back, with growing pauses.
    BackOff,
    /// Come back after this time, for that reason.
    Wait(Duration, String),
    /// Get another token, and come back.
    Login,
    /// Stop: only the user can go on from here.
    Halt(String),
}

/// When the other side names no time.
const WAIT: Duration = Duration::from_secs(1);

/// What a close code and its reason ask for.
pub(super) fn verdict(code: u16, reason: &str) -> Verdict {
    match code {
        close::NORMAL => Verdict::Halt("The session closed the connection.".to_owned()),
        1002 | close::TEXT | close::PROTOCOL | close::TOO_BIG => Verdict::Halt(format!(
            "This program and the session do not understand each other{}: use the kubectl-fabrica of the gateway's version.",
            in_brackets(reason)
        )),
        1011 | close::INTERNAL | close::UNREACHABLE => Verdict::BackOff,
        close::UNAUTHENTICATED => Verdict::Login,
        close::FORBIDDEN => Verdict::Halt(format!(
            "You may not use this terminal, or not any longer{}: ask for the right to get (to watch) or create (to type) \
             sessions/terminal in this namespace.",
            in_brackets(reason)
        )),
        close::NOT_FOUND => Verdict::Halt(
            "There is no such session, or you may not see it: `kubectl fabrica ls` shows those you may use.".to_owned(),
        ),
        close::SUPERSEDED => Verdict::Halt(
            "Another connection under this one's name took its place: attach again.".to_owned(),
        ),
        close::GONE => Verdict::Halt("The session has ended.".to_owned()),
        close::TOO_MANY | close::NOT_READY => {
            let (hint, words) = split(reason);
            Verdict::Wait(hint.unwrap_or(WAIT), words)
        }
        _ => Verdict::Retry,
    }
}

/// The other side's words, behind ours.
fn in_brackets(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

/// `ra=<ms>` in a reason, and the words without it.
fn split(reason: &str) -> (Option<Duration>, String) {
    let (hints, words): (Vec<&str>, Vec<&str>) =
        reason.split_whitespace().partition(|word| word.starts_with("ra="));
    let hint = hints.first().and_then(|hint| hint[3..].parse().ok()).map(Duration::from_millis);
    (hint, words.join(" ").trim_end_matches(';').to_owned())
}

#[cfg(test)]
mod tests {
    use fabrica_protocol::recovery::{Recovery, after_close};
    use rstest::rstest;

    use super::*;

    #[test]
    fn verdicts_are_those_of_the_protocol() {
        for code in (1000..1016).chain(4400..4600) {
            let recovery = match verdict(code, "") {
                Verdict::Retry | Verdict::BackOff | Verdict::Wait(..) => vec![Recovery::Retry],
                Verdict::Login => vec![Recovery::Login],
                Verdict::Halt(_) => vec![Recovery::Recreate, Recovery::Button],
            };
            assert!(recovery.contains(&after_close(code).recovery), "{code}");
        }
    }

    #[rstest]
    #[case::cut(1006, "", Verdict::Retry)]
    #[case::restart(1012, "", Verdict::Retry)]
    #[case::silence(4408, "", Verdict::Retry)]
    #[case::fault(4500, "", Verdict::BackOff)]
    #[case::expired(4401, "", Verdict::Login)]
    #[case::starting(4503, "ra=1500 the pod is starting", Verdict::Wait(Duration::from_millis(1500), "the pod is starting".to_owned()))]
    #[case::steps(4503, "the start steps are not done yet; ra=1000", Verdict::Wait(WAIT, "the start steps are not done yet".to_owned()))]
    #[case::nonsense(4429, "ra=x", Verdict::Wait(WAIT, String::new()))]
    #[case::superseded(4409, "the same client connected again", Verdict::Halt("Another connection under this one's name took its place: attach again.".to_owned()))]
    #[case::gone(4410, "", Verdict::Halt("The session has ended.".to_owned()))]
    #[case::origin(4403, "the Origin is missing", Verdict::Halt("You may not use this terminal, or not any longer (the Origin is missing): ask for the right to get (to watch) or create (to type) sessions/terminal in this namespace.".to_owned()))]
    fn codes_say_who_comes_back(
        #[case] code: u16,
        #[case] reason: &str,
        #[case] expected: Verdict,
    ) {
        assert_eq!(verdict(code, reason), expected);
    }
}
