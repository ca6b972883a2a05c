//! What an agent reads and writes of a repository's issues and pull requests.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Forge, ForgeError, Kind, encoded};

/// Issues that one search finds.
const FOUND: usize = 20;

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
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Label {
    pub name: String,
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

    /// Issues that hold these words, whatever their state.
    pub async fn search(&self, words: &str) -> Result<Vec<Issue>, ForgeError> {
        #[derive(Deserialize)]
        struct Found {
            items: Vec<Issue>,
        }
        let path = self.slug.path();
        match self.kind {
            Kind::GitHub => {
                let api = self.address.strip_suffix(&format!("/repos/{path}"));
                let api = api.unwrap_or(&self.address);
                let query = encoded(&format!("repo:{path} is:issue {words}"));
                let url = format!("{api}/search/issues?q={query}&per_page={FOUND}");
                Ok(self.http.ask::<Found>(Method::GET, &url, None).await?.items)
            }
            Kind::Gitea => {
                let query = encoded(words);
                self.get(&format!("/issues?type=issues&state=all&limit={FOUND}&q={query}")).await
            }
        }
    }

    /// Comments on an issue or a pull request. What does not arrive is not said again: it might be there.
    pub async fn comment(&self, number: u64, text: &str) -> Result<(), ForgeError> {
        let address = format!("{}/issues/{number}/comments", self.address);
        let body = json!({ "body": text });
        self.http.ask_at_most_once::<Value>(&Method::POST, &address, Some(&body)).await?;
        Ok(())
    }

    /// Closes an issue, or opens it again.
    pub async fn set_state(&self, number: u64, state: &str) -> Result<(), ForgeError> {
        let address = format!("{}/issues/{number}", self.address);
        let body = json!({ "state": state });
        self.http.ask::<Value>(Method::PATCH, &address, Some(&body)).await?;
        Ok(())
    }
}
