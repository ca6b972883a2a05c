//! Carries a plan out. The only module that writes.

use chrono::{DateTime, Utc};
use fabrica_crds::{Session, SessionStatus, names};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;

use super::chat::{has_agent, only_talk};
use super::observe::Observed;
use super::plan::{Applied, Outcome, Plan, Prepared, Step};
use super::{Context, ReconcileError};
use crate::children::apply::{api, write, write_status as write_to};

/// What an agent says and uses waits so long for the next write of a status.
const TALK_EVERY: chrono::Duration = chrono::Duration::seconds(10);

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
        &api::<NetworkPolicy>(&context.client, &namespace),
        "NetworkPolicy",
        &names::network_policy(&name),
        &policy,
    )
    .await?;
    if outcome == Outcome::Done {
        let claims = api::<PersistentVolumeClaim>(&context.client, &namespace);
        outcome =
            write(&claims, "PersistentVolumeClaim", &names::volume_claim(&name), &claim).await?;
    }
    // A pod that should go goes, whatever became of the rest.
    if outcome == Outcome::Done || matches!(pod, Step::Delete(_)) {
        outcome = write(&api::<Pod>(&context.client, &namespace), "Pod", &names::pod(&name), &pod)
            .await?;
    }
    let state = std::marker::PhantomData;
    Ok(Plan { intent, policy, claim, pod, restart_required, outcome, state })
}

/// Writes the status when it says something new, and news that are an agent's talk alone not too often. Whether all of it
/// stands.
pub(super) async fn write_status(
    context: &Context,
    session: &Session,
    status: &SessionStatus,
    now: DateTime<Utc>,
) -> Result<bool, ReconcileError> {
    if session.status.as_ref() == Some(status) {
        return Ok(true);
    }
    if has_agent(session) {
        let before = session.status.clone().unwrap_or_default();
        let starts = status.starts.unwrap_or_default();
        let written = context.remember(session, |memory| {
            memory.starts = starts.max(memory.starts);
            memory.written
        });
        let early = written.is_some_and(|written| now - written < TALK_EVERY);
        if early && only_talk(&before, status) {
            return Ok(false);
        }
    }
    let sessions = api::<Session>(&context.client, &session.namespace().unwrap_or_default());
    write_to(&sessions, &session.name_any(), status).await.map_err(ReconcileError::Report)?;
    if has_agent(session) {
        context.remember(session, |memory| memory.written = Some(now));
    }
    Ok(true)
}
