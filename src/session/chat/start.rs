//! What a Chat's pod is told that another start of the same Session is not. Pure.

use fabrica_crds::session::Usage;
use fabrica_crds::{Session, SessionStatus};
use k8s_openapi::api::core::v1::Pod;

use crate::children::money::Money;
use crate::children::pod::variable;
use crate::children::usage::{cost, without};
use crate::config::AgentDefaults;

/// How the runtime is told which start it is, and what its conversation may cost.
pub(in crate::session) const ATTEMPT: &str = "FABRICA_CHAT_ATTEMPT";
const BUDGET: &str = "FABRICA_AGENT_BUDGET_USD";

/// One start of a Chat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::session) struct Start {
    /// Counts from 1.
    pub(in crate::session) number: i32,
    /// What models may cost in it, in US dollars; unset: no bound.
    pub(in crate::session) budget: Option<String>,
}

impl Start {
    /// That of a pod; none of a pod that is no Chat's.
    pub(in crate::session) fn of(pod: &Pod) -> Option<Self> {
        let number = variable(pod, ATTEMPT)?.parse().ok()?;
        Some(Self { number, budget: variable(pod, BUDGET).map(str::to_owned) })
    }

    /// The next one, when there were so many, with what is left of the budget.
    pub(in crate::session) fn next(session: &Session, starts: i32, agent: &AgentDefaults) -> Self {
        let asked = session.spec.agent.as_ref().and_then(|agent| agent.budget_usd.as_ref());
        let budget = asked.or(agent.budget_usd.as_ref()).and_then(|budget| Money::parse(budget));
        let spent = session.status.as_ref().and_then(|status| {
            let goes_on = session.spec.workspace.is_some();
            Some(cost(&spent(status, goes_on)?))
        });
        // The conversation can be read when nothing is left, and the next question to a model is refused.
        let left =
            budget.map(|budget| budget.less(spent.unwrap_or_default()).unwrap_or(Money::LEAST));
        Self { number: starts.saturating_add(1), budget: left.map(|left| left.to_string()) }
    }
}

/// What conversations used. One that goes on in the volume counts what it used itself.
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
