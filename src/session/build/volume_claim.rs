//! The volume of a Session's workspace.

use fabrica_crds::{Session, names};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;

use crate::children;

/// The claim, if the Session has a workspace.
pub(in crate::session) fn volume_claim(session: &Session) -> Option<PersistentVolumeClaim> {
    let workspace = session.spec.workspace.as_ref()?;
    let metadata = super::metadata(session, names::volume_claim(&session.name_any()));
    Some(children::volume_claim::volume_claim(metadata, workspace))
}
