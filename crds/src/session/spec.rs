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
    EnvironmentVariable, GitIdentity, PodTemplate, Repository, SecretReference, Workspace,
};
use crate::{rules, schema};

/// A workspace pod with a terminal that survives disconnects.
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
    doc = "A Session is a workspace in a pod: a repository, a terminal that survives disconnects, and the files between starts if it has a volume.",
    selectable = ".spec.mode",
    selectable = ".spec.operatingMode",
    selectable = ".spec.owner",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
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
        .message("spec.workspace cannot change but for retain: make a new Session for another volume")
)]
pub struct SessionSpec {
    /// How people work in it. Terminal (default): shells.
    #[serde(default)]
    pub mode: Mode,
    /// The repository that is cloned into /workspace/repo. Unset: an empty workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// The container image. Unset: the chart's. Any image with a shell will do; it needs git when a repository is
    /// set. The runtime is copied in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Secrets of type kubernetes.io/dockerconfigjson to pull `image` with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub image_pull_secrets: Option<Vec<SecretReference>>,
    /// Environment variables of the shells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Option<Vec<EnvironmentVariable>>,
    /// A Secret of this namespace with any of GITHUB_TOKEN, ANTHROPIC_API_KEY, OPENAI_API_KEY and GEMINI_API_KEY.
    /// Shells get them as variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<SecretReference>,
    /// Whose name commits carry. Unset: git asks.
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
}

/// Whether the pod should run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OperatingMode {
    #[default]
    Running,
    /// The pod is stopped, the volume kept.
    Suspended,
}
