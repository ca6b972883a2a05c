//! What of a Session is counted. Pure.

use fabrica_crds::condition::find;
use fabrica_crds::session::Phase;
use fabrica_crds::{Reason, Session, SessionStatus};
use kube::ResourceExt;

use super::observe::Observed;
use crate::children::usage::spent;
use crate::metrics::{Counted, Stage, Standing, Step};

/// What becomes of a Session with this status.
pub(super) fn step(observed: &Observed, status: &SessionStatus) -> Step {
    let session = &observed.session;
    Step {
        uid: session.uid().unwrap_or_default(),
        mode: session.spec.mode.into(),
        before: session.status.as_ref().map(standing).unwrap_or_default(),
        after: standing(status),
        begins: observed.pod.is_none(),
    }
}

fn standing(status: &SessionStatus) -> Standing {
    let stage = match status.phase {
        None | Some(Phase::Pending | Phase::Starting) => Stage::Waits,
        Some(Phase::Running) => Stage::Ready,
        Some(Phase::Stopped) => Stage::Rests,
        Some(Phase::Failed) => Stage::Failed,
    };
    let reason = find(&status.conditions, "Ready").and_then(|found| Reason::named(&found.reason));
    Standing { stage, reason, attempts: Vec::new(), spent: spent(status.usage.as_ref()) }
}

/// A Session among all there are.
pub(super) fn counted(session: &Session) -> Counted {
    let status = session.status.as_ref();
    let phase = status.and_then(|status| status.phase).map(|phase| match phase {
        Phase::Pending => "Pending",
        Phase::Starting => "Starting",
        Phase::Running => "Running",
        Phase::Stopped => "Stopped",
        Phase::Failed => "Failed",
    });
    let faber = status.and_then(|status| status.faber.as_ref());
    let questions = faber.map_or(0, |faber| faber.pending_approvals.len());
    let (uid, mode) = (session.uid().unwrap_or_default(), session.spec.mode.into());
    Counted { uid, mode, phase, questions }
}
