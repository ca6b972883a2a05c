//! What should stand, by the spec, by what is there, and by the clock. Pure.

use std::marker::PhantomData;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_crds::run::{DesiredState, Phase};
use fabrica_crds::time::from_kubernetes;
use fabrica_crds::{Reason, RunStatus};
use fabrica_protocol::run::StopReason;
use fabrica_protocol::trust::{ANNOTATION, KeyDocument};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;

use super::build;
use super::cause::{self, Ending};
use super::observe::{Observed, number};
use super::queue::Place;
use super::usage::{Allowance, allowance};
use crate::children::cause::explain;
use crate::children::state::{container_runs, started_at};
pub(super) use crate::children::{Applied, Prepared};
use crate::children::{Outcome, Step, is_ours, same_template, strange};
use crate::config::RunDefaults;
use crate::controller::QUIET;

/// What this pass is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Intent {
    /// So many Runs go first, this one included.
    Queue(usize),
    Go,
    /// The runtime is told to end.
    Stop(StopReason),
    /// The present attempt has ended; without a pod, the Run has.
    Close(Ending),
    /// It ended before.
    Rest,
}

/// What to do about each child.
#[derive(Debug, Clone)]
pub(super) struct Plan<State> {
    pub(super) intent: Intent,
    pub(super) policy: Step<NetworkPolicy>,
    pub(super) pod: Step<Pod>,
    /// The Run itself has outlived its time.
    pub(super) expired: bool,
    pub(super) outcome: Outcome,
    pub(super) state: PhantomData<State>,
}

/// How long a runtime that was told to stop gets for its verdict.
const CANCEL_GRACE: chrono::Duration = chrono::Duration::seconds(30);
const DEADLINE_GRACE: chrono::Duration = chrono::Duration::seconds(60);
/// The runtime ends at the deadline by itself; this is how much later the operator does.
const LATE: chrono::Duration = chrono::Duration::seconds(5);

/// A journal that goes on, a stop that is waited for, a queue that moves, an archive that was asked: none of it is
/// watched.
pub(super) const GOING: Duration = Duration::from_secs(2);

/// Decides.
pub(super) fn plan(
    observed: &Observed,
    defaults: &RunDefaults,
    keys: &KeyDocument,
    now: DateTime<Utc>,
) -> Plan<Prepared> {
    let status = observed.status();
    let intent = intent(observed, &status, defaults, now);
    let (policy, pod) = match &intent {
        Intent::Queue(_) | Intent::Rest => (Step::Keep, Step::Keep),
        Intent::Go => {
            (policy_step(observed, defaults), run_step(observed, &status, defaults, keys, now))
        }
        Intent::Stop(reason) => (Step::Keep, stop_step(observed, &status, *reason, now)),
        // A pod that never ran would try for ever.
        Intent::Close(_) => {
            (Step::Keep, own_pod(observed).filter(|pod| is_waiting(pod)).map_or(Step::Keep, delete))
        }
    };
    let expired =
        intent == Intent::Rest && expires(observed, &status).is_some_and(|expires| expires <= now);
    Plan { intent, policy, pod, expired, outcome: Outcome::Done, state: PhantomData }
}

fn intent(
    observed: &Observed,
    status: &RunStatus,
    defaults: &RunDefaults,
    now: DateTime<Utc>,
) -> Intent {
    if status.phase.is_some_and(Phase::is_final) {
        return Intent::Rest;
    }
    if own_pod(observed).is_some()
        && let Some(ending) = cause::ending(observed)
    {
        return Intent::Close(settled(ending, observed, status));
    }
    let cancelled = is_cancelled(observed);
    let deadline = chrono::Duration::seconds(observed.run.spec.deadline_seconds);
    let used = cause::used(&status.attempts, now);
    let open = status.attempts.last().is_some_and(|last| last.finished_at.is_none());
    if let Some(ending) = own_pod(observed).and_then(|pod| given_up(observed, pod, now)) {
        return Intent::Close(settled(ending, observed, status));
    }
    if own_pod(observed).is_none() {
        if cancelled {
            return Intent::Close(stopped());
        }
        if used >= deadline {
            return Intent::Close(late());
        }
        // One that was recorded and never ran is made, perhaps again, under the same name.
        if open && status.attempts.last().is_some_and(|last| last.started_at.is_some()) {
            return Intent::Close(cause::gone());
        }
        if let Allowance::UsedUp(budget) =
            allowance(&observed.run.spec, &defaults.agent, &status.attempts)
        {
            let message = format!("The budget of ${budget} is used up.");
            return Intent::Close(Ending::last(Phase::Failed, Reason::BudgetExceeded, message));
        }
    }
    if cancelled {
        return Intent::Stop(StopReason::Cancelled);
    }
    if open && used > deadline + LATE {
        return Intent::Stop(StopReason::DeadlineExceeded);
    }
    if let Place::Waits(position) = observed.place {
        return Intent::Queue(position);
    }
    overdue(observed, status, defaults, now).map_or(Intent::Go, Intent::Close)
}

fn is_cancelled(observed: &Observed) -> bool {
    observed.run.spec.desired_state == DesiredState::Cancelled
}

/// An attempt that ended while the Run was being stopped, in a way that another could follow: the stop was the end.
fn settled(ending: Ending, observed: &Observed, status: &RunStatus) -> Ending {
    let instead = match (ending.again, is_cancelled(observed), &status.stopping_at) {
        (true, true, _) => stopped(),
        (true, false, Some(_)) => late(),
        _ => return ending,
    };
    Ending { usage: ending.usage, ..instead }
}

/// A pod that the cluster has told to go and that cannot confirm it: its node is silent, or its deletion hangs. The next
/// attempt has another name, so it need not be waited for.
fn given_up(observed: &Observed, pod: &Pod, now: DateTime<Utc>) -> Option<Ending> {
    /// After the pod's own grace has passed.
    const PATIENCE: chrono::Duration = chrono::Duration::seconds(60);
    let gone_by = from_kubernetes(pod.metadata.deletion_timestamp.as_ref()?);
    if explain(&observed.subject(), &Outcome::Done).reason == Reason::NodeLost {
        return Some(cause::lost(Reason::NodeLost, "The pod's node does not answer."));
    }
    (now - gone_by > PATIENCE)
        .then(|| cause::lost(Reason::PodLost, "The pod was deleted and does not go."))
}

fn stopped() -> Ending {
    Ending::last(Phase::Cancelled, Reason::Cancelled, "Cancelled by spec.desiredState.")
}

fn late() -> Ending {
    let message = "spec.deadlineSeconds of running time have passed.";
    Ending::last(Phase::Failed, Reason::DeadlineExceeded, message)
}

/// A pod that does not run within the Pending deadline, by its cause. Time in the queue does not count.
fn overdue(
    observed: &Observed,
    status: &RunStatus,
    defaults: &RunDefaults,
    now: DateTime<Utc>,
) -> Option<Ending> {
    if own_pod(observed).is_some_and(|pod| started_at(pod).is_some()) {
        return None;
    }
    let closed = status.attempts.iter().filter_map(|attempt| attempt.finished_at.as_ref());
    let since = status.started_at.iter().chain(closed).map(from_kubernetes).max()?;
    let waited = (now - since).to_std().ok()?;
    let most = defaults.pods.pending_deadline;
    (waited > most).then(|| {
        let found = explain(&observed.subject(), &Outcome::Done);
        let reason = match found.reason {
            Reason::Pending => Reason::PendingDeadlineExceeded,
            named => named,
        };
        let message = format!("Not started within {} s: {}", most.as_secs(), found.message);
        Ending::last(Phase::Failed, reason, message)
    })
}

/// The present pod, if it is this Run's.
pub(super) fn own_pod(observed: &Observed) -> Option<&Pod> {
    observed.pod.as_ref().filter(|pod| is_ours(&observed.run, &pod.metadata))
}

fn is_waiting(pod: &Pod) -> bool {
    started_at(pod).is_none() && pod.metadata.deletion_timestamp.is_none()
}

fn delete(pod: &Pod) -> Step<Pod> {
    Step::Delete(pod.uid().unwrap_or_default())
}

fn policy_step(observed: &Observed, defaults: &RunDefaults) -> Step<NetworkPolicy> {
    let wanted = build::network_policy(&observed.run, defaults);
    match &observed.policy {
        Some(found) if !is_ours(&observed.run, &found.metadata) => {
            strange(&observed.run, &found.metadata)
        }
        Some(found)
            if found.spec == wanted.spec && same_template(&found.metadata, &wanted.metadata) =>
        {
            Step::Keep
        }
        _ => Step::Apply(Box::new(wanted)),
    }
}

fn run_step(
    observed: &Observed,
    status: &RunStatus,
    defaults: &RunDefaults,
    keys: &KeyDocument,
    now: DateTime<Utc>,
) -> Step<Pod> {
    let used = cause::used(&status.attempts, now).num_seconds();
    let left = (observed.run.spec.deadline_seconds - used).max(1);
    let wanted = build::pod(&observed.run, number(status), left, defaults, keys);
    let Some(pod) = &observed.pod else {
        // The status names the attempt before its pod is made, so none is lost.
        let recorded = status.attempts.len() == number(status);
        return if recorded { Step::Create(Box::new(wanted)) } else { Step::Keep };
    };
    if !is_ours(&observed.run, &pod.metadata) {
        return strange(&observed.run, &pod.metadata);
    }
    match wanted.annotations().get(ANNOTATION) {
        Some(keys) if pod.annotations().get(ANNOTATION) != Some(keys) => {
            Step::Annotate(keys.clone())
        }
        _ => Step::Keep,
    }
}

fn stop_step(
    observed: &Observed,
    status: &RunStatus,
    reason: StopReason,
    now: DateTime<Utc>,
) -> Step<Pod> {
    let grace = match reason {
        StopReason::Cancelled => CANCEL_GRACE,
        StopReason::DeadlineExceeded => DEADLINE_GRACE,
    };
    let told = status.stopping_at.as_ref().map(from_kubernetes);
    let patience_is_over = told.is_some_and(|told| now - told >= grace);
    let pod = own_pod(observed).filter(|pod| pod.metadata.deletion_timestamp.is_none());
    pod.filter(|pod| patience_is_over || !container_runs(pod)).map_or(Step::Keep, delete)
}

/// When a Run that has ended is deleted.
fn expires(observed: &Observed, status: &RunStatus) -> Option<DateTime<Utc>> {
    let seconds = observed.run.spec.ttl_seconds_after_finished?;
    Some(from_kubernetes(status.finished_at.as_ref()?) + chrono::Duration::seconds(seconds))
}

/// When to look again, if nothing happens before.
pub(super) fn next_look(observed: &Observed, status: &RunStatus, now: DateTime<Utc>) -> Duration {
    /// A runtime that does not hear that its verdict is kept.
    const LATE: Duration = Duration::from_secs(10);
    if !status.phase.is_some_and(Phase::is_final) {
        return GOING;
    }
    if !observed.asked.is_empty() {
        return LATE;
    }
    let left = expires(observed, status).map(|time| (time - now).to_std().unwrap_or_default());
    left.map_or(QUIET, |left| QUIET.min(left + Duration::from_millis(100)))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
