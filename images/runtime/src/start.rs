//! The start steps, in order: identity, clone, dependencies. A failing clone ends the runtime, and the kubelet's own
//! back-off tries again; failing dependencies are told, and leave the terminal to mend them in.

mod advice;
mod clone;
pub(crate) mod command;
mod dependencies;
mod identity;

use fabrica_protocol::runtime::{Termination, Workspace, WorkspaceState};

use crate::config::Config;
use crate::credential::Serving;
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

/// Takes the steps. Git can ask for the repository's login as long as what is returned is kept.
pub async fn run(
    config: &Config,
    journal: &Journal,
    activity: &Activity,
) -> Result<Option<Serving>, StartError> {
    let serving = arrive(config, journal, activity).await?;
    install(config, journal, activity).await;
    Ok(serving)
}

/// The steps that run no program of the repository.
pub async fn arrive(
    config: &Config,
    journal: &Journal,
    activity: &Activity,
) -> Result<Option<Serving>, StartError> {
    let serving = identity::run(config, journal).await?;
    if let Some(repository) = &config.repository {
        activity.set_workspace(workspace(WorkspaceState::Pending));
        clone::run(config, repository, journal).await?;
        activity.set_workspace(workspace(WorkspaceState::Ready));
    }
    Ok(serving)
}

/// The dependencies, whose programs may do anything.
pub async fn install(config: &Config, journal: &Journal, activity: &Activity) {
    if config.repository.is_none() {
        return;
    }
    if let Err(message) = dependencies::run(config, journal).await {
        activity.set_workspace(Workspace {
            reason: Some("DependenciesFailed".to_owned()),
            message: Some(message),
            ..workspace(WorkspaceState::Failed)
        });
    }
}

fn workspace(state: WorkspaceState) -> Workspace {
    Workspace { state, reason: None, message: None }
}
