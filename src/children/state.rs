//! What a pod says of itself, and its events.

use chrono::{DateTime, Utc};
use fabrica_crds::time::from_kubernetes;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateTerminated, Event as CoreEvent, PersistentVolumeClaim, Pod,
    PodCondition,
};
use kube::Api;
use kube::api::ListParams;

/// How many events of one object are read: the newest causes are among them.
const EVENTS: u32 = 50;

/// The events of a pod, and of its claim until that has a volume.
pub(crate) async fn events_of_pod(
    client: &kube::Client,
    namespace: &str,
    pod: &Pod,
    claim: Option<&PersistentVolumeClaim>,
) -> Result<Vec<CoreEvent>, kube::Error> {
    let mut all = events_of(client, namespace, pod.metadata.uid.as_deref()).await?;
    if let Some(claim) = claim.filter(|claim| !is_bound(claim)) {
        all.extend(events_of(client, namespace, claim.metadata.uid.as_deref()).await?);
    }
    Ok(all)
}

fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound")
}

/// The events of the object with this UID.
async fn events_of(
    client: &kube::Client,
    namespace: &str,
    uid: Option<&str>,
) -> Result<Vec<CoreEvent>, kube::Error> {
    let api: Api<CoreEvent> = Api::namespaced(client.clone(), namespace);
    let selector = format!("involvedObject.uid={}", uid.unwrap_or_default());
    Ok(api.list(&ListParams::default().fields(&selector).limit(EVENTS)).await?.items)
}

/// Whether the kubelet calls the pod ready.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

/// A condition of a pod.
pub(crate) fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

/// Whether the workspace's container runs.
pub(crate) fn container_runs(pod: &Pod) -> bool {
    states(pod).any(|state| state.running.is_some())
}

/// When the workspace's container started, if it ever did.
pub(crate) fn started_at(pod: &Pod) -> Option<DateTime<Utc>> {
    let of = |state: &ContainerState| {
        let running = state.running.as_ref().and_then(|running| running.started_at.as_ref());
        let terminated = state.terminated.as_ref().and_then(|ended| ended.started_at.as_ref());
        running.or(terminated).map(from_kubernetes)
    };
    states(pod).find_map(of)
}

/// How the workspace's container ended, once it has.
pub(crate) fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    states(pod).find_map(|state| state.terminated.as_ref())
}

fn states(pod: &Pod) -> impl Iterator<Item = &ContainerState> {
    pod.status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten())
        .filter_map(|container| container.state.as_ref())
}

/// A pod that will never run again: evicted, or lost with its node.
pub(crate) fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}
