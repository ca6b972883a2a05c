//! The trace that an object belongs to.

use fabrica_crds::names;
use fabrica_telemetry::Traceparent;
use kube::ResourceExt;
use uuid::Uuid;

/// The one that whoever made it names, else that of its UID.
pub(crate) fn of(object: &impl ResourceExt) -> Option<Traceparent> {
    let named = object.annotations().get(names::TRACEPARENT);
    let named = named.and_then(|text| Traceparent::parse(text));
    named.or_else(|| Some(Traceparent::of(Uuid::parse_str(&object.uid()?).ok()?)))
}
