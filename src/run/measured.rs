//! What of a Run is counted. Pure.

use fabrica_crds::condition::find;
use fabrica_crds::run::Phase;
use fabrica_crds::{Reason, Run, RunStatus};
use kube::ResourceExt;

use super::observe::Observed;
use super::pause::is_due_to_service;
use crate::children::usage::spent;
use crate::metrics::{Counted, Mode, Stage, Standing, Step};

/// What becomes of a Run with this status.
pub(super) fn step(observed: &Observed, status: &RunStatus) -> Step {
    Step {
        uid: observed.run.uid().unwrap_or_default(),
        mode: Mode::Run,
        before: standing(&observed.status()),
        after: standing(status),
        begins: observed.own_pod().is_none(),
    }
}

fn standing(status: &RunStatus) -> Standing {
    let reason =
        find(&status.conditions, "Succeeded").and_then(|found| Reason::named(&found.reason));
    let stage = match status.phase {
        Some(Phase::Running) if reason == Some(Reason::Running) => Stage::Ready,
        Some(Phase::Pending) if reason.is_some_and(is_due_to_service) => Stage::Rests,
        None | Some(Phase::Pending | Phase::Running) => Stage::Waits,
        // For its turn, or for a person.
        Some(Phase::Queued | Phase::Escalated) => Stage::Rests,
        Some(Phase::Completed) => Stage::Completed,
        Some(Phase::Failed) => Stage::Failed,
        Some(Phase::Cancelled) => Stage::Cancelled,
    };
    let ended = status.attempts.iter().filter(|attempt| attempt.finished_at.is_some());
    let attempts = ended.map(|attempt| Reason::named(attempt.cause.as_deref()?)).collect();
    Standing { stage, reason, attempts, spent: spent(status.usage.as_ref()) }
}

/// A Run among all there are.
pub(super) fn counted(run: &Run) -> Counted {
    let status = run.status.as_ref();
    let phase = status.and_then(|status| status.phase).map(|phase| match phase {
        Phase::Pending => "Pending",
        Phase::Queued => "Queued",
        Phase::Running => "Running",
        Phase::Escalated => "Escalated",
        Phase::Completed => "Completed",
        Phase::Failed => "Failed",
        Phase::Cancelled => "Cancelled",
    });
    let waits = phase == Some("Escalated");
    Counted { uid: run.uid().unwrap_or_default(), mode: Mode::Run, phase, questions: waits.into() }
}
