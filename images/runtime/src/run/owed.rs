//! What a former Run pushed and got no pull request for. A retry begins there, and opens it also where it adds nothing.

use fabrica_protocol::runtime::EventType;

use super::branch::{self, Begun, Branch};
use super::git::Git;
use super::verdict::Ending;
use super::verify;
use crate::config::ForgeConfig;
use crate::forge::{Forge, Unknown};
use crate::journal::Journal;

/// What decides whether something is owed.
pub(super) struct Owed<'a> {
    pub(super) forge: &'a Result<Forge, Unknown>,
    pub(super) config: &'a ForgeConfig,
    pub(super) begun: &'a Begun,
}

impl Owed<'_> {
    /// The commit to push: what the agent left, or where that is nothing, what is owed.
    pub(super) async fn commit(
        &self,
        git: &Git<'_>,
        branch: &Branch<'_>,
        title: &str,
        steps: &Journal,
    ) -> Result<Option<String>, Ending> {
        let left = verify::commit(git, branch, self.begun, title, steps).await?;
        if left.is_some() {
            return Ok(left);
        }
        let Some(from) = git.repository.branch.as_deref() else { return Ok(None) };
        if !self.is_owed(git, from, steps).await? {
            return Ok(None);
        }
        let text = format!(
            "The branch {from}, which the work began from, never had a pull request: it gets one now."
        );
        steps.tell("verify", EventType::Notice, text);
        verify::adopt(git, branch, title).await
    }

    async fn is_owed(&self, git: &Git<'_>, from: &str, steps: &Journal) -> Result<bool, Ending> {
        let (Ok(forge), Some(commit)) = (self.forge, &self.begun.base) else { return Ok(false) };
        let into = self.config.base.name(Some(from));
        // Work of people is theirs to propose.
        if into == Some(from) || !branch::is_of_a_run(git, commit).await.unwrap_or(false) {
            return Ok(false);
        }
        forge.is_owed(from, into).await.map_err(|error| {
            steps.tell("pullRequest", EventType::Failed, error.to_string());
            Ending::PullRequest {
                branch: from.to_owned(),
                commit: commit.clone(),
                words: error.to_string(),
                again: error.may_pass(),
            }
        })
    }
}
