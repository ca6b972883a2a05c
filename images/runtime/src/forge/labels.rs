//! The labels of a repository, and of its issues and pull requests.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Forge, ForgeError, Kind, segment};

/// The most labels that are read: GitHub gives no issue more.
pub const LABELS: usize = 100;

/// A label.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Label {
    #[serde(default, skip_serializing)]
    id: u64,
    pub name: String,
}

impl Forge {
    /// Gives an issue or a pull request labels; those that it did not get, for the repository has none of that name.
    pub async fn label(&self, number: u64, labels: &[String]) -> Result<Vec<String>, ForgeError> {
        self.give(Method::POST, number, labels).await
    }

    /// Gives it these labels and no others; as [`Self::label`].
    pub async fn set_labels(
        &self,
        number: u64,
        labels: &[String],
    ) -> Result<Vec<String>, ForgeError> {
        self.give(Method::PUT, number, labels).await
    }

    async fn give(
        &self,
        method: Method,
        number: u64,
        labels: &[String],
    ) -> Result<Vec<String>, ForgeError> {
        let body = json!({ "labels": labels });
        let given: Vec<Label> = self.http.ask(method, &self.labels_of(number), Some(&body)).await?;
        Ok(without(labels, &given))
    }

    /// Takes labels away; those that it did not have.
    pub async fn unlabel(&self, number: u64, labels: &[String]) -> Result<Vec<String>, ForgeError> {
        let given = self.labels(Some(number)).await?;
        let is_named = |label: &&Label| labels.iter().any(|name| label.is(name));
        for label in given.iter().filter(is_named) {
            let which = match self.kind {
                Kind::GitHub => segment(&label.name),
                Kind::Gitea => Some(label.id.to_string()),
            };
            // Without a name, all of them would go.
            let Some(which) = which else { continue };
            let address = format!("{}/{which}", self.labels_of(number));
            match self.http.ask::<Value>(Method::DELETE, &address, None).await {
                // Somebody else was quicker, or we were and did not hear of it.
                Err(error) if error.is_absent() => {}
                done => drop(done?),
            }
        }
        Ok(without(labels, &given))
    }

    /// The labels of an issue or a pull request; of none: those that the repository has.
    pub async fn labels(&self, number: Option<u64>) -> Result<Vec<Label>, ForgeError> {
        let address = number.map_or_else(|| "/labels".to_owned(), of);
        self.get(&format!("{address}?per_page={LABELS}&limit={LABELS}")).await
    }

    fn labels_of(&self, number: u64) -> String {
        format!("{}{}", self.address, of(number))
    }
}

impl Label {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

fn of(number: u64) -> String {
    format!("/issues/{number}/labels")
}

/// The names that none of these labels has.
fn without(names: &[String], labels: &[Label]) -> Vec<String> {
    let is_missing = |name: &&String| !labels.iter().any(|label| label.is(name));
    names.iter().filter(is_missing).cloned().collect()
}
