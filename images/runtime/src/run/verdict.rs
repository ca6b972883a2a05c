//! From how an attempt ended to what is said of it.

use fabrica_protocol::run::{Outcome, Question, Verdict};
use fabrica_protocol::runtime::TERMINATION_BYTES;

use super::driver::Failure;
use super::handle::Interrupt;
use crate::start::StartError;

/// Git's words when the line failed rather than the remote refused a push.
const NETWORK: [&str; 14] = [
    "Could not resolve host",
    "Failed to connect",
    "Connection refused",
    "Connection reset",
    "timed out",
    "returned error: 5",
    "returned error: 408",
    "returned error: 429",
    "RPC failed",
    "Empty reply from server",
    "hung up unexpectedly",
    "early EOF",
    "unexpected disconnect",
    "did not end within",
];

/// Git's words when the remote refused, whatever else it said: a request that is too large ends in a hang-up too.
const REFUSED: [&str; 2] = ["[remote rejected]", "[rejected]"];
/// What stands before the status of a request that failed.
const STATUS: &str = "returned error: ";
/// Too slow and too much: statuses of refusals that may pass.
const PASSING: [&str; 2] = ["408", "429"];
/// Git's words when a clone would fail another time, too.
const LASTING: [&str; 8] = [
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "Access denied",
    "Permission denied",
    "not found",
    "SSL certificate problem",
    "certificate verification failed",
];
/// Git's words when the login may not push.
const NO_RIGHT: [&str; 3] = ["Authentication failed", "returned error: 401", "returned error: 403"];
/// What helps then.
const ANOTHER_LOGIN: &str = ". Put a login that may push into the Secret of spec.repository.secretRef (without one, of spec.credentialsRef).";
/// Git's words when the branch is not where we saw it.
const MOVED: &str = "stale info";

/// Of a question, in bytes, as much stays in a verdict as still says what is asked.
const LEAST_QUESTION: usize = 500;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    Pushed {
        branch: String,
        commit: String,
        pull_request: Option<String>,
    },
    NoChanges,
    Start(StartError),
    WorkItem {
        error: StartError,
        again: bool,
    },
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
    /// What was to be pushed holds a secret.
    Secret {
        place: String,
    },
    /// Everything is pushed, and the forge did not open a pull request.
    PullRequest {
        branch: String,
        commit: String,
        words: String,
        again: bool,
    },
    /// A former pod's checkpoint was not handed in.
    CheckpointMissing,
    /// A question waits, and somebody keeps what is needed to go on.
    Escalated(Question),
    Interrupted(Interrupt),
}

impl Ending {
    /// What the spec or the image lacks.
    pub(super) fn misconfigured(step: &'static str, reason: &'static str, message: String) -> Self {
        Self::Start(StartError { step, reason, message })
    }

    pub(crate) fn verdict(self) -> Verdict {
        use Outcome::{Cancelled, Completed, Failed};
        match self {
            Self::Pushed { branch, commit, pull_request } => pushed(branch, commit, pull_request),
            Self::NoChanges => {
                let message = "The plan was worked on, and nothing has changed.".to_owned();
                verdict(Completed, "NoChanges", message, false)
            }
            Self::Start(error) => not_started(error),
            Self::WorkItem { error, again } => verdict(Failed, error.reason, error.message, again),
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
            Self::Push { words } => push_failed(&words),
            Self::Secret { place } => {
                let message = format!(
                    "A secret of this Run stands in {place}, so nothing was pushed. The value is one of spec.credentialsRef, of the repository's login, or of a Secret that spec.env names."
                );
                verdict(Failed, "SecretInCommit", message, false)
            }
            Self::PullRequest { branch, commit, words, again } => {
                let message = format!(
                    "The branch {branch} was pushed, but its pull request was not opened: {words}"
                );
                let verdict = verdict(Failed, "PullRequestFailed", message, again);
                Verdict { branch: Some(branch), commit: Some(commit), ..verdict }
            }
            Self::CheckpointMissing => {
                let message = "The checkpoint of the former pod was not handed in.".to_owned();
                verdict(Failed, "CheckpointMissing", message, true)
            }
            Self::Escalated(question) => {
                let message = "The agent waits for an answer; its work so far is kept.".to_owned();
                let verdict = verdict(Outcome::Escalated, "Escalated", message, false);
                Verdict { question: Some(question), ..verdict }
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

fn verdict(outcome: Outcome, reason: &str, message: String, again: bool) -> Verdict {
    Verdict {
        outcome,
        reason: reason.to_owned(),
        message,
        again,
        branch: None,
        commit: None,
        pull_request_url: None,
        usage: None,
        question: None,
    }
}

fn pushed(branch: String, commit: String, pull_request: Option<String>) -> Verdict {
    let message = match &pull_request {
        Some(url) => format!("The pull request {url} is open."),
        None => format!("The branch {branch} was pushed."),
    };
    Verdict {
        branch: Some(branch),
        commit: Some(commit),
        pull_request_url: pull_request,
        ..verdict(Outcome::Completed, "Succeeded", message, false)
    }
}

fn not_started(error: StartError) -> Verdict {
    let again = match error.reason {
        "CloneFailed" => !says(&error.message, &LASTING) && !is_refused(&error.message),
        reason => reason == "ContainerCrashed",
    };
    verdict(Outcome::Failed, error.reason, error.message, again)
}

fn push_failed(words: &str) -> Verdict {
    let moved = ", for somebody else has changed the branch meanwhile";
    let why = if words.contains(MOVED) { moved } else { "" };
    let fix = if says(words, &NO_RIGHT) { ANOTHER_LOGIN } else { "" };
    let message = format!("The push failed{why}: {words}{fix}");
    verdict(Outcome::Failed, "PushRejected", message, may_pass(words))
}

/// Whether git may have other words for the same another time.
fn may_pass(words: &str) -> bool {
    says(words, &NETWORK) && !says(words, &REFUSED) && !is_refused(words)
}

fn says(words: &str, signs: &[&str]) -> bool {
    signs.iter().any(|sign| words.contains(sign))
}

/// Whether a server answered that the fault is with the request.
fn is_refused(words: &str) -> bool {
    let mut statuses = words.split(STATUS).skip(1);
    statuses.any(|status| {
        status.starts_with('4') && !PASSING.iter().any(|passing| status.starts_with(passing))
    })
}

/// A verdict that fits a termination message: its question loses its end and then its options, its message its end.
pub(crate) fn fit(mut verdict: Verdict) -> Verdict {
    const NOTE: &str = "…";
    loop {
        let length = serde_json::to_string(&verdict).map_or(0, |text| text.len());
        if length <= TERMINATION_BYTES {
            return verdict;
        }
        let (text, least) = match &mut verdict.question {
            Some(question) if question.question.len() > LEAST_QUESTION => {
                (&mut question.question, LEAST_QUESTION - NOTE.len())
            }
            Some(question) if !question.options.is_empty() => {
                question.options.pop();
                continue;
            }
            Some(_) | None if verdict.message.len() <= NOTE.len() => return verdict,
            Some(_) | None => (&mut verdict.message, 0),
        };
        // A character may take six bytes in JSON, so this takes a few turns at most.
        let surplus = (length - TERMINATION_BYTES).div_ceil(6) + 2 * NOTE.len();
        let kept = text.len().saturating_sub(surplus).max(least);
        text.truncate(text.floor_char_boundary(kept));
        text.push_str(NOTE);
    }
}

#[cfg(test)]
mod tests {
    use fabrica_protocol::run::QuestionKind;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn start(reason: &'static str, message: &str) -> Ending {
        Ending::Start(StartError { step: "clone", reason, message: message.to_owned() })
    }

    #[rstest]
    #[case("fatal: unable to access 'https://h/': The requested URL returned error: 403", true)]
    #[case("! [remote rejected] work -> work (protected branch hook declined)", false)]
    fn a_login_that_may_not_push_is_to_be_changed(#[case] words: &str, #[case] expected: bool) {
        let verdict = Ending::Push { words: words.to_owned() }.verdict();
        assert_eq!(
            (verdict.message.contains("spec.repository.secretRef"), verdict.again),
            (expected, false)
        );
    }

    #[rstest]
    #[case(Ending::NoChanges, Outcome::Completed, "NoChanges", false)]
    #[case(start("CloneFailed", "Could not resolve host: h"), Outcome::Failed, "CloneFailed", true)]
    #[case(
        start("CloneFailed", "The requested URL returned error: 502"),
        Outcome::Failed,
        "CloneFailed",
        true
    )]
    #[case(
        start("CloneFailed", "The requested URL returned error: 429"),
        Outcome::Failed,
        "CloneFailed",
        true
    )]
    #[case(start("CloneFailed", "fatal: early EOF"), Outcome::Failed, "CloneFailed", true)]
    #[case(
        start(
            "CloneFailed",
            "remote: Invalid token. fatal: Authentication failed for 'https://h/'"
        ),
        Outcome::Failed,
        "CloneFailed",
        false
    )]
    #[case(
        start("CloneFailed", "The requested URL returned error: 403"),
        Outcome::Failed,
        "CloneFailed",
        false
    )]
    #[case(
        start("CloneFailed", "fatal: repository 'https://h/' not found"),
        Outcome::Failed,
        "CloneFailed",
        false
    )]
    #[case(
        start("CloneFailed", "OpenSSL SSL_connect: SSL_ERROR_SYSCALL"),
        Outcome::Failed,
        "CloneFailed",
        true
    )]
    #[case(start("ContainerCrashed", "m"), Outcome::Failed, "ContainerCrashed", true)]
    #[case(start("SecretKeyMissing", "m"), Outcome::Failed, "SecretKeyMissing", false)]
    #[case(Ending::Plan("m".to_owned()), Outcome::Failed, "PlanMissing", false)]
    #[case(Ending::BranchExists { branch: "b".to_owned() }, Outcome::Failed, "BranchExists", false)]
    #[case(Ending::Agent("m".to_owned()), Outcome::Failed, "AgentFailed", true)]
    #[case(Ending::Push { words: "! [remote rejected]".to_owned() }, Outcome::Failed, "PushRejected", false)]
    #[case(Ending::Push { words: "Could not resolve host: h".to_owned() }, Outcome::Failed, "PushRejected", true)]
    #[case(Ending::Push { words: "returned error: 413 hung up unexpectedly".to_owned() }, Outcome::Failed, "PushRejected", false)]
    #[case(Ending::Push { words: "RPC failed; HTTP 422 curl 22 The requested URL returned error: 422".to_owned() }, Outcome::Failed, "PushRejected", false)]
    #[case(Ending::Push { words: "returned error: 503 hung up unexpectedly".to_owned() }, Outcome::Failed, "PushRejected", true)]
    #[case(Ending::Secret { place: "p".to_owned() }, Outcome::Failed, "SecretInCommit", false)]
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
        let url = Some("https://h/1".to_owned());
        let pushed = |pull_request| {
            let (branch, commit) = ("b".to_owned(), "c".to_owned());
            Ending::Pushed { branch, commit, pull_request }.verdict()
        };
        let verdict = pushed(url.clone());
        assert!(verdict.message.contains("https://h/1") && pushed(None).message.contains('b'));
        assert_eq!((verdict.pull_request_url, pushed(None).pull_request_url), (url, None));
        let (branch, commit, words) = ("b".to_owned(), "c".to_owned(), "no".to_owned());
        let failed = Ending::PullRequest { branch, commit, words, again: true }.verdict();
        assert_eq!(
            (&*failed.reason, failed.outcome, failed.again),
            ("PullRequestFailed", Outcome::Failed, true)
        );
        assert_eq!((failed.branch.as_deref(), failed.commit.as_deref()), (Some("b"), Some("c")));
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

        #[test]
        fn every_question_fits(text in "[a\u{1}é\"]{1,8}", times in 1_usize..256, options in 0_usize..=10) {
            let question = Question {
                id: "i".repeat(128),
                kind: QuestionKind::Approval,
                question: text.repeat(times),
                options: vec![text.repeat(25); options],
            };
            let verdict = fit(Ending::Escalated(question.clone()).verdict());
            prop_assert!(serde_json::to_string(&verdict).unwrap().len() <= TERMINATION_BYTES);
            let kept = verdict.question.unwrap();
            prop_assert!(kept.question.len() >= question.question.len().min(100));
            prop_assert!(question.question.len() > 300 || options > 1 || kept == question);
        }
    }
}
