//! What the operator observed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::parts::Message;

/// Every condition of a Session. All are set on every pass.
pub const CONDITIONS: [&str; 4] = ["Ready", "WorkspaceReady", "Suspended", "RestartRequired"];

/// What was observed of a Session. Written by the operator alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionStatus {
    /// One word for people and dashboards; decisions are made by `conditions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// `Ready` (a terminal can be used), `WorkspaceReady` (the repository is there), `Suspended` (the pod was
    /// stopped on purpose), `RestartRequired` (the spec changed in a way that applies at the next start).
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
