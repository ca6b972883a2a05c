//! The branch that a Run works on: a new one, or what an earlier attempt of the same Run left.

use fabrica_protocol::runtime::EventType;

use super::git::{Git, GitError};
use super::verdict::Ending;
use crate::journal::Journal;
use crate::start::StartError;

/// A branch, and whose it must be.
pub(super) struct Branch<'a> {
    pub(super) name: &'a str,
    pub(super) uid: &'a str,
}

/// Where the work began.
pub(super) struct Begun {
    /// The commit of the base; nothing in a repository without commits.
    pub(super) base: Option<String>,
    /// The commit of the remote's branch, which an earlier attempt pushed.
    pub(super) remote: Option<String>,
}

impl Branch<'_> {
    pub(super) fn reference(&self) -> String {
        format!("refs/heads/{}", self.name)
    }

    /// What marks commits as this Run's.
    pub(super) fn trailer(&self) -> String {
        format!("Fabrica-Run: {}", self.uid)
    }

    /// Whether the newest commit of something carries our trailer.
    pub(super) async fn owns(&self, git: &Git<'_>, commit: &str) -> Result<bool, GitError> {
        let message = git.told(&["log", "-1", "--format=%B", commit, "--"]).await?;
        Ok(message.lines().any(|line| line.trim() == self.trailer()))
    }

    /// Puts the repository on the branch.
    pub(super) async fn take(&self, git: &Git<'_>, steps: &Journal) -> Result<Begun, Ending> {
        self.arrive(git, steps).await.unwrap_or_else(|error| {
            let message = format!("The branch {} cannot be prepared: {error}", self.name);
            steps.tell("clone", EventType::Failed, message.as_str());
            Err(Ending::Start(StartError { step: "clone", reason: "CloneFailed", message }))
        })
    }

    async fn arrive(
        &self,
        git: &Git<'_>,
        steps: &Journal,
    ) -> Result<Result<Begun, Ending>, GitError> {
        let base = head(git).await?;
        let folder = git.folder();
        if git.remote_head(&folder, self.name).await?.is_none() {
            self.create(git, base.is_some()).await?;
            steps.tell(
                "clone",
                EventType::Notice,
                format!("The branch {} begins here.", self.name),
            );
            return Ok(Ok(Begun { base, remote: None }));
        }
        let words =
            ["fetch", "--depth", "1", "--no-tags", "--", &git.repository.url, &self.reference()];
        git.remote(&folder, &words).await?;
        if !self.owns(git, "FETCH_HEAD").await? {
            let message = format!("The branch {} belongs to somebody else.", self.name);
            steps.tell("clone", EventType::Failed, message);
            return Ok(Err(Ending::BranchExists { branch: self.name.to_owned() }));
        }
        git.told(&["checkout", "-q", "-B", self.name, "FETCH_HEAD"]).await?;
        let text = format!("The branch {} goes on where an earlier attempt ended.", self.name);
        steps.tell("clone", EventType::Notice, text);
        Ok(Ok(Begun { base, remote: head(git).await? }))
    }

    async fn create(&self, git: &Git<'_>, has_commits: bool) -> Result<(), GitError> {
        if has_commits {
            git.told(&["checkout", "-q", "-B", self.name]).await?;
        } else {
            git.told(&["symbolic-ref", "HEAD", &self.reference()]).await?;
        }
        Ok(())
    }
}

/// Where a Run keeps work in progress at the remote.
pub(super) fn work_in_progress(uid: &str) -> String {
    format!("refs/fabrica/{uid}/wip")
}

/// The newest commit of the repository, if it has any.
pub(super) async fn head(git: &Git<'_>) -> Result<Option<String>, GitError> {
    let ended = git.local(&["rev-parse", "--verify", "-q", "HEAD^{commit}"]).await?;
    let commit = ended.output.trim();
    let is_commit =
        matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok((ended.success && is_commit).then(|| commit.to_owned()))
}
