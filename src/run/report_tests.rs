use super::super::tests::{defaults, run};
use super::*;
use fabrica_protocol::run::Verdict;
use rstest::rstest;
use serde_json::json;
use std::marker::PhantomData;

use super::super::observe::Asked;
use crate::children::Step;

#[test]
fn a_verdict_is_told_with_its_pull_request_and_what_all_attempts_used() {
    let verdict: Verdict = serde_json::from_value(json!({"outcome": "Completed", "reason": "Succeeded",
        "message": "done", "again": false, "commit": "c", "pullRequestUrl": "https://git.example/a/1",
        "usage": {"models": {"m": {"input": 1, "output": 2, "cacheRead": 3, "cacheWrite": 4}},
            "estimatedCostUSD": "0.2"}}))
    .unwrap();
    let used = json!({"inputTokens": 1, "outputTokens": 0, "cacheReadTokens": 0, "cacheWriteTokens": 0,
        "estimatedCostUSD": "0.1"});
    let status = json!({"startedAt": "2026-01-01T00:00:00Z", "attempts": [
        {"number": 1, "podName": "r-run-1", "finishedAt": "2026-01-01T00:01:00Z", "usage": used},
        {"number": 2, "podName": "r-run-2"}]});
    let run = run(&json!({"plan": "p", "repository": {"url": "https://git.example/a"}}), &status);
    let observed = Observed { run, ..Observed::default() };
    let plan = Plan {
        intent: Intent::Close(cause::of_verdict(&verdict)),
        policy: Step::Keep,
        claim: Step::Keep,
        text: Step::Keep,
        pod: Step::Keep,
        answer: None,
        resumes: false,
        expired: false,
        outcome: Outcome::Done,
        state: PhantomData,
    };
    insta::assert_yaml_snapshot!(report(&observed, &plan, &defaults(), now()));
}

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-01-01T01:00:00Z").unwrap().to_utc()
}

fn intends(intent: Intent) -> Plan<Applied> {
    Plan {
        intent,
        policy: Step::Keep,
        claim: Step::Keep,
        text: Step::Keep,
        pod: Step::Keep,
        answer: None,
        resumes: false,
        expired: false,
        outcome: Outcome::Done,
        state: PhantomData,
    }
}

/// A Run whose one pod runs, and told this.
fn asking(answers: &serde_json::Value, records: serde_json::Value) -> Observed {
    let began = "2026-01-01T00:50:00Z";
    let status = json!({"startedAt": began,
        "attempts": [{"number": 1, "podName": "r-run-1", "createdAt": began, "startedAt": began}]});
    let spec =
        json!({"plan": "p", "repository": {"url": "https://git.example/a"}, "answers": answers});
    let pod = json!({"metadata": {"uid": "pod", "ownerReferences": [{"apiVersion": "fabrica.dev/v1alpha1",
            "kind": "Run", "name": "r", "controller": true, "uid": "11111111-2222-3333-4444-555555555555"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [
            {"name": "run", "state": {"running": {"startedAt": began}}, "image": "", "imageID": "", "ready": true,
                "restartCount": 0}]}});
    let records = serde_json::from_value(records).unwrap();
    let asked = Asked { pod: "pod".to_owned(), address: String::new(), records, whole: true };
    Observed {
        run: run(&spec, &status),
        pod: Some(serde_json::from_value(pod).unwrap()),
        asked: vec![asked],
        ..Observed::default()
    }
}

#[test]
fn a_place_in_the_queue_is_a_number_until_it_is_left() {
    let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}});
    let seen = |before: &RunStatus, intent| {
        let run = run(&spec, &serde_json::to_value(before).unwrap());
        let observed = Observed { run, ..Observed::default() };
        report(&observed, &intends(intent), &defaults(), now())
    };
    let third = seen(&RunStatus::default(), Intent::Queue(3));
    assert_eq!((third.phase, third.queue_position), (Some(Phase::Queued), Some(3)));
    assert!(third.conditions[0].message.starts_with("Number 3 in the queue"));
    // Nothing is written while nothing moves.
    assert_eq!(seen(&third, Intent::Queue(3)), third);
    assert_eq!(seen(&third, Intent::Queue(2)).queue_position, Some(2));
    assert!(third.attempts.is_empty());
    let gone = seen(&third, Intent::Go);
    assert_eq!(
        gone.attempts[0].created_at,
        Some(to_kubernetes(now())),
        "from here on it has to start within the Pending deadline"
    );
    for left in [Intent::Go, Intent::Park, Intent::Close(cause::of_verdict(&cancelled()))] {
        assert_eq!(seen(&third, left).queue_position, None);
    }
}

#[test]
fn a_pause_says_until_when_and_why() {
    let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}});
    let paused = |cause: &str| {
        let words = "Could not resolve host: git.example";
        let status = json!({"attempts": [{"number": 1, "podName": "r-run-1", "cause": cause}], "messages": [
            {"seq": 1, "time": "2026-01-01T00:59:00Z", "type": "Failed", "text": words}]});
        let observed = Observed { run: run(&spec, &status), ..Observed::default() };
        let paused = report(&observed, &intends(Intent::Pause(now())), &defaults(), now());
        (paused.conditions[0].reason.clone(), paused.conditions[0].message.clone())
    };
    let until = now().format("%Y-%m-%dT%H:%M:%SZ");
    let message = format!("Another attempt begins at {until}. Could not resolve host: git.example");
    assert_eq!(paused("CloneFailed"), ("CloneFailed".to_owned(), message));
    assert!(paused("RateLimited").1.starts_with("The model's service"));
}

fn cancelled() -> Verdict {
    let told =
        json!({"outcome": "Cancelled", "reason": "Cancelled", "message": "m", "again": false});
    serde_json::from_value(told).unwrap()
}

#[test]
fn a_pause_says_why_and_until_when() {
    let began = "2026-01-01T00:50:00Z";
    let status = json!({"startedAt": began, "attempts": [{"number": 1, "podName": "r-run-1", "startedAt": began,
        "finishedAt": "2026-01-01T00:59:50Z", "cause": "RateLimited"}]});
    let run = run(&json!({"plan": "p", "repository": {"url": "https://git.example/a"}}), &status);
    let observed = Observed { run, ..Observed::default() };
    let until = now() + chrono::Duration::seconds(20);
    let status = report(&observed, &intends(Intent::Pause(until)), &defaults(), now());
    assert_eq!((status.phase, status.attempts.len()), (Some(Phase::Pending), 1));
    let found = &status.conditions[0];
    assert_eq!((&*found.status, &*found.reason), ("Unknown", "RateLimited"));
    assert!(found.message.ends_with("begins at 2026-01-01T01:00:20Z."), "{}", found.message);
}

#[test]
fn a_checkpoint_that_cannot_be_asked_for_is_waited_for_in_words() {
    let status =
        report(&asking(&json!([]), json!([])), &intends(Intent::Await), &defaults(), now());
    let found = &status.conditions[0];
    let expected = (Some(Phase::Pending), "Unknown", "CheckpointMissing");
    assert_eq!((status.phase, &*found.status, &*found.reason), expected);
    assert!(found.message.contains("database does not answer"), "{}", found.message);
    assert_eq!(status.finished_at, None);
}

/// The status of a Run whose one pod told this end of itself.
fn ended(outcome: &str, reason: &str, again: bool) -> RunStatus {
    let verdict = json!({"outcome": outcome, "reason": reason, "message": "in its own words", "again": again});
    let mut record = json!({"seq": 1, "time": ASKED, "kind": "ended"});
    record.as_object_mut().unwrap().extend(verdict.as_object().unwrap().clone());
    let observed = asking(&json!([]), json!([record]));
    let ending = cause::ending(&observed).unwrap();
    report(&observed, &intends(Intent::Close(ending)), &defaults(), now())
}

#[rstest]
fn every_reason_that_a_runtime_fails_with_is_passed_on_with_its_message(
    #[values(
        "AgentFailed",
        "AgentHung",
        "AgentMisconfigured",
        "AgentMissing",
        "AuthRejected",
        "BranchExists",
        "BranchMissing",
        "BudgetExceeded",
        "CheckpointMissing",
        "CloneFailed",
        "ContainerCrashed",
        "CredentialsMissing",
        "CreditExhausted",
        "DeadlineExceeded",
        "DriverUnknown",
        "ForgeUnusable",
        "GitMissing",
        "MaxTurns",
        "ModelUnavailable",
        "ModelUnknown",
        "ModelUnpriced",
        "PlanMissing",
        "PodEvicted",
        "PullRequestFailed",
        "PushRejected",
        "RateLimited",
        "RepositoryMissing",
        "SecretInCommit",
        "WorkItemFailed"
    )]
    reason: &str,
) {
    let status = ended("Failed", reason, false);
    let found = &status.conditions[0];
    let expected = (Some(Phase::Failed), "False", reason, "in its own words");
    assert_eq!((status.phase, &*found.status, &*found.reason, &*found.message), expected);
    assert_eq!(status.attempts[0].cause.as_deref(), Some(reason));
    assert!(status.finished_at.is_some());
    let again = ended("Failed", reason, true);
    let found = &again.conditions[0];
    let expected = (Some(Phase::Pending), "Unknown", reason);
    assert_eq!((again.phase, &*found.status, &*found.reason), expected);
    assert!(found.message.ends_with("in its own words"), "{}", found.message);
}

fn question(time: &str) -> serde_json::Value {
    json!({"seq": 1, "time": time, "kind": "question", "id": "a", "questionKind": "approval", "question": "May I?",
        "options": ["Yes", "No"]})
}

fn heard() -> serde_json::Value {
    json!({"seq": 2, "time": "2026-01-01T00:59:40Z", "kind": "answered", "id": "a", "text": "yes", "answeredBy": "ada"})
}

const ASKED: &str = "2026-01-01T00:59:30Z";

#[rstest]
#[case::held(json!([]), json!([question(ASKED)]), (Phase::Escalated, "Escalated", true, None))]
#[case::long_ago(json!([]), json!([question("2026-01-01T00:53:29Z")]), (Phase::Escalated, "WaitingInPod", true, None))]
#[case::on_its_way(json!([{"id": "a", "text": "yes"}]), json!([question(ASKED)]), (Phase::Running, "Running", true, None))]
#[case::answered(json!([{"id": "a", "text": "yes"}]), json!([question(ASKED), heard()]), (Phase::Running, "Running", false, Some(10)))]
fn a_question_is_told_while_it_waits(
    #[case] answers: serde_json::Value,
    #[case] records: serde_json::Value,
    #[case] expected: (Phase, &str, bool, Option<i64>),
) {
    let status = report(&asking(&answers, records), &intends(Intent::Go), &defaults(), now());
    let reason = &*status.conditions[0].reason;
    let found = (
        status.phase.unwrap(),
        reason,
        status.escalation.is_some(),
        status.attempts[0].waiting_seconds,
    );
    assert_eq!(found, expected);
}

#[test]
fn a_pod_that_is_let_go_leaves_its_question() {
    let mut observed = asking(&json!([]), json!([question(ASKED)]));
    let ending = Ending::last(Phase::Escalated, Reason::Escalated, "A question waits.");
    let status = report(&observed, &intends(Intent::Close(ending)), &defaults(), now());
    insta::assert_yaml_snapshot!(status);
    observed.run.status = Some(status.clone());
    observed.pod = None;
    let parked = report(&observed, &intends(Intent::Park), &defaults(), now());
    assert_eq!(parked, status, "a Run at rest causes no writes");
    let ended = report(
        &observed,
        &intends(Intent::Close(Ending::last(Phase::Failed, Reason::EscalationTimedOut, "Nobody."))),
        &defaults(),
        now(),
    );
    assert_eq!((ended.phase, ended.escalation), (Some(Phase::Failed), None));
    let told = &ended.messages.last().unwrap().text;
    let uid = "11111111-2222-3333-4444-555555555555";
    assert!(told.contains(&format!("git push origin :refs/fabrica/{uid}/wip")), "{told}");
    assert_eq!(ended.attempts, status.attempts);
}
