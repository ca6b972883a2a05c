use super::super::build::tests::{defaults, minimal, session};
use super::*;
use chrono::Duration;
use fabrica_crds::Session;
use fabrica_protocol::runtime::{Resumes, Returns, Workspace};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn text(seconds: i64) -> String {
    at(seconds).to_rfc3339()
}

fn idle(last: i64, busy: bool, visible: u32) -> Idle {
    Idle {
        started_at: at(0),
        last_activity_at: at(last),
        busy,
        clients: visible,
        visible_clients: visible,
        terminals: 1,
        oom_kills: 0,
        reconnects: 0,
        returns: Returns::default(),
        resumes: Resumes::default(),
        terminal: fabrica_protocol::runtime::TerminalCounters::default(),
        bytes_in: 0,
        bytes_out: 0,
        workspace: Workspace::default(),
        journal: None,
        agent: None,
        conversation: None,
    }
}

fn stopped(reason: Reason, when: i64) -> SessionStatus {
    serde_json::from_value(
        json!({"stoppedAt": text(when), "conditions": [{"type": "Suspended", "status": "True",
        "reason": reason.as_str(), "message": "", "lastTransitionTime": text(when)}]}),
    )
    .unwrap()
}

const RUN: Intent = Intent::Run;
const SUSPENDED: Intent = Intent::Stop(StopReason::Suspended);
const IDLE: Intent = Intent::Stop(StopReason::IdleTimeout);
const SHUTDOWN: Intent = Intent::Stop(StopReason::ShutdownTime);

/// The clock stands at 1000 s.
#[rstest]
#[case::plain(json!({}), None, None, RUN)]
#[case::suspended(json!({"operatingMode": "Suspended"}), None, None, SUSPENDED)]
#[case::resumed(json!({}), Some((Reason::Suspended, 900)), None, RUN)]
#[case::busy(json!({"idleTimeoutSeconds": 60}), None, Some(idle(0, true, 0)), RUN)]
#[case::watched(json!({"idleTimeoutSeconds": 60}), None, Some(idle(0, false, 1)), RUN)]
#[case::idle_for_long(json!({"idleTimeoutSeconds": 60}), None, Some(idle(940, false, 0)), IDLE)]
#[case::idle_for_short(json!({"idleTimeoutSeconds": 60}), None, Some(idle(941, false, 0)), RUN)]
#[case::idle_unknown(json!({"idleTimeoutSeconds": 60}), None, None, RUN)]
#[case::stays_idle(json!({"idleTimeoutSeconds": 60}), Some((Reason::IdleTimeout, 900)), None, IDLE)]
#[case::woken(json!({"idleTimeoutSeconds": 60, "wakeTime": text(950)}), Some((Reason::IdleTimeout, 900)), None, RUN)]
#[case::woken_before(json!({"idleTimeoutSeconds": 60, "wakeTime": text(800)}), Some((Reason::IdleTimeout, 900)), None, IDLE)]
#[case::woken_later(json!({"idleTimeoutSeconds": 60, "wakeTime": text(1100)}), Some((Reason::IdleTimeout, 900)), None, IDLE)]
#[case::timeout_removed(json!({}), Some((Reason::IdleTimeout, 900)), None, RUN)]
#[case::just_woken_is_not_idle(json!({"idleTimeoutSeconds": 60, "wakeTime": text(990)}), None, Some(idle(0, false, 0)), RUN)]
#[case::shut_down(json!({"shutdownTime": text(999)}), None, None, SHUTDOWN)]
#[case::shut_down_later(json!({"shutdownTime": text(1001)}), None, None, RUN)]
#[case::after_hours(json!({"shutdownTime": text(900), "wakeTime": text(950)}), Some((Reason::ShutdownTime, 900)), None, RUN)]
#[case::shutdown_moved(json!({"shutdownTime": text(2000)}), Some((Reason::ShutdownTime, 900)), None, RUN)]
fn intents(
    #[case] spec: serde_json::Value,
    #[case] before: Option<(Reason, i64)>,
    #[case] idle: Option<Idle>,
    #[case] expected: Intent,
) {
    let spec: SessionSpec = serde_json::from_value(spec).unwrap();
    let status = before.map(|(reason, when)| stopped(reason, when)).unwrap_or_default();
    assert_eq!(intent(&spec, &status, idle.as_ref(), at(1000)), expected);
}

fn observed(session: Session, pod: Option<Pod>) -> Observed {
    Observed { session, pod, ..Observed::default() }
}

fn planned(observed: &Observed) -> Plan<Prepared> {
    plan(observed, &defaults(), &KeyDocument::default(), at(1000))
}

/// The pod that a first pass makes.
fn live_pod(session: &Session) -> Pod {
    match planned(&observed(session.clone(), None)).pod {
        Step::Create(mut pod) => {
            pod.metadata.uid = Some("pod-1".to_owned());
            *pod
        }
        step => panic!("{step:?}"),
    }
}

#[test]
fn a_live_pod_is_never_replaced_because_the_template_changed() {
    let pod = live_pod(&minimal());
    let mut changed = minimal();
    changed.spec.image = Some("other:1".to_owned());
    let plan = planned(&observed(changed, Some(pod.clone())));
    assert_eq!(plan.pod, Step::Keep);
    assert!(plan.restart_required);
    assert!(!planned(&observed(minimal(), Some(pod))).restart_required);
}

#[test]
fn where_chats_are_off_a_new_one_gets_nothing_and_a_live_one_goes_on() {
    let chat = session(json!({"mode": "Chat", "workspace": {"size": "1Gi"}}));
    let mut off = defaults();
    off.chat.enabled = false;
    let plan = |pod| plan(&observed(chat.clone(), pod), &off, &KeyDocument::default(), at(1000));
    let new = plan(None);
    assert_eq!((new.intent, new.pod), (Intent::Off, Step::Keep));
    assert_eq!((new.policy, new.claim), (Step::Keep, Step::Keep));
    assert_eq!(plan(Some(live_pod(&chat))).intent, RUN);
}

#[test]
fn a_foreign_pod_is_a_conflict_and_stays() {
    let mut pod = live_pod(&minimal());
    pod.metadata.owner_references = None;
    assert!(matches!(planned(&observed(minimal(), Some(pod.clone()))).pod, Step::Conflict(_)));
    let asleep = session(json!({"operatingMode": "Suspended", "workspace": {"size": "1Gi"}}));
    assert_eq!(planned(&observed(asleep, Some(pod))).pod, Step::Keep);
}

#[test]
fn children_of_a_former_session_of_this_name_are_waited_for() {
    let mut pod = live_pod(&minimal());
    pod.owner_references_mut()[0].uid = "former".to_owned();
    assert!(matches!(planned(&observed(minimal(), Some(pod))).pod, Step::Wait(_)));
    let mut policy = build::network_policy(&minimal(), &defaults().terminal);
    policy.owner_references_mut()[0].uid = "former".to_owned();
    let plan = planned(&Observed { policy: Some(policy), ..observed(minimal(), None) });
    assert!(matches!(plan.policy, Step::Wait(_)));
}

#[test]
fn a_policy_that_somebody_changed_is_put_right() {
    let mut policy = build::network_policy(&minimal(), &defaults().terminal);
    let with =
        |policy| planned(&Observed { policy: Some(policy), ..observed(minimal(), None) }).policy;
    assert_eq!(with(policy.clone()), Step::Keep);
    policy.spec.as_mut().unwrap().egress = None;
    assert!(matches!(with(policy), Step::Apply(_)));
}

#[test]
fn a_suspended_session_loses_its_pod_and_keeps_its_volume() {
    let asleep = session(json!({"operatingMode": "Suspended", "workspace": {"size": "1Gi"}}));
    let plan = planned(&observed(asleep.clone(), Some(live_pod(&minimal()))));
    assert_eq!(plan.pod, Step::Delete("pod-1".to_owned()));
    assert!(matches!(plan.claim, Step::Apply(_)));
}

#[test]
fn a_pod_that_ended_is_replaced_after_a_while() {
    let mut pod = live_pod(&minimal());
    let ended = |when: i64| {
        json!({"phase": "Failed", "reason": "Evicted",
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": text(when)}]})
    };
    pod.status = serde_json::from_value(ended(995)).unwrap();
    assert_eq!(planned(&observed(minimal(), Some(pod.clone()))).pod, Step::Keep);
    pod.status = serde_json::from_value(ended(990)).unwrap();
    assert_eq!(planned(&observed(minimal(), Some(pod))).pod, Step::Delete("pod-1".to_owned()));
}

#[test]
fn new_keys_reach_a_live_pod() {
    let mut pod = live_pod(&minimal());
    pod.annotations_mut().insert(ANNOTATION.to_owned(), "old".to_owned());
    assert!(matches!(planned(&observed(minimal(), Some(pod))).pod, Step::Annotate(_)));
}

#[test]
fn a_retained_volume_is_taken_over_and_a_strange_one_is_not() {
    let keeps = session(json!({"workspace": {"size": "1Gi"}}));
    let claim = build::volume_claim(&keeps).unwrap();
    let with = |claim| Observed { claim: Some(claim), ..observed(keeps.clone(), None) };
    assert_eq!(planned(&with(claim.clone())).claim, Step::Keep);
    let mut retained = claim.clone();
    retained.metadata.owner_references = None;
    assert!(matches!(planned(&with(retained.clone())).claim, Step::Apply(_)));
    retained.metadata.labels = None;
    assert!(matches!(planned(&with(retained)).claim, Step::Conflict(_)));
}

proptest! {
    #[test]
    fn the_clock_alone_never_makes_a_session_run_and_stop_at_once(
        shutdown in proptest::option::of(0..3000_i64),
        wake in proptest::option::of(0..3000_i64),
        timeout in proptest::option::of(60..600_i64),
        stopped_at in proptest::option::of(0..2000_i64),
        last in 0..2000_i64,
        now in 0..3000_i64,
    ) {
        let mut spec = json!({});
        if let Some(time) = shutdown { spec["shutdownTime"] = json!(text(time)); }
        if let Some(time) = wake { spec["wakeTime"] = json!(text(time)); }
        if let Some(seconds) = timeout { spec["idleTimeoutSeconds"] = json!(seconds); }
        let spec: SessionSpec = serde_json::from_value(spec).unwrap();
        let status = stopped_at.map(|time| stopped(Reason::IdleTimeout, time)).unwrap_or_default();
        // A stopped Session has no runtime that could speak of idleness.
        let idle = stopped_at.is_none().then(|| idle(last, false, 0));
        let first = intent(&spec, &status, idle.as_ref(), at(now));
        // What was decided holds when looked at again in the same second, with the status that it led to.
        if let Intent::Stop(reason) = first {
            let after = stopped(reason.of_condition(), stopped_at.unwrap_or(now));
            let again = intent(&spec, &after, None, at(now));
            let woken_now = spec.wake_time.as_ref().map(from_kubernetes)
                .is_some_and(|time| time <= at(now) && at(now) - time <= Duration::zero());
            prop_assert!(again == first || woken_now, "{first:?} then {again:?}");
        }
    }
}
