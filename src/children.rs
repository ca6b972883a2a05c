//! What Session and Run have in common: how their children are made, written and explained, and what people are told.

pub(crate) mod agent;
pub(crate) mod agent_pod;
pub(crate) mod announce;
pub(crate) mod answers;
pub(crate) mod apply;
pub(crate) mod cause;
pub(crate) mod messages;
pub(crate) mod money;
pub(crate) mod network_policy;
pub(crate) mod pod;
pub(crate) mod reading;
pub(crate) mod reference;
pub(crate) mod state;
pub(crate) mod usage;
pub(crate) mod volume_claim;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fabrica_crds::names;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};

/// A plan that nobody has carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Prepared {}
/// A plan that was carried out: only such a one can be reported.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Applied {}

/// What to do about one child.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step<K> {
    /// It is as it should be, or of no concern now.
    Keep,
    /// Write it as a whole.
    Apply(Box<K>),
    /// Make it; it is never written again.
    Create(Box<K>),
    /// Tell a live pod the present keys.
    Annotate(String),
    /// Delete the one with this UID.
    Delete(String),
    /// A child of a former object of this name is still going.
    Wait(String),
    /// Somebody else's object has its name.
    Conflict(String),
    /// What it is made from is not there, in these words.
    Lack(String),
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The API server said no, in these words: a condition, not an error.
    Refused(String),
    Waiting(String),
    Conflict(String),
    /// Something that the spec refers to is not there, in these words.
    Lacking(String),
}

/// Whether an object is controlled by this one.
pub(crate) fn is_ours(owner: &impl Resource, metadata: &ObjectMeta) -> bool {
    metadata.owner_references.iter().flatten().any(|reference| {
        reference.controller == Some(true) && Some(&reference.uid) == owner.meta().uid.as_ref()
    })
}

/// An object of our child's name that is not ours: one that is going, or that goes with a former owner of this name, is
/// waited for; another stays where it is.
pub(crate) fn strange<K>(
    owner: &impl Resource<DynamicType = ()>,
    metadata: &ObjectMeta,
) -> Step<K> {
    let name = metadata.name.clone().unwrap_or_default();
    let former = metadata.owner_references.iter().flatten().any(|reference| {
        reference.controller == Some(true)
            && reference.kind == kind(owner)
            && Some(&reference.name) == owner.meta().name.as_ref()
    });
    if former || metadata.deletion_timestamp.is_some() {
        Step::Wait(name)
    } else {
        Step::Conflict(name)
    }
}

fn kind<K: Resource<DynamicType = ()>>(_: &K) -> std::borrow::Cow<'static, str> {
    K::kind(&())
}

/// Whether two objects were made from the same template.
pub(crate) fn same_template(found: &ObjectMeta, wanted: &ObjectMeta) -> bool {
    let hash = |metadata: &ObjectMeta| {
        metadata
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.get(names::TEMPLATE_HASH))
            .cloned()
    };
    hash(found) == hash(wanted)
}

/// Metadata of a child that goes with its owner: `component` is what the owner is, in lower case.
pub(crate) fn metadata(
    owner: &impl Resource<DynamicType = ()>,
    component: &str,
    own_labels: [(&str, &str); 3],
    name: String,
) -> ObjectMeta {
    let instance = owner.name_any();
    let labels = [
        ("app.kubernetes.io/name", component),
        ("app.kubernetes.io/instance", &instance),
        ("app.kubernetes.io/component", component),
        ("app.kubernetes.io/part-of", "fabrica"),
        (names::MANAGED_BY, names::MANAGER),
    ];
    let labels: BTreeMap<_, _> = labels
        .into_iter()
        .chain(own_labels)
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    ObjectMeta {
        name: Some(name),
        namespace: owner.namespace(),
        labels: Some(labels),
        owner_references: owner.controller_owner_ref(&()).map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

/// What tells one template from another: a digest of its JSON.
pub(crate) fn hash<T: serde::Serialize>(template: &T) -> String {
    /// 96 bits: enough that no two templates meet.
    const BYTES: usize = 12;
    let text = serde_json::to_vec(template).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, &text).as_ref()[..BYTES])
}
