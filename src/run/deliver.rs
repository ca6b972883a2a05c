//! Tells runtimes what was decided, and what is kept of what they told.

use chrono::Utc;
use fabrica_crds::RunStatus;
use fabrica_protocol::run::{Entry, StopReason};
use kube::ResourceExt;

use super::observe::{Asked, Observed};
use super::plan::{Intent, Plan, Prepared};
use super::{Acknowledgement, Context};
use crate::children::answers::{Found, Questions};
use crate::controller::error_chain;
use crate::runtime_client::RuntimeError;

/// Tells the runtimes what a plan has for them. One that cannot be told is told by the next pass.
pub(super) async fn tell(context: &Context, observed: &Observed, plan: &Plan<Prepared>) {
    if let Intent::Stop(reason) = plan.intent {
        stop(context, observed, reason).await;
    }
    let Some(present) = observed.present() else { return };
    let uid = observed.run.uid().unwrap_or_default();
    if plan.resumes {
        hand_over(context, observed, present, &uid).await;
    }
    if let Some(answer) = &plan.answer
        && let Err(error) = context.runtimes.answer(&present.address, &uid, answer).await
    {
        tracing::debug!(error = error_chain(&error), "the runtime cannot be answered yet");
    }
}

/// Looks for answers that nobody asked for; none while it is not known which questions are open.
pub(super) fn look(context: &Context, observed: &Observed, status: &RunStatus) -> Option<Found> {
    let run = &observed.run;
    if observed.present().is_some_and(|present| !present.whole) {
        return None;
    }
    let open = |status: &RunStatus| status.escalation.as_ref().map(|asked| asked.id.clone());
    let waits = open(status);
    let waiting: Vec<&str> = waits.iter().map(String::as_str).collect();
    let before = run.status.as_ref().and_then(open);
    let here = observed.records().iter().filter_map(|record| match &record.entry {
        Entry::Question(asked) => Some(asked.id.clone()),
        _ => None,
    });
    let asked: Vec<String> = before.into_iter().chain(here).chain(waits.clone()).collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let answers = run.spec.answers.as_deref().unwrap_or_default();
    let (uid, has_status) = (run.uid().unwrap_or_default(), run.status.is_some());
    // None but the spec has answers for a Run: nobody else can be quicker.
    let questions = Questions { asked: &asked, waits: &waiting, taken: &[] };
    Some(context.answers.look(&uid, has_status, answers, questions))
}

async fn stop(context: &Context, observed: &Observed, reason: StopReason) {
    let uid = observed.run.uid().unwrap_or_default();
    for asked in &observed.asked {
        if let Err(error) = context.runtimes.stop(&asked.address, &uid, reason).await {
            tracing::debug!(error = error_chain(&error), "the runtime cannot be stopped yet");
        }
    }
}

/// Hands the checkpoint over, once. A runtime that refuses it says in its verdict what that means.
async fn hand_over(context: &Context, observed: &Observed, present: &Asked, uid: &str) {
    let run = &observed.run;
    if context.journal(run, &present.pod, |journal| journal.handed) {
        return;
    }
    let checkpoint = match context.keeper.checkpoint(run).await {
        Ok(Some(checkpoint)) => checkpoint,
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(error = error_chain(&error), "the checkpoint cannot be fetched yet");
            return;
        }
    };
    match context.runtimes.hand_over(&present.address, uid, &checkpoint).await {
        Err(RuntimeError::Request(error))
            if !error.status().is_some_and(|it| it.is_client_error()) =>
        {
            tracing::debug!(
                error = error_chain(&error),
                "the checkpoint cannot be handed over yet"
            );
            return;
        }
        Err(error) => {
            tracing::warn!(error = error_chain(&error), "the runtime takes no checkpoint");
        }
        Ok(()) => {}
    }
    context.journal(run, &present.pod, |journal| journal.handed = true);
}

/// Tells runtimes what is kept. One that cannot be told is told later, at most so often.
pub(super) async fn acknowledge(context: &Context, observed: &Observed) {
    const AGAIN: chrono::Duration = chrono::Duration::seconds(10);
    let uid = observed.run.uid().unwrap_or_default();
    for asked in &observed.asked {
        let Some(last) = asked.records.last() else { continue };
        if matches!(context.keeper, Acknowledgement::Archive(_)) {
            context.journal(&observed.run, &asked.pod, |journal| journal.forget(last.seq));
            continue;
        }
        let waits = context.journal(&observed.run, &asked.pod, |journal| {
            let waits = journal.told >= last.seq
                || journal.refused.is_some_and(|refused| Utc::now() - refused < AGAIN);
            if !waits {
                journal.refused = Some(Utc::now());
            }
            waits
        });
        if waits {
            continue;
        }
        match context.runtimes.acknowledge(&asked.address, &uid, last.seq, None).await {
            Ok(()) => context.journal(&observed.run, &asked.pod, |journal| {
                journal.forget(last.seq);
                journal.told = last.seq;
                journal.refused = None;
            }),
            Err(error) => {
                tracing::debug!(error = error_chain(&error), "the runtime cannot be told");
            }
        }
    }
}
