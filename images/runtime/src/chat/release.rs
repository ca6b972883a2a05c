//! The release: what is left is committed, pushed by us, and proposed. The agent is alive meanwhile and holds no login, so
//! git pushes through a door that sets this one branch and nothing else.

use std::path::Path;

use super::desk::Desk;
use super::ground;
use crate::run::branch;
use crate::run::checkpoint::door::Door;
use crate::run::driver::Completion;
use crate::run::git::{Git, GitError};
use crate::run::pull_request::{self, Change};
use crate::run::verdict::Ending;
use crate::run::{changes, lent, outgoing, verify};

/// Git's folder for the push, below the workspace.
const FOLDER: &str = ".fabrica-push";
/// What git says where the remote's branch is not where we left it.
const STALE: &str = "stale info";

/// Commits, pushes and proposes; where the pull request is, if there can be one. Else what went wrong.
pub(crate) async fn release(desk: &Desk, done: &Completion) -> Result<Option<String>, String> {
    let _alone = desk.publishing.lock().await;
    let git = Git::find(&desk.config, &desk.repository).map_err(words)?;
    compare(desk, &git).await?;
    let (branch, begun, item) = (desk.branch(), desk.begun(), desk.item());
    let task = desk.task(item.as_ref());
    let title = task.title(Some(&done.title));
    let committed = verify::commit(&git, &branch, &begun, &title, &desk.steps).await;
    let commit =
        committed.map_err(words)?.ok_or("Nothing has changed: there is nothing to release.")?;
    changes::tell(&git, &begun, &commit, &desk.chat.journal).await;
    send(desk, &git, &commit).await?;
    let body = task.body(Some(&done.body));
    propose(desk, &commit, &Proposed { title: &title, body: &body, base: None, draft: false }).await
}

/// Asks where the work began, if that is not known: without it there is no pull request.
async fn compare(desk: &Desk, git: &Git<'_>) -> Result<(), String> {
    if desk.begun().base.is_some() {
        return Ok(());
    }
    let found = async {
        let folder = lent::lend(git, FOLDER).await?;
        ground::base(git, &folder, &desk.branch()).await
    };
    let base = found.await.map_err(|GitError(words)| {
        format!("The branch that this is to be merged into cannot be fetched, so there can be no pull request: {words}")
    })?;
    desk.compared(base);
    Ok(())
}

/// Whether there is something that could be released.
pub(crate) async fn has_changed(desk: &Desk) -> Result<bool, String> {
    let git = Git::find(&desk.config, &desk.repository).map_err(words)?;
    compare(desk, &git).await?;
    let begun = desk.begun();
    let looked = async {
        if !git.told(&["status", "--porcelain"]).await?.is_empty() {
            return Ok(true);
        }
        let Some(head) = branch::head(&git).await? else { return Ok(false) };
        Ok(!verify::is_same(&git, begun.base.as_deref(), &head).await?)
    };
    looked.await.map_err(|GitError(words)| words)
}

/// Pushes what is committed; the commit that the remote's branch is at.
pub(crate) async fn push(desk: &Desk) -> Result<String, String> {
    let _alone = desk.publishing.lock().await;
    let git = Git::find(&desk.config, &desk.repository).map_err(words)?;
    let head = branch::head(&git).await.map_err(|error| error.to_string())?;
    let head = head.ok_or("There is no commit.")?;
    let is_ours = desk.branch().owns(&git, &head).await.map_err(|error| error.to_string())?;
    let commit = if is_ours { head } else { marked(desk, &git).await? };
    send(desk, &git, &commit).await?;
    Ok(commit)
}

/// The newest commit bears our mark, by which another pod knows the branch.
async fn marked(desk: &Desk, git: &Git<'_>) -> Result<String, String> {
    let (branch, begun) = (desk.branch(), desk.begun());
    let title = "Work in progress";
    let committed =
        verify::commit(git, &branch, &begun, title, &desk.steps).await.map_err(words)?;
    committed.ok_or_else(|| "Nothing has changed: there is nothing to push.".to_owned())
}

/// What a pull request is to be.
#[derive(Debug)]
pub(crate) struct Proposed<'a> {
    pub(crate) title: &'a str,
    pub(crate) body: &'a str,
    /// The branch to merge into; unset: the one that the work began from.
    pub(crate) base: Option<&'a str>,
    pub(crate) draft: bool,
}

/// Opens the pull request for what was pushed.
pub(crate) async fn propose(
    desk: &Desk,
    commit: &str,
    proposed: &Proposed<'_>,
) -> Result<Option<String>, String> {
    compare(desk, &Git::find(&desk.config, &desk.repository).map_err(words)?).await?;
    let (settings, branch) = (&desk.chat.settings, desk.branch());
    let forge = crate::forge::Forge::of(&desk.repository, &settings.forge, &desk.config.secrets);
    let mut config = settings.forge.clone();
    // Whoever made the Session may want no other.
    config.draft |= proposed.draft;
    let change = Change {
        base: proposed.base.or(desk.repository.branch.as_deref()),
        config: &config,
        secrets: &desk.config.secrets,
        branch: branch.name,
        commit,
        has_base: desk.begun().base.is_some(),
        title: proposed.title,
        body: proposed.body,
    };
    let forge = forge.map_err(|error| error.to_string())?;
    pull_request::open(forge, &change, &desk.steps).await.map_err(words)
}

async fn send(desk: &Desk, git: &Git<'_>, commit: &str) -> Result<(), String> {
    let step = desk.steps.begin("push", &format!("Pushing the branch {}.", desk.branch().name));
    match arrive(desk, git, commit).await {
        Ok(None) => {
            desk.pushed(commit);
            step.finish(format!("The remote's branch {} is at {commit}.", desk.branch().name));
            Ok(())
        }
        Ok(Some(leak)) => {
            let text = format!("A secret stands in {leak}: nothing is pushed.");
            step.fail(&text);
            Err(format!("{text} Take it out of the commit that added it."))
        }
        Err(GitError(words)) => {
            step.fail(&words);
            Err(format!("The push failed: {words}"))
        }
    }
}

async fn arrive(
    desk: &Desk,
    git: &Git<'_>,
    commit: &str,
) -> Result<Option<outgoing::Leak>, GitError> {
    let (branch, begun) = (desk.branch(), desk.begun());
    let folder = lent::lend(git, FOLDER).await?;
    let known: Vec<&str> =
        [&begun.base, &begun.remote].into_iter().flatten().map(|known| &**known).collect();
    if let Some(leak) = outgoing::leak(git, &folder, commit, &known).await? {
        return Ok(Some(leak));
    }
    let reference = branch.reference();
    let door = Door::open(git.repository, &reference).await;
    let door = door.map_err(|error| GitError(crate::chain(&error)))?;
    let url = door.url();
    let target = format!("{commit}:{reference}");
    // No proxy of the pod stands between git and us.
    let words = ["-c", "http.proxy=", "push", "--no-verify"];
    // The branch is where we saw it, or still absent: so nobody else's commit is ever pushed over.
    let push = async |there: Option<&str>| {
        let lease = format!("--force-with-lease={reference}:{}", there.unwrap_or_default());
        git.remote(&folder, &[&words[..], &[&lease, "--", &url, &target]].concat()).await
    };
    match push(begun.remote.as_deref()).await {
        Err(GitError(words)) if words.contains(STALE) => {
            let there = met(git, &folder, &reference, commit).await?;
            push(there.as_deref()).await?;
        }
        pushed => {
            pushed?;
        }
    }
    let asked = [&words[..], &["--dry-run", "--porcelain", "--", &url, &target]].concat();
    let there = git.remote(&folder, &asked).await?;
    if there.lines().any(|line| line.starts_with('=')) {
        return Ok(None);
    }
    Err(GitError(format!("the remote's branch is not at {commit}")))
}

/// Where the remote's branch is after somebody else has changed it: nowhere, as when it was merged, or at a commit that
/// ours builds on. Any other becomes the repository's, and the agent is told of it.
async fn met(
    git: &Git<'_>,
    folder: &Path,
    reference: &str,
    commit: &str,
) -> Result<Option<String>, GitError> {
    let door = Door::open_to_read(git.repository).await;
    let door = door.map_err(|error| GitError(crate::chain(&error)))?;
    let url = door.url();
    let asked = ["-c", "http.proxy=", "ls-remote", "--", &url, reference];
    if git.remote(folder, &asked).await?.is_empty() {
        return Ok(None);
    }
    let there = lent::fetch_through(git, folder, &url, &[], reference).await?;
    let is_within = ["merge-base", "--is-ancestor", &there, commit];
    if git.remote(folder, &is_within).await.is_ok() {
        return Ok(Some(there));
    }
    Err(GitError(format!(
        "somebody else has changed the branch. It is at {there} there, which your repository has now: take it in (git merge {there}, or git rebase {there}), and try again"
    )))
}

fn words(ending: Ending) -> String {
    ending.verdict().message
}
