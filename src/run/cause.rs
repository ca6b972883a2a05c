//! How an attempt ended, and whether another follows. Pure.

use fabrica_crds::run::{Attempt, INFRASTRUCTURE_RETRIES, Phase, Usage};
use fabrica_crds::{Reason, RunSpec};
use fabrica_protocol::run::{Entry, Outcome, Question, Verdict};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};

use super::escalation::is_continued;
use super::observe::Observed;
use crate::children::cause::is_out_of_memory;
use crate::children::state::{has_ended, terminated};
use crate::children::usage::of;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) phase: Phase,
    pub(super) reason: Reason,
    pub(super) message: String,
    /// Whether another attempt may end otherwise.
    pub(super) again: bool,
    pub(super) commit: Option<String>,
    pub(super) pull_request_url: Option<String>,
    /// What its models were used for, when the verdict says it.
    pub(super) usage: Option<Usage>,
    /// With Escalated: what waits for an answer.
    pub(super) question: Option<Box<Question>>,
}

impl Ending {
    /// One that nothing follows.
    pub(super) fn last(phase: Phase, reason: Reason, message: impl Into<String>) -> Self {
        let (message, again) = (message.into(), false);
        Self {
            phase,
            reason,
            message,
            again,
            commit: None,
            pull_request_url: None,
            usage: None,
            question: None,
        }
    }

    /// One that was not the plan's fault.
    fn lost(reason: Reason, message: impl Into<String>) -> Self {
        Self { again: true, ..Self::last(Phase::Failed, reason, message) }
    }
}

/// How the present attempt ended, if it has: by its verdict, else by what became of its pod.
pub(super) fn ending(observed: &Observed) -> Option<Ending> {
    let told = observed.records().iter().rev().find_map(|record| match &record.entry {
        Entry::Ended(verdict) => Some(of_verdict(verdict)),
        _ => None,
    });
    told.or_else(|| of_pod(observed.pod.as_ref()?))
}

pub(super) fn of_verdict(verdict: &Verdict) -> Ending {
    let phase = match verdict.outcome {
        Outcome::Completed => Phase::Completed,
        Outcome::Failed => Phase::Failed,
        Outcome::Cancelled => Phase::Cancelled,
        Outcome::Escalated => Phase::Escalated,
    };
    let (reason, message) = match Reason::named(&verdict.reason) {
        Some(reason) => (reason, verdict.message.clone()),
        // A runtime of another version: its word stands in the message, and its outcome decides.
        None => (unnamed(phase), format!("{}: {}", verdict.reason, verdict.message)),
    };
    Ending {
        phase,
        reason,
        message,
        again: verdict.again && phase == Phase::Failed,
        commit: verdict.commit.clone(),
        pull_request_url: verdict.pull_request_url.clone(),
        usage: verdict.usage.as_ref().map(of),
        question: verdict.question.clone().map(Box::new),
    }
}

/// What a verdict with a reason that we do not know comes to.
const fn unnamed(phase: Phase) -> Reason {
    match phase {
        Phase::Completed => Reason::Succeeded,
        Phase::Cancelled => Reason::Cancelled,
        Phase::Escalated => Reason::Escalated,
        _ => Reason::AgentFailed,
    }
}

/// What a container ends with that is killed. Nobody inside kills a container's first process with a signal.
const KILLED: i32 = 137;

/// The verdict of a container that ended as its runtime does with that outcome, or was killed from outside while the runtime
/// waited for somebody to read its journal. Its agent may write the file of the message too, and have the kernel end the
/// container for its memory before anybody writes over that.
fn believed(ended: &ContainerStateTerminated) -> Option<Verdict> {
    let verdict: Verdict = serde_json::from_str(ended.message.as_deref()?).ok()?;
    let is_killed = ended.exit_code == KILLED && !is_out_of_memory(ended);
    (ended.exit_code == i32::from(verdict.outcome.exit_code()) || is_killed).then_some(verdict)
}

fn of_pod(pod: &Pod) -> Option<Ending> {
    let status = pod.status.as_ref()?;
    if let Some(ended) = terminated(pod) {
        if let Some(verdict) = believed(ended) {
            return Some(of_verdict(&verdict));
        }
        if is_out_of_memory(ended) {
            let message = "The container needed more memory than resources.limits.memory allows and was killed.";
            return Some(Ending::lost(Reason::OOMKilled, message));
        }
    }
    if !has_ended(pod) {
        return None;
    }
    let words = status.message.as_deref().unwrap_or_default();
    Some(match status.reason.as_deref() {
        Some("Evicted") => {
            Ending::lost(Reason::Evicted, format!("The node put the pod out: {words}"))
        }
        Some("NodeLost") => Ending::lost(Reason::NodeLost, "The pod's node does not answer."),
        _ => Ending::lost(Reason::ContainerCrashed, "The container ended without a verdict."),
    })
}

/// The pod of an attempt is out of reach for good.
pub(super) fn lost(reason: Reason, message: &str) -> Ending {
    Ending::lost(reason, message)
}

/// The pod of an attempt is not there any more.
pub(super) fn gone() -> Ending {
    Ending::lost(Reason::PodLost, "The pod is gone: it was deleted, or its node was.")
}

/// Whether an attempt that ended so, after these, is followed by another.
pub(super) fn follows(ending: &Ending, former: &[Attempt], spec: &RunSpec) -> bool {
    /// As many as the status lists beside those that only continued another.
    const ATTEMPTS: usize = 15;
    let former: Vec<_> = former.iter().filter(|attempt| !is_continued(attempt)).collect();
    let is_agents = |cause: &str| {
        let agents = [Reason::AgentFailed, Reason::OOMKilled, Reason::AgentHung];
        agents.iter().any(|reason| reason.as_str() == cause)
    };
    let causes = former.iter().filter_map(|attempt| attempt.cause.as_deref());
    let agents = is_agents(ending.reason.as_str());
    let failures = 1 + causes.filter(|cause| is_agents(cause) == agents).count();
    let most = if agents {
        usize::try_from(spec.max_attempts).unwrap_or(1)
    } else {
        INFRASTRUCTURE_RETRIES + 1
    };
    ending.again && failures < most && former.len() + 1 < ATTEMPTS
}

/// Whether an attempt after these is the last one, should the agent fail, and should anything else.
pub(super) fn is_last(attempts: &[Attempt], spec: &RunSpec) -> (bool, bool) {
    let finished = attempts.iter().filter(|attempt| attempt.finished_at.is_some());
    let former: Vec<Attempt> = finished.cloned().collect();
    let ends = |reason| !follows(&Ending::lost(reason, ""), &former, spec);
    (ends(Reason::AgentFailed), ends(Reason::PodLost))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::agent_once(Reason::AgentFailed, &[], true)]
    #[case::agent_twice(Reason::AgentFailed, &["AgentFailed"], false)]
    #[case::out_of_memory_counts_as_the_agent(Reason::OOMKilled, &["AgentFailed"], false)]
    #[case::a_lost_node_does_not(Reason::NodeLost, &["AgentFailed"], true)]
    #[case::five_more(Reason::Evicted, &["PodLost", "PodLost", "PodLost", "PodLost"], true)]
    #[case::a_question_is_no_failure(Reason::Evicted, &["PodLost", "PodLost", "PodLost", "PodLost", "Escalated", "Escalated"], true)]
    #[case::no_sixth(Reason::Evicted, &["PodLost", "PodLost", "PodLost", "PodLost", "PodLost"], false)]
    fn which_attempts_are_followed(
        #[case] reason: Reason,
        #[case] former: &[&str],
        #[case] expected: bool,
    ) {
        let attempt =
            |cause: &&str| Attempt { cause: Some((*cause).to_owned()), ..Attempt::default() };
        let former: Vec<_> = former.iter().map(attempt).collect();
        let spec = RunSpec { max_attempts: 2, ..RunSpec::default() };
        assert_eq!(follows(&Ending::lost(reason, ""), &former, &spec), expected);
        let last = Ending::last(Phase::Failed, reason, "");
        assert!(!follows(&last, &former, &spec), "a verdict without again is the last");
    }

    /// A pod whose container ended so, and left a verdict with this outcome.
    fn left(code: i32, word: &str, outcome: Option<&str>) -> Pod {
        let message = outcome.map(|outcome| {
            json!({"outcome": outcome, "reason": "Other", "message": "m", "again": false,
                "pullRequestUrl": "https://git.example/b/1"})
            .to_string()
        });
        let ended = json!({"exitCode": code, "reason": word, "message": message});
        serde_json::from_value(json!({"status": {"phase": "Failed", "containerStatuses": [
            {"name": "run", "state": {"terminated": ended}, "image": "", "imageID": "", "ready": false,
                "restartCount": 0}]}}))
        .unwrap()
    }

    #[rstest]
    #[case::done(0, "Completed", Some("Completed"), Reason::Succeeded)]
    #[case::failed(1, "Error", Some("Failed"), Reason::AgentFailed)]
    #[case::cancelled(1, "Error", Some("Cancelled"), Reason::Cancelled)]
    #[case::let_go(1, "Error", Some("Escalated"), Reason::Escalated)]
    #[case::only_a_program_was_killed(0, "OOMKilled", Some("Completed"), Reason::Succeeded)]
    #[case::forged_before_it_was_killed(137, "OOMKilled", Some("Completed"), Reason::OOMKilled)]
    #[case::forged_failure(137, "OOMKilled", Some("Failed"), Reason::OOMKilled)]
    #[case::killed_while_it_waited(137, "Error", Some("Completed"), Reason::Succeeded)]
    #[case::killed_before(137, "Error", None, Reason::ContainerCrashed)]
    #[case::told_to_end(143, "Error", Some("Completed"), Reason::ContainerCrashed)]
    #[case::panicked(101, "Error", Some("Failed"), Reason::ContainerCrashed)]
    #[case::another_outcome(1, "Error", Some("Completed"), Reason::ContainerCrashed)]
    #[case::another_code(0, "Completed", Some("Failed"), Reason::ContainerCrashed)]
    #[case::out_of_memory(137, "OOMKilled", None, Reason::OOMKilled)]
    #[case::no_verdict(1, "Error", None, Reason::ContainerCrashed)]
    fn a_verdict_is_believed_where_the_container_ended_as_it_says(
        #[case] code: i32,
        #[case] word: &str,
        #[case] outcome: Option<&str>,
        #[case] expected: Reason,
    ) {
        let ending = of_pod(&left(code, word, outcome)).unwrap();
        assert_eq!(ending.reason, expected);
        let lost = matches!(expected, Reason::OOMKilled | Reason::ContainerCrashed);
        assert_eq!((ending.again, ending.pull_request_url.is_none()), (lost, lost));
    }

    #[test]
    fn the_last_attempt_is_known_before_it_ends() {
        let spec = RunSpec { max_attempts: 2, ..RunSpec::default() };
        let ended = |cause: &str| Attempt {
            finished_at: Some(fabrica_crds::time::to_kubernetes(chrono::DateTime::UNIX_EPOCH)),
            cause: Some(cause.to_owned()),
            ..Attempt::default()
        };
        let lost = || ended("PodLost");
        assert_eq!(is_last(&[Attempt::default()], &spec), (false, false));
        assert_eq!(is_last(&[ended("AgentFailed"), Attempt::default()], &spec), (true, false));
        assert_eq!(is_last(&[lost(), lost(), lost(), lost(), lost()], &spec), (false, true));
    }
}
