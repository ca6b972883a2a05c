//! A plan that is too long for a Run: a ConfigMap that belongs to the Run and goes with it.

use fabrica_crds::Run;
use http::StatusCode;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Resource, core::Status};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::kubernetes::{ApiError, answer};
use crate::objects::RunView;
use crate::problem::Problem;

/// What a ConfigMap holds, keys included, in bytes.
const CONFIG_MAP_BYTES: usize = 1024 * 1024;

/// How much of the digest stands in the key: enough that two plans never share one.
const DIGEST_BYTES: usize = 16;

/// The `planRef` of a Run of this name with this plan. The key follows from the plan, so that a Run refers to one plan
/// for ever, whoever writes the ConfigMap.
pub(super) fn reference(name: &str, plan: &str) -> Value {
    json!({"name": config_map_name(name), "key": key(plan)})
}

/// Whether a ConfigMap can hold it.
pub(super) fn fits(plan: &str) -> bool {
    plan.len() + key(plan).len() <= CONFIG_MAP_BYTES
}

/// What became of the plan's ConfigMap.
pub(super) enum Kept {
    New,
    /// One of that name is there.
    Taken,
}

/// Creates the ConfigMap that the Run refers to.
pub(super) async fn keep(app: &App, run: &RunView, plan: &str) -> Result<Kept, Problem> {
    let api: Api<ConfigMap> = Api::namespaced(app.client.clone(), &run.metadata.namespace);
    let object = config_map(run, plan);
    match answer(api.create(&PostParams::default(), &object)).await {
        Ok(_) => Ok(Kept::New),
        Err(ApiError::Api(kube::Error::Api(status))) if is_taken(&status) => Ok(Kept::Taken),
        Err(error) => Err(error.into()),
    }
}

fn is_taken(status: &Status) -> bool {
    status.code == StatusCode::CONFLICT.as_u16()
}

fn config_map(run: &RunView, plan: &str) -> ConfigMap {
    let owner = OwnerReference {
        api_version: Run::api_version(&()).into_owned(),
        kind: Run::kind(&()).into_owned(),
        name: run.metadata.name.clone(),
        uid: run.metadata.uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    };
    let labels = [
        ("app.kubernetes.io/managed-by", "fabrica"),
        ("fabrica.dev/run-id", run.metadata.uid.as_str()),
    ];
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(config_map_name(&run.metadata.name)),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some([(key(plan), plan.to_owned())].into()),
        immutable: Some(true),
        ..ConfigMap::default()
    }
}

fn config_map_name(run: &str) -> String {
    format!("{run}-plan")
}

fn key(plan: &str) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(plan);
    let mut key = "plan-".to_owned();
    for byte in digest.iter().take(DIGEST_BYTES) {
        let _ = write!(key, "{byte:02x}");
    }
    key + ".md"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plan_has_one_place() {
        let place = reference("run-1", "a");
        assert_eq!(place["name"], "run-1-plan");
        assert_eq!(place["key"], "plan-ca978112ca1bbdcafac231b39a23dc4d.md");
        assert_ne!(reference("run-1", "b")["key"], place["key"]);
        let longest = "x".repeat(CONFIG_MAP_BYTES - key("").len());
        assert!(fits(&longest) && !fits(&format!("{longest}x")));
    }
}
