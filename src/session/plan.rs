//! Decides what should exist. Pure: what stands and the time are arguments.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use fabrica_crds::condition;
use fabrica_crds::session::OperatingMode;
use fabrica_crds::time::from_kubernetes;
use fabrica_crds::{Reason, SessionSpec, SessionStatus, names};
use fabrica_protocol::runtime::Idle;
use fabrica_protocol::trust::{ANNOTATION, KeyDocument};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;

use super::chat::{Start, is_chat};
use super::observe::Observed;
use super::{build, is_ours};
use crate::children::state::has_ended;
pub(super) use crate::children::{Applied, Outcome, Prepared, Step};
use crate::children::{same_template, strange, volume_claim};
use crate::config::{Defaults, SessionDefaults};

/// Why a Session is stopped on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopReason {
    Suspended,
    IdleTimeout,
    ShutdownTime,
}

impl StopReason {
    /// The condition reason.
    pub(super) const fn of_condition(self) -> Reason {
        match self {
            Self::Suspended => Reason::Suspended,
            Self::IdleTimeout => Reason::IdleTimeout,
            Self::ShutdownTime => Reason::ShutdownTime,
        }
    }
}

/// Whether the pod should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Run,
    Stop(StopReason),
    /// Chats are switched off here, and this one has no pod to go on with.
    Off,
}

/// What should happen in this pass, and, once applied, what came of it.
#[derive(Debug, Clone)]
pub(super) struct Plan<State> {
    pub(super) intent: Intent,
    pub(super) policy: Step<NetworkPolicy>,
    pub(super) claim: Step<PersistentVolumeClaim>,
    pub(super) pod: Step<Pod>,
    /// The live pod was made from another template than the present one.
    pub(super) restart_required: bool,
    pub(super) outcome: Outcome,
    pub(super) state: PhantomData<State>,
}

/// How long a pod that ended for good stays to be looked at, before another takes its place.
const RECREATE_AFTER: chrono::Duration = chrono::Duration::seconds(10);

/// Decides.
pub(super) fn plan(
    observed: &Observed,
    defaults: &Defaults,
    keys: &KeyDocument,
    now: DateTime<Utc>,
) -> Plan<Prepared> {
    let session = &observed.session;
    let status = session.status.clone().unwrap_or_default();
    let idle = observed.runtime.as_ref().and_then(|view| view.idle.as_ref());
    let own = observed.pod.as_ref().filter(|pod| observed.is_ours(pod));
    let off = is_chat(session) && !defaults.chat.enabled && own.is_none();
    let intent = match intent(&session.spec, &status, idle, now) {
        Intent::Run if off => Intent::Off,
        intent => intent,
    };
    // A live pod keeps what it was told of its start: none of it is a change of the template.
    let next = || Start::next(session, observed.starts, &defaults.chat.agent);
    let start = own.map_or_else(next, Start::of);
    let wanted = build::pod(session, &start, defaults, keys);
    let restart_required = own.is_some_and(|pod| {
        pod.annotations().get(names::TEMPLATE_HASH)
            != wanted.annotations().get(names::TEMPLATE_HASH)
    });
    let (policy, claim) = match intent {
        // It may never have a pod to guard, nor files to keep.
        Intent::Off => (Step::Keep, Step::Keep),
        Intent::Run | Intent::Stop(_) => {
            (policy_step(observed, &defaults.terminal), claim_step(observed))
        }
    };
    Plan {
        intent,
        policy,
        claim,
        pod: match intent {
            Intent::Run => run_step(observed, wanted, now),
            Intent::Stop(_) => stop_step(observed),
            Intent::Off => Step::Keep,
        },
        restart_required,
        outcome: Outcome::Done,
        state: PhantomData,
    }
}

/// Whether the Session should run, by its spec, by what stopped it before, and by the clock.
pub(super) fn intent(
    spec: &SessionSpec,
    status: &SessionStatus,
    idle: Option<&Idle>,
    now: DateTime<Utc>,
) -> Intent {
    if spec.operating_mode == OperatingMode::Suspended {
        return Intent::Stop(StopReason::Suspended);
    }
    let woken = spec.wake_time.as_ref().map(from_kubernetes).filter(|time| *time <= now);
    let shutdown = spec.shutdown_time.as_ref().map(from_kubernetes).filter(|time| *time <= now);
    let timeout = spec.idle_timeout_seconds.map(chrono::Duration::seconds);
    let stopped_at = status.stopped_at.as_ref().map(from_kubernetes);
    if let (Some(reason), Some(stopped)) = (stopped_by(status), stopped_at) {
        // Kubernetes keeps whole seconds: a wish in the same second counts as later.
        let awake = woken.is_some_and(|time| time >= stopped);
        let lifted = match reason {
            StopReason::IdleTimeout => timeout.is_none(),
            StopReason::ShutdownTime => shutdown.is_none(),
            StopReason::Suspended => true,
        };
        if !awake && !lifted {
            return Intent::Stop(reason);
        }
    }
    if shutdown.is_some_and(|time| woken.is_none_or(|woken| woken < time)) {
        return Intent::Stop(StopReason::ShutdownTime);
    }
    let started = status.started_at.as_ref().map(from_kubernetes);
    match (timeout, idle) {
        (Some(timeout), Some(idle)) if is_idle(idle, timeout, [started, woken], now) => {
            Intent::Stop(StopReason::IdleTimeout)
        }
        _ => Intent::Run,
    }
}

fn is_idle(
    idle: &Idle,
    timeout: chrono::Duration,
    starts: [Option<DateTime<Utc>>; 2],
    now: DateTime<Utc>,
) -> bool {
    let last = starts.into_iter().flatten().fold(idle.last_activity_at, DateTime::max);
    !idle.busy && idle.visible_clients == 0 && now - last >= timeout
}

/// What stopped it, by the status of the last pass.
fn stopped_by(status: &SessionStatus) -> Option<StopReason> {
    let condition =
        condition::find(&status.conditions, "Suspended").filter(|found| found.status == "True")?;
    [StopReason::Suspended, StopReason::IdleTimeout, StopReason::ShutdownTime]
        .into_iter()
        .find(|reason| reason.of_condition().as_str() == condition.reason)
}

fn policy_step(observed: &Observed, defaults: &SessionDefaults) -> Step<NetworkPolicy> {
    let wanted = build::network_policy(&observed.session, defaults);
    match &observed.policy {
        Some(found) if !is_ours(&observed.session, &found.metadata) => {
            strange(&observed.session, &found.metadata)
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
    let wanted = build::volume_claim(&observed.session);
    volume_claim::step(&observed.session, names::SESSION_NAME, observed.claim.as_ref(), wanted)
}

fn run_step(observed: &Observed, wanted: Pod, now: DateTime<Utc>) -> Step<Pod> {
    let Some(pod) = &observed.pod else { return Step::Create(Box::new(wanted)) };
    if !is_ours(&observed.session, &pod.metadata) {
        return strange(&observed.session, &pod.metadata);
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return Step::Keep;
    }
    if has_ended(pod) {
        return match replaced_at(pod) {
            Some(time) if now < time => Step::Keep,
            _ => Step::Delete(pod.uid().unwrap_or_default()),
        };
    }
    match wanted.annotations().get(ANNOTATION) {
        Some(keys) if pod.annotations().get(ANNOTATION) != Some(keys) => {
            Step::Annotate(keys.clone())
        }
        _ => Step::Keep,
    }
}

fn stop_step(observed: &Observed) -> Step<Pod> {
    match &observed.pod {
        Some(pod)
            if is_ours(&observed.session, &pod.metadata)
                && pod.metadata.deletion_timestamp.is_none() =>
        {
            Step::Delete(pod.uid().unwrap_or_default())
        }
        _ => Step::Keep,
    }
}

/// When a pod that ended for good makes room for another, as far as it says when it ended.
pub(super) fn replaced_at(pod: &Pod) -> Option<DateTime<Utc>> {
    let status = pod.status.as_ref().filter(|_| has_ended(pod))?;
    let conditions = status.conditions.iter().flatten();
    let times = conditions.filter_map(|condition| condition.last_transition_time.as_ref());
    times.map(from_kubernetes).max().map(|ended| ended + RECREATE_AFTER)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
