//! What a Run's pod tells: the records of its journal and, last of all, the verdict.

mod checkpoint;
mod question;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::checkpoint::{
    CHANGES, CONVERSATION_BYTES, Change, Changes, Checkpoint, SHA256_HEADER,
};
pub use self::question::{
    ANSWER_BYTES, Answer, OPTION_CHARACTERS, OPTIONS, QUESTION_CHARACTERS, QUESTION_ID_BYTES,
    Question, QuestionKind,
};
use crate::runtime::EventType;

/// The longest text of one record, in bytes: what is longer is cut, and says so.
pub const TEXT_BYTES: usize = 64 * 1024;

/// One record of the journal, one line of a Run's `/v1/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Counts from 1 within one attempt, without gaps.
    pub seq: u64,
    pub time: DateTime<Utc>,
    #[serde(flatten)]
    pub entry: Entry,
}

/// What a record tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Entry {
    /// A step of ours: `identity`, `clone`, `workItem`, `dependencies`, `agent`, `verify`, `push`, `pullRequest`.
    Step {
        step: String,
        #[serde(rename = "type")]
        kind: EventType,
        text: String,
        /// With Finished and Failed, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration_ms: Option<u64>,
    },
    /// The agent said something.
    Said { text: String },
    /// The agent uses a tool.
    ToolStarted { id: String, name: String, input: String },
    /// The tool has answered.
    ToolFinished { id: String, output: String, failed: bool },
    /// The agent's list of what it has to do, whole each time.
    Todos { items: Vec<Todo> },
    /// The agent said where in its work it is.
    Phase {
        phase: Phase,
        status: PhaseStatus,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
    },
    /// What models have been used for so far, all of the attempt.
    Usage(Usage),
    /// The agent asks, and its work stands still until somebody answers.
    Question(Question),
    /// The answer has reached the agent.
    Answered {
        /// The question's.
        id: String,
        text: String,
        /// Empty when nobody said.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        answered_by: String,
    },
    /// Where another pod could go on from.
    Checkpoint(Checkpoint),
    /// What is about to be pushed, told before the pull request.
    Changes(Changes),
    /// How the attempt ended: the last record.
    Ended(Verdict),
}

/// One thing that the agent has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Todo {
    pub text: String,
    pub status: TodoStatus,
}

/// How far a thing to do is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TodoStatus {
    Pending,
    InProgress,
    Completed,
}

/// The parts of a piece of work, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// What is wanted?
    Frame,
    /// How is it done?
    Architect,
    Build,
    /// Is it right?
    Evaluate,
    Release,
}

/// How a phase stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PhaseStatus {
    Started,
    Completed,
    Failed,
    Skipped,
}

/// Tokens and what they cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// By the model's name.
    pub models: BTreeMap<String, Tokens>,
    /// By the list prices that came with the runtime: a decimal number of dollars, such as `0.0017`.
    #[serde(rename = "estimatedCostUSD")]
    pub estimated_cost_usd: String,
}

/// Tokens by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

/// How an attempt ended. It stands in the container's termination message too, so it outlives the pod's network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    pub outcome: Outcome,
    /// A condition reason, such as `AgentFailed`.
    pub reason: String,
    /// One sentence; credentials are cut out.
    pub message: String,
    /// Whether another attempt may end otherwise.
    #[serde(default)]
    pub again: bool,
    /// The branch that was pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit that the branch's remote ref was seen to equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Where people find the pull request, at most 512 bytes of ASCII that begin with `http://` or `https://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request_url: Option<String>,
    /// Unless no model was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// With Escalated: what waits for an answer, cut where the message would be too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Completed,
    Failed,
    /// Somebody said stop.
    Cancelled,
    /// It ended before its work did: a question waits, and a checkpoint is kept to go on from.
    Escalated,
}

/// The body of `POST /v1/ack`: everything up to this record is kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    pub seq: u64,
}

/// The body of `POST /v1/stop`: why the attempt must end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    pub reason: StopReason,
}

/// Why an attempt is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    Cancelled,
    DeadlineExceeded,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Verdict {
        Verdict {
            outcome: Outcome::Failed,
            reason: "AgentFailed".to_owned(),
            message: "no".to_owned(),
            again: true,
            branch: None,
            commit: None,
            pull_request_url: None,
            usage: None,
            question: None,
        }
    }

    fn are_lines<const N: usize>(entries: [(Entry, &str); N]) {
        let time = DateTime::from_timestamp(0, 0).unwrap();
        for (entry, line) in entries {
            let record = Record { seq: 1, time, entry };
            assert_eq!(serde_json::to_string(&record).unwrap(), line);
            assert_eq!(serde_json::from_str::<Record>(line).unwrap(), record);
        }
    }

    #[test]
    fn records_are_flat_lines() {
        let verdict = failed();
        let tokens = Tokens { input: 1, output: 2, cache_read: 3, cache_write: 4 };
        let usage = Usage {
            models: [("m".to_owned(), tokens)].into(),
            estimated_cost_usd: "0.5".to_owned(),
        };
        let todo = Todo { text: "t".to_owned(), status: TodoStatus::InProgress };
        let entries = [
            (
                Entry::Step {
                    step: "clone".to_owned(),
                    kind: EventType::Finished,
                    text: "done".to_owned(),
                    duration_ms: Some(3),
                },
                r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"step","step":"clone","type":"Finished","text":"done","durationMs":3}"#,
            ),
            (
                Entry::ToolFinished { id: "1".to_owned(), output: String::new(), failed: true },
                r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"toolFinished","id":"1","output":"","failed":true}"#,
            ),
            (
                Entry::Todos { items: vec![todo] },
                r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"todos","items":[{"text":"t","status":"inProgress"}]}"#,
            ),
            (
                Entry::Phase {
                    phase: Phase::Build,
                    status: PhaseStatus::Started,
                    message: String::new(),
                },
                r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"phase","phase":"build","status":"started"}"#,
            ),
            (
                Entry::Usage(usage),
                r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"usage","models":{"m":{"input":1,"output":2,"cacheRead":3,"cacheWrite":4}},"estimatedCostUSD":"0.5"}"#,
            ),
            (
                Entry::Ended(verdict),
                r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"ended","outcome":"Failed","reason":"AgentFailed","message":"no","again":true}"#,
            ),
        ];
        are_lines(entries);
    }

    #[test]
    fn what_may_take_days_is_a_flat_line_too() {
        let question = Question {
            id: "toolu_1".to_owned(),
            kind: QuestionKind::ErrorResolution,
            question: "q".to_owned(),
            options: vec!["o".to_owned()],
        };
        let escalated = Verdict {
            outcome: Outcome::Escalated,
            reason: "Escalated".to_owned(),
            again: false,
            question: Some(question.clone()),
            ..failed()
        };
        let checkpoint = Checkpoint {
            commit: Some("c".to_owned()),
            conversation: Some("u".to_owned()),
            bytes: 5,
            sha256: "s".to_owned(),
        };
        let change = Change { path: "p".to_owned(), added: 1, removed: 2, binary: false };
        let changes = Changes { files: vec![change], more: 3, added: 4, removed: 5 };
        let entries = [
            (
                Entry::Question(question),
                r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"question","id":"toolu_1","questionKind":"errorResolution","question":"q","options":["o"]}"#,
            ),
            (
                Entry::Answered {
                    id: "toolu_1".to_owned(),
                    text: "t".to_owned(),
                    answered_by: "a".to_owned(),
                },
                r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"answered","id":"toolu_1","text":"t","answeredBy":"a"}"#,
            ),
            (
                Entry::Checkpoint(checkpoint),
                r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"checkpoint","commit":"c","conversation":"u","bytes":5,"sha256":"s"}"#,
            ),
            (
                Entry::Changes(changes),
                r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"changes","files":[{"path":"p","added":1,"removed":2,"binary":false}],"more":3,"added":4,"removed":5}"#,
            ),
            (
                Entry::Ended(escalated),
                r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"ended","outcome":"Escalated","reason":"Escalated","message":"no","again":false,"question":{"id":"toolu_1","questionKind":"errorResolution","question":"q","options":["o"]}}"#,
            ),
        ];
        are_lines(entries);
    }
}
