//! What the operator observed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::parts::{Message, QuestionKind, Todo, Usage};

/// Every condition of a Session. All are set on every pass.
pub const CONDITIONS: [&str; 4] = ["Ready", "WorkspaceReady", "Suspended", "RestartRequired"];
/// The condition that Sessions have besides in which an agent works, or has worked.
pub const RECORDED: &str = "Recorded";
/// The condition that Terminals have besides whose spec speaks of an agent.
pub const AGENT_READY: &str = "AgentReady";

/// What `Ready` says of a Terminal, and of a Chat, of which there is nothing else to say.
pub const TERMINAL_READY: &str = "A terminal can be used.";
pub const CHAT_READY: &str = "The chat is open.";

/// Bounds of `status.faber`.
pub mod faber {
    /// How many phases are told: workflows have a handful.
    pub const PHASES: usize = 16;
    /// The longest name of a phase, the longest step and the longest summary, in characters.
    pub const TEXT: usize = 200;
    /// How many open questions are told: the oldest. An agent asks one at a time, its helpers may ask beside it.
    pub const APPROVALS: usize = 16;
}

/// What was observed of a Session. Written by the operator alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionStatus {
    /// One word for people and dashboards; decisions are made by `conditions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// `Ready` (a terminal or the agent can be used), `WorkspaceReady` (the repository is there), `Suspended` (the pod was
    /// stopped on purpose), `RestartRequired` (the spec changed in a way that applies at the next start). With an agent also
    /// `Recorded` (whether what was told is in the archive), and in a Terminal with `spec.agentState` also `AgentReady`
    /// (whether the agent can be spoken to).
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The pod, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_name: Option<String>,
    /// Where the gateway reaches the runtime.
    #[serde(default, rename = "podIP", skip_serializing_if = "Option::is_none")]
    pub pod_ip: Option<String>,
    /// When the Session last became ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it was last stopped. A later `spec.wakeTime` starts it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Time>,
    /// The last activity of a person or a job, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_activity_at: Option<Time>,
    /// The newest start steps and causes, at most 20, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// How many pods a Chat has had; of a Terminal, the number of its newest conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<i32>,
    /// What the agent said of its work. Unset: nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faber: Option<Faber>,
    /// What models were used for, over all conversations. Unset: no model was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The conversation that goes on. A pod that finds none in its volume begins another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Conversation>,
    /// Where people find the pull request that the agent's work ended in.
    #[serde(default, rename = "pullRequestURL", skip_serializing_if = "Option::is_none")]
    pub pull_request_url: Option<String>,
}

/// One conversation with an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// Which start began it: the `attempt` of its messages in the archive.
    pub number: i32,
    /// Its part of `status.usage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// Where an agent is in its work, and what it waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Faber {
    /// The phase that was named last: frame, architect, build, evaluate or release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// What it said of that phase, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Every phase that was begun, in the order of their beginnings, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub phases: Vec<WorkflowPhase>,
    /// What came of the work. Unset: it goes on, or none was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<WorkflowOutcome>,
    /// With `outcome`: the same in words, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What it has to do, at most 30.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 30))]
    pub todos: Vec<Todo>,
    /// Questions that wait for an answer in `spec.answers`, oldest first, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub pending_approvals: Vec<PendingApproval>,
}

/// How one phase of a workflow stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowPhase {
    pub name: String,
    pub status: PhaseStatus,
    /// When it was begun, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// How often it was begun again.
    pub retries: i32,
}

/// How far a phase of a workflow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PhaseStatus {
    Started,
    Completed,
    Failed,
    Skipped,
}

/// What comes of the work on an item: Completed, or Ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkflowOutcome {
    Completed,
    Ended,
}

/// A question that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingApproval {
    /// What `spec.answers` names it by.
    pub id: String,
    pub kind: QuestionKind,
    /// At most 2048 characters.
    pub question: String,
    /// What may be answered, at most 10 of at most 200 characters. Unset: anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub options: Vec<String>,
    pub asked_at: Time,
}

/// A Session in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// The pod does not run yet.
    Pending,
    /// The pod runs its start steps.
    Starting,
    /// A terminal can be used.
    Running,
    /// Stopped on purpose.
    Stopped,
    /// Something is wrong; `Ready` says what. Not final.
    Failed,
}
