//! `fractary-repo`: the repository, its branch and its pull requests. What leaves the pod goes through us.

use std::sync::Arc;

use fabrica_protocol::run::Autonomy;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{may_write, shown};
use crate::chat::desk::Desk;
use crate::chat::release;
use crate::run::git::{Git, GitError};
use crate::run::output::Output;
use crate::run::undone::Undone;

pub(super) const NAME: &str = "fractary-repo";
const DRY: &str = "Refused: this is a dry run, which changes nothing.";

#[derive(Debug, Clone)]
pub(super) struct Repo(pub(super) Arc<Desk>);

#[derive(Debug, Deserialize, JsonSchema)]
struct Diff {
    /// What is staged, in the place of what is not.
    #[serde(default)]
    staged: bool,
    /// Compare this commit or branch with `head`.
    #[serde(default)]
    base: Option<String>,
    #[serde(default)]
    head: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct BranchNamed {
    /// The branch to be on, made where it is not there; unset: say which one it is.
    #[serde(default)]
    name: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Commit {
    /// Says why.
    message: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct PullNew {
    /// One line.
    title: String,
    /// Markdown.
    #[serde(default)]
    body: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct PullNumber {
    number: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct PullComment {
    number: u64,
    /// Markdown.
    body: String,
}

#[tool_router(server_handler)]
impl Repo {
    #[tool(description = "The branch, and what is changed and not committed.")]
    async fn status(&self) -> Result<String, Undone> {
        self.read(&["status", "--short", "--branch"]).await
    }

    #[tool(description = "What differs: in the files, in the index, or between two commits.")]
    async fn diff(&self, Parameters(asked): Parameters<Diff>) -> Result<String, Undone> {
        let Diff { staged, base, head } = asked;
        let named = [&base, &head];
        if named.into_iter().flatten().any(|name| !is_name(name)) {
            return Err("base and head are names of branches or commits.".to_owned().into());
        }
        let mut words = vec!["diff", "--no-ext-diff", "--no-textconv"];
        words.extend(staged.then_some("--cached"));
        words.extend(named.into_iter().flatten().map(String::as_str));
        words.push("--");
        self.read(&words).await
    }

    #[tool(
        description = "Which branch this is, or be on another one, here alone: `push` always goes to this Session's own branch."
    )]
    async fn branch(&self, Parameters(asked): Parameters<BranchNamed>) -> Result<String, Undone> {
        let Some(name) = asked.name else {
            return self.read(&["branch", "--show-current"]).await;
        };
        self.may_change()?;
        if !is_name(&name) {
            return Err("name is the name of a branch.".to_owned().into());
        }
        let git = self.git()?;
        let known = format!("refs/heads/{name}");
        let is_known = git.local(&["show-ref", "--verify", "--quiet", &known]).await?.success;
        let words: &[&str] =
            if is_known { &["switch", "-q", &name] } else { &["switch", "-q", "-c", &name] };
        git.told(words).await?;
        Ok(format!("On the branch {name}."))
    }

    #[tool(description = "Commit everything that is changed.")]
    async fn commit(&self, Parameters(asked): Parameters<Commit>) -> Result<String, Undone> {
        self.may_change()?;
        let git = self.git()?;
        git.told(&["add", "--all"]).await?;
        git.told(&["commit", "-q", "--no-verify", "-m", &asked.message]).await?;
        let commit = git.told(&["rev-parse", "HEAD"]).await?;
        Ok(self.0.onward(&format!("Committed as {commit}.")))
    }

    #[tool(description = "Push what is committed to this Session's branch of the remote.")]
    async fn push(&self) -> Result<String, Undone> {
        may_write(&self.0)?;
        let commit = release::push(&self.0).await?;
        let done = format!("The remote's branch {} is at {commit}.", self.0.branch().name);
        Ok(self.0.onward(&done))
    }

    #[tool(
        description = "Push, and open the pull request of this Session's branch. Where a human has to approve, this waits."
    )]
    async fn pr_create(&self, Parameters(asked): Parameters<PullNew>) -> Result<String, Undone> {
        self.0.may_publish().await?;
        let commit = release::push(&self.0).await?;
        let item = self.0.item();
        let task = self.0.task(item.as_ref());
        let (title, body) = (task.title(Some(&asked.title)), task.body(Some(&asked.body)));
        let done = match release::propose(&self.0, &commit, &title, &body).await? {
            Some(url) => format!("The pull request is {url}."),
            None => "The branch is pushed; there can be no pull request.".to_owned(),
        };
        Ok(self.0.onward(&done))
    }

    #[tool(description = "What a pull request says, and how it stands.")]
    async fn pr_get(&self, Parameters(asked): Parameters<PullNumber>) -> Result<String, Undone> {
        Ok(shown(&self.0.forge()?.pull(asked.number).await?))
    }

    #[tool(description = "Comment on a pull request.")]
    async fn pr_comment(
        &self,
        Parameters(asked): Parameters<PullComment>,
    ) -> Result<String, Undone> {
        may_write(&self.0)?;
        let text = self.0.config.secrets.redact(&asked.body);
        self.0.forge()?.comment(asked.number, &text).await?;
        Ok("The comment is there.".to_owned())
    }
}

impl Repo {
    fn git(&self) -> Result<Git<'_>, GitError> {
        let git = Git::find(&self.0.config, &self.0.repository);
        git.map_err(|ending| GitError(ending.verdict().message))
    }

    fn may_change(&self) -> Result<(), Undone> {
        if self.0.autonomy() == Autonomy::DryRun {
            return Err(Undone::Refused(DRY.to_owned()));
        }
        Ok(())
    }

    /// What git says, its beginning and its end where it is much.
    async fn read(&self, words: &[&str]) -> Result<String, Undone> {
        let mut output = Output::default();
        self.git()?.read(words, |piece| output.push(piece)).await?;
        let text = output.text(&self.0.config.secrets);
        Ok(if text.is_empty() { "(nothing)".to_owned() } else { text })
    }
}

/// Whether it may stand where git expects a name: it is no option, and no path out of here.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.-~^@{}".contains(&byte);
    !name.is_empty() && !name.starts_with('-') && name.len() <= 200 && name.bytes().all(is_plain)
}
