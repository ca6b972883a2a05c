//! Tells a runtime with an agent what people have decided.

use fabrica_crds::SessionStatus;
use fabrica_crds::session::PendingApproval;
use kube::ResourceExt;

use super::Context;
use super::chat::has_agent;
use super::observe::Observed;
use super::plan::Intent;
use super::switch::order;
use crate::children::agent::given;
use crate::children::answers::{Found, Questions};
use crate::controller::error_chain;

/// Gives the agent the answers that it waits for. One that cannot be given now is given by the next pass.
pub(super) async fn answer(context: &Context, observed: &Observed) {
    let Some(told) = observed.told.as_ref().filter(|told| told.whole) else { return };
    let (spec, uid) = (&observed.session.spec, observed.session.uid().unwrap_or_default());
    let answers =
        told.talk.open().iter().filter_map(|asked| given(&asked.id, spec.answers.as_ref()));
    for answer in answers {
        if let Err(error) = context.runtimes.answer(&told.address, &uid, &answer).await {
            tracing::debug!(error = error_chain(&error), "the runtime cannot be answered yet");
        }
    }
}

fn pending(status: &SessionStatus) -> impl Iterator<Item = &PendingApproval> {
    status.faber.iter().flat_map(|faber| &faber.pending_approvals)
}

/// Looks for answers that nobody asked for, or that somebody else gave before; none while it is not known which questions are open.
pub(super) fn look(
    context: &Context,
    observed: &Observed,
    status: &SessionStatus,
) -> Option<Found> {
    let session = &observed.session;
    let told = observed.told.as_ref();
    if !has_agent(session) || told.is_some_and(|told| !told.whole) {
        return None;
    }
    let waits: Vec<&str> = pending(status).map(|asked| &*asked.id).collect();
    let before = session.status.iter().flat_map(pending);
    let here = told.into_iter().flat_map(|told| told.talk.open());
    let asked: Vec<&str> =
        before.chain(here).map(|asked| &*asked.id).chain(waits.iter().copied()).collect();
    let answers = session.spec.answers.as_deref().unwrap_or_default();
    let taken: Vec<_> = told.into_iter().flat_map(|told| told.talk.answered()).collect();
    let (uid, has_status) = (session.uid().unwrap_or_default(), session.status.is_some());
    let questions = Questions { asked: &asked, waits: &waits, taken: &taken };
    Some(context.answers.look(&uid, has_status, answers, questions))
}

/// Has the runtime of a Terminal start or end its agent, where it has it otherwise. The next pass sees what became of it.
pub(super) async fn switch(context: &Context, observed: &Observed, intent: Intent) {
    let Some(order) = order(observed, intent, &context.defaults.chat) else { return };
    let address = observed.pod.as_ref().and_then(|pod| pod.status.as_ref()?.pod_ip.as_deref());
    let (Some(address), Some(uid)) = (address, observed.session.uid()) else { return };
    if let Err(error) = context.runtimes.switch(address, &uid, &order).await {
        tracing::debug!(error = error_chain(&error), "the runtime cannot be told of its agent yet");
    }
}
