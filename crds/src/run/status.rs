//! What the operator observed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::escalation::OpenQuestion;
use crate::parts::{Message, Todo, Usage};
use crate::schema;

/// Every condition of a Run. All are set on every pass.
pub const CONDITIONS: [&str; 2] = ["Succeeded", "Recorded"];

/// How often an attempt that failed without the agent's fault is followed by another.
pub const INFRASTRUCTURE_RETRIES: usize = 5;

/// What was observed of a Run. Written by the operator alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunStatus {
    /// One word for people and dashboards; decisions are made by `conditions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// `Succeeded`: Unknown while the Run goes on, then True or False for good. `Recorded`: whether everything it told is
    /// in the archive.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Its place in the namespace's queue, counted from 1. Unset: it is not queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub queue_position: Option<i32>,
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Every attempt, oldest first. Each had a pod of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 47))]
    pub attempts: Vec<Attempt>,
    /// The newest of what happened, at most 20, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::run_messages")]
    pub messages: Vec<Message>,
    /// The branch that the work is pushed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit that was pushed. Unset: none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Where people find the pull request.
    #[serde(default, rename = "pullRequestURL", skip_serializing_if = "Option::is_none")]
    pub pull_request_url: Option<String>,
    /// What its agents said of their work. Unset: nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faber: Option<Faber>,
    /// What models were used for, over all attempts. Unset: no model was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The agent's question that waits for an answer in `spec.answers`, until the agent has it. Unset: none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<OpenQuestion>,
    /// When it left the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When its pod was first told to stop, because the Run was cancelled or its deadline had passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
}

/// One pod's try at the plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Counts from 1.
    pub number: i32,
    /// Its pod, which stays after the end, with its log.
    pub pod_name: String,
    /// When it was begun: its pod is made from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When its container started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// How long of its time it waited for answers. Unset: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_seconds: Option<i64>,
    /// Until when `waitingSeconds` is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_until: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// Why it ended, in one word: a reason of `Succeeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What its models were used for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// Where an agent is in its work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Faber {
    /// The phase that was named last: frame, architect, build, evaluate or release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// What it has to do, at most 30.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 30))]
    pub todos: Vec<Todo>,
}

/// A Run in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Its pod does not run yet, or the next attempt is being made.
    Pending,
    /// Other Runs of the namespace go first.
    Queued,
    /// Its pod runs.
    Running,
    /// A question waits for an answer.
    Escalated,
    /// It did what the plan says. Final.
    Completed,
    /// It did not; `Succeeded` says why. Final.
    Failed,
    /// Somebody stopped it. Final.
    Cancelled,
}

impl Phase {
    /// Whether nothing comes after it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}
