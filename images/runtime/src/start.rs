//! The start steps, in order: identity, clone, dependencies. A failing clone ends the runtime, and the kubelet's own
//! back-off tries again; failing dependencies are told, and leave the terminal to mend them in.

mod clone;
mod command;
mod dependencies;
mod identity;

use fabrica_protocol::runtime::{Termination, Workspace, WorkspaceState};

use crate::config::Config;
use crate::idle::Activity;
use crate::journal::Journal;

/// Why the runtime cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StartError {
    pub step: &'static str,
    /// A condition reason.
    pub reason: &'static str,
    /// One sentence, without credentials.
    pub message: String,
}

impl StartError {
    /// As the kubelet's termination message.
    pub fn termination(&self) -> Termination {
        Termination {
            step: self.step.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message.clone(),
        }
    }
}

/// Takes the steps.
pub async fn run(
    config: &Config,
    journal: &Journal,
    activity: &Activity,
) -> Result<(), StartError> {
    identity::run(config, journal).await?;
    let Some(repository) = &config.repository else { return Ok(()) };
    let state = |state| Workspace { state, reason: None, message: None };
    activity.set_workspace(state(WorkspaceState::Pending));
    clone::run(config, repository, journal).await?;
    activity.set_workspace(state(WorkspaceState::Ready));
    if let Err(message) = dependencies::run(config, journal).await {
        activity.set_workspace(Workspace {
            state: WorkspaceState::Failed,
            reason: Some("DependenciesFailed".to_owned()),
            message: Some(message),
        });
    }
    Ok(())
}
