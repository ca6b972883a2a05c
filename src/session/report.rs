//! Says what a pass found: conditions, phase, messages. Pure.

mod chat;

pub(super) use self::chat::{fails, waits};

use chrono::{DateTime, DurationRound, Utc};
use fabrica_crds::condition::{Finding, Truth, find, merge};
use fabrica_crds::session::{Message, MessageType, Phase};
use fabrica_crds::time::{from_kubernetes, to_kubernetes};
use fabrica_crds::{Reason, SessionStatus};
use fabrica_protocol::runtime::{Event, WorkspaceState};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::chat::{has_agent, is_chat};
use super::clock::is_overdue;
use super::observe::Observed;
use super::plan::{Applied, Intent, Plan, StopReason};
use super::switch;
use crate::children::cause::{Cause, Stage, explain};
use crate::children::messages::{self, Line};
use crate::config::{Defaults, SessionDefaults};

/// Activity is told to the minute, so that somebody who types costs one write a minute.
const ACTIVITY_GRAIN: chrono::Duration = chrono::Duration::minutes(1);

/// The status after this pass.
pub(super) fn report(
    observed: &Observed,
    plan: &Plan<Applied>,
    defaults: &Defaults,
    now: DateTime<Utc>,
) -> SessionStatus {
    let session = &observed.session;
    let before = session.status.clone().unwrap_or_default();
    let generation = session.metadata.generation.unwrap_or_default();
    let (phase, mut ready, suspended) = match plan.intent {
        Intent::Stop(reason) => stopped(reason),
        Intent::Run => running(observed, plan, &defaults.terminal, now),
        Intent::Off => off(),
    };
    let is_ready = ready.truth == Truth::True;
    if is_ready && is_chat(session) {
        chat::say(observed, &before, &mut ready);
    }
    let mut all = told(observed, &before.messages);
    if phase == Phase::Failed
        && find(&before.conditions, "Ready")
            .is_none_or(|found| found.reason != ready.reason.as_str())
    {
        messages::push(&mut all, MessageType::Failed, &ready.message, now);
    }
    let was_ready = find(&before.conditions, "Ready").is_some_and(|found| found.status == "True");
    let was_stopped =
        find(&before.conditions, "Suspended").is_some_and(|found| found.status == "True");
    let stops = matches!(plan.intent, Intent::Stop(_));
    let pod = observed.pod.as_ref().filter(|pod| super::is_ours(session, &pod.metadata));
    let workspace = workspace_ready(observed, &ready, &before);
    let mut findings = vec![ready, workspace, suspended, restart_required(plan)];
    findings.extend(switch::finding(observed, plan, &defaults.chat));
    let mut status = SessionStatus {
        phase: Some(phase),
        conditions: merge(&before.conditions, findings, generation, now),
        observed_generation: session.metadata.generation,
        pod_name: pod.map(ResourceExt::name_any),
        pod_ip: pod.and_then(|pod| pod.status.as_ref()?.pod_ip.clone()),
        started_at: if is_ready && !was_ready {
            Some(to_kubernetes(now))
        } else {
            before.started_at.clone()
        },
        stopped_at: if stops && !was_stopped {
            Some(to_kubernetes(now))
        } else {
            before.stopped_at.clone()
        },
        last_activity_at: last_activity(observed, &before),
        messages: all,
        ..before
    };
    if has_agent(session) {
        chat::add(observed, plan, &mut status);
    }
    status
}

fn off() -> (Phase, Finding, Finding) {
    let ready = Finding {
        kind: "Ready",
        truth: Truth::False,
        reason: Reason::ChatDisabled,
        message: "Mode Chat is switched off here (the chart's session.chatEnabled). Ask whoever runs the cluster, or use mode Terminal.".to_owned(),
    };
    (Phase::Failed, ready, not_suspended())
}

fn not_suspended() -> Finding {
    Finding {
        kind: "Suspended",
        truth: Truth::False,
        reason: Reason::Running,
        message: "The Session should run.".to_owned(),
    }
}

fn stopped(reason: StopReason) -> (Phase, Finding, Finding) {
    let message = match reason {
        StopReason::Suspended => {
            "Stopped by spec.operatingMode. Set it to Running to go on; the volume is kept."
        }
        StopReason::IdleTimeout => {
            "Stopped after spec.idleTimeoutSeconds without activity. Set spec.wakeTime to go on; the volume is kept."
        }
        StopReason::ShutdownTime => "Stopped at spec.shutdownTime. Set spec.wakeTime to go on.",
    };
    let finding = |kind, truth| Finding {
        kind,
        truth,
        reason: reason.of_condition(),
        message: message.to_owned(),
    };
    (Phase::Stopped, finding("Ready", Truth::False), finding("Suspended", Truth::True))
}

fn running(
    observed: &Observed,
    plan: &Plan<Applied>,
    defaults: &SessionDefaults,
    now: DateTime<Utc>,
) -> (Phase, Finding, Finding) {
    let Cause { mut stage, mut reason, mut message } = explain(&observed.subject(), &plan.outcome);
    if stage == Stage::Pending && is_overdue(observed, &plan.outcome, defaults, now) {
        stage = Stage::Failed;
        message =
            format!("Not started within {} s: {message}", defaults.pending_deadline.as_secs());
        // A cause that has a name of its own keeps it: that is what one looks for.
        if reason == Reason::Pending {
            reason = Reason::PendingDeadlineExceeded;
        }
    }
    let phase = match stage {
        Stage::Pending => Phase::Pending,
        Stage::Starting => Phase::Starting,
        Stage::Ready => Phase::Running,
        Stage::Failed => Phase::Failed,
    };
    let ready = Finding { kind: "Ready", truth: (stage == Stage::Ready).into(), reason, message };
    (phase, ready, not_suspended())
}

fn workspace_ready(observed: &Observed, ready: &Finding, before: &SessionStatus) -> Finding {
    let finding = |truth, reason, message: &str| Finding {
        kind: "WorkspaceReady",
        truth,
        reason,
        message: message.to_owned(),
    };
    if observed.session.spec.repository.is_none() {
        return finding(Truth::True, Reason::NoRepository, "No repository was asked for.");
    }
    let runtime = observed.runtime.as_ref().and_then(|view| view.idle.as_ref());
    match runtime.map(|idle| &idle.workspace) {
        Some(workspace) => match workspace.state {
            WorkspaceState::Ready => {
                finding(Truth::True, Reason::Cloned, "The repository is in /workspace/repo.")
            }
            WorkspaceState::Failed => {
                let message = workspace.message.as_deref().unwrap_or("A start step failed.");
                finding(Truth::False, Reason::DependenciesFailed, message)
            }
            WorkspaceState::None | WorkspaceState::Pending => {
                finding(Truth::Unknown, Reason::Pending, "The repository is being prepared.")
            }
        },
        None if matches!(
            ready.reason,
            Reason::CloneFailed | Reason::GitMissing | Reason::SecretKeyMissing
        ) =>
        {
            finding(Truth::False, ready.reason, &ready.message)
        }
        None => kept(before).unwrap_or_else(|| {
            finding(Truth::Unknown, Reason::Pending, "The repository is being prepared.")
        }),
    }
}

/// A runtime that cannot be reached for a moment changes nothing about the repository.
fn kept(before: &SessionStatus) -> Option<Finding> {
    let found = find(&before.conditions, "WorkspaceReady")?;
    let reason = Reason::named(&found.reason).filter(|reason| {
        matches!(reason, Reason::Cloned | Reason::DependenciesFailed | Reason::Pending)
    })?;
    let truth = match found.status.as_str() {
        "True" => Truth::True,
        "False" => Truth::False,
        _ => Truth::Unknown,
    };
    Some(Finding { kind: "WorkspaceReady", truth, reason, message: found.message.clone() })
}

fn restart_required(plan: &Plan<Applied>) -> Finding {
    let (reason, message) = if plan.restart_required {
        (
            Reason::TemplateChanged,
            "The spec, or the chart, has changed; it applies at the next start. Suspend and resume, or delete the pod, to have it now.",
        )
    } else {
        (Reason::UpToDate, "The pod is as the spec says.")
    };
    Finding {
        kind: "RestartRequired",
        truth: plan.restart_required.into(),
        reason,
        message: message.to_owned(),
    }
}

fn last_activity(observed: &Observed, before: &SessionStatus) -> Option<Time> {
    let told = observed
        .runtime
        .as_ref()
        .and_then(|view| view.idle.as_ref())
        .map(|idle| idle.last_activity_at);
    let grain = told.and_then(|time| time.duration_trunc(ACTIVITY_GRAIN).ok());
    let old = before.last_activity_at.as_ref().map(from_kubernetes);
    grain.into_iter().chain(old).max().map(to_kubernetes)
}

/// The newest messages: what was told, and what the runtime says since.
fn told(observed: &Observed, before: &[Message]) -> Vec<Message> {
    let events = observed.runtime.iter().flat_map(|view| &view.events);
    messages::told(before, events.map(line))
}

fn line(event: &Event) -> Line {
    Line { time: event.time, kind: messages::kind(event.kind), text: event.text.clone() }
}

#[cfg(test)]
#[path = "report_tests.rs"]
pub(super) mod tests;
