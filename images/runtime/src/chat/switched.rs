//! What of a conversation is special where people switch its agent on and off.

use fabrica_protocol::chat::AgentState;
use fabrica_protocol::run::TurnState;
use fabrica_protocol::runtime::{AgentPower, AgentReport};

use super::handle::{Chat, former};
use super::words::turn;
use crate::config::Config;
use crate::run::claude::words::notice;
use crate::run::claude::{launch, spending};
use crate::run::driver::Failure;
use crate::start::StartError;

/// What the agent would lack, as far as one can tell before it is started.
pub fn lacking(config: &Config) -> Option<StartError> {
    let settings = &config.chat.as_ref()?.agent;
    let found = launch::find(config, settings).map(|_| ());
    let failure = found.and_then(|()| spending::key(settings).map(|_| ())).err()?;
    let Failure { reason, message, .. } = failure;
    Some(StartError { step: "agent", reason, message })
}

/// Whether an agent has worked in this workspace.
pub fn had_agent(config: &Config) -> bool {
    former(&config.workspace.join(".fabrica"), u32::MAX).is_some()
}

impl Chat {
    /// The agent works no more. What it was at is over: switched on again, it waits for people to speak.
    pub fn put_down(&self) {
        let in_turn = self.known().in_turn;
        if in_turn {
            self.tell(turn(TurnState::Interrupted, None));
            self.tell(notice("The agent was switched off in the middle of its work.".to_owned()));
        }
    }

    /// How far the agent is.
    pub fn report(&self) -> AgentReport {
        let standing = self.standing().borrow().clone();
        let power = match standing.state {
            AgentState::Starting => AgentPower::Starting,
            AgentState::Failed => {
                let reason = Some("AgentFailed".to_owned());
                let (power, message) = (AgentPower::Failed, standing.message);
                return AgentReport { power, reason, message, spec: None };
            }
            AgentState::Stopped => AgentPower::Off,
            AgentState::Idle
            | AgentState::Working
            | AgentState::Waiting
            | AgentState::Restarting => AgentPower::On,
        };
        AgentReport { power, ..AgentReport::default() }
    }
}
