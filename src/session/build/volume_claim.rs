//! The volume of a workspace.

use std::collections::BTreeMap;

use fabrica_crds::{Session, names};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use crate::children::hash;

/// The claim, if the Session has a workspace. A retained one has no owner, so it outlives its Session.
pub(in crate::session) fn volume_claim(session: &Session) -> Option<PersistentVolumeClaim> {
    let workspace = session.spec.workspace.as_ref()?;
    let mut metadata = super::metadata(session, names::volume_claim(&session.name_any()));
    if workspace.retain {
        metadata.owner_references = None;
    }
    metadata.annotations =
        Some(BTreeMap::from([(names::TEMPLATE_HASH.to_owned(), hash(&metadata.labels))]));
    Some(PersistentVolumeClaim {
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
    })
}
