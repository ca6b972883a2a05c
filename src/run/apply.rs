//! Carries a plan out. The only module that writes.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use fabrica_crds::{Run, RunStatus, names};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;

use super::observe::{Observed, number};
use super::plan::{Applied, Plan, Prepared};
use super::{Context, ReconcileError};
use crate::children::apply::{api, write, write_status as write_to};
use crate::children::{Outcome, Step};

/// Messages alone wait so long for the next write of a status.
const WRITE_EVERY: chrono::Duration = chrono::Duration::seconds(10);

/// Applies children in order: the policy stands before the pod it guards, the volume before the pod that mounts it.
pub(super) async fn apply(
    context: &Context,
    observed: &Observed,
    plan: Plan<Prepared>,
) -> Result<Plan<Applied>, ReconcileError> {
    let Plan { policy, claim, text, pod, expired, .. } = &plan;
    let run = &observed.run;
    let (namespace, name) = (run.namespace().unwrap_or_default(), run.name_any());
    let policies = api::<NetworkPolicy>(&context.client, &namespace);
    let policy_name = names::run_network_policy(&name);
    let mut outcome = write(&policies, "NetworkPolicy", &policy_name, policy).await?;
    if outcome == Outcome::Done {
        let claims = api::<PersistentVolumeClaim>(&context.client, &namespace);
        let claim_name = names::run_volume_claim(&name);
        outcome = write(&claims, "PersistentVolumeClaim", &claim_name, claim).await?;
    }
    if outcome == Outcome::Done {
        let texts = api::<ConfigMap>(&context.client, &namespace);
        outcome = write(&texts, "ConfigMap", &names::run_plan(&name), text).await?;
    }
    // A pod that should go goes, whatever became of the rest.
    if outcome == Outcome::Done || matches!(pod, Step::Delete(_)) {
        let pod_name = names::run_pod(&name, number(&observed.status()));
        outcome = write(&api::<Pod>(&context.client, &namespace), "Pod", &pod_name, pod).await?;
    }
    if *expired {
        let step = Step::Delete(run.uid().unwrap_or_default());
        write(&api::<Run>(&context.client, &namespace), "Run", &name, &step).await?;
    }
    let Plan { intent, policy, claim, text, pod, answer, resumes, expired, .. } = plan;
    let state = PhantomData;
    Ok(Plan { intent, policy, claim, text, pod, answer, resumes, expired, outcome, state })
}

/// Writes the status when it says something new, and news that are messages alone not too often. Whether all of it stands.
pub(super) async fn write_status(
    context: &Context,
    run: &Run,
    status: &RunStatus,
    now: DateTime<Utc>,
) -> Result<bool, ReconcileError> {
    let before = run.status.clone().unwrap_or_default();
    if run.status.as_ref() == Some(status) {
        return Ok(true);
    }
    let written = context.remember(run, |memory| memory.written);
    if only_talk(&before, status) && written.is_some_and(|written| now - written < WRITE_EVERY) {
        return Ok(false);
    }
    let runs = api::<Run>(&context.client, &run.namespace().unwrap_or_default());
    write_to(&runs, &run.name_any(), status).await.map_err(ReconcileError::Report)?;
    context.remember(run, |memory| memory.written = Some(now));
    Ok(true)
}

/// Whether two statuses differ in nothing but what an agent says and uses.
fn only_talk(before: &RunStatus, after: &RunStatus) -> bool {
    let quiet = |status: &RunStatus| {
        let mut status =
            RunStatus { messages: Vec::new(), faber: None, usage: None, ..status.clone() };
        for attempt in &mut status.attempts {
            attempt.usage = None;
        }
        status
    };
    quiet(before) == quiet(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::words(json!({"messages": [{"seq": 1, "time": "2026-01-01T00:00:00Z", "type": "Notice", "text": "a"}]}), true)]
    #[case::phase_of_the_agent(json!({"faber": {"phase": "build"}}), true)]
    #[case::phase(json!({"phase": "Running"}), false)]
    #[case::an_attempt(json!({"attempts": [{"number": 1, "podName": "a"}]}), false)]
    fn what_is_written_at_once(#[case] after: serde_json::Value, #[case] talk: bool) {
        let after: RunStatus = serde_json::from_value(after).unwrap();
        assert_eq!(only_talk(&RunStatus::default(), &after), talk);
    }
}
