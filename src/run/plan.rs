//! What should stand, by the spec, by what is there, and by the clock. Pure.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use fabrica_crds::run::{Attempt, CONTINUATIONS, DesiredState, Phase};
use fabrica_crds::time::from_kubernetes;
use fabrica_crds::{Reason, RunStatus, names};
use fabrica_protocol::run::{Answer, StopReason};
use fabrica_protocol::trust::{ANNOTATION, KeyDocument};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;

use super::build;
use super::cause::{self, Ending};
use super::clock::{OVERDUE, expires};
use super::escalation;
use super::observe::{Kept, Observed, number};
use super::pause;
use super::queue::Place;
use super::snapshot;
use super::usage::{Allowance, allowance, turns};
use crate::children::cause::explain;
use crate::children::state::{container_runs, started_at};
pub(super) use crate::children::{Applied, Prepared};
use crate::children::{Outcome, Step, is_ours, same_template, strange, volume_claim};
use crate::config::RunDefaults;

/// What this pass is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Intent {
    /// So many Runs go first, this one included.
    Queue(usize),
    Go,
    /// Its pod was let go with a question that nobody has answered.
    Park,
    /// The model's service is left alone until then.
    Pause(DateTime<Utc>),
    /// What it goes on from cannot be asked for now.
    Await,
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
    pub(super) claim: Step<PersistentVolumeClaim>,
    /// The Run's copy of the plan that it refers to.
    pub(super) text: Step<ConfigMap>,
    pub(super) pod: Step<Pod>,
    /// What the present runtime is to hear.
    pub(super) answer: Option<Answer>,
    /// Whether the present runtime waits for what it goes on from.
    pub(super) resumes: bool,
    /// The Run itself has outlived its time.
    pub(super) expired: bool,
    pub(super) outcome: Outcome,
    pub(super) state: PhantomData<State>,
}

/// How long a runtime that was told to stop gets for its verdict.
const CANCEL_GRACE: chrono::Duration = chrono::Duration::seconds(30);
const DEADLINE_GRACE: chrono::Duration = chrono::Duration::seconds(60);
/// How long an archive that is away is waited for by who could also begin anew: a restart of a database is over by then.
const ARCHIVE_PATIENCE: chrono::Duration = chrono::Duration::minutes(2);

/// Decides.
pub(super) fn plan(
    observed: &Observed,
    defaults: &RunDefaults,
    keys: &KeyDocument,
    now: DateTime<Utc>,
) -> Plan<Prepared> {
    let status = observed.asked_status();
    let intent = intent(observed, &status, defaults, now);
    let (policy, pod) = match &intent {
        Intent::Queue(_) | Intent::Park | Intent::Pause(_) | Intent::Await | Intent::Rest => {
            (Step::Keep, Step::Keep)
        }
        Intent::Go => {
            (policy_step(observed, defaults), run_step(observed, &status, defaults, keys, now))
        }
        Intent::Stop(reason) => (Step::Keep, stop_step(observed, &status, *reason, now)),
        // A pod that never ran would try for ever.
        Intent::Close(_) => (
            Step::Keep,
            observed.own_pod().filter(|pod| is_waiting(pod)).map_or(Step::Keep, delete),
        ),
    };
    let (claim, text) = match intent {
        Intent::Go => (claim_step(observed), snapshot::step(&observed.run, &observed.snapshot)),
        _ => (Step::Keep, Step::Keep),
    };
    let expired =
        intent == Intent::Rest && expires(observed, &status).is_some_and(|expires| expires <= now);
    let goes = intent == Intent::Go;
    let answer = escalation::answer(&status, &observed.run.spec, now).filter(|_| goes);
    let resumes = goes && observed.own_pod().is_some_and(build::resumes);
    let outcome = Outcome::Done;
    Plan { intent, policy, claim, text, pod, answer, resumes, expired, outcome, state: PhantomData }
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
    if observed.own_pod().is_some()
        && let Some(ending) = cause::ending(observed)
    {
        return Intent::Close(settled(ending, observed, status, now));
    }
    let cancelled = is_cancelled(observed);
    let deadline = chrono::Duration::seconds(observed.run.spec.deadline_seconds);
    let used = escalation::used(status, now);
    let open = status.attempts.last().is_some_and(|last| last.finished_at.is_none());
    if let Some(ending) = observed.own_pod().and_then(|pod| given_up(observed, pod, now)) {
        return Intent::Close(settled(ending, observed, status, now));
    }
    if observed.own_pod().is_none()
        && let Some(instead) = without_pod(observed, status, defaults, now)
    {
        return instead;
    }
    if cancelled || escalation::timed_out(status, &observed.run.spec, now) {
        return Intent::Stop(StopReason::Cancelled);
    }
    if open && used > deadline + OVERDUE {
        return Intent::Stop(StopReason::DeadlineExceeded);
    }
    if let Place::Waits(position) = observed.place {
        return Intent::Queue(position);
    }
    overdue(observed, status, defaults, now).map_or(Intent::Go, Intent::Close)
}

/// What is done in the place of an attempt's pod that is not there.
fn without_pod(
    observed: &Observed,
    status: &RunStatus,
    defaults: &RunDefaults,
    now: DateTime<Utc>,
) -> Option<Intent> {
    let spec = &observed.run.spec;
    if is_cancelled(observed) {
        return Some(Intent::Close(stopped()));
    }
    if escalation::timed_out(status, spec, now) {
        return Some(Intent::Close(nobody_answered()));
    }
    if escalation::is_parked(status) && escalation::unanswered(status, spec, now).is_some() {
        return Some(Intent::Park);
    }
    if escalation::used(status, now).num_seconds() >= spec.deadline_seconds {
        return Some(Intent::Close(late()));
    }
    // One that was recorded and never ran is made, perhaps again, under the same name.
    let ran = |last: &Attempt| last.finished_at.is_none() && last.started_at.is_some();
    if status.attempts.last().is_some_and(ran) {
        return Some(Intent::Close(cause::gone()));
    }
    if let Allowance::UsedUp(budget) = allowance(spec, &defaults.agent, &status.attempts) {
        let message = format!("The budget of ${budget} is used up.");
        return Some(Intent::Close(Ending::last(Phase::Failed, Reason::BudgetExceeded, message)));
    }
    if turns(spec, &defaults.agent, &status.attempts).is_some_and(|left| left <= 0) {
        let message = "The turns that agent.maxTurns allows are used up by former attempts.";
        return Some(Intent::Close(Ending::last(Phase::Failed, Reason::MaxTurns, message)));
    }
    let begins = pause::next_begins(status, spec);
    if let Some(begins) = begins.filter(|begins| now < *begins) {
        return Some(Intent::Pause(begins));
    }
    let former = status.attempts.iter().rfind(|attempt| attempt.finished_at.is_some());
    let continues = former.is_some_and(escalation::is_continued);
    match observed.kept {
        // To begin anew would lose an answer; all else that is kept can be worked out again.
        Kept::Unknown
            if continues
                || status.escalation.is_some()
                || begins.is_some_and(|begins| now - begins < ARCHIVE_PATIENCE) =>
        {
            Some(Intent::Await)
        }
        // Its time came up while we looked.
        Kept::Unasked if continues => Some(Intent::Park),
        Kept::Nothing if continues => {
            let message = "What the Run was to go on from is not in the database.";
            Some(Intent::Close(Ending::last(Phase::Failed, Reason::CheckpointMissing, message)))
        }
        Kept::Unasked | Kept::Nothing | Kept::There | Kept::Unknown => None,
    }
}

fn is_cancelled(observed: &Observed) -> bool {
    observed.run.spec.desired_state == DesiredState::Cancelled
}

/// An attempt that ended while the Run was being stopped, in a way that another could follow: the stop was the end.
fn settled(ending: Ending, observed: &Observed, status: &RunStatus, now: DateTime<Utc>) -> Ending {
    let escalated = ending.phase == Phase::Escalated;
    let (goes_on, told) = (ending.again || escalated, status.stopping_at.is_some());
    let timed_out = told && escalation::timed_out(status, &observed.run.spec, now);
    let instead = if goes_on && is_cancelled(observed) {
        stopped()
    } else if timed_out && (goes_on || ending.phase == Phase::Cancelled) && !is_cancelled(observed)
    {
        nobody_answered()
    } else if goes_on && told {
        late()
    } else if escalated && escalation::continuations(status) >= CONTINUATIONS {
        let message = format!("The agent asks again after {CONTINUATIONS} continuations.");
        Ending::last(Phase::Failed, Reason::AgentFailed, message)
    } else {
        return ending;
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

fn nobody_answered() -> Ending {
    let message = "Nobody answered the agent's question within spec.escalation.timeoutSeconds.";
    Ending::last(Phase::Failed, Reason::EscalationTimedOut, message)
}

/// A pod that does not run within the Pending deadline, by its cause. Time in the queue does not count.
fn overdue(
    observed: &Observed,
    status: &RunStatus,
    defaults: &RunDefaults,
    now: DateTime<Utc>,
) -> Option<Ending> {
    if observed.own_pod().is_some_and(|pod| started_at(pod).is_some()) {
        return None;
    }
    let last = status.attempts.last().filter(|last| last.finished_at.is_none())?;
    let waited = (now - from_kubernetes(last.created_at.as_ref()?)).to_std().ok()?;
    let most = defaults.pods.pending_deadline;
    (waited > most).then(|| {
        let held = observed.holds_volume.clone().filter(|_| observed.pod.is_none());
        let outcome = match snapshot::step(&observed.run, &observed.snapshot) {
            Step::Lack(words) => Outcome::Lacking(words),
            _ => held.map_or(Outcome::Done, Outcome::Waiting),
        };
        let found = explain(&observed.subject(), &outcome);
        let reason = match found.reason {
            Reason::Pending => Reason::PendingDeadlineExceeded,
            named => named,
        };
        let message = format!("Not started within {} s: {}", most.as_secs(), found.message);
        Ending::last(Phase::Failed, reason, message)
    })
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

fn claim_step(observed: &Observed) -> Step<PersistentVolumeClaim> {
    let wanted = build::volume_claim(&observed.run);
    volume_claim::step(&observed.run, names::RUN_NAME, observed.claim.as_ref(), wanted)
}

fn run_step(
    observed: &Observed,
    status: &RunStatus,
    defaults: &RunDefaults,
    keys: &KeyDocument,
    now: DateTime<Utc>,
) -> Step<Pod> {
    let used = escalation::used(status, now).num_seconds();
    let (last_of_agent, last_of_others) = cause::is_last(&status.attempts, &observed.run.spec);
    let attempt = build::Attempt {
        number: number(status),
        last_of_agent,
        last_of_others,
        seconds: (observed.run.spec.deadline_seconds - used).max(1),
        resumes: observed.kept == Kept::There,
    };
    let wanted = build::pod(&observed.run, attempt, defaults, keys);
    let Some(pod) = &observed.pod else {
        // The status names the attempt before its pod is made, so none is lost.
        let recorded = status.attempts.len() == number(status);
        let has_plan = snapshot::is_there(&observed.run, &observed.snapshot);
        return match &observed.holds_volume {
            // Two agents in one volume would spoil each other's work.
            Some(former) => Step::Wait(former.clone()),
            None if recorded && has_plan => Step::Create(Box::new(wanted)),
            None => Step::Keep,
        };
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
    let pod = observed.own_pod().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    pod.filter(|pod| patience_is_over || !container_runs(pod)).map_or(Step::Keep, delete)
}

#[cfg(test)]
#[path = "deadline_tests.rs"]
mod deadline_tests;
#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
