//! Who may talk to a Session's pod, and whom it may talk to.

use fabrica_crds::{Session, names};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;

use crate::children;
use crate::config::SessionDefaults;

/// The policy of a Session's pod.
pub(in crate::session) fn network_policy(
    session: &Session,
    defaults: &SessionDefaults,
) -> NetworkPolicy {
    let metadata = super::metadata(session, names::network_policy(&session.name_any()));
    let label = (names::SESSION_ID, session.uid().unwrap_or_default());
    children::network_policy::network_policy(metadata, label, defaults)
}
