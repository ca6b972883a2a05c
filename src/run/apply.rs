//! Carries a plan out. The only module that writes.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use fabrica_crds::{Run, RunStatus, names};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;

use super::observe::{Observed, number};
use super::plan::{Applied, Intent, Plan, Prepared};
use super::{Context, ReconcileError};
use crate::children::apply::{api, write, write_status as write_to};
use crate::children::{Outcome, Step};
use crate::controller::error_chain;

/// Messages alone wait so long for the next write of a status.
const WRITE_EVERY: chrono::Duration = chrono::Duration::seconds(10);

/// Applies children in order: the policy stands before the pod it guards.
pub(super) async fn apply(
    context: &Context,
    observed: &Observed,
    plan: Plan<Prepared>,
) -> Result<Plan<Applied>, ReconcileError> {
    let Plan { intent, policy, pod, expired, outcome: _, state: _ } = plan;
    let run = &observed.run;
    let (namespace, name) = (run.namespace().unwrap_or_default(), run.name_any());
    if let Intent::Stop(reason) = intent {
        for asked in &observed.asked {
            let uid = run.uid().unwrap_or_default();
            if let Err(error) = context.runtimes.stop(&asked.address, &uid, reason).await {
                tracing::debug!(error = error_chain(&error), "the runtime cannot be stopped yet");
            }
        }
    }
    let policies = api::<NetworkPolicy>(&context.client, &namespace);
    let policy_name = names::run_network_policy(&name);
    let mut outcome = write(&policies, "NetworkPolicy", &policy_name, &policy).await?;
    if outcome == Outcome::Done {
        let pod_name = names::run_pod(&name, number(&observed.status()));
        outcome = write(&api::<Pod>(&context.client, &namespace), "Pod", &pod_name, &pod).await?;
    }
    if expired {
        let step = Step::Delete(run.uid().unwrap_or_default());
        write(&api::<Run>(&context.client, &namespace), "Run", &name, &step).await?;
    }
    Ok(Plan { intent, policy, pod, expired, outcome, state: PhantomData })
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
    let talk = RunStatus { messages: before.messages.clone(), ..status.clone() } == before;
    let written = context.remember(run, |memory| memory.written);
    if talk && written.is_some_and(|written| now - written < WRITE_EVERY) {
        return Ok(false);
    }
    let runs = api::<Run>(&context.client, &run.namespace().unwrap_or_default());
    write_to(&runs, &run.name_any(), status).await.map_err(ReconcileError::Report)?;
    context.remember(run, |memory| memory.written = Some(now));
    Ok(true)
}

/// Tells runtimes what is kept. One that cannot be told is told at the next pass.
pub(super) async fn acknowledge(context: &Context, observed: &Observed) {
    let uid = observed.run.uid().unwrap_or_default();
    for asked in &observed.asked {
        let Some(last) = asked.records.last() else { continue };
        match context.runtimes.acknowledge(&asked.address, &uid, last.seq).await {
            Ok(()) => context.remember(&observed.run, |memory| {
                memory.read.insert(asked.pod.clone(), last.seq);
            }),
            Err(error) => {
                tracing::debug!(error = error_chain(&error), "the runtime cannot be told");
            }
        }
    }
}
