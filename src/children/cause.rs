//! Why something is not ready: one reason and one plain sentence, from the pod, its containers and their events.

use chrono::{DateTime, Utc};
use fabrica_crds::Reason;
use fabrica_protocol::runtime::Termination;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, ContainerStatus, Event as CoreEvent, Pod,
};

use super::Outcome;
use super::pod::INIT_CONTAINER;
use super::reference::field;
use super::state::{condition, container_runs, has_ended, is_ready};

/// What is explained: a pod of ours, or that there is none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// What the pod belongs to: `Session`, `Run`.
    pub(crate) kind: &'static str,
    /// Its container.
    pub(crate) container: &'static str,
    /// What can be done once it is ready.
    pub(crate) ready: &'static str,
    pub(crate) pod: Option<&'a Pod>,
    /// Events of a pod and a claim that are not ready.
    pub(crate) events: &'a [CoreEvent],
    /// The runtime's last word.
    pub(crate) step: Option<&'a str>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The pod does not run yet; past the deadline that counts as failed.
    Pending,
    /// The runtime takes its start steps.
    Starting,
    Ready,
    /// Somebody has to do something, or the kubelet tries again by itself.
    Failed,
}

/// The state of something that should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) stage: Stage,
    pub(crate) reason: Reason,
    pub(crate) message: String,
}

fn cause(stage: Stage, reason: Reason, message: impl Into<String>) -> Cause {
    Cause { stage, reason, message: message.into().trim().to_owned() }
}

/// Explains what stands. The first cause that applies is the one to mend first.
pub(crate) fn explain(subject: &Subject<'_>, outcome: &Outcome) -> Cause {
    let Subject { kind, events, .. } = *subject;
    match outcome {
        Outcome::Conflict(name) => {
            let message = format!(
                "An object named {name} is there already and belongs to something else. Delete it, or give the {kind} another name."
            );
            return cause(Stage::Failed, Reason::NameConflict, message);
        }
        Outcome::Refused(words) => return refused(kind, words),
        Outcome::Lacking(words) => return cause(Stage::Pending, Reason::ConfigMissing, words),
        // A pod that already runs can be used however its volume is going.
        Outcome::Waiting(name) if subject.pod.is_none_or(|pod| !is_ready(pod)) => {
            let message = format!(
                "{name}, which has the name or the volume that this {kind} needs, is still going."
            );
            return cause(Stage::Pending, Reason::Pending, message);
        }
        Outcome::Done | Outcome::Waiting(_) => {}
    }
    let Some(pod) = subject.pod else {
        return cause(Stage::Pending, Reason::Pending, "The pod is being made.");
    };
    if let Some(lost) = lost(kind, pod, events) {
        return lost;
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return cause(Stage::Pending, Reason::Pending, "The former pod is still ending.");
    }
    ended(pod)
        .map(|found| Cause { message: format!("{} A new one follows.", found.message), ..found })
        .or_else(|| is_ready(pod).then(|| cause(Stage::Ready, Reason::Ready, subject.ready)))
        .or_else(|| containers(subject, pod))
        .or_else(|| unschedulable(pod, events))
        .or_else(|| volume(events))
        .unwrap_or_else(|| progress(subject, pod))
}

/// The API server's own words, under the reason they mean.
fn refused(kind: &str, words: &str) -> Cause {
    if words.contains("exceeded quota") {
        let message = format!("The namespace's quota is used up: {words}");
        return cause(Stage::Pending, Reason::QuotaExceeded, message);
    }
    cause(
        Stage::Failed,
        Reason::Rejected,
        format!("The API server refused a part of the {kind}: {words}"),
    )
}

/// A pod on a node that does not answer, also while it waits for its end to be confirmed.
fn lost(kind: &str, pod: &Pod, events: &[CoreEvent]) -> Option<Cause> {
    let status = pod.status.as_ref()?;
    if status.reason.as_deref() != Some("NodeLost") && !unreachable(pod) && !silent(pod, events) {
        return None;
    }
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
    let message = format!(
        "Node {node} does not answer. The {kind} starts elsewhere when the node is given up."
    );
    Some(cause(Stage::Failed, Reason::NodeLost, message))
}

/// A pod that will not run again.
pub(crate) fn ended(pod: &Pod) -> Option<Cause> {
    let status = pod.status.as_ref()?;
    let text = status.message.clone().unwrap_or_default();
    if !has_ended(pod) {
        return None;
    }
    if status.reason.as_deref() == Some("Evicted") {
        let message = format!("The node put the pod out: {text}");
        return Some(cause(Stage::Failed, Reason::Evicted, message));
    }
    let message = format!(
        "The pod ended: {} {text}",
        status.reason.as_deref().unwrap_or("without a reason.")
    );
    Some(cause(Stage::Failed, Reason::ContainerCrashed, message))
}

/// The node controller says so when a kubelet has gone silent.
fn unreachable(pod: &Pod) -> bool {
    condition(pod, "DisruptionTarget").is_some_and(|found| {
        found.status == "True" && found.reason.as_deref() == Some("DeletionByTaintManager")
    }) || condition(pod, "Ready").is_some_and(|found| found.status == "Unknown")
}

/// Before it gives the node up, it only calls the pod not ready, although the last word of the kubelet was that it is.
fn silent(pod: &Pod, events: &[CoreEvent]) -> bool {
    let container_ready =
        condition(pod, "ContainersReady").is_some_and(|found| found.status == "True");
    !is_ready(pod)
        && container_ready
        && newest(events.iter())
            .is_some_and(|event| event.reason.as_deref() == Some("NodeNotReady"))
}

fn containers(subject: &Subject<'_>, pod: &Pod) -> Option<Cause> {
    let status = pod.status.as_ref()?;
    let init = status
        .init_container_statuses
        .iter()
        .flatten()
        .find(|container| container.name == INIT_CONTAINER);
    let main = status
        .container_statuses
        .iter()
        .flatten()
        .find(|container| container.name == subject.container);
    let kind = subject.kind;
    let restarts =
        pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()) != Some("Never");
    let waiting = |container| waiting(kind, pod, container);
    init.and_then(|container| waiting(container).or_else(|| init_crash(container))).or_else(|| {
        main.and_then(|container| waiting(container).or_else(|| crash(container, restarts)))
    })
}

/// A container that the kubelet cannot start, in the kubelet's words.
fn waiting(kind: &str, pod: &Pod, container: &ContainerStatus) -> Option<Cause> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let words = waiting.message.clone().unwrap_or_default();
    let image = &container.image;
    match waiting.reason.as_deref()? {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable" => {
            let message = format!(
                "The image {image} cannot be pulled. Check its name and imagePullSecrets. {words}"
            );
            Some(cause(Stage::Pending, Reason::ImagePullFailed, message))
        }
        "CreateContainerConfigError" => Some(configuration(kind, pod, &words)),
        "CreateContainerError" | "RunContainerError" => {
            let message = format!("The container cannot be started: {words}");
            Some(cause(Stage::Failed, Reason::ContainerCrashed, message))
        }
        _ => None,
    }
}

/// A missing Secret or ConfigMap is learned from the kubelet alone: the operator may read neither.
fn configuration(kind: &str, pod: &Pod, words: &str) -> Cause {
    let place = field(pod, words).map_or_else(String::new, |field| format!(" in {field}"));
    if words.contains("couldn't find key") {
        let reason = if words.contains("ConfigMap") {
            Reason::ConfigMissing
        } else {
            Reason::SecretKeyMissing
        };
        return cause(
            Stage::Pending,
            reason,
            format!(
                "A key that the {kind} refers to{place} is missing: {words}. Add it; the {kind} then starts by itself."
            ),
        );
    }
    let reason =
        if words.starts_with("configmap") { Reason::ConfigMissing } else { Reason::SecretMissing };
    if words.contains("not found") {
        return cause(
            Stage::Pending,
            reason,
            format!(
                "Something that the {kind} refers to{place} is missing: {words}. Create it; the {kind} then starts by itself."
            ),
        );
    }
    cause(
        Stage::Failed,
        Reason::ContainerCrashed,
        format!("The container cannot be configured: {words}"),
    )
}

fn init_crash(container: &ContainerStatus) -> Option<Cause> {
    let terminated = failure(container)?;
    let message = format!(
        "The runtime could not be copied in: exit code {}. {}",
        terminated.exit_code,
        terminated.message.as_deref().unwrap_or_default()
    );
    Some(cause(Stage::Failed, Reason::InitCrashed, message))
}

/// What the kernel's end of a container means.
pub(crate) const OUT_OF_MEMORY: &str =
    "The container needed more memory than resources.limits.memory allows and was killed.";

/// Whether the kernel ended the container for want of memory.
pub(crate) fn is_out_of_memory(terminated: &ContainerStateTerminated) -> bool {
    terminated.reason.as_deref() == Some("OOMKilled")
}

/// The last end of the container, as long as it has not become ready again.
fn crash(container: &ContainerStatus, restarts: bool) -> Option<Cause> {
    let terminated = failure(container)?;
    if is_out_of_memory(terminated) {
        let message = format!("{OUT_OF_MEMORY} Raise the limit; the files are kept.");
        return Some(cause(Stage::Failed, Reason::OOMKilled, message));
    }
    let next = if restarts { " and is started again with growing pauses" } else { "" };
    let words = terminated.message.as_deref().unwrap_or_default();
    if let Ok(told) = serde_json::from_str::<Termination>(words) {
        return Some(cause(Stage::Failed, reason_of(&told), told.message));
    }
    let message = format!(
        "The container ended with exit code {} ({}){next}. {words}",
        terminated.exit_code,
        terminated.reason.as_deref().unwrap_or("no reason"),
    );
    Some(cause(Stage::Failed, Reason::ContainerCrashed, message))
}

fn failure(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let of = |state: &'_ Option<ContainerState>| {
        state.as_ref().is_some_and(|state| state.terminated.is_some())
    };
    let state = if of(&container.state) { &container.state } else { &container.last_state };
    // An end without an error is one all the same when the kubelet has to pause before the next start.
    let looping = container
        .state
        .as_ref()
        .and_then(|state| state.waiting.as_ref())
        .is_some_and(|waiting| waiting.reason.as_deref() == Some("CrashLoopBackOff"));
    state.as_ref()?.terminated.as_ref().filter(|terminated| looping || terminated.exit_code != 0)
}

/// The runtime's reasons, which are fixed: anything else is a crash.
fn reason_of(told: &Termination) -> Reason {
    match Reason::named(&told.reason) {
        Some(known @ (Reason::CloneFailed | Reason::GitMissing | Reason::SecretKeyMissing)) => {
            known
        }
        _ => Reason::ContainerCrashed,
    }
}

fn unschedulable(pod: &Pod, events: &[CoreEvent]) -> Option<Cause> {
    let scheduled = condition(pod, "PodScheduled").filter(|found| found.status == "False")?;
    let words = scheduled.message.clone().unwrap_or_default();
    if words.contains("PersistentVolumeClaim") {
        return volume(events).or_else(|| {
            Some(cause(
                Stage::Pending,
                Reason::VolumePending,
                format!("The volume is not there yet: {words}"),
            ))
        });
    }
    let message = format!("No node takes the pod: {words}");
    Some(cause(Stage::Pending, Reason::Unschedulable, message))
}

/// Trouble with volumes is told by events only.
fn volume(events: &[CoreEvent]) -> Option<Cause> {
    let event = newest(events.iter().filter(|event| {
        matches!(
            event.reason.as_deref(),
            Some("ProvisioningFailed" | "FailedMount" | "FailedAttachVolume" | "FailedBinding")
        )
    }))?;
    let words = event.message.clone().unwrap_or_default();
    let reason = if words.contains("configmap \"") || words.contains("non-existent config key") {
        Reason::ConfigMissing
    } else {
        Reason::VolumePending
    };
    Some(cause(Stage::Pending, reason, format!("The volume cannot be had yet: {words}")))
}

/// Nothing is wrong: what is going on right now?
fn progress(subject: &Subject<'_>, pod: &Pod) -> Cause {
    if container_runs(pod) {
        let step = subject.step.unwrap_or("The runtime starts.");
        return cause(Stage::Starting, Reason::Starting, step);
    }
    let event =
        newest(subject.events.iter().filter(|event| event.type_.as_deref() == Some("Normal")));
    let message = event
        .and_then(|event| event.message.clone())
        .unwrap_or_else(|| "The pod waits for the node.".to_owned());
    cause(Stage::Pending, Reason::Pending, message)
}

fn newest<'a>(events: impl Iterator<Item = &'a CoreEvent>) -> Option<&'a CoreEvent> {
    let time = |event: &CoreEvent| {
        let last = event.last_timestamp.as_ref().or(event.metadata.creation_timestamp.as_ref());
        last.map(fabrica_crds::time::from_kubernetes)
    };
    events.max_by_key(|event| time(event).unwrap_or(DateTime::<Utc>::MIN_UTC))
}

#[cfg(test)]
#[path = "cause_tests.rs"]
mod tests;
