//! What a user asks for.
#![expect(
    unreachable_pub,
    reason = "the schema derive repeats each struct inside a private module"
)]

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RunStatus;
use super::escalation::Escalation;
use crate::parts::{
    Agent, Answer, ConfigMapKey, EnvironmentVariable, ForgeRepository, GitIdentity, PodTemplate,
    SecretReference, Workspace,
};
use crate::{rules, schema};

/// The most `spec.maxAttempts` may be.
pub const MAXIMUM_ATTEMPTS: i32 = 10;

/// A plan, the repository it is for, and the bounds of carrying it out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "fabrica.dev",
    version = "v1alpha1",
    kind = "Run",
    namespaced,
    status = "RunStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "frun",
    category = "fabrica",
    doc = "A Run carries a plan out in a pod of its own and pushes what came of it to a branch. It ends by itself; nothing of its spec changes but its desired state, and answers are added.",
    selectable = ".spec.desiredState",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Succeeded\")].reason"),
    printcolumn(name = "Branch", type_ = "string", json_path = ".status.branch"),
    printcolumn(name = "Pull request", type_ = "string", json_path = ".status.pullRequestURL"),
    printcolumn(name = "Cost", type_ = "string", json_path = ".status.usage.estimatedCostUSD"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1),
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner", priority = 1),
    printcolumn(name = "Commit", type_ = "string", json_path = ".status.commit", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Succeeded\")].message", priority = 1),
    validation = rules::name("names of its pods are made from it"),
    cel
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.plan), has(self.planRef), has(self.workId)].filter(set, set).size() == 1")
        .message("set exactly one of spec.plan, spec.planRef and spec.workId"),
    validation = Rule::new("!has(self.workId) || !has(self.agent) || !has(self.agent.driver) || self.agent.driver != 'Script'")
        .message("spec.workId needs an agent that reads: blocks of a work item are not run as a script; leave spec.agent.driver out or set it to Claude"),
    validation = Rule::new("!has(self.branch) || !has(self.pullRequest) || !has(self.pullRequest.base) || self.pullRequest.base != self.branch")
        .message("spec.pullRequest.base must be another branch than spec.branch, which is merged into it"),
    validation = Rule::new("oldSelf.desiredState != 'Cancelled' || self.desiredState == 'Cancelled'")
        .message("spec.desiredState cannot leave Cancelled: make a new Run"),
    validation = rules::immutable("plan", "Run"),
    validation = rules::immutable("planRef", "Run"),
    validation = rules::immutable("workId", "Run"),
    validation = rules::immutable("title", "Run"),
    validation = rules::immutable("repository", "Run"),
    validation = rules::immutable("branch", "Run"),
    validation = rules::immutable("pullRequest", "Run"),
    validation = rules::immutable("image", "Run"),
    validation = rules::immutable("imagePullSecrets", "Run"),
    validation = rules::immutable("env", "Run"),
    validation = rules::immutable("credentialsRef", "Run"),
    validation = rules::immutable("git", "Run"),
    validation = rules::immutable("agent", "Run"),
    validation = rules::immutable("resources", "Run"),
    validation = rules::immutable("workspace", "Run"),
    validation = rules::immutable("podTemplate", "Run"),
    validation = rules::immutable("deadlineSeconds", "Run"),
    validation = rules::immutable("maxAttempts", "Run"),
    validation = rules::immutable("ttlSecondsAfterFinished", "Run"),
    validation = rules::immutable("escalation", "Run"),
    validation = rules::answers_stay(),
    validation = rules::immutable("owner", "Run")
)]
pub struct RunSpec {
    /// What to do, as markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32_768))]
    pub plan: Option<String>,
    /// A key of a ConfigMap of this namespace that holds the plan. It is copied before the first attempt: every attempt has
    /// the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_ref: Option<ConfigMapKey>,
    /// An issue of the repository's forge that says what to do, 1 to 50 characters: `12`, `#12` or `owner/name#12`. Its text
    /// is given to the agent as what a stranger wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(validation = rules::work_id())]
    pub work_id: Option<String>,
    /// The subject of a commit of ours, and the title of the pull request when the agent gives none. Unset: the plan's
    /// first heading, at last `Fabrica Run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(
        validation = Rule::new("!self.matches('[[:cntrl:]]')")
            .message("spec.title must be one line without control characters")
    )]
    pub title: Option<String>,
    /// The repository that is worked on. Its `branch` is the one to begin from; unset: the default one.
    pub repository: ForgeRepository,
    /// The branch that the work is pushed to, 1 to 100 characters. Unset: `fabrica/` and the first 8 characters of the
    /// UID. One that is there already is taken over only when this Run made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(
        validation = rules::branch_characters("spec.branch"),
        validation = rules::branch_words("spec.branch"),
        validation = rules::branch_parts("spec.branch")
    )]
    pub branch: Option<String>,
    /// How the pull request is opened. Unset: without labels, ready for review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequest>,
    /// The container image. Unset: the chart's. Any image with a shell, git and what the driver needs will do. The runtime
    /// is copied in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Secrets of type kubernetes.io/dockerconfigjson to pull `image` with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub image_pull_secrets: Option<Vec<SecretReference>>,
    /// Environment variables of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Option<Vec<EnvironmentVariable>>,
    /// A Secret of this namespace with any of ANTHROPIC_API_KEY, for the agent's model, and GITHUB_TOKEN or GITEA_TOKEN, for
    /// pull requests and work items (unset: the repository's own login). Unset: the chart's. The agent sees none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<SecretReference>,
    /// Whose name commits carry. Unset: Fabrica's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitIdentity>,
    /// Who carries the plan out.
    #[serde(default)]
    pub agent: Agent,
    /// CPU and memory of the container. Unset: the chart's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::run_resources")]
    pub resources: Option<ResourceRequirements>,
    /// A volume for /workspace, used by every attempt, which begins by emptying it. Unset: the files live as long as the
    /// pod of an attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<Workspace>,
    /// What is added to the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
    /// The running time of all attempts together, 10 s to 7 days (default 3600). Waiting does not count.
    #[serde(default = "default_deadline")]
    #[schemars(range(min = 10, max = 604_800))]
    pub deadline_seconds: i64,
    /// How often the agent may fail, 1 to 10 (default 2). What is not the agent's fault, such as a lost node, is tried
    /// again 5 times more.
    #[serde(default = "default_attempts")]
    #[schemars(range(min = 1, max = 10))]
    pub max_attempts: i32,
    /// The Run and its pods are deleted so many seconds after the end, and not before its journal is archived, for which an
    /// hour is waited at most. Unset: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub ttl_seconds_after_finished: Option<i64>,
    /// What becomes of a question that nobody answers. Unset: the Run waits for 7 days and fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
    /// Answers to the agent's questions, each by the `id` that `status.escalation` shows, at most 64. One that was given
    /// never changes and never goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub answers: Option<Vec<Answer>>,
    /// Running (default), or Cancelled: the Run ends and never goes on.
    #[serde(default)]
    pub desired_state: DesiredState,
    /// Who created it. Set by the gateway, or by you as yourself; never changes and never grants anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub owner: Option<String>,
}

const fn default_deadline() -> i64 {
    3600
}

const fn default_attempts() -> i32 {
    2
}

/// How a pull request is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct PullRequest {
    /// The branch that it is to be merged into, 1 to 100 characters; `HEAD`: the repository's default one. Unset:
    /// `repository.branch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(
        validation = rules::branch_characters("spec.pullRequest.base"),
        validation = rules::branch_words("spec.pullRequest.base"),
        validation = rules::branch_parts("spec.pullRequest.base")
    )]
    pub base: Option<String>,
    /// Labels of the forge, at most 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 50)), extend("x-kubernetes-list-type" = "set"))]
    pub labels: Option<Vec<String>>,
    /// Not yet to be merged (default false).
    #[serde(default)]
    pub draft: bool,
}

/// Whether the Run should go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DesiredState {
    #[default]
    Running,
    /// The Run ends and never goes on.
    Cancelled,
}
