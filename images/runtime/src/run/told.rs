//! What an agent tells of its work by tools: how far it is, and what came of a phase. Pure.

use schemars::JsonSchema;
use serde::Deserialize;

use super::ask::cut;
use super::undone::Undone;

/// The most things that one phase tells of: more is what a summary is for.
const ARTIFACTS: usize = 20;
/// Of each thing, as much as a line bears, in characters.
const ARTIFACT_CHARACTERS: usize = 200;

/// How far it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportProgress {
    /// One sentence.
    message: String,
    /// How much of all is done, 0 to 100, if you can tell.
    #[serde(default)]
    percent: Option<u8>,
}

/// Something that came of a phase.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Artifact {
    /// What it is, such as `spec` or `commit`.
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    /// In the repository.
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    url: Option<String>,
    /// Of a commit.
    #[serde(default)]
    sha: Option<String>,
}

impl ReportProgress {
    /// For people.
    pub(crate) fn words(self) -> Result<String, Undone> {
        match self.percent {
            None => Ok(self.message),
            Some(percent @ 0..=100) => Ok(format!("{} ({percent} %)", self.message)),
            Some(_) => Err("percent is 0 to 100.".to_owned().into()),
        }
    }
}

/// What is said of a phase, with what came of it.
pub(crate) fn with_artifacts(message: String, artifacts: &[Artifact]) -> String {
    let lines = artifacts.iter().take(ARTIFACTS).map(Artifact::line);
    let said = Some(message).filter(|message| !message.is_empty());
    said.into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

impl Artifact {
    fn line(&self) -> String {
        let named = [&self.name, &self.path, &self.url, &self.sha];
        let named: Vec<&str> = named.into_iter().flatten().map(String::as_str).collect();
        let line = format!("{}: {}", self.kind, named.join(", "));
        let line: Vec<&str> = line.split_whitespace().collect();
        cut(&line.join(" "), ARTIFACT_CHARACTERS)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn how_far_it_is_may_be_told_in_percent() {
        let words = |told: Value| serde_json::from_value::<ReportProgress>(told).unwrap().words();
        assert_eq!(words(json!({"message": "Half."})), Ok("Half.".to_owned()));
        assert_eq!(
            words(json!({"message": "Half.", "percent": 50})),
            Ok("Half. (50 %)".to_owned())
        );
        assert!(words(json!({"message": "More.", "percent": 101})).is_err());
    }

    #[test]
    fn what_came_of_a_phase_stands_below_its_message() {
        let told = |artifacts: Value| {
            let artifacts: Vec<Artifact> = serde_json::from_value(artifacts).unwrap();
            with_artifacts("Planned.".to_owned(), &artifacts)
        };
        assert_eq!(told(json!([])), "Planned.");
        let spec = json!({"type": "spec", "name": "The\ndoor", "path": "docs/door.md"});
        let commit = json!({"type": "commit", "sha": "abc"});
        let lines = "Planned.\nspec: The door, docs/door.md\ncommit: abc";
        assert_eq!(told(json!([spec, commit])), lines);
        let many = told(vec![json!({"type": "x".repeat(1000)}); 100].into());
        assert_eq!(many.lines().count(), 1 + ARTIFACTS);
        assert!(many.chars().count() <= 10 + ARTIFACTS * (ARTIFACT_CHARACTERS + 1));
    }
}
