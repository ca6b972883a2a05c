//! What a pass says of a Run: phase, condition, attempts, messages. Pure.

use chrono::{DateTime, Utc};
use fabrica_crds::condition::{Finding, Truth, merge};
use fabrica_crds::parts::MessageType;
use fabrica_crds::run::{Attempt, Phase};
use fabrica_crds::time::to_kubernetes;
use fabrica_crds::{Reason, RunStatus, names};
use fabrica_protocol::run::{Entry, work_in_progress};
use kube::ResourceExt;

use super::cause::{self, Ending};
use super::observe::{Observed, number};
use super::pause::is_due_to_model;
use super::plan::{Applied, Intent, Plan};
use super::{build, escalation, faber, usage};
use crate::children::cause::{Stage, explain};
use crate::children::messages;
use crate::children::state::started_at;
use crate::children::usage::of;
use crate::children::{Outcome, agent};
use crate::config::RunDefaults;

/// The status after this pass.
pub(super) fn report(
    observed: &Observed,
    plan: &Plan<Applied>,
    defaults: &RunDefaults,
    now: DateTime<Utc>,
) -> RunStatus {
    let before = observed.status();
    let generation = observed.run.metadata.generation;
    if plan.intent == Intent::Rest {
        return RunStatus { observed_generation: generation, ..before };
    }
    let mut status = RunStatus { observed_generation: generation, ..observed.asked_status() };
    status.branch = Some(build::branch(&observed.run));
    status.queue_position = match plan.intent {
        Intent::Queue(position) => Some(i32::try_from(position).unwrap_or(i32::MAX)),
        _ => None,
    };
    status.messages =
        messages::told(&before.messages, observed.records().iter().filter_map(agent::line));
    status.faber = faber::after(before.faber.as_ref(), observed.records());
    let (phase, truth, reason, message) = match &plan.intent {
        Intent::Queue(position) => {
            let limit = defaults.per_namespace;
            let message = format!(
                "Number {position} in the queue: at most {limit} Runs of this namespace go at once."
            );
            (Phase::Queued, Truth::Unknown, Reason::Queued, message)
        }
        Intent::Park => asks(&status, Reason::Escalated),
        Intent::Pause(until) => pauses(&status, *until),
        Intent::Await => {
            let message = "The database does not answer that keeps what the Run goes on from.";
            (Phase::Pending, Truth::Unknown, Reason::CheckpointMissing, message.to_owned())
        }
        Intent::Go | Intent::Stop(_) => {
            status.started_at.get_or_insert_with(|| to_kubernetes(now));
            if matches!(plan.intent, Intent::Stop(_)) {
                status.stopping_at.get_or_insert_with(|| to_kubernetes(now));
            }
            open(observed, &plan.intent, &mut status, now);
            let state = going(observed, &plan.outcome);
            if plan.intent == Intent::Go {
                waiting(observed, &status, defaults, now)
                    .filter(|_| state.0 == Phase::Running)
                    .unwrap_or(state)
            } else {
                state
            }
        }
        Intent::Close(ending) => {
            open(observed, &plan.intent, &mut status, now);
            close(observed, &mut status, ending, now)
        }
        Intent::Rest => return status,
    };
    if phase.is_final() {
        status.finished_at = Some(to_kubernetes(now));
        status.escalation = None;
    }
    status.phase = Some(phase);
    let finding = Finding { kind: "Succeeded", truth, reason, message };
    status.conditions =
        merge(&before.conditions, vec![finding], generation.unwrap_or_default(), now);
    status
}

/// The pod that stands, or that the next pass makes, is the last attempt.
fn open(observed: &Observed, intent: &Intent, status: &mut RunStatus, now: DateTime<Utc>) {
    let pod = observed.own_pod();
    if pod.is_none() && *intent != Intent::Go {
        return;
    }
    let number = number(status);
    if status.attempts.len() < number {
        status.attempts.push(Attempt {
            number: i32::try_from(number).unwrap_or(i32::MAX),
            pod_name: names::run_pod(&observed.run.name_any(), number),
            created_at: Some(to_kubernetes(now)),
            ..Attempt::default()
        });
    }
    if let Some(last) = status.attempts.last_mut() {
        last.started_at = pod.and_then(started_at).map(to_kubernetes).or(last.started_at.take());
        let used = observed.records().iter().rev().find_map(|record| match &record.entry {
            Entry::Usage(told) => Some(of(told)),
            _ => None,
        });
        last.usage = used.or(last.usage.take());
    }
    status.usage = usage::total(&status.attempts);
}

/// The last attempt has ended, and perhaps the Run.
fn close(
    observed: &Observed,
    status: &mut RunStatus,
    ending: &Ending,
    now: DateTime<Utc>,
) -> (Phase, Truth, Reason, String) {
    let spec = &observed.run.spec;
    let mut former = status.attempts.clone();
    if former.last().is_some_and(|last| last.finished_at.is_none()) {
        escalation::close(status, now);
    }
    if let Some(last) = status.attempts.last_mut().filter(|last| last.finished_at.is_none()) {
        last.finished_at = Some(to_kubernetes(now));
        last.cause = Some(ending.reason.to_string());
        last.usage = ending.usage.clone().or(last.usage.take());
        former.pop();
    }
    status.usage = usage::total(&status.attempts);
    if ending.phase == Phase::Escalated {
        escalation::let_go(status, ending.question.as_deref(), spec, now);
        return match status.escalation {
            Some(_) => asks(status, Reason::Escalated),
            // What it asked is not known: the next attempt asks again.
            None => (Phase::Pending, Truth::Unknown, Reason::Escalated, ending.message.clone()),
        };
    }
    let cancelled = status.stopping_at.is_some();
    let left = escalation::used(status, now).num_seconds() < spec.deadline_seconds;
    if cause::follows(ending, &former, spec) && !cancelled && left {
        escalation::lost(status, spec, now);
        messages::push(&mut status.messages, MessageType::Failed, &ending.message, now);
        let message = format!("Another attempt follows. {}", ending.message);
        return (Phase::Pending, Truth::Unknown, ending.reason, message);
    }
    if let Some(text) = left_behind(observed, status) {
        messages::push(&mut status.messages, MessageType::Notice, &text, now);
    }
    status.commit.clone_from(&ending.commit);
    status.pull_request_url.clone_from(&ending.pull_request_url);
    let truth = (ending.phase == Phase::Completed).into();
    (ending.phase, truth, ending.reason, ending.message.clone())
}

/// What a Run leaves at its repository that ends while its pod is let go: only a pod has the login to remove it.
fn left_behind(observed: &Observed, status: &RunStatus) -> Option<String> {
    let last = status.attempts.last().filter(|_| observed.own_pod().is_none())?;
    escalation::is_continued(last).then(|| {
        let reference = work_in_progress(&observed.run.uid().unwrap_or_default());
        format!("The work in progress stays at {reference} of the repository: `git push origin :{reference}` removes it.")
    })
}

/// Between two attempts.
fn pauses(status: &RunStatus, until: DateTime<Utc>) -> (Phase, Truth, Reason, String) {
    let cause = status.attempts.last().and_then(|last| Reason::named(last.cause.as_deref()?));
    let cause = cause.unwrap_or(Reason::ModelUnavailable);
    let until = until.format("%Y-%m-%dT%H:%M:%SZ");
    let message = if is_due_to_model(cause) {
        format!("The model's service is left alone for a while: another attempt begins at {until}.")
    } else {
        let told = status.messages.iter().rfind(|message| message.kind == MessageType::Failed);
        let why = told.map_or("", |message| &*message.text);
        format!("Another attempt begins at {until}. {why}")
    };
    (Phase::Pending, Truth::Unknown, cause, message)
}

fn going(observed: &Observed, outcome: &Outcome) -> (Phase, Truth, Reason, String) {
    let found = explain(&observed.subject(), outcome);
    let (phase, reason) = match found.stage {
        Stage::Ready => (Phase::Running, Reason::Running),
        Stage::Starting => (Phase::Running, found.reason),
        Stage::Pending | Stage::Failed => (Phase::Pending, found.reason),
    };
    (phase, Truth::Unknown, reason, found.message)
}

/// A question that its pod still waits with.
fn waiting(
    observed: &Observed,
    status: &RunStatus,
    defaults: &RunDefaults,
    now: DateTime<Utc>,
) -> Option<(Phase, Truth, Reason, String)> {
    let asked = escalation::unanswered(status, &observed.run.spec, now)?;
    let held = escalation::is_held(asked, status, defaults, now);
    Some(asks(status, if held { Reason::Escalated } else { Reason::WaitingInPod }))
}

fn asks(status: &RunStatus, reason: Reason) -> (Phase, Truth, Reason, String) {
    let question = status.escalation.as_ref().map(|asked| asked.question.clone());
    (Phase::Escalated, Truth::Unknown, reason, question.unwrap_or_default())
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
