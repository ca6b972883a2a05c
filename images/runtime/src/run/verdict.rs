//! From how an attempt ended to what is said of it.

use fabrica_protocol::run::{Outcome, Verdict};
use fabrica_protocol::runtime::TERMINATION_BYTES;

use super::driver::Failure;
use super::handle::Interrupt;
use crate::start::StartError;

/// Git's words when the line failed rather than the remote refused.
const NETWORK: [&str; 8] = [
    "Could not resolve host",
    "Failed to connect",
    "Connection refused",
    "Connection reset",
    "timed out",
    "returned error: 5",
    "hung up unexpectedly",
    "did not end within",
];

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Pushed {
        branch: String,
        commit: String,
    },
    NoChanges,
    Start(StartError),
    /// There is nothing to work on.
    Plan(String),
    BranchExists {
        branch: String,
    },
    Agent(String),
    /// The driver's own words.
    Driver(Failure),
    Push {
        words: String,
    },
    Interrupted(Interrupt),
}

impl Ending {
    pub(super) fn verdict(self) -> Verdict {
        use Outcome::{Cancelled, Completed, Failed};
        let verdict = |outcome, reason: &str, message: String, again| Verdict {
            outcome,
            reason: reason.to_owned(),
            message,
            again,
            branch: None,
            commit: None,
            usage: None,
        };
        match self {
            Self::Pushed { branch, commit } => Verdict {
                branch: Some(branch.clone()),
                commit: Some(commit),
                ..verdict(Completed, "Succeeded", format!("The branch {branch} was pushed."), false)
            },
            Self::NoChanges => {
                let message = "The plan was worked on, and nothing has changed.".to_owned();
                verdict(Completed, "NoChanges", message, false)
            }
            Self::Start(error) => {
                let again = matches!(error.reason, "CloneFailed" | "ContainerCrashed");
                verdict(Failed, error.reason, error.message, again)
            }
            Self::Plan(message) => verdict(Failed, "PlanMissing", message + ".", false),
            Self::BranchExists { branch } => {
                let message = format!(
                    "The branch {branch} exists, and its newest commit is not this Run's. Choose another spec.branch in a new Run, or remove that one."
                );
                verdict(Failed, "BranchExists", message, false)
            }
            Self::Agent(message) => verdict(Failed, "AgentFailed", message, true),
            Self::Driver(Failure { reason, message, again }) => {
                verdict(Failed, reason, message, again)
            }
            Self::Push { words } => {
                let again = NETWORK.iter().any(|sign| words.contains(sign));
                verdict(Failed, "PushRejected", format!("The push failed: {words}"), again)
            }
            Self::Interrupted(Interrupt::Cancelled) => {
                verdict(Cancelled, "Cancelled", "The Run was cancelled.".to_owned(), false)
            }
            Self::Interrupted(Interrupt::DeadlineExceeded) => {
                let message =
                    "The Run did not end before its deadline, spec.deadlineSeconds.".to_owned();
                verdict(Failed, "DeadlineExceeded", message, false)
            }
            Self::Interrupted(Interrupt::Evicted) => {
                let message = "The pod was ended before the Run was done.".to_owned();
                verdict(Failed, "PodEvicted", message, true)
            }
        }
    }
}

/// A verdict that fits a termination message; a message that is too long loses its end.
pub(super) fn fit(mut verdict: Verdict) -> Verdict {
    const NOTE: &str = "…";
    loop {
        let length = serde_json::to_string(&verdict).map_or(0, |text| text.len());
        if length <= TERMINATION_BYTES || verdict.message.len() <= NOTE.len() {
            return verdict;
        }
        // A character may take six bytes in JSON, so this takes a few turns at most.
        let surplus = (length - TERMINATION_BYTES).div_ceil(6) + 2 * NOTE.len();
        let kept = verdict.message.len().saturating_sub(surplus);
        verdict.message.truncate(verdict.message.floor_char_boundary(kept));
        verdict.message.push_str(NOTE);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn start(reason: &'static str) -> Ending {
        Ending::Start(StartError { step: "clone", reason, message: "m".to_owned() })
    }

    #[rstest]
    #[case(Ending::NoChanges, Outcome::Completed, "NoChanges", false)]
    #[case(start("CloneFailed"), Outcome::Failed, "CloneFailed", true)]
    #[case(start("SecretKeyMissing"), Outcome::Failed, "SecretKeyMissing", false)]
    #[case(Ending::Plan("m".to_owned()), Outcome::Failed, "PlanMissing", false)]
    #[case(Ending::BranchExists { branch: "b".to_owned() }, Outcome::Failed, "BranchExists", false)]
    #[case(Ending::Agent("m".to_owned()), Outcome::Failed, "AgentFailed", true)]
    #[case(Ending::Push { words: "! [remote rejected]".to_owned() }, Outcome::Failed, "PushRejected", false)]
    #[case(Ending::Push { words: "Could not resolve host: h".to_owned() }, Outcome::Failed, "PushRejected", true)]
    #[case(Ending::Interrupted(Interrupt::Cancelled), Outcome::Cancelled, "Cancelled", false)]
    #[case(
        Ending::Interrupted(Interrupt::DeadlineExceeded),
        Outcome::Failed,
        "DeadlineExceeded",
        false
    )]
    #[case(Ending::Interrupted(Interrupt::Evicted), Outcome::Failed, "PodEvicted", true)]
    fn each_ending_has_its_verdict(
        #[case] ending: Ending,
        #[case] outcome: Outcome,
        #[case] reason: &str,
        #[case] again: bool,
    ) {
        let verdict = ending.verdict();
        assert_eq!((verdict.outcome, &*verdict.reason, verdict.again), (outcome, reason, again));
        assert!(verdict.message.len() > 1 || verdict.message == "m");
        assert_eq!((verdict.branch, verdict.commit), (None, None));
    }

    #[test]
    fn a_push_names_what_was_pushed() {
        let pushed = Ending::Pushed { branch: "b".to_owned(), commit: "c".to_owned() };
        let verdict = pushed.verdict();
        assert_eq!((&*verdict.reason, verdict.outcome), ("Succeeded", Outcome::Completed));
        assert_eq!((verdict.branch.as_deref(), verdict.commit.as_deref()), (Some("b"), Some("c")));
    }

    proptest! {
        #[test]
        fn every_verdict_fits(text in "[a\u{1}é\"]{0,40}", times in 1_usize..400) {
            let verdict = fit(Ending::Agent(text.repeat(times)).verdict());
            let json = serde_json::to_string(&verdict).unwrap();
            prop_assert!(json.len() <= TERMINATION_BYTES);
            prop_assert!(text.len() * times * 6 > 3000 || verdict.message == text.repeat(times));
        }
    }
}
