//! The agent of a Terminal: what its runtime is to be told of it, and what is said of it. Pure.

use fabrica_crds::condition::{Finding, Truth};
use fabrica_crds::session::{AGENT_READY, AgentState, Mode};
use fabrica_crds::{Reason, Session};
use fabrica_protocol::runtime::{AgentPower, AgentReport, AgentSwitch};

use super::build;
use super::chat::Start;
use super::observe::Observed;
use super::plan::{Applied, Intent, Plan};
use crate::config::ChatDefaults;

/// Whether an agent is to work in this Terminal.
pub(super) fn is_wanted(session: &Session) -> bool {
    session.spec.mode == Mode::Terminal && session.spec.agent_state == Some(AgentState::On)
}

/// What the runtime is to be told, when it has it otherwise.
pub(super) fn order(
    observed: &Observed,
    intent: Intent,
    defaults: &ChatDefaults,
) -> Option<AgentSwitch> {
    let power = reported(observed)?.power;
    if intent != Intent::Run {
        return None;
    }
    let is_there = matches!(power, AgentPower::Starting | AgentPower::On | AgentPower::Failed);
    match (is_wanted(&observed.session), is_there) {
        (true, true) if !is_other(observed) => None,
        (true, _) if defaults.enabled => {
            let session = &observed.session;
            let start = Start::after(session, observed.starts, goes_on(observed), &defaults.agent);
            let settings = build::agent_settings(&observed.session, &start, defaults);
            Some(AgentSwitch { on: true, settings })
        }
        // Where agents are switched off a live one goes on, as a Chat does.
        (true, true) => None,
        (false, true) => Some(AgentSwitch::default()),
        (_, false) => (power == AgentPower::Unasked).then(AgentSwitch::default),
    }
}

/// Whether the agent was switched on with something else than the spec says of it now: it was off in between, unseen.
fn is_other(observed: &Observed) -> bool {
    let told = reported(observed).and_then(|report| report.spec.as_ref());
    told.is_some_and(|told| *told != build::agent_spec(&observed.session))
}

/// Whether the conversation there was goes on. Without a volume it does as long as the pod is the same.
fn goes_on(observed: &Observed) -> bool {
    let status = observed.session.status.as_ref();
    let known = status.and_then(|status| Some(status.conversation.as_ref()?.number));
    let here = observed.told.as_ref().and_then(|told| i32::try_from(told.number).ok());
    observed.session.spec.workspace.is_some() || (here.is_some() && here == known)
}

/// Whether the runtime has not come to where it is to be, and will: it begins, or it is being told.
pub(super) fn is_under_way(observed: &Observed, intent: Intent, defaults: &ChatDefaults) -> bool {
    let begins = reported(observed).is_some_and(|report| report.power == AgentPower::Starting);
    begins || order(observed, intent, defaults).is_some()
}

/// The condition `AgentReady` of a Terminal whose spec speaks of an agent.
pub(super) fn finding(
    observed: &Observed,
    plan: &Plan<Applied>,
    defaults: &ChatDefaults,
) -> Option<Finding> {
    let (truth, reason, mut message) = match observed.session.spec.agent_state? {
        AgentState::Off => {
            let words = "The agent is switched off: set spec.agentState to On to start it.";
            (Truth::False, Reason::AgentOff, words.to_owned())
        }
        AgentState::On if plan.intent == Intent::Run && is_old(observed) => {
            let words = "The pod's runtime is older than agents in Terminals: suspend and resume, or delete the pod.";
            (Truth::False, Reason::AgentMissing, words.to_owned())
        }
        AgentState::On => {
            let report = reported(observed).filter(|_| plan.intent == Intent::Run);
            on(report, defaults.enabled)
        }
    };
    let is_lacking = matches!(reason, Reason::AgentMissing | Reason::CredentialsMissing);
    if is_lacking && plan.restart_required && !is_old(observed) {
        message.push_str(" The next pod may have it: suspend and resume, or delete the pod.");
    }
    Some(Finding { kind: AGENT_READY, truth, reason, message })
}

fn on(report: Option<&AgentReport>, enabled: bool) -> (Truth, Reason, String) {
    let no = |reason, message: &str| (Truth::False, reason, message.to_owned());
    match report.map(|report| report.power) {
        Some(AgentPower::On) => {
            (Truth::True, Reason::AgentOn, "The agent can be spoken to.".to_owned())
        }
        Some(AgentPower::Failed) => {
            let named = report.and_then(|report| Reason::named(report.reason.as_deref()?));
            let words = report.and_then(|report| report.message.as_deref());
            no(named.unwrap_or(Reason::AgentFailed), words.unwrap_or("The agent failed."))
        }
        Some(AgentPower::Starting) => no(Reason::Starting, "The agent is being started."),
        _ if !enabled => no(
            Reason::ChatDisabled,
            "Agents in Sessions are switched off here (the chart's session.chatEnabled). Ask whoever runs the cluster.",
        ),
        Some(AgentPower::Off | AgentPower::Unasked) => {
            no(Reason::Starting, "The runtime is told to start the agent.")
        }
        None => no(Reason::Pending, "The agent starts once the Session is ready."),
    }
}

/// Whether the runtime answers, and knows of no agent.
fn is_old(observed: &Observed) -> bool {
    let idle = observed.runtime.as_ref().and_then(|view| view.idle.as_ref());
    idle.is_some_and(|idle| idle.agent.is_none())
}

fn reported(observed: &Observed) -> Option<&AgentReport> {
    observed.runtime.as_ref()?.idle.as_ref()?.agent.as_ref()
}

#[cfg(test)]
#[path = "switch_tests.rs"]
mod tests;
