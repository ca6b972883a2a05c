//! Who may talk to a Run's pods, and whom they may talk to.

use fabrica_crds::{Run, names};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;

use crate::children;
use crate::config::RunDefaults;

/// The policy of all pods of a Run.
pub(in crate::run) fn network_policy(run: &Run, defaults: &RunDefaults) -> NetworkPolicy {
    let metadata = super::metadata(run, names::run_network_policy(&run.name_any()));
    let label = (names::RUN_ID, run.uid().unwrap_or_default());
    children::network_policy::network_policy(metadata, label, &defaults.pods)
}
