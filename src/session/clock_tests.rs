use super::super::build::tests::{defaults, session};
use super::super::chat::{Talk, Told};
use super::super::plan::StopReason;
use super::super::report::report;
use super::super::report::tests::{applied, at, ready_pod};
use super::*;
use crate::controller::{LONGEST, SHORTEST};
use crate::runtime_client::RuntimeView;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

/// When a pass at this second looks again at a pod that was born at second 0 and is in this state.
fn look(observed: &mut Observed, second: i64) -> Duration {
    let plan = applied(Intent::Run);
    let status = report(observed, &plan, &defaults(), at(second));
    let wait = next_look(observed, &plan, &status, false, &defaults(), at(second));
    observed.session.status = Some(status);
    wait
}

fn waiting() -> Observed {
    let pod = Some(ready_pod(0, "False"));
    Observed { session: session(json!({})), pod, ..Observed::default() }
}

/// The deadline is 600 s; a pass a little behind it calls the Session Failed.
#[rstest]
#[case::new(0, 2_000)]
#[case::young(3, 3_000)]
#[case::older(20, 20_000)]
#[case::old(300, 60_000)]
#[case::deadline_in_sight(590, 10_100)]
#[case::failed(601, 60_000)]
fn what_waits_is_looked_at_when_its_age_has_doubled(
    #[case] second: i64,
    #[case] milliseconds: u64,
) {
    let mut observed = waiting();
    look(&mut observed, 0);
    assert_eq!(look(&mut observed, second), Duration::from_millis(milliseconds));
}

#[test]
fn an_hour_of_waiting_costs_few_looks() {
    let (mut observed, mut second, mut looks) = (waiting(), 0, 0);
    while second < 3600 {
        second += i64::try_from(look(&mut observed, second).as_secs()).unwrap().max(1);
        looks += 1;
    }
    assert!(looks <= 70, "{looks} looks");
}

#[test]
fn a_new_pod_is_looked_at_as_often_as_a_new_session() {
    let mut observed = waiting();
    look(&mut observed, 0);
    observed.pod = Some(ready_pod(300, "False"));
    assert_eq!(look(&mut observed, 301), SHORTEST);
}

#[test]
fn start_steps_are_told_within_a_second_however_long_they_take() {
    let mut observed = waiting();
    let status = json!({"containerStatuses": [{"name": "session", "image": "i", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"running": {}}}]});
    observed.pod.as_mut().unwrap().status = serde_json::from_value(status).unwrap();
    look(&mut observed, 0);
    assert_eq!(look(&mut observed, 500), STARTING);
}

#[test]
fn a_pod_that_ended_is_replaced_on_time() {
    let mut observed = waiting();
    look(&mut observed, 0);
    let status = json!({"phase": "Failed", "reason": "Evicted", "conditions": [
        {"type": "Ready", "status": "False", "lastTransitionTime": at(300).to_rfc3339()}]});
    observed.pod.as_mut().unwrap().status = serde_json::from_value(status).unwrap();
    assert_eq!(look(&mut observed, 301), Duration::from_millis(9_100));
}

#[test]
fn the_next_look_is_never_later_than_the_clock_asks() {
    let wake = json!({"wakeTime": at(70).to_rfc3339()});
    let observed = Observed { session: session(wake), ..Observed::default() };
    let plan = applied(Intent::Stop(StopReason::IdleTimeout));
    let status = report(&observed, &plan, &defaults(), at(0));
    let wait = next_look(&observed, &plan, &status, false, &defaults(), at(0));
    assert_eq!(wait, Duration::from_millis(70_100));
}

/// 16 answers of a runtime are read in one pass: a longer journal takes several, as after a restart of the operator.
#[rstest]
#[case::read(true, true, FOLLOWED)]
#[case::read_in_part(true, false, SHORTEST)]
#[case::not_followed(false, true, SHORTEST)]
fn a_chat_is_read_on_at_once(#[case] followed: bool, #[case] whole: bool, #[case] wait: Duration) {
    let told = Told {
        pod: "pod-1".to_owned(),
        address: "10.0.0.9".to_owned(),
        number: 1,
        last: 9,
        whole,
        talk: Talk::default(),
    };
    let observed = Observed {
        session: session(json!({"mode": "Chat"})),
        pod: Some(ready_pod(0, "True")),
        told: Some(told),
        ..Observed::default()
    };
    let (plan, defaults) = (applied(Intent::Run), defaults());
    let status = report(&observed, &plan, &defaults, at(5));
    assert_eq!(next_look(&observed, &plan, &status, followed, &defaults, at(5)), wait);
}

/// Its door is open before its repository is there.
#[rstest]
#[case::preparing("Pending", "Unknown", STARTING)]
#[case::there("Ready", "True", Duration::from_mins(1))]
fn the_repository_of_a_ready_session_is_told_within_a_second(
    #[case] state: &str,
    #[case] truth: &str,
    #[case] wait: Duration,
) {
    let idle = json!({"startedAt": at(0).to_rfc3339(), "lastActivityAt": at(0).to_rfc3339(), "busy": false,
        "clients": 0, "visibleClients": 0, "terminals": 1,
        "oomKills": 0, "reconnects": 0, "bytesIn": 0, "bytesOut": 0, "workspace": {"state": state}});
    let mut observed = Observed {
        session: session(json!({"repository": {"url": "https://git.example/a"}})),
        pod: Some(ready_pod(0, "True")),
        runtime: Some(RuntimeView {
            events: Vec::new(),
            idle: Some(serde_json::from_value(idle).unwrap()),
        }),
        ..Observed::default()
    };
    assert_eq!(look(&mut observed, 5), wait);
    let conditions = observed.session.status.unwrap().conditions;
    assert_eq!(find(&conditions, "Ready").unwrap().status, "True");
    assert_eq!(find(&conditions, "WorkspaceReady").unwrap().status, truth);
}

proptest! {
    #[test]
    fn the_deadline_is_never_slept_through(age in 0..1200_u64, deadline in 1..1200_u64) {
        let (age, deadline) = (Duration::from_secs(age), Duration::from_secs(deadline));
        let wait = patient_look(age, deadline);
        prop_assert!(wait > Duration::ZERO && wait <= LONGEST);
        prop_assert!(age > deadline || age + wait <= deadline + MARGIN);
    }
}
