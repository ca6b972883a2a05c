//! Kubernetes Events: on transitions only, for those who read `kubectl describe`.

use fabrica_crds::{Reason, Session, SessionStatus, condition};
use kube::Resource;
use kube::runtime::events::{Event, EventType};

use super::Context;

/// Reasons that nobody need worry about.
const NORMAL: [Reason; 7] = [
    Reason::Ready,
    Reason::Starting,
    Reason::Pending,
    Reason::Suspended,
    Reason::IdleTimeout,
    Reason::ShutdownTime,
    Reason::VolumePending,
];

/// Tells when `Ready` has another reason than before. An Event that cannot be written is told in the log alone.
pub(super) async fn announce(context: &Context, before: &Session, status: &SessionStatus) {
    let Some(event) = transition(before.status.as_ref(), status) else { return };
    let reference = before.object_ref(&());
    if let Err(error) = context.recorder.publish(&event, &reference).await {
        tracing::debug!(error = %error, "an Event could not be written");
    }
}

fn transition(before: Option<&SessionStatus>, status: &SessionStatus) -> Option<Event> {
    let ready = condition::find(&status.conditions, "Ready")?;
    let old = before.and_then(|status| condition::find(&status.conditions, "Ready"));
    if old.is_some_and(|old| old.reason == ready.reason) {
        return None;
    }
    let normal = Reason::named(&ready.reason).is_some_and(|reason| NORMAL.contains(&reason));
    tracing::info!(reason = ready.reason, message = ready.message, "transition");
    Some(Event {
        type_: if normal { EventType::Normal } else { EventType::Warning },
        reason: ready.reason.clone(),
        note: Some(ready.message.clone()).filter(|note| !note.is_empty()),
        action: "Reconcile".to_owned(),
        secondary: None,
    })
}
