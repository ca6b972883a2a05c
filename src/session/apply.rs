//! Carries a plan out. The only module that writes.

use fabrica_crds::{Session, SessionStatus};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::observe::Observed;
use super::plan::{Applied, Outcome, Plan, Prepared, Step};
use super::{Context, ReconcileError};
use fabrica_crds::names;
use fabrica_protocol::trust::ANNOTATION;

/// Our name as a field manager: of children, and, apart from them, of the status.
const MANAGER: &str = "fabrica-operator";
const STATUS_MANAGER: &str = "fabrica-operator-status";

/// Applies children in order: the policy stands before the pod it guards, the volume before the pod that mounts it.
pub(super) async fn apply(
    context: &Context,
    observed: &Observed,
    plan: Plan<Prepared>,
) -> Result<Plan<Applied>, ReconcileError> {
    let Plan { intent, policy, claim, pod, restart_required, outcome: _, state: _ } = plan;
    let session = &observed.session;
    let namespace = session.namespace().unwrap_or_default();
    let name = session.name_any();
    let mut outcome = write(
        &api::<NetworkPolicy>(context, &namespace),
        "NetworkPolicy",
        &names::network_policy(&name),
        &policy,
    )
    .await?;
    if outcome == Outcome::Done {
        let claims = api::<PersistentVolumeClaim>(context, &namespace);
        outcome =
            write(&claims, "PersistentVolumeClaim", &names::volume_claim(&name), &claim).await?;
    }
    // A pod that should go goes, whatever became of the rest.
    if outcome == Outcome::Done || matches!(pod, Step::Delete(_)) {
        outcome = write(&api::<Pod>(context, &namespace), "Pod", &names::pod(&name), &pod).await?;
    }
    let state = std::marker::PhantomData;
    Ok(Plan { intent, policy, claim, pod, restart_required, outcome, state })
}

fn api<K>(context: &Context, namespace: &str) -> Api<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(context.client.clone(), namespace)
}

async fn write<K>(
    api: &Api<K>,
    kind: &'static str,
    name: &str,
    step: &Step<K>,
) -> Result<Outcome, ReconcileError>
where
    K: kube::Resource<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::Serialize
        + serde::de::DeserializeOwned,
{
    let written = match step {
        Step::Keep => return Ok(Outcome::Done),
        Step::Wait(name) => return Ok(Outcome::Waiting(name.clone())),
        Step::Conflict(name) => return Ok(Outcome::Conflict(name.clone())),
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
fn settle(kind: &'static str, written: Result<(), kube::Error>) -> Result<Outcome, ReconcileError> {
    match written {
        Ok(()) => Ok(Outcome::Done),
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
            Ok(Outcome::Refused(status.message.clone()))
        }
        // It is there, or gone, or another one by now: the next pass sees it.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Outcome::Done),
        Err(source) => Err(ReconcileError::Apply { kind, source }),
    }
}

/// Writes the status when it says something new.
pub(super) async fn write_status(
    context: &Context,
    session: &Session,
    status: &SessionStatus,
) -> Result<(), ReconcileError> {
    if session.status.as_ref() == Some(status) {
        return Ok(());
    }
    let body = json!({
        "apiVersion": "fabrica.dev/v1alpha1", "kind": "Session",
        "metadata": {"name": session.name_any()}, "status": status,
    });
    let parameters = PatchParams::apply(STATUS_MANAGER).force();
    let sessions = api::<Session>(context, &session.namespace().unwrap_or_default());
    match sessions.patch_status(&session.name_any(), &parameters, &Patch::Apply(&body)).await {
        Ok(_) => Ok(()),
        // Deleted meanwhile: there is nobody to tell.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(ReconcileError::Report(error)),
    }
}
