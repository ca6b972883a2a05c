//! Who keeps what is said to an agent: the archive, or, without one, the status.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_crds::SessionStatus;
use fabrica_protocol::run::Spent;
use kube::ResourceExt;

use super::Context;
use super::chat::{Memory, is_chat};
use super::observe::Observed;
use super::plan::Intent;
use crate::controller::error_chain;
use crate::recorder::{ChatState, LivePod, Recorder, condition};

/// Sets `Recorded` where there was a conversation, and shows the recorder what stands; how soon another look is needed to know more, if one is.
pub(super) fn record(
    context: &Context,
    observed: &Observed,
    intent: Intent,
    status: &mut SessionStatus,
    now: DateTime<Utc>,
) -> Option<Duration> {
    let session = &observed.session;
    if !is_chat(session) && status.starts.is_none() {
        return None;
    }
    let stopped = matches!(intent, Intent::Stop(_)) && observed.pod.is_none();
    let state = if stopped {
        ChatState::Stopped(context.remember(session, |memory| memory.told()))
    } else {
        ChatState::GoesOn
    };
    let archive = context.archive.as_ref();
    let recorded = archive.map(|archive| archive.chat_recorded(session, state));
    let before = session.status.as_ref().map(|status| &*status.conditions).unwrap_or_default();
    let generation = session.metadata.generation.unwrap_or_default();
    let look = condition(&mut status.conditions, recorded, before, generation, now);
    let spent = context.remember(session, |memory| memory.count(status));
    if let Some(archive) = archive {
        see(archive, observed, status, spent);
    }
    // What a former leader has not told will not be known.
    look.filter(|_| state != ChatState::Stopped(None))
}

fn see(recorder: &Arc<Recorder>, observed: &Observed, status: &SessionStatus, spent: Spent) {
    let mut session = observed.session.clone();
    let changed = session.status.as_ref() != Some(status);
    session.status = Some(status.clone());
    let pod = observed.told.as_ref().map(|told| LivePod {
        uid: told.pod.clone(),
        address: told.address.clone(),
        attempt: told.number,
        // A conversation has no verdict that a status must hold.
        closed: true,
        spent: Some(spent),
    });
    recorder.see(&session, pod, changed);
}

/// Whether what the runtime tells wakes the reconciler.
pub(super) fn is_followed(context: &Context, observed: &Observed) -> bool {
    let (Some(recorder), Some(told)) = (&context.archive, &observed.told) else { return false };
    recorder.follows(&observed.session, &told.pod)
}

/// Tells a runtime what is kept, where the status is all that keeps it. One that does not hear is told later.
pub(super) async fn acknowledge(context: &Context, observed: &Observed) {
    let Some(told) = observed.told.as_ref().filter(|told| told.whole) else { return };
    if context.archive.is_some() {
        return;
    }
    let session = &observed.session;
    let known = |memory: &mut Memory| (memory.acknowledged, memory.spent.clone());
    let (acknowledged, spent) = context.remember(session, known);
    if acknowledged >= told.last {
        return;
    }
    let uid = session.uid().unwrap_or_default();
    match context.runtimes.acknowledge(&told.address, &uid, told.last, Some(spent)).await {
        Ok(()) => context.remember(session, |memory| memory.acknowledged = told.last),
        Err(error) => {
            tracing::debug!(error = error_chain(&error), "the runtime cannot be told");
        }
    }
}
