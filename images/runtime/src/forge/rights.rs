//! Whether what comes of the work may be pushed, as far as the forge says so.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;

use super::Forge;

/// Work does not wait longer for an answer that only spares it: the push finds out by itself.
const LIMIT: Duration = Duration::from_secs(10);

/// A repository, as whoever asks may use it.
#[derive(Debug, Deserialize)]
struct Repository {
    permissions: Option<Permissions>,
}

#[derive(Debug, Deserialize)]
struct Permissions {
    #[serde(default)]
    pull: bool,
    #[serde(default)]
    push: bool,
}

impl Repository {
    /// GitHub tells an app's token of no right at all, whatever the app may do.
    fn refuses(&self) -> bool {
        self.permissions.as_ref().is_some_and(|may| may.pull && !may.push)
    }
}

impl Forge {
    /// Asks for the right to push, once, before somebody works for nothing; the fix, where it is missing. A forge that does
    /// not say counts as one that grants it.
    pub async fn check_push(&self) -> Result<(), String> {
        if !self.asks_as_git {
            return Ok(());
        }
        let asked = self.http.ask_at_most_once::<Repository>(&Method::GET, &self.address, None);
        let refuses = match tokio::time::timeout(LIMIT, asked).await {
            Ok(Ok(repository)) => repository.refuses(),
            Ok(Err(_)) | Err(_) => false,
        };
        if !refuses {
            return Ok(());
        }
        Err(format!(
            "The login of {} may read the repository, but not push to it: put a token that may write there into the Secret of spec.repository.secretRef (without one, of spec.credentialsRef), or name another repository in spec.repository.url.",
            self.slug.path()
        ))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::reader(json!({"permissions": {"admin": false, "push": false, "pull": true}}), true)]
    #[case::writer(json!({"permissions": {"admin": false, "push": true, "pull": true}}), false)]
    #[case::app(json!({"permissions": {"admin": false, "push": false, "pull": false}}), false)]
    #[case::silent(json!({"full_name": "team/x"}), false)]
    fn only_a_reader_is_refused(#[case] told: Value, #[case] expected: bool) {
        let repository: Repository = serde_json::from_value(told).unwrap();
        assert_eq!(repository.refuses(), expected);
    }
}
