use super::super::build::tests::{defaults, session};
use super::super::plan::{Outcome, Step};
use super::*;
use crate::runtime_client::RuntimeView;
use fabrica_crds::session::{CONDITIONS, messages::KEPT};
use fabrica_protocol::runtime::EventType;
use serde_json::json;
use std::marker::PhantomData;

pub(in crate::session) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

pub(in crate::session) fn applied(intent: Intent) -> Plan<Applied> {
    Plan {
        intent,
        policy: Step::Keep,
        claim: Step::Keep,
        pod: Step::Keep,
        restart_required: false,
        outcome: Outcome::Done,
        state: PhantomData,
    }
}

pub(in crate::session) fn ready_pod(born: i64, ready: &str) -> k8s_openapi::api::core::v1::Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "one-session", "creationTimestamp": at(born).to_rfc3339(), "ownerReferences": [{
            "apiVersion": "fabrica.dev/v1alpha1", "kind": "Session", "name": "one", "controller": true,
            "uid": "6f8b7c1e-0000-4000-8000-000000000001"}]},
        "status": {"podIP": "10.0.0.9", "conditions": [{"type": "Ready", "status": ready}]},
    }))
    .unwrap()
}

fn event(second: i64, kind: EventType, text: &str) -> Event {
    Event {
        seq: 1,
        time: at(second),
        step: "clone".to_owned(),
        kind,
        text: text.to_owned(),
        duration_ms: None,
    }
}

#[test]
fn every_condition_is_set_on_every_pass() {
    for intent in [Intent::Run, Intent::Stop(StopReason::Suspended)] {
        let observed = Observed { session: session(json!({})), ..Observed::default() };
        let status = report(&observed, &applied(intent), &defaults(), at(0));
        for kind in CONDITIONS {
            let found = find(&status.conditions, kind).unwrap();
            assert_eq!(found.observed_generation, Some(1), "{kind}");
        }
    }
}

#[test]
fn a_second_pass_over_the_same_says_the_same() {
    let mut observed = Observed {
        session: session(json!({})),
        pod: Some(ready_pod(0, "True")),
        runtime: Some(RuntimeView {
            events: vec![event(3, EventType::Finished, "done")],
            idle: None,
        }),
        ..Observed::default()
    };
    let first = report(&observed, &applied(Intent::Run), &defaults(), at(5));
    observed.session.status = Some(first.clone());
    assert_eq!(report(&observed, &applied(Intent::Run), &defaults(), at(500)), first);
}

#[test]
fn pending_past_the_deadline_is_failed_and_names_the_cause() {
    let mut observed = Observed {
        session: session(json!({})),
        pod: Some(ready_pod(0, "False")),
        ..Observed::default()
    };
    observed.session.status = Some(report(&observed, &applied(Intent::Run), &defaults(), at(0)));
    let early = report(&observed, &applied(Intent::Run), &defaults(), at(600));
    assert_eq!(early.phase, Some(Phase::Pending));
    let late = report(&observed, &applied(Intent::Run), &defaults(), at(601));
    assert_eq!(late.phase, Some(Phase::Failed));
    let ready = find(&late.conditions, "Ready").unwrap();
    assert_eq!(ready.reason, Reason::PendingDeadlineExceeded.as_str());
    assert_eq!(late.messages.last().unwrap().text, ready.message);
    observed.session.status = Some(late.clone());
    assert_eq!(
        report(&observed, &applied(Intent::Run), &defaults(), at(700)),
        late,
        "the cause is told once"
    );
}

#[test]
fn the_deadline_counts_from_the_end_of_a_stop() {
    let mut observed = Observed { session: session(json!({})), ..Observed::default() };
    let refused =
        || Plan { outcome: Outcome::Refused("exceeded quota".to_owned()), ..applied(Intent::Run) };
    let phase_at =
        |observed: &Observed, when| report(observed, &refused(), &defaults(), at(when)).phase;
    let stop = applied(Intent::Stop(StopReason::Suspended));
    observed.session.status = Some(report(&observed, &stop, &defaults(), at(0)));
    assert_eq!(phase_at(&observed, 5000), Some(Phase::Pending));
    observed.session.status = Some(report(&observed, &applied(Intent::Run), &defaults(), at(5000)));
    assert_eq!(phase_at(&observed, 5600), Some(Phase::Pending));
    assert_eq!(phase_at(&observed, 5601), Some(Phase::Failed));
}

#[test]
fn messages_are_told_once_bounded_and_without_stale_progress() {
    let mut observed = Observed { session: session(json!({})), ..Observed::default() };
    let mut events: Vec<_> = (0..30).map(|second| event(second, EventType::Notice, "n")).collect();
    events.push(event(40, EventType::Progress, "10 %"));
    observed.runtime = Some(RuntimeView { events: events.clone(), idle: None });
    let first = told(&observed, &[]);
    assert_eq!(first.len(), KEPT);
    assert_eq!(first.last().unwrap().text, "10 %");
    assert_eq!(told(&observed, &first), first, "a journal that is read again tells nothing new");
    events.push(event(41, EventType::Finished, "cloned"));
    observed.runtime = Some(RuntimeView { events, idle: None });
    let second = told(&observed, &first);
    assert!(second.iter().all(|message| message.kind != MessageType::Progress), "{second:?}");
}

#[test]
fn events_of_one_millisecond_keep_their_order() {
    let observed = Observed {
        session: session(json!({})),
        runtime: Some(RuntimeView {
            events: vec![event(1, EventType::Started, "a"), event(1, EventType::Finished, "b")],
            idle: None,
        }),
        ..Observed::default()
    };
    let first = told(&observed, &[]);
    assert_eq!(first.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(told(&observed, &first), first);
}

#[test]
fn a_pod_that_was_deleted_by_hand_long_after_its_start_is_not_overdue() {
    let mut observed = Observed { session: session(json!({})), ..Observed::default() };
    observed.session.status = Some(report(&observed, &applied(Intent::Run), &defaults(), at(0)));
    let phase_at = |observed: &Observed, when| {
        report(observed, &applied(Intent::Run), &defaults(), at(when)).phase
    };
    assert_eq!(phase_at(&observed, 5000), Some(Phase::Pending), "no pod: this pass makes one");
    let mut pod = ready_pod(0, "False");
    pod.metadata.deletion_timestamp = Some(to_kubernetes(at(5000)));
    observed.pod = Some(pod);
    assert_eq!(phase_at(&observed, 5001), Some(Phase::Pending));
    assert_eq!(phase_at(&observed, 5601), Some(Phase::Failed));
}
