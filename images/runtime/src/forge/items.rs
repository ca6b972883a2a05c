//! What an agent reads and writes of a repository's issues and pull requests.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::labels::Label;
use super::{Forge, ForgeError, Kind, encoded};

/// The most issues that one search finds.
pub const FOUND: usize = 50;
/// The most comments that are read at once.
pub const COMMENTS: usize = 50;
/// Comments on one page, where a forge has pages of them: GitHub has no longer ones.
const PAGE: usize = 100;
/// Pages of comments that are looked through for those since a time, which nobody counts.
const PAGES: usize = 10;
/// The longest words that GitHub is asked for, in characters: it refuses a search of more than 256.
const WORDS_CHARACTERS: usize = 100;

/// An issue, in somebody's words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Issue {
    pub number: u64,
    pub title: String,
    #[serde(default)]
    pub body: Option<String>,
    /// `open` or `closed`.
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub labels: Vec<Label>,
    /// How many there are.
    #[serde(default)]
    pub comments: usize,
}

/// What GitHub finds: issues of any repository that the token may read.
#[derive(Deserialize)]
struct Listed {
    items: Vec<Placed>,
}

/// An issue, and the address of the repository that it is in.
#[derive(Deserialize)]
struct Placed {
    #[serde(flatten)]
    issue: Issue,
    #[serde(default)]
    repository_url: String,
}

/// Which issues are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Words that they hold; empty: any.
    pub words: &'a str,
    /// `open`, `closed` or `all`.
    pub state: &'a str,
    /// All of them.
    pub labels: &'a [String],
    pub assignee: Option<&'a str>,
    /// As many are found at most.
    pub limit: usize,
}

/// What becomes of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Open,
    /// For this reason, in GitHub's word.
    Closed(Option<&'static str>),
}

/// A comment, in somebody's words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Comment {
    #[serde(default)]
    pub user: Option<User>,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub created_at: String,
}

/// Who said it, if anybody still has that name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct User {
    pub login: String,
}

/// A pull request, in somebody's words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Pull {
    pub number: u64,
    pub title: String,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub merged: bool,
    pub html_url: String,
}

impl Forge {
    pub async fn issue(&self, number: u64) -> Result<Issue, ForgeError> {
        self.get(&format!("/issues/{number}")).await
    }

    pub async fn pull(&self, number: u64) -> Result<Pull, ForgeError> {
        self.get(&format!("/pulls/{number}")).await
    }

    /// Issues that are like this.
    pub async fn search(&self, wanted: &Wanted<'_>) -> Result<Vec<Issue>, ForgeError> {
        let (path, limit) = (self.slug.path(), wanted.limit);
        match self.kind {
            Kind::GitHub => {
                let api = self.address.strip_suffix(&format!("/repos/{path}"));
                let api = api.unwrap_or(&self.address);
                let query = encoded(&wanted.github(&path));
                let url = format!("{api}/search/issues?q={query}&per_page={limit}");
                Ok(self.http.ask::<Listed>(Method::GET, &url, None).await?.of(&path))
            }
            Kind::Gitea => {
                let found: Vec<Issue> = self.get(&wanted.gitea()).await?;
                // Labels that it does not know it leaves out of the question.
                let has_all = |issue: &Issue| wanted.labels.iter().all(|name| issue.has(name));
                Ok(found.into_iter().filter(has_all).collect())
            }
        }
    }

    /// The newest comments on an issue, newest first; only those since a time, if one is given.
    pub async fn comments(
        &self,
        number: u64,
        since: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Comment>, ForgeError> {
        let first = match (self.kind, since) {
            // The last two pages hold as many as anybody gets.
            (Kind::GitHub, None) => {
                let count = self.issue(number).await?.comments;
                count.div_ceil(PAGE).saturating_sub(1).max(1)
            }
            _ => 1,
        };
        let since = since.map(|since| format!("&since={}", encoded(since))).unwrap_or_default();
        let mut all: Vec<Comment> = Vec::new();
        for page in first..first + PAGES {
            let path = format!("/issues/{number}/comments?per_page={PAGE}&page={page}{since}");
            let found: Vec<Comment> = self.get(&path).await?;
            // Gitea has no pages here: it tells all of them at once.
            let is_last = found.len() < PAGE || self.kind == Kind::Gitea;
            all.extend(found);
            if is_last {
                break;
            }
        }
        Ok(all.into_iter().rev().take(limit).collect())
    }

    /// Comments on an issue or a pull request. What does not arrive is not said again: it might be there.
    pub async fn comment(&self, number: u64, text: &str) -> Result<(), ForgeError> {
        let address = format!("{}/issues/{number}/comments", self.address);
        let body = json!({ "body": text });
        self.http.ask_at_most_once::<Value>(&Method::POST, &address, Some(&body)).await?;
        Ok(())
    }

    /// Closes an issue, or opens it again.
    pub async fn set_state(&self, number: u64, state: Change) -> Result<(), ForgeError> {
        let address = format!("{}/issues/{number}", self.address);
        self.http.ask::<Value>(Method::PATCH, &address, Some(&state.body())).await?;
        Ok(())
    }

    /// Whether it keeps why an issue was closed.
    pub fn keeps_reasons(&self) -> bool {
        self.kind == Kind::GitHub
    }
}

impl Issue {
    fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|known| known.name.eq_ignore_ascii_case(label))
    }
}

impl Listed {
    /// Those of one repository.
    fn of(self, repository: &str) -> Vec<Issue> {
        let place = format!("/repos/{repository}").to_ascii_lowercase();
        let is_of = |placed: &Placed| placed.repository_url.to_ascii_lowercase().ends_with(&place);
        self.items.into_iter().filter(is_of).map(|placed| placed.issue).collect()
    }
}

impl Wanted<'_> {
    /// In the words of GitHub's search.
    fn github(&self, repository: &str) -> String {
        let state = match self.state {
            "all" => String::new(),
            state => format!(" state:{state}"),
        };
        let labels = self.labels.iter().map(|name| format!(" label:\"{name}\""));
        let labels = labels.collect::<Vec<_>>().concat();
        let assignee = self.assignee.map(|name| format!(" assignee:{name}")).unwrap_or_default();
        let words = plain(self.words);
        format!("repo:{repository} is:issue{state}{labels}{assignee} {words}")
    }

    /// As a question to Gitea about its issues.
    fn gitea(&self) -> String {
        let (state, limit, words) = (self.state, self.limit, encoded(self.words));
        let labels = encoded(&self.labels.join(","));
        let assignee = self.assignee.map(|name| format!("&assigned_by={}", encoded(name)));
        format!(
            "/issues?type=issues&state={state}&limit={limit}&labels={labels}&q={words}{}",
            assignee.unwrap_or_default()
        )
    }
}

/// Words without what GitHub would take for an operator: one would search other repositories, which the token may read.
fn plain(words: &str) -> String {
    let kept = |character: char| {
        let is_word = character.is_alphanumeric() || "-_./#".contains(character);
        if is_word { character } else { ' ' }
    };
    let text: String = words.chars().take(WORDS_CHARACTERS).map(kept).collect();
    let words = text.split_whitespace().filter(|word| !matches!(*word, "AND" | "OR" | "NOT"));
    words.collect::<Vec<_>>().join(" ")
}

impl Change {
    fn body(self) -> Value {
        match self {
            Self::Open => json!({"state": "open"}),
            Self::Closed(None) => json!({"state": "closed"}),
            Self::Closed(Some(reason)) => json!({"state": "closed", "state_reason": reason}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_asked_in_each_forges_words() {
        let labels = ["good first issue".to_owned(), "bot".to_owned()];
        let (state, assignee) = ("open", Some("ada"));
        let wanted = Wanted { words: "the door", state, labels: &labels, assignee, limit: 20 };
        assert_eq!(
            wanted.github("team/x"),
            "repo:team/x is:issue state:open label:\"good first issue\" label:\"bot\" assignee:ada the door"
        );
        assert_eq!(
            wanted.gitea(),
            "/issues?type=issues&state=open&limit=20&labels=good+first+issue%2Cbot&q=the+door&assigned_by=ada"
        );
        let all = Wanted { state: "all", labels: &[], assignee: None, ..wanted };
        assert_eq!(all.github("team/x"), "repo:team/x is:issue the door");
        let elsewhere = Wanted { words: "door OR (repo:other/private)", ..all };
        assert_eq!(elsewhere.github("team/x"), "repo:team/x is:issue door repo other/private");
    }

    #[test]
    fn what_a_forge_finds_elsewhere_is_left_out() {
        let issue = |number: u64, place: &str| json!({"number": number, "title": "t", "repository_url": format!("https://api.github.com/repos/{place}")});
        let elsewhere = [issue(2, "other/private"), issue(3, "team/x2"), issue(4, "team/x/y")];
        let mut items = vec![issue(1, "Team/X"), json!({"number": 5, "title": "nowhere"})];
        items.extend(elsewhere);
        let listed: Listed = serde_json::from_value(json!({ "items": items })).unwrap();
        let found: Vec<u64> = listed.of("team/x").iter().map(|issue| issue.number).collect();
        assert_eq!(found, [1]);
    }
}
