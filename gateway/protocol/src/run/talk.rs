//! What a journal tells of a conversation with people, beside what it tells of any work.

use serde::{Deserialize, Serialize};

/// How far a person's message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MessageState {
    /// It is kept, and waits for the agent.
    Queued,
    /// The agent has read it.
    Started,
    Completed,
    /// The agent never saw it, or was told to stop.
    Cancelled,
}

/// How far a turn of the agent is: from what was said to it until it waits to be told more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TurnState {
    Started,
    Completed,
    /// Somebody said stop.
    Interrupted,
    /// The record names a code.
    Failed,
}

/// What went wrong, by a name that programs decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A message that cannot be read.
    Malformed,
    /// The client may not do this.
    Forbidden,
    /// A message of this id was taken before: that one stands.
    Duplicate,
    UnknownQuestion,
    /// Somebody else was first.
    AlreadyAnswered,
    /// One workflow at a time.
    WorkflowRunning,
    /// Too many messages wait.
    TooMany,
    /// The pod cannot write it down.
    WorkspaceFull,
    /// The model's service rejects the key.
    AuthRejected,
    /// The limit of money or of answers is used up.
    BudgetExceeded,
    RateLimited,
    /// The model's service has no room.
    Overloaded,
    /// The model's answer broke off, again and again.
    StreamCut,
    /// The agent's program or its turn failed.
    AgentFailed,
    /// The forge refused, or does not answer.
    ForgeFailed,
}

/// How far the agent goes by itself. Each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Autonomy {
    /// It plans and changes nothing.
    DryRun,
    /// It builds and evaluates, and publishes nothing.
    Assist,
    /// It publishes what somebody approved.
    Guarded,
    Autonomous,
}
