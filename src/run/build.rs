//! The child objects. Pure: one file and one snapshot per kind.

mod network_policy;
mod plan;
mod pod;
mod volume_claim;

use fabrica_crds::{Run, names};
use kube::ResourceExt;
use kube::api::ObjectMeta;

use crate::children;

pub(super) use network_policy::network_policy;
pub(super) use plan::plan;
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
    fn plan_snapshot() {
        let reference = json!({"name": "plans", "key": "first.md"});
        let spec = json!({"planRef": reference, "repository": {"url": "https://git.example/a"}});
        let run = crate::run::tests::run(&spec, &json!({}));
        let reference = serde_json::from_value(reference).unwrap();
        insta::assert_yaml_snapshot!(plan(&run, &reference, "# A plan".to_owned()));
    }

    #[test]
    fn claim_snapshot() {
        let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"},
            "workspace": {"size": "1Gi", "storageClassName": "fast"}});
        let claim = volume_claim(&crate::run::tests::run(&spec, &json!({})));
        insta::assert_yaml_snapshot!(claim);
    }
}
