//! The volume of a Run's workspace.

use fabrica_crds::{Run, names};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;

use crate::children;

/// The claim that all attempts of a Run use, if it has a workspace.
pub(in crate::run) fn volume_claim(run: &Run) -> Option<PersistentVolumeClaim> {
    let workspace = run.spec.workspace.as_ref()?;
    let metadata = super::metadata(run, names::run_volume_claim(&run.name_any()));
    Some(children::volume_claim::volume_claim(metadata, workspace))
}
