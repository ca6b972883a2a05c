//! What a Chat's pod is told that another start of the same Session is not. Pure.

use fabrica_crds::session::{AgentState, Usage};
use fabrica_crds::{Session, SessionStatus};
use k8s_openapi::api::core::v1::Pod;

use crate::children::money::Money;
use crate::children::pod::variable;
use crate::children::usage::{cost, without};
use crate::config::AgentDefaults;

/// How the runtime is told which start it is, and what its conversation may cost.
pub(in crate::session) const ATTEMPT: &str = "FABRICA_CHAT_ATTEMPT";
const BUDGET: &str = "FABRICA_AGENT_BUDGET_USD";
/// Set in a Terminal's pod that is made while an agent is wanted there: no shell gets credentials before it is known whether
/// the agent is to work.
pub(in crate::session) const AGENT_STATE: &str = "FABRICA_AGENT_STATE";

/// One start of a Chat, or of a Terminal's agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::session) struct Start {
    /// Counts from 1.
    pub(in crate::session) number: i32,
    /// What models may cost in it, in US dollars; unset: no bound.
    pub(in crate::session) budget: Option<String>,
    /// Whether the pod of a Terminal begins with an agent.
    pub(in crate::session) with_agent: bool,
}

impl Start {
    /// That of a pod; a Terminal's has no number.
    pub(in crate::session) fn of(pod: &Pod) -> Self {
        Self {
            number: variable(pod, ATTEMPT).and_then(|text| text.parse().ok()).unwrap_or_default(),
            budget: variable(pod, BUDGET).map(str::to_owned),
            with_agent: variable(pod, AGENT_STATE).is_some(),
        }
    }

    /// The next one, when there were so many, with what is left of the budget.
    pub(in crate::session) fn next(session: &Session, starts: i32, agent: &AgentDefaults) -> Self {
        Self::after(session, starts, session.spec.workspace.is_some(), agent)
    }

    /// The next one, whose conversation goes on or not.
    pub(in crate::session) fn after(
        session: &Session,
        starts: i32,
        goes_on: bool,
        agent: &AgentDefaults,
    ) -> Self {
        let asked = session.spec.agent.as_ref().and_then(|agent| agent.budget_usd.as_ref());
        let budget = asked.or(agent.budget_usd.as_ref()).and_then(|budget| Money::parse(budget));
        let status = session.status.as_ref();
        let spent = status.and_then(|status| Some(cost(&spent(status, goes_on)?)));
        // The conversation can be read when nothing is left, and the next question to a model is refused.
        let left =
            budget.map(|budget| budget.less(spent.unwrap_or_default()).unwrap_or(Money::LEAST));
        let with_agent = session.spec.agent_state == Some(AgentState::On);
        let budget = left.map(|left| left.to_string());
        Self { number: starts.saturating_add(1), budget, with_agent }
    }
}

/// What conversations used. One that goes on counts what it used itself.
fn spent(status: &SessionStatus, goes_on: bool) -> Option<Usage> {
    let total = status.usage.as_ref()?;
    let own = status.conversation.as_ref().and_then(|conversation| conversation.usage.as_ref());
    Some(match own.filter(|_| goes_on) {
        Some(own) => without(total, own),
        None => total.clone(),
    })
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
