use super::super::tests::run;
use super::*;
use crate::run::tests::defaults;
use rstest::rstest;
use serde_json::{Value, json};

const STARTED: &str = "2026-01-01T00:00:00Z";

/// When a pass at second 60 after the start looks again, at a Run whose attempt is as old.
fn look(status: &Value, pod: Option<&Value>, place: Place, followed: bool) -> u64 {
    let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}, "deadlineSeconds": 600});
    let run = run(&spec, status);
    let pod = pod.map(|state| {
        let owner = json!({"apiVersion": "fabrica.dev/v1alpha1", "kind": "Run", "name": "r", "controller": true,
            "uid": run.metadata.uid});
        serde_json::from_value(json!({"metadata": {"uid": "pod", "ownerReferences": [owner]}, "status": {"containerStatuses": [
            {"name": "run", "state": state, "image": "", "imageID": "", "ready": true, "restartCount": 0}]}}))
        .unwrap()
    });
    let status = run.status.clone().unwrap_or_default();
    let observed = Observed { run, pod, place, ..Observed::default() };
    next_look(&observed, &status, followed, &defaults(), at(60)).as_secs()
}

/// So many seconds after the start.
fn at(second: i64) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(STARTED).unwrap().to_utc() + chrono::Duration::seconds(second)
}

fn attempt(fields: &Value) -> Value {
    let mut status = json!({"phase": "Running", "startedAt": STARTED,
        "attempts": [{"number": 1, "podName": "r-run-1", "createdAt": STARTED, "startedAt": STARTED}]});
    for (name, value) in fields.as_object().unwrap() {
        status[name] = value.clone();
    }
    status
}

fn asks(due: &str) -> Value {
    json!({"escalation": {"id": "a", "kind": "Approval", "question": "May I?", "askedAt": STARTED, "dueAt": due}})
}

#[rstest]
#[case::read_by_us(json!({}), false, 2)]
#[case::read_along(json!({}), true, 10)]
#[case::told_to_stop(json!({"stoppingAt": STARTED}), true, 2)]
#[case::a_question_that_is_due(asks("2026-01-01T00:01:05Z"), true, 5)]
#[case::the_deadline_nears(json!({"attempts": [{"number": 1, "podName": "r-run-1", "createdAt": "2025-12-31T23:51:03Z",
    "startedAt": "2025-12-31T23:51:03Z"}]}), true, 8)]
fn one_that_is_at_work(#[case] fields: Value, #[case] followed: bool, #[case] expected: u64) {
    let runs = json!({"running": {"startedAt": STARTED}});
    assert_eq!(look(&attempt(&fields), Some(&runs), Place::Goes, followed), expected);
}

#[rstest]
#[case::the_first(1, 2)]
#[case::the_tenth(10, 20)]
#[case::the_last_of_many(500, 60)]
fn those_in_front_of_a_queue_look_often(#[case] position: usize, #[case] expected: u64) {
    assert_eq!(look(&json!({"phase": "Queued"}), None, Place::Waits(position), false), expected);
}

#[test]
fn what_waits_for_its_container_is_looked_at_when_its_age_has_doubled() {
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff"}});
    assert_eq!(look(&attempt(&json!({})), Some(&waiting), Place::Goes, false), 60);
}

#[test]
fn nothing_is_expected_of_one_that_has_ended_but_its_time_to_go() {
    let ended = attempt(&json!({"phase": "Completed", "finishedAt": STARTED}));
    assert_eq!(look(&ended, None, Place::Goes, true), QUIET.as_secs());
}

#[rstest]
#[case::archived("AllRecorded", "True", 0)]
#[case::behind("Behind", "False", 3_540)]
fn what_is_to_go_is_looked_at_when_it_may(
    #[case] reason: &str,
    #[case] truth: &str,
    #[case] expected: u64,
) {
    let condition = json!({"type": "Recorded", "status": truth, "reason": reason, "message": "",
        "lastTransitionTime": STARTED});
    let status = json!({"phase": "Completed", "finishedAt": STARTED, "conditions": [condition]});
    let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}, "ttlSecondsAfterFinished": 60});
    let run = run(&spec, &status);
    let status = run.status.clone().unwrap_or_default();
    let observed = Observed { run, ..Observed::default() };
    assert_eq!(next_look(&observed, &status, false, &defaults(), at(60)).as_secs(), expected);
}

#[test]
fn a_pause_is_looked_at_when_it_ends() {
    let paused = |cause: &str| {
        attempt(
            &json!({"phase": "Pending", "attempts": [{"number": 1, "podName": "r-run-1", "createdAt": STARTED,
            "startedAt": STARTED, "finishedAt": "2026-01-01T00:00:45Z", "cause": cause}]}),
        )
    };
    assert_eq!(look(&paused("ModelUnavailable"), None, Place::Goes, false), 15);
    assert_eq!(look(&paused("NodeLost"), None, Place::Goes, false), 60);
}
