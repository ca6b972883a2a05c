//! Kubernetes Events: on transitions only, for those who read `kubectl describe`.

use fabrica_crds::condition::{self, MESSAGE_BYTES, shorten};
use fabrica_crds::session::PendingApproval;
use fabrica_crds::{Reason, SessionStatus};
use kube::Resource;
use kube::runtime::events::{Event, EventType};

use super::Context;
use super::observe::Observed;
use super::report::{fails, waits};
use crate::children::announce::{event, publish};
use crate::children::answers::Found;

/// Reasons that nobody need worry about.
const NORMAL: [Reason; 7] = [
    Reason::Ready,
    Reason::Starting,
    Reason::Pending,
    Reason::Suspended,
    Reason::IdleTimeout,
    Reason::ShutdownTime,
    Reason::VolumePending,
];

/// Tells when `Ready` has another reason than before, when a Chat's agent asks, when it cannot work, and when somebody answers what
/// nobody asked. An Event that cannot be written is told in the log alone.
pub(super) async fn announce(
    context: &Context,
    observed: &Observed,
    status: &SessionStatus,
    answers: Option<&Found>,
) {
    let session = &observed.session;
    let before = session.status.as_ref();
    let told = transition(before, status).into_iter();
    let stray = answers.and_then(Found::event);
    let told = told.chain(questions(before, status)).chain(trouble(observed, status)).chain(stray);
    publish(&context.recorder, &session.object_ref(&()), told).await;
}

fn transition(before: Option<&SessionStatus>, status: &SessionStatus) -> Option<Event> {
    let ready = condition::find(&status.conditions, "Ready")?;
    let old = before.and_then(|status| condition::find(&status.conditions, "Ready"));
    if old.is_some_and(|old| old.reason == ready.reason) {
        return None;
    }
    let normal = Reason::named(&ready.reason).is_some_and(|reason| NORMAL.contains(&reason));
    tracing::info!(reason = ready.reason, message = ready.message, "transition");
    let type_ = if normal { EventType::Normal } else { EventType::Warning };
    Some(event(type_, &ready.reason, &ready.message))
}

/// One for each question that was not open before.
fn questions(before: Option<&SessionStatus>, status: &SessionStatus) -> Vec<Event> {
    let open = |status: Option<&SessionStatus>| {
        let faber = status.and_then(|status| status.faber.as_ref());
        faber.map(|faber| faber.pending_approvals.clone()).unwrap_or_default()
    };
    let known = open(before);
    let new = |asked: &PendingApproval| known.iter().all(|other| other.id != asked.id);
    let asked = open(Some(status)).into_iter().filter(new);
    asked
        .map(|asked| event(EventType::Normal, Reason::Escalated.as_str(), &waits(&asked)))
        .collect()
}

/// What keeps the agent from working, when `Ready` did not say so before.
fn trouble(observed: &Observed, status: &SessionStatus) -> Option<Event> {
    let words = fails(observed.trouble()?);
    let said = |status: &SessionStatus| {
        let ready = condition::find(&status.conditions, "Ready");
        ready.is_some_and(|ready| ready.message == shorten(words.clone(), MESSAGE_BYTES))
    };
    let before = observed.session.status.as_ref().is_some_and(said);
    (said(status) && !before)
        .then(|| event(EventType::Warning, Reason::AgentFailed.as_str(), &words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_question_is_announced_once() {
        let open = |ids: &[&str]| {
            let asked = |id: &&str| json!({"id": id, "kind": "Approval", "question": "Which oil?", "askedAt": "2026-01-01T00:00:00Z"});
            let asked: Vec<_> = ids.iter().map(asked).collect();
            serde_json::from_value(json!({"faber": {"pendingApprovals": asked}})).unwrap()
        };
        let before: SessionStatus = open(&["a"]);
        assert!(questions(Some(&before), &before).is_empty());
        let told = questions(Some(&before), &open(&["a", "b"]));
        let told: Vec<_> =
            told.iter().map(|event| (&*event.reason, event.note.as_deref())).collect();
        assert_eq!(told, [("Escalated", Some("Waits for an answer: Which oil?"))]);
        assert_eq!(questions(None, &before).len(), 1);
    }
}
