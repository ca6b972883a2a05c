//! What an agent tells, as statuses and messages have it. Pure.

use fabrica_crds::parts::{
    Answer, MessageType, QuestionKind, Todo, TodoStatus, question, todos as kept,
};
use fabrica_protocol::run::{self as told, Entry, QUESTION_ID_BYTES, Record};

use super::messages::{self, Line};

/// A record as a message, if it is one.
pub(crate) fn line(record: &Record) -> Option<Line> {
    let (kind, text) = match &record.entry {
        Entry::Step { kind, text, .. } => (messages::kind(*kind), text.clone()),
        Entry::Said { text, .. } => (MessageType::Notice, text.clone()),
        Entry::ToolStarted { name, input, .. } => {
            (MessageType::Started, format!("{name}: {input}"))
        }
        Entry::ToolFinished { failed: true, output, .. } => (MessageType::Failed, output.clone()),
        Entry::Phase { phase, status, message, .. } => {
            (MessageType::Progress, step(*phase, *status, message))
        }
        Entry::Question(asked) => (MessageType::Notice, asked.question.clone()),
        Entry::Answered { text, answered_by, .. } if answered_by.is_empty() => {
            (MessageType::Notice, format!("Answered: {text}"))
        }
        Entry::Answered { text, answered_by, .. } => {
            (MessageType::Notice, format!("{answered_by} answered: {text}"))
        }
        Entry::Changes(changes) => {
            let files = changes.files.len() as u64 + u64::from(changes.more);
            let (added, removed) = (changes.added, changes.removed);
            (MessageType::Notice, format!("Changed files: {files}. Lines: +{added} -{removed}."))
        }
        Entry::Turn { state: told::TurnState::Failed, message: Some(text), .. } => {
            (MessageType::Failed, text.clone())
        }
        Entry::ToolFinished { .. }
        | Entry::ToolAudited(_)
        | Entry::Todos { .. }
        | Entry::Usage(_)
        | Entry::Checkpoint(_)
        | Entry::MessageState { .. }
        | Entry::Thought { .. }
        | Entry::WorkflowStarted { .. }
        | Entry::Turn { .. } => return None,
        Entry::Message { author, text, .. } => (MessageType::Notice, format!("{author}: {text}")),
        Entry::WorkflowEnded { summary, .. } => (MessageType::Notice, summary.clone()),
        Entry::Ended(verdict) => (MessageType::Notice, verdict.message.clone()),
    };
    Some(Line { time: record.time, kind, text })
}

/// A phase's step in words.
fn step(phase: told::Phase, status: told::PhaseStatus, message: &str) -> String {
    let status = match status {
        told::PhaseStatus::Started => "started",
        told::PhaseStatus::Completed => "completed",
        told::PhaseStatus::Failed => "failed",
        told::PhaseStatus::Skipped => "skipped",
    };
    let name = phase.as_str();
    if message.is_empty() {
        format!("{name} {status}")
    } else {
        format!("{name} {status}: {message}")
    }
}

/// The list of things to do, as far as a status keeps it.
pub(crate) fn todos(items: &[told::Todo]) -> Vec<Todo> {
    items.iter().take(kept::KEPT).map(todo).collect()
}

fn todo(told: &told::Todo) -> Todo {
    Todo {
        text: told.text.chars().take(kept::TEXT).collect(),
        status: match told.status {
            told::TodoStatus::Pending => TodoStatus::Pending,
            told::TodoStatus::InProgress => TodoStatus::InProgress,
            told::TodoStatus::Completed => TodoStatus::Completed,
        },
    }
}

/// A question as statuses keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) kind: QuestionKind,
    pub(crate) question: String,
    pub(crate) options: Vec<String>,
}

impl Asked {
    /// A question, cut to its bounds; none when it could not be answered.
    pub(crate) fn of(asked: &told::Question) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let length = asked.id.len();
        if length == 0 || length > QUESTION_ID_BYTES || !asked.id.bytes().all(is_plain) {
            return None;
        }
        let cut = |text: &String, most| text.chars().take(most).collect::<String>();
        let options = asked.options.iter().filter(|option| !option.is_empty());
        let options = options.take(question::OPTIONS).map(|text| cut(text, question::OPTION));
        Some(Self {
            id: asked.id.clone(),
            kind: kind(asked.kind),
            question: cut(&asked.question, question::TEXT),
            options: options.collect(),
        })
    }
}

const fn kind(told: told::QuestionKind) -> QuestionKind {
    match told {
        told::QuestionKind::Approval => QuestionKind::Approval,
        told::QuestionKind::Confirmation => QuestionKind::Confirmation,
        told::QuestionKind::Selection => QuestionKind::Selection,
        told::QuestionKind::Clarification => QuestionKind::Clarification,
        told::QuestionKind::Review => QuestionKind::Review,
        told::QuestionKind::ErrorResolution => QuestionKind::ErrorResolution,
    }
}

/// Who gave an answer that names nobody: it was written into the spec by hand.
pub(crate) const UNNAMED: &str = "someone unnamed";

/// What somebody has answered to the question of this id.
pub(crate) fn given(id: &str, answers: Option<&Vec<Answer>>) -> Option<told::Answer> {
    answers.into_iter().flatten().find(|answer| answer.id == id).map(as_told)
}

/// An answer, as its runtime is told it.
pub(crate) fn as_told(answer: &Answer) -> told::Answer {
    told::Answer {
        id: answer.id.clone(),
        text: answer.text.clone(),
        answered_by: answer.answered_by.clone().unwrap_or_else(|| UNNAMED.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::failed(json!({"state": "failed", "code": "auth_rejected", "message": "No key."}), Some("No key."))]
    #[case::begun(json!({"state": "started"}), None)]
    #[case::over(json!({"state": "completed"}), None)]
    fn a_turn_is_told_when_it_fails(
        #[case] fields: serde_json::Value,
        #[case] expected: Option<&str>,
    ) {
        let mut record = json!({"seq": 1, "time": "2026-01-01T00:00:00Z", "kind": "turn"});
        record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let told = line(&serde_json::from_value(record).unwrap());
        let told = told.map(|line| (line.kind, line.text));
        assert_eq!(told, expected.map(|text| (MessageType::Failed, text.to_owned())));
    }
}
