//! Questions that stop a Run until a human answers.
#![expect(
    unreachable_pub,
    reason = "the schema derive repeats each struct inside a private module"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::parts::QuestionKind;
use crate::rules;

/// How often a Run may go on in a new pod after a question. Past it the pod waits for the answer.
pub const CONTINUATIONS: usize = 32;

/// What becomes of a question that nobody answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.onTimeout) && self.onTimeout == 'Default') == has(self.defaultAnswer)")
        .message("escalation.onTimeout Default needs escalation.defaultAnswer, and escalation.defaultAnswer needs onTimeout Default")
)]
pub struct Escalation {
    /// How long a question waits for its answer, 60 s to 30 days (default 604800, 7 days).
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 60, max = 2_592_000))]
    pub timeout_seconds: i64,
    /// What happens then: Fail (default), Continue or Default.
    #[serde(default)]
    pub on_timeout: OnTimeout,
    /// The answer that is given then, with onTimeout Default: at most 4096 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    #[x_kube(validation = rules::answer("escalation.defaultAnswer"))]
    pub default_answer: Option<String>,
}

const fn default_timeout() -> i64 {
    604_800
}

impl Default for Escalation {
    fn default() -> Self {
        Self {
            timeout_seconds: default_timeout(),
            on_timeout: OnTimeout::Fail,
            default_answer: None,
        }
    }
}

/// What happens when nobody has answered in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnTimeout {
    /// The Run fails.
    #[default]
    Fail,
    /// The agent is told to decide by itself.
    Continue,
    /// It gets the default answer.
    Default,
}

/// The question that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenQuestion {
    /// What `spec.answers` names it by.
    pub id: String,
    pub kind: QuestionKind,
    /// At most 2048 characters.
    pub question: String,
    /// What may be answered, at most 10 of at most 200 characters. Unset: anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub options: Vec<String>,
    /// When it was asked.
    pub asked_at: Time,
    /// When `spec.escalation.onTimeout` happens.
    pub due_at: Time,
}
