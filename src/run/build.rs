//! The child objects. Pure: one file and one snapshot per kind.

mod network_policy;
mod pod;
mod volume_claim;

use fabrica_crds::{Run, names};
use kube::ResourceExt;
use kube::api::ObjectMeta;

use crate::children;

pub(super) use network_policy::network_policy;
pub(super) use pod::{Attempt, CONTAINER, branch, pod, resumes};
pub(super) use volume_claim::volume_claim;

/// Metadata of a child that goes with its Run.
fn metadata(run: &Run, name: String) -> ObjectMeta {
    let labels = [
        (names::RUN_ID, &*run.uid().unwrap_or_default()),
        (names::RUN_NAME, &run.name_any()),
        (names::MODE, "run"),
    ];
    children::metadata(run, "run", labels, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claim_snapshot() {
        let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"},
            "workspace": {"size": "1Gi", "storageClassName": "fast"}});
        let claim = volume_claim(&crate::run::tests::run(&spec, &json!({})));
        insta::assert_yaml_snapshot!(claim);
    }
}
