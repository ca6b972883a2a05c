//! Kubernetes Events: on transitions only, for those who read `kubectl describe`.

use fabrica_crds::{Reason, Run, RunStatus, condition};
use kube::Resource;
use kube::runtime::events::{Event, EventType};

use super::Context;
use crate::children::announce::{event, publish};
use crate::children::answers::Found;

/// Reasons that nobody need worry about.
const NORMAL: [Reason; 9] = [
    Reason::Queued,
    Reason::Pending,
    Reason::Starting,
    Reason::Running,
    Reason::Escalated,
    Reason::WaitingInPod,
    Reason::Succeeded,
    Reason::NoChanges,
    Reason::Cancelled,
];

/// Tells when `Succeeded` has another reason than before, and when somebody answers what nobody asked. An Event that cannot be
/// written is told in the log alone.
pub(super) async fn announce(
    context: &Context,
    before: &Run,
    status: &RunStatus,
    answers: Option<&Found>,
) {
    let stray = answers.and_then(Found::event);
    let told = transition(before.status.as_ref(), status).into_iter().chain(stray);
    publish(&context.recorder, &before.object_ref(&()), told).await;
}

fn transition(before: Option<&RunStatus>, status: &RunStatus) -> Option<Event> {
    let found = condition::find(&status.conditions, "Succeeded")?;
    let old = before.and_then(|status| condition::find(&status.conditions, "Succeeded"));
    if old.is_some_and(|old| old.reason == found.reason) {
        return None;
    }
    let normal = Reason::named(&found.reason).is_some_and(|reason| NORMAL.contains(&reason));
    tracing::info!(reason = found.reason, message = found.message, "transition");
    let type_ = if normal { EventType::Normal } else { EventType::Warning };
    Some(event(type_, &found.reason, &found.message))
}
