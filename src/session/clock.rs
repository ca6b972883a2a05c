//! What the time says: how long a Session has waited to run, and when to look again. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_crds::SessionStatus;
use fabrica_crds::condition::find;
use fabrica_crds::session::Phase;
use fabrica_crds::time::from_kubernetes;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::chat::{Told, is_chat};
use super::observe::Observed;
use super::plan::{Applied, Intent, Outcome, Plan, replaced_at};
use super::switch;
use crate::config::{Defaults, SessionDefaults};
use crate::controller::{FOLLOWED, MARGIN, QUIET, SHORTEST, patient_look};

/// Start steps are told within a second.
const STARTING: Duration = Duration::from_secs(1);

/// Since when a Session waits to run, by these conditions: the last moment there was no reason to, which is the pod's
/// birth or the end of its former one, the last time it was ready, the end of a stop.
fn waits_since(observed: &Observed, conditions: &[Condition]) -> Option<DateTime<Utc>> {
    let since = |kind| {
        let found = find(conditions, kind).filter(|found| found.status == "False")?;
        Some(from_kubernetes(&found.last_transition_time))
    };
    let (not_ready, not_stopped) = (since("Ready")?, since("Suspended")?);
    let metadata = observed.pod.as_ref().map(|pod| &pod.metadata);
    let times = metadata.map(|found| [&found.creation_timestamp, &found.deletion_timestamp]);
    let times = times.into_iter().flatten().flatten().map(from_kubernetes);
    Some(times.chain([not_stopped]).fold(not_ready, DateTime::max))
}

/// Whether a Session is Pending for longer than the deadline.
pub(super) fn is_overdue(
    observed: &Observed,
    outcome: &Outcome,
    defaults: &SessionDefaults,
    now: DateTime<Utc>,
) -> bool {
    // This very pass made the pod.
    if observed.pod.is_none() && *outcome == Outcome::Done {
        return false;
    }
    // By the former status: what no pass has yet seen run, or was stopped until now, is not late.
    let status = observed.session.status.as_ref();
    let since = status.and_then(|status| waits_since(observed, &status.conditions));
    since
        .and_then(|since| (now - since).to_std().ok())
        .is_some_and(|age| age > defaults.pending_deadline)
}

/// When to look again, if nothing happens before. `followed`: what the runtime tells of a conversation wakes us.
pub(super) fn next_look(
    observed: &Observed,
    plan: &Plan<Applied>,
    status: &SessionStatus,
    followed: bool,
    defaults: &Defaults,
    now: DateTime<Utc>,
) -> Duration {
    let spec = &observed.session.spec;
    let regular = match (plan.intent, status.phase) {
        (Intent::Stop(_) | Intent::Off, _) => QUIET,
        (Intent::Run, Some(Phase::Running))
            if observed.prepares()
                || switch::is_under_way(observed, plan.intent, &defaults.chat) =>
        {
            STARTING
        }
        (Intent::Run, Some(Phase::Running)) if talks(observed) => {
            // What one pass could not read to its end is read on, and only then are answers given.
            let is_read = observed.told.as_ref().is_some_and(|told| told.whole);
            let regular = if followed && is_read { FOLLOWED } else { SHORTEST };
            regular.min(idle_look(spec.idle_timeout_seconds))
        }
        (Intent::Run, Some(Phase::Running)) => idle_look(spec.idle_timeout_seconds),
        (Intent::Run, Some(Phase::Starting)) => STARTING,
        (Intent::Run, _) => {
            let since = waits_since(observed, &status.conditions);
            let age = since.and_then(|since| (now - since).to_std().ok()).unwrap_or_default();
            patient_look(age, defaults.terminal.pending_deadline)
        }
    };
    let replaced = observed.pod.as_ref().and_then(replaced_at);
    let clock = [&spec.wake_time, &spec.shutdown_time].into_iter().flatten().map(from_kubernetes);
    let next = clock.chain(replaced).filter(|time| *time > now).min();
    let until = next.and_then(|time| (time - now).to_std().ok()).map(|wait| wait + MARGIN);
    until.map_or(regular, |until| until.min(regular))
}

/// Whether there is a conversation to be read: of a Terminal while it has its agent, and to its end.
fn talks(observed: &Observed) -> bool {
    let goes_on = |told: &Told| !told.whole || switch::is_wanted(&observed.session);
    is_chat(&observed.session) || observed.told.as_ref().is_some_and(goes_on)
}

/// How often a ready Session is asked for its activity: four times within its timeout, at most once a minute.
fn idle_look(timeout: Option<i64>) -> Duration {
    const MINUTE: u64 = 60;
    let seconds = timeout.map_or(MINUTE, |seconds| (seconds.unsigned_abs() / 4).clamp(5, MINUTE));
    Duration::from_secs(seconds)
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
