//! The agent of a Terminal, as the operator wants it and as it stands.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fabrica_protocol::runtime::{AGENT_SPEC, AgentPower, AgentReport, AgentSwitch};
use tokio::sync::watch;

use crate::chat::Chat;
use crate::start::StartError;

/// The switch. Nobody has touched it yet.
#[derive(Debug, Default)]
pub struct Switch {
    wanted: watch::Sender<Option<AgentSwitch>>,
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    /// The conversation, since the agent was first started; it can be read when there is no agent any more.
    chat: Option<Arc<Chat>>,
    /// How it stands where the conversation itself does not say so.
    report: AgentReport,
}

impl Switch {
    /// Turns it. An agent that works goes on as it was told first, unless the spec says something else of it by now.
    pub fn turn(&self, to: AgentSwitch) {
        self.wanted.send_if_modified(|wanted| {
            let is_other = wanted
                .as_ref()
                .is_none_or(|wanted| wanted.on != to.on || spec(wanted) != spec(&to));
            if is_other {
                *wanted = Some(to);
            }
            is_other
        });
    }

    /// What is wanted; nothing before the operator said it.
    pub fn wanted(&self) -> watch::Receiver<Option<AgentSwitch>> {
        self.wanted.subscribe()
    }

    /// The agent begins to work.
    pub fn start(&self, chat: Arc<Chat>) {
        let mut standing = self.lock();
        standing.chat = Some(chat);
        standing.report = AgentReport { power: AgentPower::On, ..AgentReport::default() };
    }

    /// It does not work.
    pub fn rest(&self, power: AgentPower, why: Option<&StartError>) {
        self.lock().report = AgentReport {
            power,
            spec: None,
            reason: why.map(|error| error.reason.to_owned()),
            message: why.map(|error| error.message.clone()),
        };
    }

    /// The conversation, since there is one.
    pub fn chat(&self) -> Option<Arc<Chat>> {
        self.lock().chat.clone()
    }

    /// The conversation, while its agent works.
    pub fn live(&self) -> Option<Arc<Chat>> {
        let standing = self.lock();
        standing.chat.clone().filter(|_| standing.report.power == AgentPower::On)
    }

    /// How it stands.
    pub fn report(&self) -> AgentReport {
        let told = self.live().map(|chat| chat.report());
        let told = told.unwrap_or_else(|| self.lock().report.clone());
        let wanted = self.wanted.borrow();
        AgentReport { spec: wanted.as_ref().and_then(spec).cloned(), ..told }
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the spec said of the agent.
fn spec(switch: &AgentSwitch) -> Option<&String> {
    switch.settings.get(AGENT_SPEC).filter(|_| switch.on)
}
