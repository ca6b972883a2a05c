//! What becomes of a Run whose pod does not start, or does not stop, in time.

use super::super::tests::{defaults, run};
use super::tests::{LATER, parked, runs, with};
use super::*;
use rstest::rstest;
use serde_json::{Value, json};

/// A container that the kubelet cannot start.
fn waits(why: &str, words: &str) -> Value {
    let state = json!({"waiting": {"reason": why, "message": words}});
    json!({"phase": "Pending", "containerStatuses": [
        {"name": "run", "state": state, "image": "", "imageID": "", "ready": false, "restartCount": 0}]})
}

fn no_room() -> Value {
    json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/1 nodes are available"}]})
}

#[rstest]
#[case::no_room(Some(no_room()), Reason::Unschedulable, "0/1 nodes are available")]
#[case::no_image(
    Some(waits("ImagePullBackOff", "no such host")),
    Reason::ImagePullFailed,
    "no such host"
)]
#[case::no_secret(
    Some(waits("CreateContainerConfigError", "secret \"keys\" not found")),
    Reason::SecretMissing,
    "secret \"keys\" not found"
)]
#[case::slow(Some(json!({"phase": "Pending"})), Reason::PendingDeadlineExceeded, "waits for the node")]
#[case::no_pod(None, Reason::PendingDeadlineExceeded, "is being made")]
fn what_does_not_start_within_the_pending_deadline_ends_by_its_cause(
    #[case] pod: Option<Value>,
    #[case] reason: Reason,
    #[case] mentions: &str,
) {
    let pod = pod.map(|status| json!({"metadata": {}, "status": status}));
    let made = |at: &str| {
        let status = json!({"startedAt": at, "attempts": [{"number": 1, "podName": "r-run-1", "createdAt": at}]});
        with(&json!({}), &status, pod.clone(), Kept::Nothing)
    };
    assert_eq!(made("2026-01-01T00:50:00Z").intent, Intent::Go, "600 s are the limit");
    let late = made("2026-01-01T00:49:59Z");
    let Intent::Close(ending) = &late.intent else { panic!("{:?}", late.intent) };
    assert_eq!((ending.phase, ending.reason, ending.again), (Phase::Failed, reason, false));
    assert!(ending.message.starts_with("Not started within 600 s: "), "{}", ending.message);
    assert!(ending.message.contains(mentions), "{}", ending.message);
    let expected = if pod.is_some() { Step::Delete("pod".to_owned()) } else { Step::Keep };
    assert_eq!(late.pod, expected, "it would try for ever");
}

#[rstest]
#[case::new(json!({"phase": "Queued", "queuePosition": 2}))]
#[case::let_go_and_answered(parked(LATER))]
fn nothing_is_overdue_in_the_queue_nor_right_after_it(#[case] status: Value) {
    let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"},
        "answers": [{"id": "a", "text": "yes"}]});
    let mut run = run(&spec, &status);
    let now = DateTime::parse_from_rfc3339("2026-01-01T01:00:00Z").unwrap().to_utc();
    let made = now - chrono::Duration::hours(1);
    run.metadata.creation_timestamp = Some(fabrica_crds::time::to_kubernetes(made));
    for (place, expected) in [(Place::Waits(2), Intent::Queue(2)), (Place::Goes, Intent::Go)] {
        let observed =
            Observed { run: run.clone(), place, kept: Kept::There, ..Observed::default() };
        assert_eq!(plan(&observed, &defaults(), &KeyDocument::default(), now).intent, expected);
    }
}

/// What is done at one o'clock about a Run that has run for so long of the 600 seconds it may, told to stop so long ago.
fn overrun(ran: i64, told: Option<i64>) -> Plan<Prepared> {
    let now = DateTime::parse_from_rfc3339("2026-01-01T01:00:00Z").unwrap().to_utc();
    let before = |seconds| now - chrono::Duration::seconds(seconds);
    let mut status = json!({"startedAt": before(ran), "attempts": [{"number": 1, "podName": "r-run-1",
        "createdAt": before(ran), "startedAt": before(ran)}]});
    if let Some(told) = told {
        status["stoppingAt"] = json!(before(told));
    }
    with(&json!({}), &status, Some(runs()), Kept::Nothing)
}

#[rstest]
#[case::at_the_runtimes_own_time(605, None, Intent::Go, false)]
#[case::overdue(606, None, Intent::Stop(StopReason::DeadlineExceeded), false)]
#[case::told(665, Some(59), Intent::Stop(StopReason::DeadlineExceeded), false)]
#[case::deaf(666, Some(60), Intent::Stop(StopReason::DeadlineExceeded), true)]
fn a_runtime_that_does_not_end_at_the_deadline_is_ended(
    #[case] ran: i64,
    #[case] told: Option<i64>,
    #[case] intent: Intent,
    #[case] goes: bool,
) {
    let found = overrun(ran, told);
    assert_eq!((found.intent, matches!(found.pod, Step::Delete(_))), (intent, goes));
}
