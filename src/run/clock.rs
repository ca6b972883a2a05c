//! When to look at a Run again, if nothing happens before. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_crds::RunStatus;
use fabrica_crds::run::Phase;
use fabrica_crds::time::from_kubernetes;
use fabrica_protocol::run::LINGER_SECONDS;

use super::observe::{Kept, Observed};
use super::queue::Place;
use super::{escalation, pause};
use crate::children::state::container_runs;
use crate::config::RunDefaults;
use crate::controller::{FOLLOWED, LONGEST, MARGIN, QUIET, SHORTEST, patient_look};
use crate::recorder::is_settled;

/// The runtime ends at the deadline by itself; this is how much later the operator does.
pub(super) const OVERDUE: chrono::Duration = chrono::Duration::seconds(5);
/// A runtime that does not hear that its verdict is kept.
const LATE: Duration = Duration::from_secs(10);

/// When to look again. `followed`: what the present runtime tells wakes us.
pub(super) fn next_look(
    observed: &Observed,
    status: &RunStatus,
    followed: bool,
    defaults: &RunDefaults,
    now: DateTime<Utc>,
) -> Duration {
    let until = |time: DateTime<Utc>| (time - now).to_std().unwrap_or_default() + MARGIN;
    let waits = escalation::unanswered(status, &observed.run.spec, now);
    let due = waits.map(|asked| until(from_kubernetes(&asked.due_at)));
    let has_ended = status.phase.is_some_and(Phase::is_final);
    let begins = pause::next_begins(status, &observed.run.spec);
    let paused = begins.filter(|begins| !has_ended && now < *begins);
    if has_ended || paused.is_some() || escalation::is_parked(status) && due.is_some() {
        let regular = if observed.asked.is_empty() { QUIET } else { LATE };
        let next = due.or_else(|| expires(observed, status).or(paused).map(until));
        return next.map_or(regular, |next| regular.min(next));
    }
    if status.stopping_at.is_some() || observed.kept == Kept::Unknown {
        return SHORTEST;
    }
    if let Place::Waits(position) = observed.place {
        // Those in front go soon; the others only see their number change.
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        return SHORTEST.saturating_mul(position).min(LONGEST);
    }
    if observed.own_pod().is_some_and(container_runs) {
        let regular = if followed { FOLLOWED } else { SHORTEST };
        return regular.min(due.unwrap_or(regular)).min(until(deadline(observed, status, now)));
    }
    let attempt = status.attempts.last().and_then(|last| last.created_at.as_ref());
    let since = attempt.or(observed.run.metadata.creation_timestamp.as_ref()).map(from_kubernetes);
    let age = since.and_then(|since| (now - since).to_std().ok()).unwrap_or_default();
    patient_look(age, defaults.pods.pending_deadline)
}

/// When the operator ends what its runtime did not end at the deadline.
fn deadline(observed: &Observed, status: &RunStatus, now: DateTime<Utc>) -> DateTime<Utc> {
    let deadline = chrono::Duration::seconds(observed.run.spec.deadline_seconds);
    now + deadline + OVERDUE - escalation::used(status, now)
}

/// When a Run that has ended is deleted: not while its pods have something that the archive still lacks.
pub(super) fn expires(observed: &Observed, status: &RunStatus) -> Option<DateTime<Utc>> {
    let seconds = observed.run.spec.ttl_seconds_after_finished?;
    let finished = from_kubernetes(status.finished_at.as_ref()?);
    // What the runtime has not been rid of by then is not archived any more.
    let least = if is_settled(&status.conditions) { 0 } else { LINGER_SECONDS.into() };
    Some(finished + chrono::Duration::seconds(seconds.max(least)))
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
