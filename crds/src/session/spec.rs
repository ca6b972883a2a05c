//! What a user asks for.
#![expect(
    unreachable_pub,
    reason = "the schema derive repeats each struct inside a private module"
)]

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SessionStatus;
use crate::parts::{
    Agent, Answer, EnvironmentVariable, ForgeRepository, GitIdentity, PodTemplate, SecretReference,
    Workspace,
};
use crate::{rules, schema};

/// A workspace pod with a terminal that survives disconnects, and, in mode Chat, an agent to talk to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "fabrica.dev",
    version = "v1alpha1",
    kind = "Session",
    namespaced,
    status = "SessionStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "fsess",
    category = "fabrica",
    doc = "A Session is a workspace in a pod: a repository, a terminal that survives disconnects, in mode Chat an agent to talk to, and the files between starts if it has a volume.",
    selectable = ".spec.mode",
    selectable = ".spec.operatingMode",
    selectable = ".spec.owner",
    selectable = ".spec.workId",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Agent", type_ = "string", json_path = ".spec.agentState", priority = 1),
    printcolumn(name = "Agent ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"AgentReady\")].status", priority = 1),
    printcolumn(name = "Work item", type_ = "string", json_path = ".spec.workId", priority = 1),
    printcolumn(name = "Workflow phase", type_ = "string", json_path = ".status.faber.phase", priority = 1),
    printcolumn(name = "Workflow outcome", type_ = "string", json_path = ".status.faber.outcome", priority = 1),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1),
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1),
    validation = rules::name("names of its pod and volume are made from it"),
    cel
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.operatingMode != 'Suspended' || has(self.workspace)")
        .message("spec.operatingMode Suspended needs spec.workspace: without a volume the files would be lost"),
    validation = Rule::new("!has(self.idleTimeoutSeconds) || has(self.workspace)")
        .message("spec.idleTimeoutSeconds needs spec.workspace: without a volume being idle would lose the files"),
    validation = Rule::new("has(self.owner) == has(oldSelf.owner) && (!has(self.owner) || self.owner == oldSelf.owner)")
        .message("spec.owner is set when the Session is created and never changes"),
    validation = Rule::new("has(self.workspace) == has(oldSelf.workspace) && (!has(self.workspace) || (self.workspace.size == oldSelf.workspace.size && has(self.workspace.storageClassName) == has(oldSelf.workspace.storageClassName) && (!has(self.workspace.storageClassName) || self.workspace.storageClassName == oldSelf.workspace.storageClassName)))")
        .message("spec.workspace cannot change but for retain: make a new Session for another volume"),
    validation = Rule::new("self.mode == 'Chat' || has(self.agentState) || !(has(self.workflow) || has(self.autonomy) || has(self.workId) || has(self.agent) || has(self.answers) || (has(self.repository) && has(self.repository.forge)))")
        .message("spec.workflow, spec.autonomy, spec.workId, spec.agent, spec.answers and spec.repository.forge are for an agent: set spec.mode to Chat, or in mode Terminal spec.agentState to On or Off, or leave them out"),
    validation = Rule::new("self.mode != 'Chat' || !has(self.agentState)")
        .message("spec.agentState is for mode Terminal: a Chat always has its agent; leave it out, or set spec.operatingMode to Suspended to stop the Chat"),
    validation = Rule::new("!has(self.agentState) || self.agentState != 'On' || has(self.repository)")
        .message("spec.agentState On needs spec.repository: name the repository that the agent works in"),
    validation = Rule::new("self.mode == 'Chat' || !has(self.workflow) || self.workflow != 'Faber' || has(self.workId)")
        .message("spec.workId is required with spec.workflow Faber: name the work item, or leave spec.workflow out"),
    validation = Rule::new("self.mode != 'Chat' || has(self.repository)")
        .message("spec.repository is required in mode Chat: name the repository that the agent works in"),
    validation = Rule::new("self.mode != 'Chat' || (has(self.workflow) && self.workflow == 'None') || has(self.workId)")
        .message("spec.workId is required in mode Chat with workflow Faber: name the work item, or set workflow: None"),
    validation = Rule::new("!has(self.agent) || !has(self.agent.driver) || self.agent.driver != 'Script'")
        .message("spec.agent.driver Script is for Runs: nobody can talk to it; leave it out or set it to Claude"),
    validation = Rule::new("(self.mode != 'Chat' && !(has(oldSelf.agentState) && oldSelf.agentState == 'On')) || !has(self.repository) || !has(oldSelf.repository) || (self.repository.url == oldSelf.repository.url && has(self.repository.branch) == has(oldSelf.repository.branch) && (!has(self.repository.branch) || self.repository.branch == oldSelf.repository.branch) && has(self.repository.forge) == has(oldSelf.repository.forge) && (!has(self.repository.forge) || self.repository.forge == oldSelf.repository.forge))")
        .message("spec.repository never changes in mode Chat, nor while spec.agentState is On, but for secretRef: make a new Session, or set spec.agentState to Off first"),
    validation = rules::immutable("mode", "Session"),
    validation = rules::settled("workflow"),
    validation = rules::settled("autonomy"),
    validation = rules::settled("workId"),
    validation = rules::settled("agent"),
    validation = rules::answers_stay()
)]
pub struct SessionSpec {
    /// How people work in it. Terminal (default): shells. Chat: an agent works in the repository and people talk to it;
    /// shells are there too. Never changes.
    #[serde(default)]
    pub mode: Mode,
    /// Whether an agent works in a Terminal, too. On: it is started in the running pod, and people talk to it as in a Chat.
    /// Off, or unset: it is ended; shells stay. Mode Terminal alone. In YAML both need quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_state: Option<AgentState>,
    /// What the agent works by. Faber: through the phases frame, architect, build, evaluate and release, on `workId`. None: a
    /// plain conversation. Unset: Faber in a Chat, None in a Terminal. Never changes while there is an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Workflow>,
    /// How far the agent goes by itself (default Guarded). DryRun: it plans and changes nothing. Assist: it stops before the
    /// pull request. Guarded: it asks before the pull request. Autonomous: it asks only what it must know. Never changes while
    /// there is an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autonomy: Option<Autonomy>,
    /// The issue of the repository's forge that the agent is to work on, 1 to 50 characters: `12`, `#12` or `owner/name#12`. Its
    /// text is given to the agent as what a stranger wrote. Never changes while there is an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(validation = rules::work_id())]
    pub work_id: Option<String>,
    /// The repository that is cloned into /workspace/repo. Unset: an empty workspace, which a Chat cannot have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<ForgeRepository>,
    /// The container image. Unset: the chart's; with `agentState`, the one of Chats. Any image with a shell will do; it needs
    /// git when a repository is set, and for an agent what that needs. The runtime is copied in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Secrets of type kubernetes.io/dockerconfigjson to pull `image` with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub image_pull_secrets: Option<Vec<SecretReference>>,
    /// Environment variables of the shells and of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Option<Vec<EnvironmentVariable>>,
    /// A Secret of this namespace. In mode Terminal with any of GITHUB_TOKEN, ANTHROPIC_API_KEY, OPENAI_API_KEY and
    /// GEMINI_API_KEY, which shells get as variables that are opened while there is no agent. For an agent with any of
    /// ANTHROPIC_API_KEY, for its model, and GITHUB_TOKEN or GITEA_TOKEN, for pull requests and work items (unset: the
    /// repository's own login); neither the agent nor shells beside it see them. Unset, an agent has the chart's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<SecretReference>,
    /// Who is talked to. Never changes while there is an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// Answers to the questions of the agent, each by the `id` that `status.faber.pendingApprovals` shows, at most 64. One
    /// that was given never changes and never goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub answers: Option<Vec<Answer>>,
    /// Whose name commits carry. Unset: git asks, and a Chat's agent takes Fabrica's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitIdentity>,
    /// CPU and memory of the container. Unset: the chart's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::session_resources")]
    pub resources: Option<ResourceRequirements>,
    /// A volume for /workspace. Unset: the files live as long as the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Workspace>,
    /// Running (default), or Suspended: the pod is stopped and the volume kept.
    #[serde(default)]
    pub operating_mode: OperatingMode,
    /// Stops the pod after so many seconds without activity (at least 60). A running foreground job or a visible page is
    /// activity. Unset: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 31_536_000))]
    pub idle_timeout_seconds: Option<i64>,
    /// A stopped Session runs again from this time on, if it is later than `status.stoppedAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub wake_time: Option<Time>,
    /// The pod is stopped at this time. Unset: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub shutdown_time: Option<Time>,
    /// Who created it. Set by the gateway, or by you as yourself; never changes and never grants anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub owner: Option<String>,
    /// What is added to the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
}

/// How people work in a Session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Shells in terminals.
    #[default]
    Terminal,
    /// An agent to talk to, and shells beside it.
    Chat,
}

/// Whether an agent works in a Terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AgentState {
    On,
    #[default]
    Off,
}

/// What the agent works by: Faber goes through five phases on a work item, None is a plain conversation.
// Variants with words of their own would take the place of the field's in the CRD.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Workflow {
    #[default]
    Faber,
    None,
}

/// How far an agent goes by itself: from a plan alone, by way of stopping or asking before the pull request, to asking only
/// what it must know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Autonomy {
    DryRun,
    Assist,
    #[default]
    Guarded,
    Autonomous,
}

/// Whether the pod should run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OperatingMode {
    #[default]
    Running,
    /// The pod is stopped, the volume kept.
    Suspended,
}
