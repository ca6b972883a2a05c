//! What the specs and statuses of Session and Run have in common.
#![expect(
    unreachable_pub,
    reason = "the schema derive repeats each struct inside a private module"
)]

mod agent;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::agent::{
    Agent, Answer, Driver, Forge, ForgeRepository, QuestionKind, Todo, TodoStatus, Usage, question,
    todos,
};
use crate::rules;

/// A git repository over HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// Its address, http or https, without a user part.
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[^/]')")
            .message("repository.url must begin with http:// or https:// and name a host"),
        validation = Rule::new("!self.matches('^[a-zA-Z]+://[^/]*@')")
            .message("repository.url must not hold a user or password: put them into a Secret and name it in repository.secretRef"),
        validation = Rule::new("!self.matches('[[:space:][:cntrl:]]')")
            .message("repository.url must not hold spaces or control characters")
    )]
    pub url: String,
    /// The branch to work on, 1 to 100 characters. Unset: the default one. One that is missing is created from the
    /// default one, and that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(
        validation = rules::branch_characters("repository.branch"),
        validation = rules::branch_words("repository.branch"),
        validation = rules::branch_parts("repository.branch")
    )]
    pub branch: Option<String>,
    /// A Secret of this namespace with `token`, or with `username` and `password`. Unset: no login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretReference>,
}

/// A Secret of the same namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretReference {
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// One environment variable: a value, or where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.value) != has(self.valueFrom)")
        .message("env: set exactly one of value and valueFrom")
)]
pub struct EnvironmentVariable {
    /// Letters, digits and '_'. Names that Fabrica sets itself are refused.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z_][A-Za-z0-9_]*$')")
            .message("env.name must hold letters, digits and '_' only, and not begin with a digit"),
        validation = Rule::new("!self.startsWith('FABRICA_') && !(self in ['SESSION_ID', 'REPO_URL', 'BRANCH', 'MODE', 'WORK_ID', 'GIT_USER_NAME', 'GIT_USER_EMAIL', 'HOME'])")
            .message("env.name must not begin with FABRICA_ nor be SESSION_ID, REPO_URL, BRANCH, MODE, WORK_ID, GIT_USER_NAME, GIT_USER_EMAIL or HOME: Fabrica sets them")
    )]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32_768))]
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<VariableSource>,
}

/// Where a value is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.secretKeyRef) != has(self.configMapKeyRef)")
        .message("env.valueFrom: set exactly one of secretKeyRef and configMapKeyRef")
)]
pub struct VariableSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<ConfigMapKey>,
}

/// A key of a Secret of the same namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKey {
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A key of a ConfigMap of the same namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigMapKey {
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// Whose name commits carry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitIdentity {
    #[schemars(length(min = 1, max = 256))]
    pub user_name: String,
    #[schemars(length(min = 1, max = 256))]
    pub user_email: String,
}

/// What is added to the pod.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(!has(self.labels) || self.labels.all(key, !key.startsWith('fabrica.dev/') && !key.startsWith('app.kubernetes.io/'))) && (!has(self.annotations) || self.annotations.all(key, !key.startsWith('fabrica.dev/') && !key.startsWith('app.kubernetes.io/')))")
        .message("podTemplate.labels and podTemplate.annotations must not begin with fabrica.dev/ or app.kubernetes.io/: Fabrica's policies select by them")
)]
pub struct PodTemplate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32))]
    pub node_selector: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub tolerations: Option<Vec<Toleration>>,
    /// For stronger isolation: gVisor or Kata, where the cluster has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32))]
    pub labels: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32))]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// The volume of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// Its size, as Kubernetes writes quantities: 10Gi.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(
        validation = Rule::new("isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))")
            .message("workspace.size must be a quantity above 0, such as 10Gi")
    )]
    pub size: String,
    /// The storage class. Unset: the cluster's default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
    /// Whether the volume outlives the Session or Run (default false). A later one of the same kind and name takes it over;
    /// a Run begins by emptying it.
    #[serde(default)]
    pub retain: bool,
}

/// Bounds of `status.messages`.
pub mod messages {
    /// How many are kept: the newest.
    pub const KEPT: usize = 20;
    /// The longest text, in characters.
    pub const TEXT: usize = 512;
}

/// One line about the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Grows within a Session.
    pub seq: i64,
    pub time: Time,
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// At most 512 characters.
    pub text: String,
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MessageType {
    Started,
    /// How far a step is; the next one replaces it.
    Progress,
    Finished,
    Failed,
    Notice,
}
