//! A plan that is too long for a Run: a ConfigMap that belongs to the Run and goes with it.

use fabrica_crds::Run;
use fabrica_crds::parts::ConfigMapKey;
use http::StatusCode;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Resource, ResourceExt, core::Status};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::api::objects::write::discard;
use crate::app::App;
use crate::kubernetes::{ApiError, answer};
use crate::objects::RunView;
use crate::problem::Problem;

/// What a ConfigMap holds, keys included, in bytes.
const CONFIG_MAP_BYTES: usize = 1024 * 1024;

/// What a key begins with.
const KEY_PREFIX: &str = "plan-";
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

/// A name for a Run that begins so. It stands in the reference, so it is made here and not by the API server.
pub(super) fn name(prefix: &str) -> String {
    /// How many letters are random: as unlikely to meet as those that the API server makes, and more.
    const LETTERS: usize = 12;
    /// The longest name of a Run, without the dash and these letters.
    const ROOM: usize = 52 - LETTERS - 1;
    let random: String = Uuid::new_v4().simple().to_string();
    let beginning: String = prefix.chars().take(ROOM).collect();
    format!("{}-{}", beginning.trim_end_matches('-'), &random[..LETTERS])
}

/// Creates the ConfigMap that the Run refers to. Where that fails, a Run that is new goes: it could never begin.
pub(super) async fn keep(
    app: &App,
    run: &RunView,
    is_new: bool,
    plan: &str,
) -> Result<(), Problem> {
    let object = config_map(run, plan);
    let problem = match answer(api(app, run).create(&PostParams::default(), &object)).await {
        Ok(_) => return Ok(()),
        Err(ApiError::Api(kube::Error::Api(status))) if is(&status, StatusCode::CONFLICT) => {
            // A request before this one made it.
            if !is_new {
                return Ok(());
            }
            let detail =
                "The plan of a former run of this name is still there; try again in a moment.";
            Problem::new(StatusCode::CONFLICT, detail)
        }
        Err(error) => error.into(),
    };
    if is_new && let Err(error) = discard(app, run).await {
        let (key, error) = (run.key(), error.detail);
        tracing::warn!(%key, error, "a run without its plan could not be deleted");
    }
    Err(problem)
}

/// The plan of a Run that the gateway put into a ConfigMap: nothing of a Run that has its plan elsewhere. Where it went with
/// its Run, that is said.
pub(super) async fn of(app: &App, run: &RunView) -> Result<Option<String>, Problem> {
    let Some(reference) = run.spec.plan_ref.as_ref().filter(|it| is_ours(run, it)) else {
        return Ok(None);
    };
    let found = match answer(api(app, run).get(&reference.name)).await {
        Ok(found) => Some(found),
        Err(ApiError::Api(kube::Error::Api(status))) if is(&status, StatusCode::NOT_FOUND) => None,
        Err(error) => return Err(error.into()),
    };
    // No other ConfigMap is read out: it is the old Run's own, and the key says what its text is.
    let text = found
        .filter(|found| found.owner_references().iter().any(|it| it.uid == run.metadata.uid))
        .and_then(|found| found.data.unwrap_or_default().remove(&reference.key))
        .filter(|text| key(text) == reference.key);
    text.map(Some).ok_or_else(|| {
        let detail = "The plan of this run went with it; send the plan again.";
        Problem::new(StatusCode::CONFLICT, detail)
    })
}

/// Whether the gateway made what a Run's `planRef` names.
fn is_ours(run: &RunView, reference: &ConfigMapKey) -> bool {
    reference.name == config_map_name(&run.metadata.name) && reference.key.starts_with(KEY_PREFIX)
}

fn is(status: &Status, code: StatusCode) -> bool {
    status.code == code.as_u16()
}

fn api(app: &App, run: &RunView) -> Api<ConfigMap> {
    Api::namespaced(app.client.clone(), &run.metadata.namespace)
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
    let mut key = KEY_PREFIX.to_owned();
    for byte in digest.iter().take(DIGEST_BYTES) {
        let _ = write!(key, "{byte:02x}");
    }
    key + ".md"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_long_as_they_may_be() {
        let made = [name("run-"), name("run"), name(&"x".repeat(60))];
        assert!(made[0].starts_with("run-") && made[1].starts_with("run-"));
        assert_eq!(made.map(|name| name.len()), [16, 16, 52]);
    }

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
