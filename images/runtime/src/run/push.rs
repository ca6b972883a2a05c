//! The push, by us alone. The repository's own configuration could send the login anywhere, so git runs in a fresh
//! folder with a configuration of ours, and takes nothing from the repository but its objects.

use super::agent::SCRIPT;
use super::branch::{Begun, Branch};
use super::git::{Git, GitError};
use super::lent::lend;
use super::outgoing::{self, Leak};
use super::verdict::Ending;
use crate::credential;
use crate::forge::{Forge, Unknown};
use crate::journal::Journal;

/// Git's folder for the push, below the workspace.
const FOLDER: &str = ".fabrica-push";

/// Whether an agent's work could be pushed, before it is paid for. A script costs nothing, and may be there to look alone.
pub(super) async fn check(forge: &Result<Forge, Unknown>, driver: &str) -> Result<(), Ending> {
    let Ok(forge) = forge else { return Ok(()) };
    if driver == SCRIPT {
        return Ok(());
    }
    let refused = |message| Ending::misconfigured("push", "PushRejected", message);
    forge.check_push().await.map_err(refused)
}

/// Pushes a commit that holds no secret, and looks whether the remote has it.
pub(super) async fn push(
    git: &Git<'_>,
    branch: &Branch<'_>,
    begun: &Begun,
    commit: &str,
    steps: &Journal,
) -> Result<(), Ending> {
    let step = steps.begin("push", &format!("Pushing the branch {}.", branch.name));
    match arrive(git, branch, begun, commit).await {
        Ok(None) => {
            step.finish(format!("The remote's branch {} is at {commit}.", branch.name));
            Ok(())
        }
        Ok(Some(leak)) => {
            step.fail(format!("A secret of this Run stands in {leak}: nothing is pushed."));
            Err(Ending::Secret { place: leak.to_string() })
        }
        Err(GitError(words)) => {
            step.fail(&words);
            Err(Ending::Push { words })
        }
    }
}

async fn arrive(
    git: &Git<'_>,
    branch: &Branch<'_>,
    begun: &Begun,
    commit: &str,
) -> Result<Option<Leak>, GitError> {
    let folder = lend(git, FOLDER).await?;
    let known: Vec<&str> =
        [&begun.base, &begun.remote].into_iter().flatten().map(|known| &**known).collect();
    if let Some(leak) = outgoing::leak(git, &folder, commit, &known).await? {
        return Ok(Some(leak));
    }
    let login = credential::serve(git.repository.clone());
    let _login = login.map_err(|error| GitError(error.to_string()))?;
    let reference = branch.reference();
    // The branch is where we saw it, or still absent: so nobody else's commit is ever pushed over.
    let lease =
        format!("--force-with-lease={reference}:{}", begun.remote.as_deref().unwrap_or_default());
    let target = format!("{commit}:{reference}");
    git.remote(&folder, &["push", "--no-verify", &lease, "--", &git.repository.url, &target])
        .await?;
    match git.remote_head(&folder, branch.name).await? {
        Some(there) if there == commit => Ok(None),
        there => Err(GitError(format!(
            "the remote's branch is at {}, not at {commit}",
            there.as_deref().unwrap_or("no commit")
        ))),
    }
}
