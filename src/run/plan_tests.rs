use super::super::snapshot::Snapshot;
use super::super::tests::{defaults, run};
use super::*;
use rstest::rstest;
use serde_json::{Value, json};

/// The clock stands at 2026-01-01T01:00:00Z.
fn decided(desired: &str, status: &Value, pod: Option<Value>) -> Plan<Prepared> {
    with(&json!({"desiredState": desired}), status, pod, Kept::Nothing)
}

/// The same with more of a spec, and with what an archive keeps.
pub(super) fn with(
    fields: &Value,
    status: &Value,
    pod: Option<Value>,
    kept: Kept,
) -> Plan<Prepared> {
    let mut spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}, "deadlineSeconds": 600,
        "agent": {"budgetUSD": "1"}});
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    let run = run(&spec, status);
    let pod = pod.map(|mut pod| {
        pod["metadata"]["uid"] = json!("pod");
        let owner = json!({"apiVersion": "fabrica.dev/v1alpha1", "kind": "Run", "name": "r", "controller": true,
            "uid": run.uid()});
        pod["metadata"]["ownerReferences"] = json!([owner]);
        serde_json::from_value(pod).unwrap()
    });
    let observed = Observed { run, pod, kept, ..Observed::default() };
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
#[case::turns("Running", json!({"startedAt": "2026-01-01T00:59:00Z", "attempts": [{"number": 1, "podName": "r-run-1",
    "startedAt": STARTED, "finishedAt": STARTED, "cause": "AgentFailed", "usage": {"inputTokens": 1, "outputTokens": 1,
    "cacheReadTokens": 0, "cacheWriteTokens": 0, "estimatedCostUSD": "0.10", "turns": 50}}]}), None,
    Some((Phase::Failed, Reason::MaxTurns)))]
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

/// What is done about the pod and the claim of a Run with a volume, when a former attempt's pod holds that or not.
fn with_volume(claim: Option<PersistentVolumeClaim>, held: bool) -> Plan<Prepared> {
    let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"},
        "workspace": {"size": "1Gi", "retain": true}});
    let observed = Observed {
        run: run(&spec, &attempt(None)),
        claim,
        holds_volume: held.then(|| "r-run-1".to_owned()),
        ..Observed::default()
    };
    let now = DateTime::parse_from_rfc3339("2026-01-01T01:00:00Z").unwrap().to_utc();
    plan(&observed, &defaults(), &KeyDocument::default(), now)
}

#[test]
fn a_volume_is_one_attempts_at_a_time() {
    assert!(matches!(with_volume(None, false).pod, Step::Create(_)));
    assert_eq!(with_volume(None, true).pod, Step::Wait("r-run-1".to_owned()));
}

#[test]
fn a_retained_volume_of_a_run_is_taken_over_and_a_sessions_is_not() {
    let Step::Apply(claim) = with_volume(None, false).claim else { panic!("it is to be made") };
    assert_eq!(with_volume(Some(*claim.clone()), false).claim, Step::Keep);
    let labelled = |label: &str, name: &str| {
        let mut claim = *claim.clone();
        claim.labels_mut().remove(fabrica_crds::names::RUN_NAME);
        claim.labels_mut().insert(label.to_owned(), name.to_owned());
        with_volume(Some(claim), false).claim
    };
    assert_eq!(labelled(fabrica_crds::names::RUN_NAME, "r"), Step::Keep);
    assert!(matches!(labelled(fabrica_crds::names::RUN_NAME, "q"), Step::Conflict(_)));
    assert!(matches!(labelled(fabrica_crds::names::SESSION_NAME, "r"), Step::Conflict(_)));
}

/// What is done about the copy of a plan and about the pod of a Run that refers to that plan.
fn referring(snapshot: Snapshot, second: i64) -> Plan<Prepared> {
    let spec = json!({"planRef": {"name": "plans", "key": "a.md"}, "repository": {"url": "https://git.example/a"}});
    let status = json!({"startedAt": "2026-01-01T01:00:00Z",
        "attempts": [{"number": 1, "podName": "r-run-1", "createdAt": "2026-01-01T01:00:00Z"}]});
    let observed = Observed { run: run(&spec, &status), snapshot, ..Observed::default() };
    let begun = DateTime::parse_from_rfc3339("2026-01-01T01:00:00Z").unwrap().to_utc();
    let now = begun + chrono::Duration::seconds(second);
    plan(&observed, &defaults(), &KeyDocument::default(), now)
}

#[test]
fn a_pod_is_made_once_its_plan_is_fixed() {
    let source = json!({"data": {"a.md": "# Do it"}});
    let source = Snapshot::Source(Some(serde_json::from_value(source).unwrap()));
    let first = referring(source, 1);
    assert_eq!(first.pod, Step::Keep);
    let Step::Create(copy) = first.text else { panic!("the plan is copied") };
    let second = referring(Snapshot::Copy(copy), 1);
    assert_eq!(second.text, Step::Keep);
    let Step::Create(pod) = second.pod else { panic!("the pod is made") };
    let volumes = pod.spec.unwrap().volumes.unwrap();
    let mounted = volumes.iter().find_map(|volume| volume.config_map.as_ref()).unwrap();
    assert_eq!(mounted.name, "r-run");
}

#[test]
fn a_plan_that_is_not_there_is_waited_for_until_the_deadline() {
    let early = referring(Snapshot::Source(None), 599);
    assert!(matches!((&early.text, &early.pod), (Step::Lack(_), Step::Keep)));
    let late = referring(Snapshot::Source(None), 601);
    assert_eq!(reason(&late), Some((Phase::Failed, Reason::ConfigMissing)));
}

fn asks(asked: &str, due: &str) -> Value {
    json!({"id": "a", "kind": "Approval", "question": "May I?", "askedAt": asked, "dueAt": due})
}

const DUE: &str = "2026-01-01T00:59:50Z";
pub(super) const LATER: &str = "2026-01-01T01:00:10Z";

/// An attempt that began an hour ago, nearly all of which it has waited.
fn held(due: &str) -> Value {
    let began = "2026-01-01T00:00:00Z";
    json!({"startedAt": began, "phase": "Escalated", "escalation": asks("2026-01-01T00:01:00Z", due),
        "attempts": [{"number": 1, "podName": "r-run-1", "createdAt": began, "startedAt": began}]})
}

/// The same, and its pod was let go.
pub(super) fn parked(due: &str) -> Value {
    let mut status = held(due);
    let attempt = &mut status["attempts"][0];
    attempt["finishedAt"] = json!("2026-01-01T00:06:00Z");
    attempt["waitingSeconds"] = json!(300);
    attempt["cause"] = json!("Escalated");
    status
}

pub(super) fn runs() -> Value {
    let state = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
    json!({"metadata": {}, "status": {"phase": "Running", "containerStatuses": [
        {"name": "run", "state": state, "image": "", "imageID": "", "ready": true, "restartCount": 0}]}})
}

fn lets_go(question: bool) -> Value {
    let asked = json!({"id": "a", "questionKind": "approval", "question": "May I?"});
    let mut verdict =
        json!({"outcome": "Escalated", "reason": "Escalated", "message": "A question waits."});
    if question {
        verdict["question"] = asked;
    }
    let mut pod = crashed();
    pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"] =
        json!(verdict.to_string());
    pod
}

const EXPIRED: (Phase, Reason) = (Phase::Failed, Reason::EscalationTimedOut);

#[rstest]
#[case::held(json!({}), held(LATER), Some(runs()), Intent::Go)]
#[case::overdue(json!({}), held(DUE), Some(runs()), Intent::Stop(StopReason::Cancelled))]
#[case::overdue_and_answered(json!({"answers": [{"id": "a", "text": "yes"}]}), held(DUE), Some(runs()), Intent::Go)]
#[case::overdue_and_continued(json!({"escalation": {"onTimeout": "Continue"}}), held(DUE), Some(runs()), Intent::Go)]
#[case::cancelled(json!({"desiredState": "Cancelled"}), held(LATER), Some(runs()), Intent::Stop(StopReason::Cancelled))]
#[case::parked(json!({}), parked(LATER), None, Intent::Park)]
#[case::parked_and_continued(json!({"escalation": {"onTimeout": "Continue"}}), parked(DUE), None, Intent::Go)]
#[case::parked_and_answered(json!({"answers": [{"id": "a", "text": "yes"}]}), parked(LATER), None, Intent::Go)]
fn questions_are_waited_for(
    #[case] fields: Value,
    #[case] status: Value,
    #[case] pod: Option<Value>,
    #[case] expected: Intent,
) {
    assert_eq!(with(&fields, &status, pod, Kept::There).intent, expected);
}

#[rstest]
#[case::overdue(json!({}), parked(DUE), None, Kept::There, EXPIRED)]
#[case::cancelled(json!({"desiredState": "Cancelled"}), parked(LATER), None, Kept::There, (Phase::Cancelled, Reason::Cancelled))]
#[case::cancelled_and_overdue(json!({"desiredState": "Cancelled"}), parked(DUE), None, Kept::There, (Phase::Cancelled, Reason::Cancelled))]
#[case::not_kept(json!({"answers": [{"id": "a", "text": "yes"}]}), parked(LATER), None, Kept::Nothing, (Phase::Failed, Reason::CheckpointMissing))]
#[case::no_time_left(json!({"deadlineSeconds": 60, "answers": [{"id": "a", "text": "yes"}]}), parked(LATER), None, Kept::There,
    (Phase::Failed, Reason::DeadlineExceeded))]
#[case::let_go(json!({}), held(LATER), Some(lets_go(true)), Kept::Nothing, (Phase::Escalated, Reason::Escalated))]
#[case::let_go_while_cancelled(json!({"desiredState": "Cancelled"}), held(LATER), Some(lets_go(true)), Kept::Nothing,
    (Phase::Cancelled, Reason::Cancelled))]
fn questions_end_runs(
    #[case] fields: Value,
    #[case] status: Value,
    #[case] pod: Option<Value>,
    #[case] kept: Kept,
    #[case] expected: (Phase, Reason),
) {
    assert_eq!(reason(&with(&fields, &status, pod, kept)), Some(expected));
}

#[test]
fn a_stop_because_nobody_answered_is_the_cause() {
    let mut status = held(DUE);
    status["stoppingAt"] = json!("2026-01-01T00:59:55Z");
    for pod in [crashed(), lets_go(true)] {
        assert_eq!(reason(&decided("Running", &status, Some(pod))), Some(EXPIRED));
    }
}

#[test]
fn an_answer_is_told_until_the_agent_has_it() {
    let fields = json!({"answers": [{"id": "a", "text": "yes", "answeredBy": "ada"}]});
    let answer = with(&fields, &held(LATER), Some(runs()), Kept::Nothing).answer.unwrap();
    assert_eq!((&*answer.id, &*answer.text, &*answer.answered_by), ("a", "yes", "ada"));
    assert_eq!(decided("Running", &held(LATER), Some(runs())).answer, None);
}

#[test]
fn a_next_attempt_waits_for_the_archive_and_goes_on_from_what_it_keeps() {
    let mut status = parked(LATER);
    let fields = json!({"answers": [{"id": "a", "text": "yes"}]});
    assert_eq!(with(&fields, &status, None, Kept::Unknown).intent, Intent::Await);
    status["attempts"]
        .as_array_mut()
        .unwrap()
        .push(json!({"number": 2, "podName": "r-run-2", "createdAt": DUE}));
    let Step::Create(pod) = with(&fields, &status, None, Kept::There).pod else {
        panic!("no pod is made")
    };
    assert!(build::resumes(&pod));
    let env = pod.spec.unwrap().containers.remove(0).env.unwrap();
    let seconds = env.iter().find(|variable| variable.name == "FABRICA_RUN_SECONDS").unwrap();
    assert_eq!(
        seconds.value.as_deref(),
        Some("540"),
        "of 600, 60 were used: what was waited is none"
    );
}

#[test]
fn a_time_that_comes_up_during_a_look_ends_nothing() {
    let fields = json!({"escalation": {"onTimeout": "Continue"}});
    assert_eq!(with(&fields, &parked(DUE), None, Kept::Unasked).intent, Intent::Park);
}

#[test]
fn a_lost_attempt_begins_anew_when_nothing_is_kept() {
    let status = json!({"startedAt": STARTED, "attempts": [
        {"number": 1, "podName": "r-run-1", "startedAt": STARTED, "finishedAt": STARTED, "cause": "NodeLost"},
        {"number": 2, "podName": "r-run-2", "createdAt": DUE}]});
    for (kept, expected) in [(Kept::Nothing, false), (Kept::There, true)] {
        let Step::Create(pod) = with(&json!({}), &status, None, kept).pod else {
            panic!("no pod is made")
        };
        assert_eq!(build::resumes(&pod), expected);
    }
}

/// Whether a Run goes that ended then, may stay for so long, and whose condition `Recorded` stands so.
fn goes(finished: &str, seconds: i64, recorded: (&str, &str)) -> bool {
    let (status, reason) = recorded;
    let condition = json!({"type": "Recorded", "status": status, "reason": reason, "message": "",
        "lastTransitionTime": finished});
    let status = json!({"phase": "Completed", "finishedAt": finished, "conditions": [condition]});
    let fields = json!({"ttlSecondsAfterFinished": seconds});
    with(&fields, &status, None, Kept::Unasked).expired
}

const NOW: &str = "2026-01-01T01:00:00Z";

#[rstest]
#[case::archived(NOW, 0, ("True", "AllRecorded"), true)]
#[case::not_yet(NOW, 1, ("True", "AllRecorded"), false)]
#[case::lost(NOW, 0, ("False", "RecordsLost"), true)]
#[case::no_database(NOW, 0, ("Unknown", "NoDatabase"), true)]
#[case::behind(NOW, 0, ("False", "Behind"), false)]
#[case::not_asked(NOW, 0, ("Unknown", "Recording"), false)]
#[case::behind_for_nearly_an_hour("2026-01-01T00:00:01Z", 0, ("False", "Behind"), false)]
#[case::behind_for_an_hour("2026-01-01T00:00:00Z", 0, ("False", "Behind"), true)]
fn a_run_goes_when_its_journal_is_archived_or_will_not_be(
    #[case] finished: &str,
    #[case] seconds: i64,
    #[case] recorded: (&str, &str),
    #[case] expected: bool,
) {
    assert_eq!(goes(finished, seconds, recorded), expected);
}

/// Attempts that ended for these causes, the last of them then.
fn ended(finished: &str, causes: &[&str]) -> Value {
    let attempt = |cause: &&str| {
        json!({"number": 1, "podName": "r-run-1", "startedAt": finished,
        "finishedAt": finished, "cause": cause})
    };
    json!({"startedAt": STARTED, "attempts": causes.iter().map(attempt).collect::<Vec<_>>()})
}

#[rstest]
#[case::limited(ended("2026-01-01T00:59:31Z", &["RateLimited"]), false)]
#[case::long_enough_ago(ended("2026-01-01T00:59:30Z", &["RateLimited"]), true)]
#[case::a_lost_node(ended(NOW, &["NodeLost"]), true)]
#[case::out_of_order(ended(NOW, &["RateLimited", "NodeLost"]), true)]
#[case::again(ended("2026-01-01T00:59:01Z", &["RateLimited", "ModelUnavailable"]), false)]
#[case::again_and_long_enough_ago(ended("2026-01-01T00:59:00Z", &["RateLimited", "ModelUnavailable"]), true)]
fn a_model_that_does_not_answer_is_given_time(#[case] status: Value, #[case] expected: bool) {
    let found = with(&json!({}), &status, None, Kept::Nothing).intent;
    assert_eq!(found == Intent::Go, expected, "{found:?}");
}

#[rstest]
#[case::just_lost(ended("2026-01-01T00:58:01Z", &["NodeLost"]), Intent::Await)]
#[case::lost_long_ago(ended("2026-01-01T00:58:00Z", &["NodeLost"]), Intent::Go)]
fn an_archive_that_is_away_holds_up_for_a_while_who_need_not_have_it(
    #[case] status: Value,
    #[case] expected: Intent,
) {
    assert_eq!(with(&json!({}), &status, None, Kept::Unknown).intent, expected);
    let mut unheard = status;
    unheard["escalation"] = asks("2026-01-01T00:01:00Z", LATER);
    let fields = json!({"answers": [{"id": "a", "text": "yes"}]});
    let found = with(&fields, &unheard, None, Kept::Unknown).intent;
    assert_eq!(found, Intent::Await, "the agent would never hear the answer");
}
