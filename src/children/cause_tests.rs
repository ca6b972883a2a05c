use super::*;
use rstest::rstest;
use serde_json::{Value, json};

/// What stands, as explain sees it.
struct Observed {
    pod: Option<Pod>,
    events: Vec<CoreEvent>,
}

fn explain(observed: &Observed, outcome: &Outcome) -> Cause {
    let subject = Subject {
        kind: "Session",
        container: "session",
        ready: "A terminal can be used.",
        pod: observed.pod.as_ref(),
        events: &observed.events,
        step: None,
    };
    super::explain(&subject, outcome)
}

fn observed(pod: Option<Value>, events: Value) -> Observed {
    Observed {
        pod: pod.map(|status| {
            serde_json::from_value(json!({"metadata": {"name": "one-session"}, "spec": {"nodeName": "node-a", "containers": []}, "status": status})).unwrap()
        }),
        events: serde_json::from_value(events).unwrap(),
    }
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"phase": "Pending", "containerStatuses": [{"name": "session", "image": "img:1", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}}]})
}

fn crashed(reason: &str, code: i32, message: &str) -> Value {
    json!({"phase": "Running", "containerStatuses": [{"name": "session", "image": "img:1", "imageID": "", "ready": false,
        "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": code, "reason": reason, "message": message}}}]})
}

fn termination(reason: &str, message: &str) -> String {
    json!({"step": "clone", "reason": reason, "message": message}).to_string()
}

#[rstest]
#[case::pull(waiting("ImagePullBackOff", "no such host"), Reason::ImagePullFailed, "img:1")]
#[case::bad_name(waiting("InvalidImageName", "invalid"), Reason::ImagePullFailed, "img:1")]
#[case::secret(
    waiting("CreateContainerConfigError", "secret \"keys\" not found"),
    Reason::SecretMissing,
    "keys"
)]
#[case::secret_key(
    waiting("CreateContainerConfigError", "couldn't find key wanted in Secret demo/keys"),
    Reason::SecretKeyMissing,
    "wanted"
)]
#[case::config(
    waiting("CreateContainerConfigError", "configmap \"tools\" not found"),
    Reason::ConfigMissing,
    "tools"
)]
#[case::config_key(
    waiting("CreateContainerConfigError", "couldn't find key v in ConfigMap demo/tools"),
    Reason::ConfigMissing,
    "tools"
)]
#[case::cannot_start(
    waiting("RunContainerError", "exec format error"),
    Reason::ContainerCrashed,
    "exec format"
)]
#[case::clone(crashed("Error", 1, &termination("CloneFailed", "git: not found")), Reason::CloneFailed, "git: not found")]
#[case::no_git(crashed("Error", 1, &termination("GitMissing", "no git")), Reason::GitMissing, "no git")]
#[case::crash(crashed("Error", 137, ""), Reason::ContainerCrashed, "137")]
#[case::memory(crashed("OOMKilled", 137, ""), Reason::OOMKilled, "limits.memory")]
#[case::evicted(json!({"phase": "Failed", "reason": "Evicted", "message": "low on disk"}), Reason::Evicted, "low on disk")]
#[case::node_lost(json!({"phase": "Running", "reason": "NodeLost"}), Reason::NodeLost, "node-a")]
#[case::node_silent(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "Unknown"}]}), Reason::NodeLost, "node-a")]
#[case::ends_without_an_error(crashed("Completed", 0, ""), Reason::ContainerCrashed, "exit code 0")]
#[case::no_room(json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}]}), Reason::Unschedulable, "0/1 nodes")]
#[case::unbound(json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "pod has unbound immediate PersistentVolumeClaims"}]}), Reason::VolumePending, "unbound")]
#[case::ready(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}), Reason::Ready, "terminal")]
#[case::just_made(json!({"phase": "Pending"}), Reason::Pending, "waits")]
fn one_reason_and_one_sentence(
    #[case] status: Value,
    #[case] reason: Reason,
    #[case] mentions: &str,
) {
    let found = explain(&observed(Some(status), json!([])), &Outcome::Done);
    assert_eq!(found.reason, reason, "{found:?}");
    assert!(found.message.contains(mentions), "{found:?}");
}

#[rstest]
#[case::always(json!("Always"), true)]
#[case::of_a_run(json!("Never"), false)]
fn only_a_container_that_is_started_again_is_said_to_be(
    #[case] policy: Value,
    #[case] is_said: bool,
) {
    let mut observed = observed(Some(crashed("Error", 137, "")), json!([]));
    let spec = observed.pod.as_mut().unwrap().spec.as_mut().unwrap();
    spec.restart_policy = policy.as_str().map(str::to_owned);
    let found = explain(&observed, &Outcome::Done);
    assert_eq!(found.message.contains("started again"), is_said, "{found:?}");
}

#[test]
fn an_init_container_that_fails_is_told_before_the_rest() {
    let status = json!({"phase": "Pending", "initContainerStatuses": [{"name": "runtime", "image": "r:1", "imageID": "",
        "ready": false, "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "message": "no room"}}}]});
    let found = explain(&observed(Some(status), json!([])), &Outcome::Done);
    assert_eq!((found.reason, found.message.contains("no room")), (Reason::InitCrashed, true));
}

#[test]
fn a_volume_that_cannot_be_made_is_told_by_its_event() {
    let events = json!([{"metadata": {}, "involvedObject": {}, "reason": "ProvisioningFailed", "type": "Warning",
        "message": "storageclass \"fast\" not found"}]);
    let pending = json!({"phase": "Pending"});
    let found = explain(&observed(Some(pending), events), &Outcome::Done);
    assert_eq!((found.reason, found.message.contains("fast")), (Reason::VolumePending, true));
}

#[rstest]
#[case::quota(
    "pods \"one\" is forbidden: exceeded quota: small, requested: pods=1",
    Reason::QuotaExceeded
)]
#[case::security(
    "pods \"one\" is forbidden: violates PodSecurity \"restricted\"",
    Reason::Rejected
)]
fn what_the_api_server_refuses(#[case] words: &str, #[case] reason: Reason) {
    let found = explain(&observed(None, json!([])), &Outcome::Refused(words.to_owned()));
    assert_eq!(found.reason, reason);
    assert!(found.message.contains(words));
}

#[test]
fn a_node_that_went_silent_is_told_before_and_after_it_is_given_up() {
    let status = json!({"phase": "Running", "conditions": [
        {"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "True"}]});
    let events = json!([{"metadata": {}, "involvedObject": {}, "reason": "NodeNotReady", "type": "Warning",
        "message": "Node is not ready"}]);
    assert_eq!(explain(&observed(Some(status), events), &Outcome::Done).reason, Reason::NodeLost);
    let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"},
        {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}]});
    let mut given_up = observed(Some(status), json!([]));
    given_up.pod.as_mut().unwrap().metadata.deletion_timestamp =
        Some(fabrica_crds::time::to_kubernetes(Utc::now()));
    assert_eq!(explain(&given_up, &Outcome::Done).reason, Reason::NodeLost);
}

#[test]
fn what_is_left_of_a_former_session_is_waited_for() {
    let found = explain(&observed(None, json!([])), &Outcome::Waiting("one-session".to_owned()));
    assert_eq!((found.stage, found.reason), (Stage::Pending, Reason::Pending));
}

#[test]
fn a_name_that_is_taken() {
    let found = explain(&observed(None, json!([])), &Outcome::Conflict("one-session".to_owned()));
    assert_eq!((found.reason, found.message.contains("one-session")), (Reason::NameConflict, true));
}
