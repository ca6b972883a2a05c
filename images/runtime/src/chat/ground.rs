//! The repository under the conversation: cloned once, on the branch that is pushed. A pod that finds it leaves it as it is.

use crate::config::{Config, Repository};
use crate::idle::Activity;
use crate::journal::Journal as Steps;
use crate::run::branch::{Begun, Branch};
use crate::run::git::{Git, GitError};
use crate::run::lent;
use crate::run::verdict::Ending;
use crate::start::{self, StartError};

/// Git's folder for the question where the work began, below the workspace.
const FOLDER: &str = ".fabrica-base";

/// Takes the start steps; where the work begins. From here on git has no login.
pub(super) async fn prepare(
    config: &Config,
    branch: &Branch<'_>,
    steps: &Steps,
    activity: &Activity,
) -> Result<Begun, StartError> {
    let Some(repository) = &config.repository else {
        let message = "A Chat needs REPO_URL.".to_owned();
        return Err(StartError { step: "clone", reason: "RepositoryMissing", message });
    };
    let is_new = !config.workspace.join("repo/.git").exists();
    let login = start::arrive(config, steps, activity).await?;
    let git = Git::find(config, repository).map_err(failed)?;
    if !is_new {
        // What lies here is the agent's, too; the remote says what was there before.
        let remote = branch.remote(&git, steps).await.map_err(failed)?;
        let base = base(&git, repository).await.ok();
        return Ok(Begun { base, remote });
    }
    let begun = branch.look(&git, steps).await.map_err(failed)?;
    drop(login);
    branch.take(&git, &begun, steps).await.map_err(failed)?;
    Ok(begun)
}

async fn base(git: &Git<'_>, repository: &Repository) -> Result<String, GitError> {
    let folder = lent::lend(git, FOLDER).await?;
    let what = repository.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
    lent::fetch(git, &folder, &["--depth", "1"], what.as_deref().unwrap_or("HEAD")).await
}

fn failed(ending: Ending) -> StartError {
    match ending {
        Ending::Start(error) => error,
        other => {
            let message = other.verdict().message;
            StartError { step: "clone", reason: "CloneFailed", message }
        }
    }
}
