//! What a pod with an agent tells: the records of its journal and, at the end of a Run, the verdict.

mod audit;
mod checkpoint;
mod question;
mod talk;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::audit::{AUDIT_CHARACTERS, Audit, CallOutcome};
pub use self::checkpoint::{
    CHANGES, CONVERSATION_BYTES, Change, Changes, Checkpoint, SHA256_HEADER,
};
pub use self::question::{
    ANSWER_BYTES, Answer, DECISION, OPTION_CHARACTERS, OPTIONS, QUESTION_CHARACTERS,
    QUESTION_ID_BYTES, Question, QuestionKind, approves, decides,
};
pub use self::talk::{Autonomy, Code, MessageState, TurnState};
use crate::runtime::EventType;

/// The longest text of one record, in bytes: what is longer is cut, and says so.
pub const TEXT_BYTES: usize = 64 * 1024;

/// What a pull request is to be merged into: the repository's default branch, whatever that is called. Git lets no branch be
/// called so.
pub const DEFAULT_BRANCH: &str = "HEAD";

/// One record of the journal, one line of `/v1/events` where an agent works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Counts from 1 within one journal, without gaps.
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
    Said {
        /// The name under which its beginning was shown live; unset where nothing is shown before it is whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        text: String,
    },
    /// The agent uses a tool.
    ToolStarted { id: String, name: String, input: String },
    /// The tool has answered.
    ToolFinished {
        id: String,
        output: String,
        failed: bool,
        /// Where it was measured, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration_ms: Option<u64>,
    },
    /// A tool of ours was called, and has answered.
    ToolAudited(Audit),
    /// The agent's list of what it has to do, whole each time.
    Todos { items: Vec<Todo> },
    /// The agent said where in its work it is.
    Phase {
        phase: Phase,
        status: PhaseStatus,
        /// What is being done within it, in a few words.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        step: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
        /// How often this phase was gone back to before.
        #[serde(default, skip_serializing_if = "is_zero")]
        retry: u32,
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
    /// A person spoke.
    Message {
        /// The person's client made it.
        id: String,
        author: String,
        text: String,
        /// Whether a leading `/` is meant as a command of the agent's program.
        #[serde(default, skip_serializing_if = "is_zero")]
        command: bool,
    },
    /// How far a person's message is.
    MessageState { id: String, state: MessageState },
    /// The agent thought something.
    Thought { text: String },
    /// The agent begins or ends a turn.
    Turn {
        state: TurnState,
        /// With Failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<Code>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The agent begins to work through the phases.
    WorkflowStarted {
        work_id: String,
        autonomy: Autonomy,
        /// Empty when the Session itself says so.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        author: String,
        /// Of the message that asked for it, which is taken once. Empty as the author is.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        id: String,
        /// What is to be done, where the item does not say it all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<String>,
    },
    /// The work on an item has ended.
    WorkflowEnded {
        /// 0 done, 1 failed, 2 no money or turns left, 3 cancelled, 4 no fault of the agent.
        exit_code: u8,
        summary: String,
        #[serde(rename = "pullRequestURL", default, skip_serializing_if = "Option::is_none")]
        pull_request_url: Option<String>,
        /// Of all that was asked of models until then: a decimal number of dollars.
        #[serde(rename = "estimatedCostUSD")]
        estimated_cost_usd: String,
    },
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
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

impl Phase {
    pub const ALL: [Self; 5] =
        [Self::Frame, Self::Architect, Self::Build, Self::Evaluate, Self::Release];

    /// As it is spelled everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Architect => "architect",
            Self::Build => "build",
            Self::Evaluate => "evaluate",
            Self::Release => "release",
        }
    }
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

/// Where a Run keeps work in progress at its repository.
pub fn work_in_progress(uid: &str) -> String {
    format!("refs/fabrica/{uid}/wip")
}

/// The step that fails when the program of a Run's agent has ended by itself.
pub const CRASH: &str = "program";

/// Tokens and what they cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// By the model's name.
    pub models: BTreeMap<String, Tokens>,
    /// By the list prices that came with the runtime: a decimal number of dollars, such as `0.0017`.
    #[serde(rename = "estimatedCostUSD")]
    pub estimated_cost_usd: String,
    /// Answers to the agent, those to its subagents included, those of other models that it asked not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub turns: u64,
}

/// What was used up, as whoever keeps a journal knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spent {
    /// A decimal number of dollars.
    #[serde(rename = "estimatedCostUSD")]
    pub estimated_cost_usd: String,
    /// As [`Usage::turns`].
    #[serde(default)]
    pub turns: u64,
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

impl Outcome {
    /// What a runtime exits with that ends so by itself.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::Failed | Self::Cancelled | Self::Escalated => 1,
        }
    }
}

/// How long a runtime that is done waits for somebody to keep its last records: longer than an operator takes that is being
/// replaced.
pub const LINGER_SECONDS: u32 = 3_600;

/// The body of `POST /v1/ack`: everything up to this record is kept elsewhere. Whoever says so may be newer than the pod,
/// which leaves alone what it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    pub seq: u64,
    /// Of a Chat: what this journal was seen to say of money and turns, ever. The file in the pod can be changed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
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
mod tests;
