//! The Run's own copy of the plan that it refers to.

use std::collections::BTreeMap;

use fabrica_crds::parts::ConfigMapKey;
use fabrica_crds::{Run, names};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;

/// The copy, under the key that the Run names: what fits into one ConfigMap under it fits into the other.
pub(in crate::run) fn plan(run: &Run, reference: &ConfigMapKey, text: String) -> ConfigMap {
    ConfigMap {
        metadata: super::metadata(run, names::run_plan(&run.name_any())),
        data: Some(BTreeMap::from([(reference.key.clone(), text)])),
        immutable: Some(true),
        ..ConfigMap::default()
    }
}
