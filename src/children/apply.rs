//! Writes children and statuses. The only module that writes them.

use fabrica_protocol::trust::ANNOTATION;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Resource};
use serde_json::json;

use super::{Outcome, Step};

/// Our name as a field manager: of children, and, apart from them, of the status.
const MANAGER: &str = "fabrica-operator";
const STATUS_MANAGER: &str = "fabrica-operator-status";

/// A child that could not be written, for no reason of the user's.
#[derive(Debug, thiserror::Error)]
#[error("apply the {kind}")]
pub struct WriteError {
    kind: &'static str,
    #[source]
    source: kube::Error,
}

/// The objects of a kind in a namespace.
pub(crate) fn api<K>(client: &kube::Client, namespace: &str) -> Api<K>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(client.clone(), namespace)
}

/// Takes one step.
pub(crate) async fn write<K>(
    api: &Api<K>,
    kind: &'static str,
    name: &str,
    step: &Step<K>,
) -> Result<Outcome, WriteError>
where
    K: Resource<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::Serialize
        + serde::de::DeserializeOwned,
{
    let written = match step {
        Step::Keep => return Ok(Outcome::Done),
        Step::Wait(name) => return Ok(Outcome::Waiting(name.clone())),
        Step::Conflict(name) => return Ok(Outcome::Conflict(name.clone())),
        Step::Lack(words) => return Ok(Outcome::Lacking(words.clone())),
        Step::Apply(object) => {
            let parameters = PatchParams::apply(MANAGER).force();
            api.patch(name, &parameters, &Patch::Apply(object)).await.map(|_| ())
        }
        Step::Create(object) => api.create(&PostParams::default(), object).await.map(|_| ()),
        Step::Annotate(value) => {
            let patch = Patch::Merge(json!({"metadata": {"annotations": {ANNOTATION: value}}}));
            api.patch(name, &PatchParams::default(), &patch).await.map(|_| ())
        }
        Step::Delete(uid) => {
            let only = Preconditions { uid: Some(uid.clone()), resource_version: None };
            api.delete(name, &DeleteParams::default().preconditions(only)).await.map(|_| ())
        }
    };
    settle(kind, written)
}

/// What the API server refuses for a reason of the user's is an outcome; everything else is an error.
fn settle(kind: &'static str, written: Result<(), kube::Error>) -> Result<Outcome, WriteError> {
    match written {
        Ok(()) => Ok(Outcome::Done),
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
            Ok(Outcome::Refused(status.message.clone()))
        }
        // It is there, or gone, or another one by now: the next pass sees it.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Outcome::Done),
        Err(source) => Err(WriteError { kind, source }),
    }
}

/// Writes a status.
pub(crate) async fn write_status<K>(
    api: &Api<K>,
    name: &str,
    status: &impl serde::Serialize,
) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let body = json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()),
        "metadata": {"name": name}, "status": status,
    });
    let parameters = PatchParams::apply(STATUS_MANAGER).force();
    match api.patch_status(name, &parameters, &Patch::Apply(&body)).await {
        Ok(_) => Ok(()),
        // Deleted meanwhile: there is nobody to tell.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}
