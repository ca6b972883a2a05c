//! A journal's record as a message of the archive. No I/O.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use fabrica_protocol::run::{Audit, Changes, Entry, Outcome, Record, TurnState};
use fabrica_protocol::runtime::EventType;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is quoted of a line that is no record, in characters.
const EXCERPT: usize = 512;

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageType {
    Progress,
    /// The end, whether reached or cancelled.
    Completion,
    /// A question that waits for a human.
    Escalation,
    Error,
}

impl MessageType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Progress => "progress",
            Self::Completion => "completion",
            Self::Escalation => "escalation",
            Self::Error => "error",
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "progress" => Self::Progress,
            "completion" => Self::Completion,
            "escalation" => Self::Escalation,
            _ => Self::Error,
        }
    }
}

/// What a message says: a sentence for people, and the record's other fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    pub message: String,
    pub metadata: Value,
}

/// A message that has no place in the archive yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// The journal's own number.
    pub journal_seq: u64,
    pub time: DateTime<Utc>,
    pub kind: MessageType,
    pub content: Content,
}

impl NewMessage {
    /// One line of a journal, which should be the record `expected` and was read at `now`. What cannot be read as one
    /// becomes an error message in its place, so that it is neither lost nor waited for.
    pub fn from_line(line: &[u8], expected: u64, now: DateTime<Utc>) -> Self {
        let text = String::from_utf8_lossy(line);
        match serde_json::from_str::<Record>(&text) {
            Ok(record) => Self::from(&record),
            Err(error) => {
                let excerpt: String = text.trim_end().chars().take(EXCERPT).collect();
                let metadata =
                    json!({"kind": "unreadable", "cause": error.to_string(), "line": excerpt});
                let message = "A record of the journal could not be read".to_owned();
                Self {
                    journal_seq: expected,
                    time: now,
                    kind: MessageType::Error,
                    content: Content { message, metadata },
                }
            }
        }
    }

    /// What stands in the place of a message that PostgreSQL refused.
    pub(crate) fn refused(&self, cause: &str, now: DateTime<Utc>) -> Self {
        let metadata = json!({"kind": "refused", "cause": cause, "type": self.kind.as_str()});
        let message = "The database refused this record".to_owned();
        Self {
            journal_seq: self.journal_seq,
            time: now,
            kind: MessageType::Error,
            content: Content { message, metadata },
        }
    }
}

impl From<&Record> for NewMessage {
    fn from(record: &Record) -> Self {
        let (kind, message) = told(&record.entry);
        let mut metadata = serde_json::to_value(&record.entry).unwrap_or_default();
        // It stands in `message` already, and may be long.
        if let Some(fields) = metadata.as_object_mut() {
            fields.retain(|name, value| match name.as_str() {
                "text" | "input" | "output" | "message" => false,
                // That of a verdict is an object.
                "question" => !value.is_string(),
                _ => true,
            });
        }
        Self {
            journal_seq: record.seq,
            time: record.time,
            kind,
            content: Content { message, metadata },
        }
    }
}

/// What an entry says to people.
fn told(entry: &Entry) -> (MessageType, String) {
    match entry {
        Entry::Step { kind: EventType::Failed, text, .. } => (MessageType::Error, text.clone()),
        Entry::Step { text, .. }
        | Entry::Said { text, .. }
        | Entry::Message { text, .. }
        | Entry::Thought { text }
        | Entry::Answered { text, .. } => (MessageType::Progress, text.clone()),
        Entry::Phase { phase, status, message, .. } => (
            MessageType::Progress,
            format!("{phase:?} {status:?}. {message}").trim_end().to_owned(),
        ),
        Entry::Todos { .. } => (MessageType::Progress, "The list of things to do".to_owned()),
        Entry::Usage(_) => (MessageType::Progress, "What was used until now".to_owned()),
        Entry::ToolStarted { input, .. } => (MessageType::Progress, input.clone()),
        Entry::ToolFinished { output, .. } => (MessageType::Progress, output.clone()),
        Entry::ToolAudited(audit) => (MessageType::Progress, called(audit)),
        Entry::Question(question) => (MessageType::Escalation, question.question.clone()),
        Entry::Checkpoint(_) => (MessageType::Progress, "A checkpoint was taken".to_owned()),
        Entry::Changes(changes) => (MessageType::Progress, summary(changes)),
        Entry::MessageState { state, .. } => {
            (MessageType::Progress, format!("The message is {state:?}").to_lowercase())
        }
        Entry::Turn { state: TurnState::Failed, message, .. } => {
            (MessageType::Error, message.clone().unwrap_or_default())
        }
        Entry::Turn { state, .. } => (MessageType::Progress, format!("The turn: {state:?}")),
        Entry::WorkflowStarted { work_id, .. } => {
            (MessageType::Progress, format!("The work on {work_id} began"))
        }
        Entry::WorkflowEnded { summary, .. } => (MessageType::Completion, summary.clone()),
        Entry::Ended(verdict) => match verdict.outcome {
            Outcome::Failed => (MessageType::Error, verdict.message.clone()),
            // Only this attempt has ended.
            Outcome::Escalated => (MessageType::Progress, verdict.message.clone()),
            Outcome::Completed | Outcome::Cancelled => {
                (MessageType::Completion, verdict.message.clone())
            }
        },
    }
}

fn called(Audit { server, tool, outcome, subject, .. }: &Audit) -> String {
    let about = if subject.is_empty() { String::new() } else { format!(" ({subject})") };
    format!("{server} {tool}{about}: {}", outcome.as_str())
}

fn summary(changes: &Changes) -> String {
    let files = changes.files.len() as u64 + u64::from(changes.more);
    let plural = if files == 1 { "" } else { "s" };
    format!(
        "{files} file{plural} changed, {} lines added, {} removed",
        changes.added, changes.removed
    )
}

/// The text without the one character that PostgreSQL cannot keep: it shows as `\u0000`.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\\u0000").into() } else { text.into() }
}

/// The same for every string within a value, names included.
pub(crate) fn storable_value(value: &Value) -> Cow<'_, Value> {
    if has_null_character(value) { Cow::Owned(escaped(value)) } else { Cow::Borrowed(value) }
}

fn has_null_character(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_null_character),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| name.contains('\0') || has_null_character(value))
        }
        _ => false,
    }
}

fn escaped(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable(text).into_owned()),
        Value::Array(items) => items.iter().map(escaped).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (storable(name).into_owned(), escaped(value)))
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TIME: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[rstest]
    #[case(
        r#""kind":"step","step":"clone","type":"Finished","text":"done","durationMs":3"#,
        MessageType::Progress,
        "done"
    )]
    #[case(r#""kind":"step","step":"clone","type":"Failed","text":"no""#, MessageType::Error, "no")]
    #[case(r#""kind":"said","text":"hello""#, MessageType::Progress, "hello")]
    #[case(
        r#""kind":"toolStarted","id":"1","name":"Bash","input":"ls""#,
        MessageType::Progress,
        "ls"
    )]
    #[case(
        r#""kind":"toolFinished","id":"1","output":"x","failed":true"#,
        MessageType::Progress,
        "x"
    )]
    #[case(
        r#""kind":"toolAudited","id":"1","server":"fractary-work","tool":"issue_close","outcome":"refused","subject":"issue_number 1","durationMs":3"#,
        MessageType::Progress,
        "fractary-work issue_close (issue_number 1): refused"
    )]
    #[case(
        r#""kind":"ended","outcome":"Completed","reason":"R","message":"m""#,
        MessageType::Completion,
        "m"
    )]
    #[case(
        r#""kind":"ended","outcome":"Cancelled","reason":"R","message":"m""#,
        MessageType::Completion,
        "m"
    )]
    #[case(
        r#""kind":"ended","outcome":"Failed","reason":"R","message":"m""#,
        MessageType::Error,
        "m"
    )]
    #[case(
        r#""kind":"question","id":"t","questionKind":"approval","question":"May I?","options":["y"]"#,
        MessageType::Escalation,
        "May I?"
    )]
    #[case(
        r#""kind":"answered","id":"t","text":"yes","answeredBy":"dana""#,
        MessageType::Progress,
        "yes"
    )]
    #[case(
        r#""kind":"changes","files":[],"more":1,"added":2,"removed":3"#,
        MessageType::Progress,
        "1 file changed, 2 lines added, 3 removed"
    )]
    #[case(
        r#""kind":"ended","outcome":"Escalated","reason":"R","message":"m""#,
        MessageType::Progress,
        "m"
    )]
    fn kinds_become_types(#[case] fields: &str, #[case] kind: MessageType, #[case] text: &str) {
        let line = format!(r#"{{"seq":7,"time":"1970-01-01T00:00:00Z",{fields}}}"#);
        let message = NewMessage::from_line(line.as_bytes(), 1, TIME);
        assert_eq!((message.journal_seq, message.kind), (7, kind));
        assert_eq!(message.content.message, text);
        assert!(message.content.metadata.get("kind").is_some());
    }

    #[test]
    fn a_question_is_told_once_and_its_fields_beside_it() {
        let line = br#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"question","id":"t","questionKind":"approval","question":"May I?","options":["y"]}"#;
        let told =
            json!({"kind": "question", "id": "t", "questionKind": "approval", "options": ["y"]});
        assert_eq!(NewMessage::from_line(line, 1, TIME).content.metadata, told);
    }

    #[test]
    fn a_line_that_is_no_record_is_kept_in_its_place() {
        let message = NewMessage::from_line(b"{\"seq\":3,\xff", 3, TIME);
        assert_eq!((message.journal_seq, message.kind), (3, MessageType::Error));
        assert!(message.content.metadata["line"].as_str().unwrap().contains('\u{fffd}'));
    }

    #[test]
    fn broken_characters_are_replaced() {
        let line =
            b"{\"seq\":1,\"time\":\"1970-01-01T00:00:00Z\",\"kind\":\"said\",\"text\":\"a\xffb\"}";
        assert_eq!(NewMessage::from_line(line, 1, TIME).content.message, "a\u{fffd}b");
    }

    #[test]
    fn null_characters_are_escaped_everywhere() {
        let value = json!({"a\0": ["\0", {"b": "c\0"}], "n": 1});
        let stored = storable_value(&value).into_owned();
        assert_eq!(stored, json!({"a\\u0000": ["\\u0000", {"b": "c\\u0000"}], "n": 1}));
    }
}
