//! `fractary-repo`: the repository, its branch and its pull requests. What leaves the pod goes through us.

use std::sync::Arc;

use fabrica_protocol::run::Autonomy;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::commit::Commit;
use super::{may_write, shown};
use crate::chat::desk::Desk;
use crate::chat::release::{self, Proposed};
use crate::run::git::{Git, GitError};
use crate::run::output::Output;
use crate::run::undone::Undone;

pub(super) const NAME: &str = "fractary-repo";
const DRY: &str = "Refused: this is a dry run, which changes nothing.";

#[derive(Debug, Clone)]
pub(super) struct Repo(pub(super) Arc<Desk>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
struct BranchNamed {
    /// The branch to be on, made where it is not there; unset: say which one it is.
    #[serde(default)]
    name: Option<String>,
    /// The branch or commit that a new one begins from; unset: where you are.
    #[serde(default)]
    base_branch: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Push {
    /// No other than this Session's own.
    #[serde(default)]
    branch: Option<String>,
    /// No other than `origin`.
    #[serde(default)]
    remote: Option<String>,
    /// Never: your own commits can be rewritten without it.
    #[serde(default)]
    force: bool,
    /// Never: what is pushed for you needs no upstream.
    #[serde(default)]
    set_upstream: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PullNew {
    /// One line.
    title: String,
    /// Markdown.
    #[serde(default)]
    body: String,
    /// The branch that it is to be merged into; unset: the one that the work began from.
    #[serde(default)]
    base: Option<String>,
    /// The branch with the changes, which is this Session's own.
    #[serde(default)]
    head: Option<String>,
    /// Whether it is not to be merged yet.
    #[serde(default)]
    draft: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PullNumber {
    number: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
        let base = asked.base_branch.as_deref();
        if is_known && base.is_some() {
            let told =
                format!("There is a branch {name} already: leave base_branch out to be on it.");
            return Err(told.into());
        }
        if base.is_some_and(|base| !is_name(base)) {
            return Err("base_branch is the name of a branch or commit.".to_owned().into());
        }
        let mut words = vec!["switch", "-q"];
        words.extend((!is_known).then_some("-c"));
        words.push(&name);
        // What others have pushed may be begun from: it stays theirs.
        words.extend(base.map(|_| "--no-track"));
        words.extend(base);
        git.told(&words).await?;
        Ok(self.0.onward(&format!("On the branch {name}.")))
    }

    #[tool(description = "Commit everything that is changed.")]
    async fn commit(&self, Parameters(asked): Parameters<Commit>) -> Result<String, Undone> {
        self.may_change()?;
        let (git, paragraphs) = (self.git()?, asked.paragraphs()?);
        git.told(&["add", "--all"]).await?;
        let said = paragraphs.iter().flat_map(|paragraph| ["-m", paragraph]);
        let words: Vec<&str> = ["commit", "-q", "--no-verify"].into_iter().chain(said).collect();
        git.told(&words).await?;
        let commit = git.told(&["rev-parse", "HEAD"]).await?;
        Ok(self.0.onward(&format!("Committed as {commit}.")))
    }

    #[tool(description = "Push what is committed to this Session's branch of the remote.")]
    async fn push(&self, Parameters(asked): Parameters<Push>) -> Result<String, Undone> {
        may_write(&self.0)?;
        let own = self.0.branch().name;
        asked.check(own).map_err(Undone::Refused)?;
        let commit = release::push(&self.0).await?;
        let done = format!("The remote's branch {own} is at {commit}.");
        Ok(self.0.onward(&done))
    }

    #[tool(
        description = "Push, and open the pull request of this Session's branch. Where a human has to approve, this waits."
    )]
    async fn pr_create(&self, Parameters(asked): Parameters<PullNew>) -> Result<String, Undone> {
        // Nobody is asked to approve what is refused then.
        self.check(&asked).await?;
        self.0.may_publish().await?;
        let commit = release::push(&self.0).await?;
        let item = self.0.item();
        let task = self.0.task(item.as_ref());
        let (title, body) = (task.title(Some(&asked.title)), task.body(Some(&asked.body)));
        let (base, draft) = (asked.base.as_deref(), asked.draft);
        let proposed = Proposed { title: &title, body: &body, base, draft };
        let done = match release::propose(&self.0, &commit, &proposed).await? {
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
        Ok(self.0.onward("The comment is there."))
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

    /// Whether there can be such a pull request.
    async fn check(&self, asked: &PullNew) -> Result<(), Undone> {
        let own = self.0.branch().name;
        let forge = self.0.forge();
        let named = |head: &str| match head.split_once(':') {
            None => head == own,
            // Some write the owner before it, as forges do.
            Some((owner, name)) => {
                name == own && forge.as_ref().is_ok_and(|forge| forge.is_of(owner))
            }
        };
        if asked.head.as_deref().is_some_and(|head| !named(head)) {
            let told = format!(
                "Refused: only this Session's own branch, {own}, is pushed and proposed: leave head out."
            );
            return Err(Undone::Refused(told));
        }
        let Some(base) = asked.base.as_deref() else { return Ok(()) };
        if !is_name(base) || base == own {
            let told = "base is the name of another branch, which the changes go into.";
            return Err(told.to_owned().into());
        }
        // Where there is no forge, there is no pull request, which is told then.
        let Ok(forge) = forge else { return Ok(()) };
        if forge.has_branch(base).await? {
            return Ok(());
        }
        Err(format!("The repository has no branch {base} to merge into: name one that it has, or leave base out.").into())
    }

    /// What git says, its beginning and its end where it is much.
    async fn read(&self, words: &[&str]) -> Result<String, Undone> {
        let mut output = Output::default();
        self.git()?.read(words, |piece| output.push(piece)).await?;
        let text = output.text(&self.0.config.secrets);
        Ok(if text.is_empty() { "(nothing)".to_owned() } else { text })
    }
}

impl Push {
    /// Whether it is what a push is here; else why not.
    fn check(&self, own: &str) -> Result<(), String> {
        let is_own = |name: &str| name.strip_prefix("refs/heads/").unwrap_or(name) == own;
        let why = if self.branch.as_deref().is_some_and(|name| !is_own(name)) {
            format!("only this Session's own branch, {own}, is pushed: leave branch out")
        } else if self.remote.as_deref().is_some_and(|name| name != "origin") {
            "it goes to this Session's repository alone: leave remote out".to_owned()
        } else if self.force {
            "nothing is pushed over what others did, and your own commits may be rewritten anyway: leave force out".to_owned()
        } else if self.set_upstream {
            "what is pushed for you needs no upstream: leave set_upstream out".to_owned()
        } else {
            return Ok(());
        };
        Err(format!("Refused: {why}."))
    }
}

/// Whether it may stand where git expects a name: it is no option, and no path out of here.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.-~^@{}".contains(&byte);
    !name.is_empty() && !name.starts_with('-') && name.len() <= 200 && name.bytes().all(is_plain)
}
