//! The branch that a Run works on: a new one, or what an earlier attempt of the same Run left.

use fabrica_protocol::runtime::EventType;

use super::git::{Git, GitError};
use super::lent;
use super::verdict::Ending;
use crate::config::{Base, RunConfig};
use crate::journal::Journal;
use crate::start::StartError;

/// Git's folder for questions to the remote, below the workspace.
const FOLDER: &str = ".fabrica-fetch";

/// What marks a commit as a Run's; the Run's UID follows.
const MARK: &str = "Fabrica-Run: ";

/// An attempt marks what it pushes last.
pub(crate) const NEWEST: u16 = 1;

/// A branch, and whose it must be.
pub(crate) struct Branch<'a> {
    pub(crate) name: &'a str,
    pub(crate) uid: &'a str,
}

/// Where the work began.
#[derive(Debug, Clone, Default)]
pub(crate) struct Begun {
    /// The commit of the base; nothing in a repository without commits.
    pub(crate) base: Option<String>,
    /// The commit of the remote's branch, which an earlier attempt pushed.
    pub(crate) remote: Option<String>,
}

impl Branch<'_> {
    pub(crate) fn reference(&self) -> String {
        format!("refs/heads/{}", self.name)
    }

    /// What marks commits as this Run's.
    pub(crate) fn trailer(&self) -> String {
        format!("{MARK}{}", self.uid)
    }

    /// Whether the newest commit of something carries our trailer.
    pub(crate) async fn owns(&self, git: &Git<'_>, commit: &str) -> Result<bool, GitError> {
        let message = git.told(&["log", "-1", "--format=%B", commit, "--"]).await?;
        Ok(self.marks(&message))
    }

    fn marks(&self, message: &str) -> bool {
        message.lines().any(|line| line.trim() == self.trailer())
    }

    /// Looks where the work begins, in a repository that was just cloned. The branch is ours when one of its newest
    /// commits, as many as `depth`, is.
    pub(crate) async fn look(
        &self,
        git: &Git<'_>,
        depth: u16,
        steps: &Journal,
    ) -> Result<Begun, Ending> {
        let base = head(git).await.map_err(|error| self.unprepared(&error, steps))?;
        let asked = self.ask(git, depth, steps).await;
        let remote = asked.unwrap_or_else(|error| Err(self.unprepared(&error, steps)))?;
        Ok(Begun { base, remote })
    }

    /// The commit that the remote's branch is at and that an earlier pod pushed from this repository; nothing when there
    /// is none, or somebody else's. The remote is asked from a folder of ours, for the repository may be one that an agent
    /// has configured: no program of it runs while git can ask for the login.
    pub(crate) async fn pushed(&self, git: &Git<'_>) -> Result<Option<String>, GitError> {
        let folder = lent::lend(git, FOLDER).await?;
        let Some(commit) = git.remote_head(&folder, self.name).await? else { return Ok(None) };
        // One that is not here was not pushed from here.
        let message = git.remote(&folder, &["log", "-1", "--format=%B", &commit, "--"]).await;
        Ok(message.is_ok_and(|message| self.marks(&message)).then_some(commit))
    }

    async fn ask(
        &self,
        git: &Git<'_>,
        depth: u16,
        steps: &Journal,
    ) -> Result<Result<Option<String>, Ending>, GitError> {
        let folder = lent::lend(git, FOLDER).await?;
        if git.remote_head(&folder, self.name).await?.is_none() {
            return Ok(Ok(None));
        }
        let depth = depth.to_string();
        let commit = lent::fetch(git, &folder, &["--depth", &depth], &self.reference()).await?;
        let words = ["log", "--max-count", &depth, "--format=%B", &commit, "--"];
        let messages = git.remote(&folder, &words).await?;
        if !self.marks(&messages) {
            let message = format!("The branch {} belongs to somebody else.", self.name);
            steps.tell("clone", EventType::Failed, message);
            return Ok(Err(Ending::BranchExists { branch: self.name.to_owned() }));
        }
        Ok(Ok(Some(commit)))
    }

    /// What a pull request is to be merged into has to be there before any work. What was done already is not given up for it.
    pub(crate) async fn check_base(
        &self,
        git: &Git<'_>,
        begun: &Begun,
        settings: &RunConfig,
        steps: &Journal,
    ) -> Result<(), Ending> {
        // Without a commit nothing can be merged, and no pull request follows.
        let (Base::Named(base), Some(_), false) =
            (&settings.forge.base, &begun.base, settings.resume)
        else {
            return Ok(());
        };
        let found = async { git.remote_head(&lent::lend(git, FOLDER).await?, base).await }.await;
        if found.map_err(|error| self.unprepared(&error, steps))?.is_some() {
            return Ok(());
        }
        let message = format!(
            "The repository has no branch {base}, which spec.pullRequest.base names to merge into: make a new Run with one that is there."
        );
        steps.tell("clone", EventType::Failed, message.as_str());
        Err(Ending::Start(StartError { step: "clone", reason: "BranchMissing", message }))
    }

    /// Puts the repository on the branch. Its filters run, so git can ask for no login meanwhile.
    pub(crate) async fn take(
        &self,
        git: &Git<'_>,
        begun: &Begun,
        steps: &Journal,
    ) -> Result<(), Ending> {
        let (taken, text) = match &begun.remote {
            Some(commit) => (
                git.told(&["checkout", "-q", "-B", self.name, commit]).await.map(|_| ()),
                format!("The branch {} goes on where an earlier attempt ended.", self.name),
            ),
            None => (
                self.create(git, begun.base.is_some()).await,
                format!("The branch {} begins here.", self.name),
            ),
        };
        taken.map_err(|error| self.unprepared(&error, steps))?;
        steps.tell("clone", EventType::Notice, text);
        Ok(())
    }

    fn unprepared(&self, error: &GitError, steps: &Journal) -> Ending {
        let message = format!("The branch {} cannot be prepared: {error}", self.name);
        steps.tell("clone", EventType::Failed, message.as_str());
        Ending::Start(StartError { step: "clone", reason: "CloneFailed", message })
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

/// Whether a commit is some Run's.
pub(super) async fn is_of_a_run(git: &Git<'_>, commit: &str) -> Result<bool, GitError> {
    let message = git.told(&["log", "-1", "--format=%B", commit, "--"]).await?;
    Ok(message.lines().any(|line| line.trim().starts_with(MARK)))
}

/// The newest commit of the repository, if it has any.
pub(crate) async fn head(git: &Git<'_>) -> Result<Option<String>, GitError> {
    let ended = git.local(&["rev-parse", "--verify", "-q", "HEAD^{commit}"]).await?;
    let commit = ended.output.trim();
    let is_commit =
        matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok((ended.success && is_commit).then(|| commit.to_owned()))
}
