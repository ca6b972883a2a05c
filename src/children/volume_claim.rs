//! The volume of a workspace.

use std::collections::BTreeMap;

use fabrica_crds::names;
use fabrica_crds::parts::Workspace;
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimVolumeSource, Volume,
    VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};

use super::pod::files_of_the_pod;
use super::{Step, hash, is_ours, same_template, strange};

/// Makes a child's metadata the claim of a workspace. A retained one has no owner, so it outlives whom it is for.
pub(crate) fn volume_claim(
    mut metadata: ObjectMeta,
    workspace: &Workspace,
) -> PersistentVolumeClaim {
    if workspace.retain {
        metadata.owner_references = None;
    }
    metadata.annotations =
        Some(BTreeMap::from([(names::TEMPLATE_HASH.to_owned(), hash(&metadata.labels))]));
    PersistentVolumeClaim {
        metadata,
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: workspace.storage_class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([(
                    "storage".to_owned(),
                    Quantity(workspace.size.clone()),
                )])),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}

/// What lies at /workspace: the claim of this name where one is asked for, else files that go with the pod.
pub(crate) fn volume(workspace: Option<&Workspace>, claim: String) -> Volume {
    let files = files_of_the_pod("workspace");
    if workspace.is_none() {
        return files;
    }
    Volume {
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim,
            read_only: None,
        }),
        empty_dir: None,
        ..files
    }
}

/// What to do about a claim. `label` says whose a retained one was, by name.
pub(crate) fn step(
    owner: &impl Resource<DynamicType = ()>,
    label: &str,
    found: Option<&PersistentVolumeClaim>,
    wanted: Option<PersistentVolumeClaim>,
) -> Step<PersistentVolumeClaim> {
    let Some(wanted) = wanted else { return Step::Keep };
    let Some(found) = found else { return Step::Apply(Box::new(wanted)) };
    if found.metadata.deletion_timestamp.is_some() {
        return Step::Wait(found.name_any());
    }
    if !is_ours(owner, &found.metadata) && !is_retained(owner, label, &found.metadata) {
        return strange(owner, &found.metadata);
    }
    let has_owner =
        found.metadata.owner_references.as_ref().is_some_and(|owners| !owners.is_empty());
    let should_be_owned = wanted.metadata.owner_references.is_some();
    if same_template(&found.metadata, &wanted.metadata) && has_owner == should_be_owned {
        Step::Keep
    } else {
        Step::Apply(Box::new(wanted))
    }
}

/// A volume that a former owner of this name left behind on purpose, and that nobody else has.
fn is_retained(owner: &impl Resource, label: &str, metadata: &ObjectMeta) -> bool {
    let labelled = |key: &str| metadata.labels.as_ref().and_then(|labels| labels.get(key));
    metadata.owner_references.as_ref().is_none_or(Vec::is_empty)
        && labelled(names::MANAGED_BY).is_some_and(|manager| manager == names::MANAGER)
        && labelled(label) == owner.meta().name.as_ref()
}
