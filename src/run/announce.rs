//! Kubernetes Events: on transitions only, for those who read `kubectl describe`.

use fabrica_crds::{Reason, Run, RunStatus, condition};
use kube::Resource;
use kube::runtime::events::{Event, EventType};

use super::Context;

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

/// Tells when `Succeeded` has another reason than before. An Event that cannot be written is told in the log alone.
pub(super) async fn announce(context: &Context, before: &Run, status: &RunStatus) {
    let Some(event) = transition(before.status.as_ref(), status) else { return };
    let reference = before.object_ref(&());
    if let Err(error) = context.recorder.publish(&event, &reference).await {
        tracing::debug!(error = %error, "an Event could not be written");
    }
}

fn transition(before: Option<&RunStatus>, status: &RunStatus) -> Option<Event> {
    let found = condition::find(&status.conditions, "Succeeded")?;
    let old = before.and_then(|status| condition::find(&status.conditions, "Succeeded"));
    if old.is_some_and(|old| old.reason == found.reason) {
        return None;
    }
    let normal = Reason::named(&found.reason).is_some_and(|reason| NORMAL.contains(&reason));
    tracing::info!(reason = found.reason, message = found.message, "transition");
    Some(Event {
        type_: if normal { EventType::Normal } else { EventType::Warning },
        reason: found.reason.clone(),
        note: Some(found.message.clone()).filter(|note| !note.is_empty()),
        action: "Reconcile".to_owned(),
        secondary: None,
    })
}
