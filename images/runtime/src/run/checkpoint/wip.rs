//! Work in progress as a commit of its own, on top of what the agent has committed: made beside the agent, whose index
//! stays as it is, and put back in another pod.

use std::path::{Path, PathBuf};

use fabrica_protocol::run::work_in_progress;
use fabrica_protocol::runtime::EventType;

use super::door::Door;
use crate::credential;
use crate::journal::Journal;
use crate::run::branch::{self, Begun};
use crate::run::git::{Git, GitError};
use crate::run::lent;

/// Git's folder for these pushes, below the workspace.
const FOLDER: &str = ".fabrica-wip";
/// The index of ours, below the workspace.
const INDEX: &str = ".fabrica/wip-index";

/// What a pull request may meet that nobody can see in the work itself.
const MOVED: &str = "The branch that the work began from has moved since. The work goes on from where it began: its pull request may conflict with that branch, or hold commits that were taken out of it.";

/// The state of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) head: Option<String>,
    tree: String,
}

/// How the files are now, all of them but those that git ignores.
pub(super) async fn look(git: &Git<'_>) -> Result<State, GitError> {
    let index = git.scratch(INDEX);
    // The agent's own index says which files have not changed, so these are not read again.
    if std::fs::copy(git.folder().join(".git/index"), &index).is_err() {
        // A repository without one begins without files.
        let _ = std::fs::remove_file(&index);
    }
    let with_index = [("GIT_INDEX_FILE".to_owned(), index.to_string_lossy().into_owned())];
    git.told_with(&["add", "--all"], &with_index).await?;
    let tree = git.told_with(&["write-tree"], &with_index).await?;
    Ok(State { head: branch::head(git).await?, tree })
}

/// A commit of a state.
pub(super) async fn commit(git: &Git<'_>, state: &State, uid: &str) -> Result<String, GitError> {
    let trailer = format!("Fabrica-Run: {uid}");
    let mut words = vec!["commit-tree", &state.tree, "-m", "Work in progress", "-m", &trailer];
    if let Some(head) = &state.head {
        words.extend(["-p", head]);
    }
    git.told(&words).await
}

/// Git's folder for a push.
pub(super) async fn lend(git: &Git<'_>) -> Result<PathBuf, GitError> {
    lent::lend(git, FOLDER).await
}

/// Sets the Run's ref from that folder, whatever it was before.
pub(super) async fn push(
    git: &Git<'_>,
    folder: &Path,
    commit: &str,
    uid: &str,
) -> Result<(), GitError> {
    let reference = work_in_progress(uid);
    let door = Door::open(git.repository, &reference).await;
    let door = door.map_err(|error| GitError(crate::chain(&error)))?;
    let target = format!("{commit}:{reference}");
    // No proxy of the pod stands between git and us.
    let words = ["-c", "http.proxy=", "push", "--no-verify", "--force", "--", &door.url(), &target];
    git.remote(folder, &words).await.map(|_| ())
}

/// Removes the Run's ref from the remote, where it is there.
pub(super) async fn remove(git: &Git<'_>, uid: &str) -> Result<(), GitError> {
    let folder = lend(git).await?;
    let login = credential::serve(git.repository.clone());
    let _login = login.map_err(|error| GitError(error.to_string()))?;
    let (reference, url) = (work_in_progress(uid), &git.repository.url);
    if git.remote(&folder, &["ls-remote", "--", url, &reference]).await?.is_empty() {
        return Ok(());
    }
    let target = format!(":{reference}");
    git.remote(&folder, &["push", "--no-verify", "--", url, &target]).await.map(|_| ())
}

/// Fetches a former pod's work; the commit, if it is there.
pub(in crate::run) async fn fetch(
    git: &Git<'_>,
    named: &str,
    uid: &str,
    steps: &Journal,
) -> Option<String> {
    let reference = work_in_progress(uid);
    let fetched = async |what: &str| lent::fetch(git, &lend(git).await?, &[], what).await;
    if fetched(&reference).await.is_ok_and(|commit| commit == named) {
        return Some(named.to_owned());
    }
    let text = format!("{reference} is not at {named}, where an earlier attempt had set it.");
    steps.tell("clone", EventType::Notice, text);
    match fetched(named).await {
        Ok(commit) if commit == named => Some(commit),
        Ok(_) | Err(_) => {
            let text =
                "The files of an earlier attempt are lost: its conversation goes on without.";
            steps.tell("clone", EventType::Notice, text);
            None
        }
    }
}

/// Puts the files and the commits of a former pod into the repository.
pub(in crate::run) async fn restore(
    git: &Git<'_>,
    commit: &str,
    begun: &Begun,
    steps: &Journal,
) -> Result<(), GitError> {
    if let Some(base) = &begun.base
        && !git.local(&["merge-base", "--is-ancestor", base, commit]).await?.success
    {
        steps.tell("clone", EventType::Notice, MOVED);
    }
    let parent = git.local(&["rev-parse", "--verify", "-q", &format!("{commit}^")]).await?;
    if parent.success {
        git.told(&["reset", "-q", "--hard", parent.output.trim()]).await?;
    }
    git.told(&["read-tree", "-u", "--reset", commit]).await?;
    if parent.success {
        git.told(&["reset", "-q"]).await?;
    }
    let text = "The work goes on where an earlier attempt ended, with its files.";
    steps.tell("clone", EventType::Notice, text);
    Ok(())
}
