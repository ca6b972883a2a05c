//! What the agent left: all of it in commits, the newest of them marked as this Run's.

use super::branch::{self, Begun, Branch};
use super::git::{Git, GitError};
use super::verdict::Ending;
use crate::journal::Journal;

/// The commit to push, or nothing when nothing changed.
pub(crate) async fn commit(
    git: &Git<'_>,
    branch: &Branch<'_>,
    begun: &Begun,
    title: &str,
    steps: &Journal,
) -> Result<Option<String>, Ending> {
    let step = steps.begin("verify", "Looking at what has changed.");
    match arrive(git, branch, begun, title).await {
        Ok(Some(commit)) => {
            step.finish(format!("The work is in commit {commit}."));
            Ok(Some(commit))
        }
        Ok(None) => {
            step.finish("Nothing has changed.");
            Ok(None)
        }
        Err(error) => {
            let message = uncommitted(&error);
            step.fail(&message);
            Err(Ending::Agent(message))
        }
    }
}

/// The commit to push where nothing changed: what the work began from, marked as this Run's.
pub(super) async fn adopt(
    git: &Git<'_>,
    branch: &Branch<'_>,
    title: &str,
) -> Result<Option<String>, Ending> {
    let adopting = async {
        let Some(head) = branch::head(git).await? else { return Ok(None) };
        claim(git, branch, &head, title).await
    };
    adopting.await.map_err(|error| Ending::Agent(uncommitted(&error)))
}

fn uncommitted(error: &GitError) -> String {
    format!("What the agent left cannot be committed: {error}")
}

async fn arrive(
    git: &Git<'_>,
    branch: &Branch<'_>,
    begun: &Begun,
    title: &str,
) -> Result<Option<String>, GitError> {
    git.told(&["add", "--all"]).await?;
    let trailer = branch.trailer();
    let is_clean = git.local(&["diff", "--cached", "--quiet", "--no-ext-diff"]).await?.success;
    if !is_clean {
        git.told(&["commit", "-q", "--no-verify", "-m", title, "-m", &trailer]).await?;
    }
    let Some(head) = branch::head(git).await? else { return Ok(None) };
    // What an earlier attempt pushed is more than the base, so then there is something to look at.
    if begun.remote.is_none() && is_same(git, begun.base.as_deref(), &head).await? {
        return Ok(None);
    }
    claim(git, branch, &head, title).await
}

async fn claim(
    git: &Git<'_>,
    branch: &Branch<'_>,
    head: &str,
    title: &str,
) -> Result<Option<String>, GitError> {
    if !branch.owns(git, head).await? {
        mark(git, title, &branch.trailer()).await?;
    }
    branch::head(git).await
}

/// Whether a commit holds what the base holds.
pub(crate) async fn is_same(
    git: &Git<'_>,
    base: Option<&str>,
    head: &str,
) -> Result<bool, GitError> {
    let Some(base) = base else { return Ok(false) };
    let tree = async |commit: &str| git.told(&["rev-parse", &format!("{commit}^{{tree}}")]).await;
    Ok(tree(base).await? == tree(head).await?)
}

/// Marks the newest commit as ours. The agent's own commit keeps its words; one whose parents are not here, or that an
/// old git cannot mark, stays as it is and gets an empty one on top.
async fn mark(git: &Git<'_>, title: &str, trailer: &str) -> Result<(), GitError> {
    let has_parent = git.local(&["rev-parse", "--verify", "-q", "HEAD^"]).await?.success;
    let amend = [
        "commit",
        "-q",
        "--amend",
        "--no-edit",
        "--no-verify",
        "--allow-empty",
        "--trailer",
        trailer,
    ];
    if has_parent && git.local(&amend).await?.success {
        return Ok(());
    }
    let words = ["commit", "-q", "--no-verify", "--allow-empty", "-m", title, "-m", trailer];
    git.told(&words).await.map(|_| ())
}
