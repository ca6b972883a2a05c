//! The tool by which an agent asks a human: what it takes, and what becomes of it.

use fabrica_protocol::run::{
    Answer, OPTION_CHARACTERS, OPTIONS, QUESTION_CHARACTERS, QUESTION_ID_BYTES, Question,
    QuestionKind,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Of the server `fractary-faber`.
pub(crate) const NAME: &str = "ask_human";
/// Where the agent's own id of a call stands in the call.
pub(crate) const CALL_ID: &str = "claudecode/toolUseId";

/// What the agent wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskHuman {
    kind: NamedKind,
    /// The question, with everything that somebody must know who has not followed your work.
    question: String,
    /// What stands below the question: what you found, what you would do.
    #[serde(default)]
    context: Option<String>,
    /// Answers to choose from, if there are such.
    #[serde(default)]
    options: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NamedKind {
    Approval,
    Confirmation,
    Selection,
    Clarification,
    Review,
    ErrorResolution,
}

impl AskHuman {
    /// The question under the id of its call; else what the agent is told. What is too long is cut.
    pub(crate) fn question(self, id: &str) -> Result<Question, &'static str> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if id.is_empty() || id.len() > QUESTION_ID_BYTES || !id.bytes().all(is_plain) {
            return Err("This call cannot be put to anybody: its id is not one.");
        }
        let question = self.question.trim();
        if question.is_empty() {
            return Err("The question is empty: ask again with one.");
        }
        let context = self.context.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let parts: Vec<&str> = [question].into_iter().chain(context).collect();
        let question = cut(&parts.join("\n\n"), QUESTION_CHARACTERS);
        let options = self.options.iter().map(|option| cut(option.trim(), OPTION_CHARACTERS));
        let options = options.filter(|option| !option.is_empty()).take(OPTIONS).collect();
        Ok(Question { id: id.to_owned(), kind: self.kind.into(), question, options })
    }
}

/// The answer, as the agent reads it.
pub(crate) fn words(answer: &Answer) -> String {
    match answer.answered_by.as_str() {
        "" => format!("The answer is: {}", answer.text),
        name => format!("The answer of {name} is: {}", answer.text),
    }
}

/// At most so many characters, saying so when some are missing.
pub(crate) fn cut(text: &str, characters: usize) -> String {
    const NOTE: char = '…';
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters - 1).chain([NOTE]).collect()
}

impl From<NamedKind> for QuestionKind {
    fn from(named: NamedKind) -> Self {
        match named {
            NamedKind::Approval => Self::Approval,
            NamedKind::Confirmation => Self::Confirmation,
            NamedKind::Selection => Self::Selection,
            NamedKind::Clarification => Self::Clarification,
            NamedKind::Review => Self::Review,
            NamedKind::ErrorResolution => Self::ErrorResolution,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn questions_are_bounded() {
        let long = json!({"kind": "error_resolution", "question": " é".repeat(5000),
            "options": vec!["o".repeat(500); 20]});
        let asked: AskHuman = serde_json::from_value(long).unwrap();
        let question = asked.question("toolu_1-a").unwrap();
        assert_eq!(question.kind, QuestionKind::ErrorResolution);
        assert_eq!(question.question.chars().count(), QUESTION_CHARACTERS);
        assert_eq!(question.options.len(), OPTIONS);
        assert!(question.options.iter().all(|text| text.chars().count() == OPTION_CHARACTERS));
    }

    #[test]
    fn what_is_no_question_is_not_asked() {
        let asked = |text: &str, id: &str| {
            let asked = json!({"kind": "approval", "question": text, "options": ["", "yes"]});
            serde_json::from_value::<AskHuman>(asked).unwrap().question(id)
        };
        assert!(asked(" \n", "a").is_err());
        assert!(asked("May I?", "").is_err() && asked("May I?", "a b").is_err());
        assert_eq!(asked("May I?", "a").unwrap().options, ["yes"]);
        let more = json!({"kind": "approval", "question": "May I?", "context": " It squeaks.\n"});
        let question = serde_json::from_value::<AskHuman>(more).unwrap().question("a").unwrap();
        assert_eq!(question.question, "May I?\n\nIt squeaks.");
    }
}
