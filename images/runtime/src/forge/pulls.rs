//! Which pull requests there are, and which are missing.

use serde::Deserialize;

use super::{Forge, ForgeError, PullRequest, encoded};

/// Pull requests on one page: both forges' default limit lets them through.
const PAGE: usize = 50;
/// Pages looked through for a pull request that exists; newest first, so ours is among the first.
const PAGES: usize = 20;

/// Which ones count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Any,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Any => "all",
        }
    }
}

impl Forge {
    /// Whether a branch has commits that another one (unset: the default one) has not, and never had a pull request into it.
    pub async fn is_owed(&self, branch: &str, into: Option<&str>) -> Result<bool, ForgeError> {
        #[derive(Deserialize)]
        struct Compared {
            total_commits: u64,
        }
        let base = self.base(into).await?;
        let [from, to] = [base.as_str(), branch].map(|name| encoded(name).replace("%2F", "/"));
        let compared: Compared = self.get(&format!("/compare/{from}...{to}")).await?;
        Ok(compared.total_commits > 0 && self.find(branch, &base, State::Any).await?.is_none())
    }

    /// The pull request of a branch into another one. GitHub looks for the branch itself; Gitea ignores that, so we look too.
    pub(super) async fn find(
        &self,
        branch: &str,
        base: &str,
        state: State,
    ) -> Result<Option<PullRequest>, ForgeError> {
        #[derive(Deserialize)]
        struct Listed {
            #[serde(flatten)]
            found: PullRequest,
            head: End,
            base: End,
        }
        #[derive(Deserialize)]
        struct End {
            #[serde(rename = "ref")]
            name: String,
            repo: Option<Place>,
        }
        #[derive(Deserialize)]
        struct Place {
            full_name: String,
        }
        let ours = |place: &Option<Place>| {
            let path = self.slug.path();
            place.as_ref().is_some_and(|place| place.full_name.eq_ignore_ascii_case(&path))
        };
        let is_it =
            |it: &Listed| it.head.name == branch && it.base.name == base && ours(&it.head.repo);
        let head = format!("{}:{}", self.slug.owner, encoded(branch));
        for page in 1..=PAGES {
            let path = format!(
                "/pulls?state={}&head={head}&per_page={PAGE}&limit={PAGE}&page={page}",
                state.word()
            );
            let listed: Vec<Listed> = self.get(&path).await?;
            let is_last = listed.is_empty();
            if let Some(listed) = listed.into_iter().find(is_it) {
                return Ok(Some(listed.found));
            }
            if is_last {
                break;
            }
        }
        Ok(None)
    }
}
