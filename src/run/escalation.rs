//! The question that a Run waits with: from its record to its answer. Pure.
//!
//! Journals are read again after a restart, and statuses are seen late: adding the same records twice changes nothing.

use chrono::{DateTime, Duration, Utc};
use fabrica_crds::run::{Attempt, CONTINUATIONS, Escalation, OnTimeout, OpenQuestion, Phase};
use fabrica_crds::time::{from_kubernetes, to_kubernetes};
use fabrica_crds::{Reason, RunSpec, RunStatus};
use fabrica_protocol::run::{self as told, Entry, Record};

use crate::children::agent::{Asked, given};
use crate::config::RunDefaults;

/// What the agent hears when nobody answered and it is to continue.
const DECIDE: &str =
    "Nobody answered in time. Decide yourself, and say in the pull request what you decided.";
/// Who gives an answer that nobody gave.
const NOBODY: &str = "timeout";

/// The status with what the attempt of this number tells of questions: which one is open, and how long answers were waited for.
pub(super) fn after(
    mut status: RunStatus,
    records: &[Record],
    number: usize,
    spec: &RunSpec,
) -> RunStatus {
    let before = status.escalation.take();
    let mut open: Vec<OpenQuestion> = before.into_iter().collect();
    for record in records {
        match &record.entry {
            Entry::Question(asked) => {
                let new = open.iter().all(|other| other.id != asked.id);
                open.extend(opened(asked, record.time, spec).filter(|_| new));
            }
            Entry::Answered { id, .. } => {
                let Some(place) = open.iter().position(|other| other.id == *id) else { continue };
                let answered = open.remove(place);
                // While an older one is open, its time holds this one's.
                let counts = place == 0 && !is_former(&answered, &status);
                let attempt = status.attempts.get_mut(number.saturating_sub(1));
                if let Some(attempt) = attempt.filter(|_| counts) {
                    count_waiting(attempt, &answered, record.time);
                }
            }
            _ => {}
        }
    }
    // A question of a former pod that has its answer is over when the agent asks another.
    if open.len() > 1
        && is_former(&open[0], &status)
        && given(&open[0].id, spec.answers.as_ref()).is_some()
    {
        open.remove(0);
    }
    status.escalation = open.into_iter().next();
    status
}

/// A question as the status keeps it; none when it could not be answered.
fn opened(asked: &told::Question, time: DateTime<Utc>, spec: &RunSpec) -> Option<OpenQuestion> {
    let Asked { id, kind, question, options } = Asked::of(asked)?;
    let due_at = to_kubernetes(time + Duration::seconds(settings(spec).timeout_seconds));
    Some(OpenQuestion { id, kind, question, options, asked_at: to_kubernetes(time), due_at })
}

fn settings(spec: &RunSpec) -> Escalation {
    spec.escalation.clone().unwrap_or_default()
}

/// Adds the time from a question, or from where counting stopped, until now. In whole seconds, as a status keeps them.
fn count_waiting(attempt: &mut Attempt, asked: &OpenQuestion, until: DateTime<Utc>) {
    let waited = waiting(attempt, asked, until);
    if waited > Duration::zero() {
        attempt.waiting_seconds =
            Some(attempt.waiting_seconds.unwrap_or_default() + waited.num_seconds());
        attempt.waited_until = Some(to_kubernetes(until));
    }
}

/// How long an attempt has waited with this question, beyond what it has counted.
fn waiting(attempt: &Attempt, asked: &OpenQuestion, until: DateTime<Utc>) -> Duration {
    let from = [Some(&asked.asked_at), attempt.started_at.as_ref(), attempt.waited_until.as_ref()];
    let from = from.into_iter().flatten().map(from_kubernetes).max().unwrap_or(until);
    let until = from_kubernetes(&to_kubernetes(until));
    (until - from).max(Duration::zero())
}

/// Whether a question was asked before the last attempt began.
fn is_former(asked: &OpenQuestion, status: &RunStatus) -> bool {
    let began = status.attempts.last().and_then(|last| last.created_at.as_ref());
    began.is_some_and(|began| from_kubernetes(&asked.asked_at) < from_kubernetes(began))
}

/// The running time of these attempts until now: what was waited for answers is none of it.
pub(super) fn used(status: &RunStatus, now: DateTime<Utc>) -> Duration {
    let time = |attempt: &Attempt| {
        let started = attempt.started_at.as_ref().map(from_kubernetes)?;
        let until = attempt.finished_at.as_ref().map_or(now, from_kubernetes);
        let counted = Duration::seconds(attempt.waiting_seconds.unwrap_or_default());
        let open = status
            .escalation
            .as_ref()
            .filter(|asked| attempt.finished_at.is_none() && !is_former(asked, status));
        let open = open.map_or(Duration::zero(), |asked| waiting(attempt, asked, now));
        Some((until - started - counted - open).max(Duration::zero()))
    };
    status.attempts.iter().filter_map(time).sum()
}

/// Ends the waiting of the last attempt, which ends now.
pub(super) fn close(status: &mut RunStatus, now: DateTime<Utc>) {
    let Some(asked) = status.escalation.clone().filter(|asked| !is_former(asked, status)) else {
        return;
    };
    if let Some(last) = status.attempts.last_mut() {
        count_waiting(last, &asked, now);
    }
}

/// The question of an attempt that was let go, where its journal did not tell it.
pub(super) fn let_go(
    status: &mut RunStatus,
    asked: Option<&told::Question>,
    spec: &RunSpec,
    now: DateTime<Utc>,
) {
    if let Some(asked) = asked
        && status.escalation.as_ref().is_none_or(|open| open.id != asked.id)
    {
        status.escalation = opened(asked, now, spec);
    }
}

/// An attempt was lost: what its agent waited for is gone with it, unless the answer is there for the next one.
pub(super) fn lost(status: &mut RunStatus, spec: &RunSpec, now: DateTime<Utc>) {
    if answer(status, spec, now).is_none() {
        status.escalation = None;
    }
}

/// What the agent is to be told: somebody's answer, or, once the time is up, the one that stands for it.
pub(super) fn answer(
    status: &RunStatus,
    spec: &RunSpec,
    now: DateTime<Utc>,
) -> Option<told::Answer> {
    let asked = status.escalation.as_ref()?;
    given(&asked.id, spec.answers.as_ref()).or_else(|| {
        let settings = settings(spec);
        let text = match settings.on_timeout {
            OnTimeout::Fail => None,
            OnTimeout::Continue => Some(DECIDE.to_owned()),
            OnTimeout::Default => settings.default_answer,
        };
        let text = text.filter(|_| from_kubernetes(&asked.due_at) <= now)?;
        Some(told::Answer { id: asked.id.clone(), text, answered_by: NOBODY.to_owned() })
    })
}

/// The question that nobody has answered yet.
pub(super) fn unanswered<'a>(
    status: &'a RunStatus,
    spec: &RunSpec,
    now: DateTime<Utc>,
) -> Option<&'a OpenQuestion> {
    status.escalation.as_ref().filter(|_| answer(status, spec, now).is_none())
}

/// Whether a question is what the Run ends with. Once its pod was told so, an answer comes too late.
pub(super) fn timed_out(status: &RunStatus, spec: &RunSpec, now: DateTime<Utc>) -> bool {
    let Some(asked) = &status.escalation else { return false };
    let due = from_kubernetes(&asked.due_at);
    let told = status.stopping_at.as_ref().is_some_and(|told| from_kubernetes(told) >= due);
    settings(spec).on_timeout == OnTimeout::Fail
        && due <= now
        && (told || given(&asked.id, spec.answers.as_ref()).is_none())
}

/// Whether the Run stands still without a pod, which was let go with a question.
pub(super) fn is_parked(status: &RunStatus) -> bool {
    let closed = status.attempts.last().filter(|last| last.finished_at.is_some());
    !status.phase.is_some_and(Phase::is_final) && closed.is_some_and(is_continued)
}

/// How often the Run was let go.
pub(super) fn continuations(status: &RunStatus) -> usize {
    status.attempts.iter().filter(|attempt| is_continued(attempt)).count()
}

/// Whether its next pod may be let go with a question, and its work be kept.
pub(super) fn may_let_go(status: &RunStatus, defaults: &RunDefaults) -> bool {
    defaults.checkpoints && continuations(status) < CONTINUATIONS
}

/// Whether a runtime that was asked so long ago still holds the call, or is about to let its pod go.
pub(super) fn is_held(
    asked: &OpenQuestion,
    status: &RunStatus,
    defaults: &RunDefaults,
    now: DateTime<Utc>,
) -> bool {
    /// The runtime's own choice.
    const HOLD: u16 = 300;
    /// Within so many seconds it pushes the work, and hears that its conversation is kept.
    const KEEPING: i64 = 90;
    let hold = i64::from(defaults.question_hold_seconds.unwrap_or(HOLD));
    let keeping = if may_let_go(status, defaults) { KEEPING } else { 0 };
    now - from_kubernetes(&asked.asked_at) < Duration::seconds(hold + keeping)
}

/// Whether an attempt ended only to go on in another pod.
pub(super) fn is_continued(attempt: &Attempt) -> bool {
    attempt.cause.as_deref() == Some(Reason::Escalated.as_str())
}

#[cfg(test)]
#[path = "escalation_tests.rs"]
mod tests;
