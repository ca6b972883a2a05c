//! The repository, on its branch.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::command::{self, CommandError, Ended};
use super::{StartError, advice};
use crate::config::{Config, Repository};
use crate::credential::git_environment;
use crate::journal::{Journal, Step};

/// The longest a clone may take: a large history over a slow line.
const CLONE_LIMIT: Duration = Duration::from_mins(30);
/// The longest any other git command may take.
const GIT_LIMIT: Duration = Duration::from_mins(2);
/// How far a clone is, is told this often.
const PROGRESS: Duration = Duration::from_secs(1);
/// Where a clone lies until it is complete, below the workspace.
const PARTIAL: &str = ".fabrica-clone";
/// What git says when the branch is not there.
const NO_BRANCH: &str = "Remote branch";

pub(super) async fn run(
    config: &Config,
    repository: &Repository,
    journal: &Journal,
) -> Result<(), StartError> {
    let text = format!("Cloning {}.", repository.url);
    let step = journal.begin("clone", &config.secrets.redact(&text));
    let folder = config.workspace.join("repo");
    if folder.join(".git").exists() {
        step.finish("The repository is here from an earlier start and is left as it is.");
        return Ok(());
    }
    let mut environment = git_environment(repository);
    // Git's words are read here, so they have to be the ones that we know.
    environment.push(("LC_ALL".to_owned(), "C".to_owned()));
    if config.has_agent() {
        // The home may be that of an earlier attempt, whose agent could write there; a person's own is a person's.
        for (name, value) in [("GIT_CONFIG_GLOBAL", "/dev/null"), ("HOME", "/dev/null")] {
            environment.push((name.to_owned(), value.to_owned()));
        }
    }
    let work = Work { config, repository, step: &step, environment };
    match work.arrive(&folder).await {
        Ok(()) => {
            step.finish("The repository is in /workspace/repo.");
            Ok(())
        }
        Err(error) => {
            step.fail(&error.message);
            Err(error)
        }
    }
}

struct Work<'a> {
    config: &'a Config,
    repository: &'a Repository,
    step: &'a Step<'a>,
    environment: Vec<(String, String)>,
}

impl Work<'_> {
    /// Clones beside the place and moves it there as a whole: what a killed container leaves half done never passes
    /// for a clone.
    async fn arrive(&self, folder: &Path) -> Result<(), StartError> {
        let partial = self.config.workspace.join(PARTIAL);
        // Absent at the first start; a leftover that cannot be removed makes git say so.
        let _ = tokio::fs::remove_dir_all(&partial).await;
        let outcome = self.clone(&partial).await.and_then(|()| {
            std::fs::rename(&partial, folder)
                .map_err(|error| self.failed(&format!("/workspace/repo is taken: {error}")))
        });
        if outcome.is_err() {
            let _ = tokio::fs::remove_dir_all(&partial).await;
        }
        outcome
    }

    async fn clone(&self, folder: &Path) -> Result<(), StartError> {
        let target = folder.to_string_lossy();
        let base = ["git", "clone", "--progress", "--depth", "1", "--no-tags"];
        let Some(branch) = &self.repository.branch else {
            let words = [&base[..], &["--", &self.repository.url, &target]].concat();
            return self.succeed(&words, CLONE_LIMIT).await.map(|_| ());
        };
        let words =
            [&base[..], &["--branch", branch, "--", &self.repository.url, &target]].concat();
        let ended = self.git(&words, CLONE_LIMIT).await?;
        if ended.success {
            return Ok(());
        }
        if !ended.words.contains(NO_BRANCH) {
            return Err(self.failed(&ended.words));
        }
        let words = [&base[..], &["--", &self.repository.url, &target]].concat();
        self.succeed(&words, CLONE_LIMIT).await?;
        self.create_branch(folder, branch).await
    }

    /// A branch that the remote does not have begins at its default one, or empty when there is no commit yet. A Run is
    /// to begin from one that is there: what it is to be merged into has to be. One that goes on
    /// has work to save first.
    async fn create_branch(&self, folder: &Path, branch: &str) -> Result<(), StartError> {
        let target = folder.to_string_lossy();
        let has_commits = self
            .git(&["git", "-C", &target, "rev-parse", "--verify", "-q", "HEAD"], GIT_LIMIT)
            .await?
            .success;
        let begins = self.config.run.as_ref().is_some_and(|run| !run.resume);
        if has_commits && begins {
            return Err(StartError {
                step: "clone",
                reason: "BranchMissing",
                message: format!(
                    "The repository has no branch {branch}, which spec.repository.branch names to begin from. It may have been removed, such as that of a former Run once it was merged: make a new Run that begins from a branch that is there."
                ),
            });
        }
        if has_commits {
            self.succeed(&["git", "-C", &target, "checkout", "-q", "-b", branch], GIT_LIMIT)
                .await?;
            self.step.notice(format!(
                "The remote has no branch {branch}: it was created here from the default one."
            ));
        } else {
            let reference = format!("refs/heads/{branch}");
            self.succeed(&["git", "-C", &target, "symbolic-ref", "HEAD", &reference], GIT_LIMIT)
                .await?;
            self.step.notice(format!(
                "The repository has no commit yet: the branch {branch} begins with the first one."
            ));
        }
        Ok(())
    }

    async fn succeed(&self, words: &[&str], limit: Duration) -> Result<Ended, StartError> {
        let ended = self.git(words, limit).await?;
        if ended.success { Ok(ended) } else { Err(self.failed(&ended.words)) }
    }

    async fn git(&self, words: &[&str], limit: Duration) -> Result<Ended, StartError> {
        let mut last = None::<Instant>;
        let told = |line: &str| {
            if line.contains('%') && last.is_none_or(|last| last.elapsed() >= PROGRESS) {
                last = Some(Instant::now());
                self.step.progress(self.config.secrets.redact(line));
            }
        };
        command::run(self.config, &self.config.workspace, words, &self.environment, limit, told)
            .await
            .map_err(|error| match error {
                CommandError::Missing(_) => StartError {
                    step: "clone",
                    reason: "GitMissing",
                    message: "The image has no git, which is needed to clone the repository. Take an image with git, or leave spec.repository out.".to_owned(),
                },
                other => self.failed(&other.to_string()),
            })
    }

    /// Git's own words, without the lines that only tell how far it was.
    fn failed(&self, words: &str) -> StartError {
        let text: Vec<&str> = words
            .lines()
            .filter(|line| !line.contains("% (") && !line.starts_with("Cloning into"))
            .collect();
        let (url, advice) = (&self.repository.url, advice::clone(words, &self.repository.login));
        let stop = if advice.is_empty() || words.trim_end().ends_with('.') { "" } else { "." };
        let text = text.join(" ");
        let message = format!("The repository {url} cannot be cloned: {text}{stop}{advice}");
        StartError {
            step: "clone",
            reason: "CloneFailed",
            message: self.config.secrets.redact(&message),
        }
    }
}
