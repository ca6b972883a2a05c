//! What a commit says, in the form that Conventional Commits gives it. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest name of a part or of a work item, in bytes.
const NAME_BYTES: usize = 50;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Commit {
    /// What is changed, in one line, or all that there is to say.
    message: String,
    /// What kind of change it is; the message then begins with it: `fix: …`.
    #[serde(default, rename = "type")]
    kind: Option<Kind>,
    /// The part that is changed, as in `fix(parser): …`. Needs `type`.
    #[serde(default)]
    scope: Option<String>,
    /// Why, in whole sentences.
    #[serde(default)]
    body: Option<String>,
    /// Whether users have to change something, as in `fix!: …`. Needs `type`.
    #[serde(default)]
    breaking: bool,
    /// The work item that it belongs to, as in `12`.
    #[serde(default)]
    work_id: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Feat,
    Fix,
    Docs,
    Style,
    Refactor,
    Perf,
    Test,
    Build,
    Ci,
    Chore,
    Revert,
}

impl Commit {
    /// Its paragraphs; else what is wrong with it.
    pub(super) fn paragraphs(&self) -> Result<Vec<String>, String> {
        let message = self.message.trim();
        if message.is_empty() {
            return Err("message is empty: say what is changed.".to_owned());
        }
        let body = self.body.as_deref().map(str::trim).filter(|body| !body.is_empty());
        let head = format!("{}{message}", self.beginning()?);
        let work = self.work_id.as_deref().map(work).transpose()?;
        Ok([Some(head), body.map(str::to_owned), work].into_iter().flatten().collect())
    }

    /// What stands before the message.
    fn beginning(&self) -> Result<String, String> {
        let Some(kind) = self.kind else {
            if self.scope.is_some() || self.breaking {
                return Err("scope and breaking belong to a type: name one as well.".to_owned());
            }
            return Ok(String::new());
        };
        let scope = match self.scope.as_deref() {
            None => String::new(),
            Some(scope) if is_word(scope) => format!("({scope})"),
            Some(_) => {
                return Err(format!(
                    "scope is the name of a part, without spaces and parentheses, of at most {NAME_BYTES} bytes."
                ));
            }
        };
        let kind = serde_json::to_value(kind).unwrap_or_default();
        let mark = if self.breaking { "!" } else { "" };
        Ok(format!("{}{scope}{mark}: ", kind.as_str().unwrap_or_default()))
    }
}

/// The line that names the work item.
fn work(id: &str) -> Result<String, String> {
    let id = id.trim();
    if !is_word(id) {
        return Err("work_id is the number of a work item, as in 12.".to_owned());
    }
    let mark = if id.bytes().all(|byte| byte.is_ascii_digit()) { "#" } else { "" };
    Ok(format!("Refs: {mark}{id}"))
}

fn is_word(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./,#".contains(&byte);
    !text.is_empty() && text.len() <= NAME_BYTES && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn paragraphs(asked: Value) -> Result<Vec<String>, String> {
        serde_json::from_value::<Commit>(asked).map_err(|error| error.to_string())?.paragraphs()
    }

    #[rstest]
    #[case(json!({"message": " Oil the door "}), &["Oil the door"])]
    #[case(json!({"message": "m", "type": "fix"}), &["fix: m"])]
    #[case(json!({"message": "m", "type": "ci", "scope": "a/b", "body": " "}), &["ci(a/b): m"])]
    #[case(
        json!({"message": "m", "type": "feat", "scope": "api", "breaking": true, "body": "Why.", "work_id": "12"}),
        &["feat(api)!: m", "Why.", "Refs: #12"]
    )]
    #[case(json!({"message": "m", "work_id": "#12"}), &["m", "Refs: #12"])]
    #[case(json!({"message": "m", "work_id": "team/x#12"}), &["m", "Refs: team/x#12"])]
    fn a_commit_says_what_was_given(#[case] asked: Value, #[case] expected: &[&str]) {
        assert_eq!(paragraphs(asked).unwrap(), expected);
    }

    #[rstest]
    #[case(json!({"message": "\n"}), "message is empty")]
    #[case(json!({"message": "m", "scope": "a"}), "name one as well")]
    #[case(json!({"message": "m", "breaking": true}), "name one as well")]
    #[case(json!({"message": "m", "type": "fix", "scope": "a) b"}), "scope is the name of a part")]
    #[case(json!({"message": "m", "type": "feature"}), "expected one of `feat`, `fix`")]
    #[case(json!({"message": "m", "work_id": "12\nFabrica-Run: x"}), "work_id is the number")]
    fn what_makes_no_sense_is_told(#[case] asked: Value, #[case] expected: &str) {
        let told = paragraphs(asked).unwrap_err();
        assert!(told.contains(expected), "{told}");
    }
}
