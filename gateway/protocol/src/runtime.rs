//! What the runtime tells the operator: start steps, idleness, what it counts, and why it ended.

mod counters;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::counters::{
    AgentCounters, LATENCY_BOUNDS, Latencies, Resumes, Returns, TerminalCounters,
};

/// The port the runtime listens on in every pod.
pub const PORT: u16 = 3000;

/// The longest termination message that the kubelet keeps, in bytes.
pub const TERMINATION_BYTES: usize = 4096;

/// What an event says of its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    Started,
    /// How far the step is; a newer one of the same step replaces it.
    Progress,
    Finished,
    Failed,
    /// Worth knowing, but neither good nor bad: a branch that was made, a step left out.
    Notice,
}

/// One line of `/v1/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Counts from 1 within one life of the container.
    pub seq: u64,
    pub time: DateTime<Utc>,
    /// `identity`, `clone`, `dependencies`, `terminal`, `memory`.
    pub step: String,
    #[serde(rename = "type")]
    pub kind: EventType,
    pub text: String,
    /// How long the step took, in milliseconds; with Finished and Failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// Whether the repository is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkspaceState {
    /// No repository was asked for.
    #[default]
    None,
    Pending,
    Ready,
    Failed,
}

/// The workspace as the runtime sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    pub state: WorkspaceState,
    /// A condition reason, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The answer of `/v1/idle`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Idle {
    pub started_at: DateTime<Utc>,
    /// The last key of a person, or now while a job runs in the foreground or somebody watches.
    pub last_activity_at: DateTime<Utc>,
    /// A terminal's foreground process is not its shell.
    pub busy: bool,
    pub clients: u32,
    /// Clients whose page is visible.
    pub visible_clients: u32,
    pub terminals: u32,
    /// Processes of this container that the kernel killed for lack of memory, since it started.
    pub oom_kills: u64,
    /// Times a client came back to a terminal after losing its connection.
    pub reconnects: u64,
    /// The same, by what the clients say happened.
    #[serde(default)]
    pub returns: Returns,
    /// What those who came back found of each terminal.
    #[serde(default)]
    pub resumes: Resumes,
    /// What else is counted of terminals.
    #[serde(default)]
    pub terminal: TerminalCounters,
    /// Bytes typed and bytes shown, since the start.
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub workspace: Workspace,
    /// The number of the journal that `/v1/events` shows; unset where that shows start steps alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<u32>,
    /// Of the conversation; unset where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<AgentCounters>,
    /// How the agent of a Terminal stands; unset in any other pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentReport>,
}

/// The body of `POST /v1/agent`: what becomes of a Terminal's agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSwitch {
    pub on: bool,
    /// What a Chat's pod has as variables. They hold no credential.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

/// How far the agent of a Terminal is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentPower {
    #[default]
    Off,
    /// Nobody said yet, and until then shells get no credentials: an agent has worked here, or is about to.
    Unasked,
    Starting,
    /// It can be spoken to.
    On,
    /// It cannot, and `reason` says why.
    Failed,
}

/// The setting that names what the spec said of an agent when it was switched on.
pub const AGENT_SPEC: &str = "FABRICA_AGENT_SPEC";

/// How the agent of a Terminal stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentReport {
    pub power: AgentPower,
    /// [`AGENT_SPEC`] of the settings that it was last switched on with; unset while it is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<String>,
    /// A condition reason, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Why the runtime gave up, in the container's termination message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Termination {
    pub step: String,
    /// A condition reason, such as `CloneFailed`.
    pub reason: String,
    /// One sentence; credentials are cut out.
    pub message: String,
}
