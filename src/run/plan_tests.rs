use super::super::tests::{defaults, run};
use super::*;
use rstest::rstest;
use serde_json::{Value, json};

/// The clock stands at 2026-01-01T01:00:00Z.
fn decided(desired: &str, status: &Value, pod: Option<Value>) -> Plan<Prepared> {
    let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}, "desiredState": desired,
        "deadlineSeconds": 600, "agent": {"budgetUSD": "1"}});
    let run = run(&spec, status);
    let pod = pod.map(|mut pod| {
        pod["metadata"]["uid"] = json!("pod");
        let owner = json!({"apiVersion": "fabrica.dev/v1alpha1", "kind": "Run", "name": "r", "controller": true,
            "uid": run.uid()});
        pod["metadata"]["ownerReferences"] = json!([owner]);
        serde_json::from_value(pod).unwrap()
    });
    let observed = Observed { run, pod, ..Observed::default() };
    let now = DateTime::parse_from_rfc3339("2026-01-01T01:00:00Z").unwrap().to_utc();
    plan(&observed, &defaults(), &KeyDocument::default(), now)
}

fn attempt(started: Option<&str>) -> Value {
    json!({"startedAt": "2026-01-01T00:59:00Z",
        "attempts": [{"number": 1, "podName": "r-run-1", "startedAt": started}]})
}

fn crashed() -> Value {
    let state = json!({"terminated": {"exitCode": 1, "startedAt": "2026-01-01T00:59:00Z"}});
    json!({"metadata": {}, "status": {"phase": "Failed", "containerStatuses": [
        {"name": "run", "state": state, "image": "", "imageID": "", "ready": false, "restartCount": 0}]}})
}

const STARTED: Option<&str> = Some("2026-01-01T00:59:00Z");

fn reason(plan: &Plan<Prepared>) -> Option<(Phase, Reason)> {
    match &plan.intent {
        Intent::Close(ending) => Some((ending.phase, ending.reason)),
        _ => None,
    }
}

#[rstest]
#[case::crash("Running", attempt(STARTED), Some(crashed()), Some((Phase::Failed, Reason::ContainerCrashed)))]
#[case::crash_while_cancelled("Cancelled", attempt(STARTED), Some(crashed()), Some((Phase::Cancelled, Reason::Cancelled)))]
#[case::gone("Running", attempt(STARTED), None, Some((Phase::Failed, Reason::PodLost)))]
#[case::cancelled_in_the_queue("Cancelled", json!({}), None, Some((Phase::Cancelled, Reason::Cancelled)))]
#[case::deletion_hangs("Cancelled", attempt(STARTED),
    Some(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:58:00Z"}})), Some((Phase::Cancelled, Reason::Cancelled)))]
#[case::node_given_up("Running", attempt(STARTED),
    Some(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:59:59Z"}, "status": {"reason": "NodeLost"}})),
    Some((Phase::Failed, Reason::NodeLost)))]
#[case::budget("Running", json!({"startedAt": "2026-01-01T00:59:00Z", "attempts": [{"number": 1, "podName": "r-run-1",
    "startedAt": STARTED, "finishedAt": STARTED, "cause": "AgentFailed", "usage": {"inputTokens": 1, "outputTokens": 1,
    "cacheReadTokens": 0, "cacheWriteTokens": 0, "estimatedCostUSD": "1.00"}}]}), None,
    Some((Phase::Failed, Reason::BudgetExceeded)))]
#[case::not_made_yet("Running", attempt(None), None, None)]
fn how_attempts_end(
    #[case] desired: &str,
    #[case] status: Value,
    #[case] pod: Option<Value>,
    #[case] expected: Option<(Phase, Reason)>,
) {
    assert_eq!(reason(&decided(desired, &status, pod)), expected);
}

#[test]
fn a_stop_at_the_deadline_is_the_cause() {
    let mut status = attempt(STARTED);
    status["stoppingAt"] = json!("2026-01-01T00:59:30Z");
    let decided = decided("Running", &status, Some(crashed()));
    assert_eq!(reason(&decided), Some((Phase::Failed, Reason::DeadlineExceeded)));
}

#[test]
fn an_attempt_is_recorded_before_its_pod_is_made() {
    assert_eq!(decided("Running", &json!({}), None).pod, Step::Keep);
    assert!(matches!(decided("Running", &attempt(None), None).pod, Step::Create(_)));
}
