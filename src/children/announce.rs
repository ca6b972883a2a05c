//! Kubernetes Events, for those who read `kubectl describe`.

use fabrica_crds::condition::shorten;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder};

/// The longest note that an Event may have, in bytes.
const NOTE_BYTES: usize = 1024;

/// An Event of a pass.
pub(crate) fn event(type_: EventType, reason: &str, note: &str) -> Event {
    let note = shorten(note.to_owned(), NOTE_BYTES);
    Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note).filter(|note| !note.is_empty()),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

/// Writes Events about an object. One that cannot be written is told in the log alone.
pub(crate) async fn publish(
    recorder: &Recorder,
    about: &ObjectReference,
    events: impl IntoIterator<Item = Event>,
) {
    for event in events {
        if let Err(error) = recorder.publish(&event, about).await {
            tracing::debug!(error = %error, "an Event could not be written");
        }
    }
}
