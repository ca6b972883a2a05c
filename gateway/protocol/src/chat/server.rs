//! What the runtime says.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::run::{
    Autonomy, CallOutcome, Code, MessageState, Phase, PhaseStatus, QuestionKind, Todo, Usage,
};
use crate::runtime::EventType;

/// One frame of the runtime. Clients leave types and fields alone that they do not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerMessage {
    /// The number of the record that it shows; what shows none carries that of the last one before it.
    pub seq: u64,
    pub timestamp: DateTime<Utc>,
    #[serde(flatten)]
    pub body: Body,
}

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Body {
    /// The first of all.
    Welcome {
        journal_id: String,
        /// Who we think the client is.
        author: String,
        role: Rights,
        may_answer: bool,
        agent: AgentState,
        /// The newest number of the journal.
        newest: u64,
    },
    /// The client's journal is another one: it forgets what it has, and everything follows.
    Reset {
        journal_id: String,
    },
    /// All that was missed has been said; what follows happens now.
    CaughtUp {},
    /// Something of the agent: a text, a thought, a tool that it calls, what the tool answered.
    ClaudeMessage {
        kind: ClaudeKind,
        /// Of a tool: the same for the call and its answer.
        message_id: String,
        /// With final: all of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
        /// Without final, and live only: the next piece of a text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delta: Option<String>,
        #[serde(rename = "final")]
        is_final: bool,
        /// A tool's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// A tool's: a command as it is, else JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        /// With tool_result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
        /// With tool_result, where it was measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration_ms: Option<u64>,
    },
    /// A tool of ours was called, and has answered: what we saw of it, beside what the agent's program says.
    ToolAudit {
        /// As of the tool's call; unset when the caller named none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
        server: String,
        tool: String,
        outcome: CallOutcome,
        /// What it was about, in a few words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        duration_ms: u64,
    },
    /// A person spoke; once more with each state, then without author and content.
    UserMessage {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        author: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
        state: MessageState,
    },
    WorkflowStarted {
        work_id: String,
        autonomy: Autonomy,
        /// Unset when the Session itself says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        author: Option<String>,
    },
    PhaseUpdate {
        phase: Phase,
        status: PhaseStatus,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        retry: u32,
    },
    /// The agent's list, whole each time.
    TodoUpdate {
        todos: Vec<Todo>,
    },
    /// What the agent or the runtime asks a human; once more when it is answered.
    Question {
        question_id: String,
        state: QuestionState,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<QuestionKind>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        options: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answered_by: Option<String>,
    },
    /// A step of ours, and what else is worth a line.
    Progress {
        step: String,
        kind: ProgressKind,
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration_ms: Option<u64>,
    },
    Usage(Usage),
    /// How the agent stands. Live only.
    Agent {
        state: AgentState,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    Error {
        code: Code,
        message: String,
        /// Whether the conversation goes on.
        recoverable: bool,
        /// The id of the client's message that it is about.
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
    Pong {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
        agent: AgentState,
    },
    WorkflowComplete {
        /// 0 done, 1 failed, 2 no money or turns left, 3 cancelled, 4 no fault of the agent.
        exit_code: u8,
        summary: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pr_url: Option<String>,
        cost_usd: String,
    },
}

/// What the client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rights {
    /// Reads.
    View,
    /// Speaks, starts workflows, interrupts.
    Control,
}

/// How the agent stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentState {
    /// It cannot be spoken to yet; what is said is kept for it.
    #[default]
    Starting,
    Idle,
    Working,
    /// For a human.
    Waiting,
    Restarting,
    /// The pod ends.
    Stopped,
    /// It does not start any more by itself: a message starts it again.
    Failed,
}

/// What a message of the agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaudeKind {
    Text,
    Thinking,
    ToolUse,
    ToolResult,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuestionState {
    Open,
    Answered,
}

/// What a line of progress says of its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgressKind {
    Started,
    /// How far the step is; a newer one of the same step replaces it.
    Progress,
    Finished,
    Failed,
    Notice,
}

impl From<EventType> for ProgressKind {
    fn from(kind: EventType) -> Self {
        match kind {
            EventType::Started => Self::Started,
            EventType::Progress => Self::Progress,
            EventType::Finished => Self::Finished,
            EventType::Failed => Self::Failed,
            EventType::Notice => Self::Notice,
        }
    }
}
