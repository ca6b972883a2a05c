//! What the specs and statuses of everything with an agent have in common: a Run, and a Session in mode Chat.
#![expect(
    unreachable_pub,
    reason = "the schema derive repeats each struct inside a private module"
)]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Repository;
use crate::rules;

/// A git repository over HTTP, on a forge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForgeRepository {
    #[serde(flatten)]
    pub repository: Repository,
    /// Where pull requests are opened: GitHub (github.com or an Enterprise Server) or Gitea (also Forgejo). Unset: GitHub when
    /// the address is github.com's, else nowhere: the branch alone is pushed, and there are no work items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forge: Option<Forge>,
}

/// A place that keeps repositories and talks of them: GitHub is github.com or a GitHub Enterprise Server, Gitea also Forgejo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Forge {
    GitHub,
    Gitea,
}

/// Who does the work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.driver) || self.driver != 'Script' || !(has(self.model) || has(self.maxTurns) || has(self.budgetUSD) || has(self.baseURL))")
        .message("agent.model, agent.maxTurns, agent.budgetUSD and agent.baseURL are for agent.driver Claude: a Script asks no model")
)]
pub struct Agent {
    /// What reads the plan. Claude: the agent Claude Code. Script: each fenced `sh` block is run by bash (else sh) with `-e`, in
    /// the repository, and one that fails ends the attempt. Unset: the chart's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Driver>,
    /// The model's name, 1 to 100 characters. Unset: the chart's. One without a known price is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z0-9][A-Za-z0-9._:/@-]*$')")
            .message("agent.model must begin with a letter or digit and hold letters, digits and . _ : / @ - only")
    )]
    pub model: Option<String>,
    /// How often the agent may be answered by its model, 1 to 10000: in all attempts of a Run together, and in one conversation
    /// of a Session. Then the next question is refused. Unset: the chart's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_turns: Option<i32>,
    /// What the model calls of all attempts may cost by list prices, in US dollars: a decimal number above 0, such as
    /// `2.50`. Then the next call is refused and the Run ends. Unset: the chart's.
    #[serde(default, rename = "budgetUSD", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 12))]
    #[x_kube(
        validation = Rule::new("self.matches('^[0-9]{1,6}([.][0-9]{1,4})?$') && !self.matches('^[0.]*$')")
            .message("agent.budgetUSD must be a decimal number above 0 in quotes, such as \"2.50\"")
    )]
    pub budget_usd: Option<String>,
    /// Where the model is, http or https. Unset: the chart's.
    #[serde(default, rename = "baseURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[^/@[:space:][:cntrl:]]+(/[^@[:space:][:cntrl:]]*)?$')")
            .message("agent.baseURL must begin with http:// or https://, name a host and hold no user, spaces or control characters")
    )]
    pub base_url: Option<String>,
}

/// What reads the plan: Claude Code, or a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Driver {
    Claude,
    Script,
}

/// The answer to one question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Of the question, 1 to 128 characters: `status.escalation.id` of a Run, the `id` of one of
    /// `status.faber.pendingApprovals` of a Session.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z0-9_-]+$')")
            .message("answers.id must hold letters, digits, '_' and '-' only: copy the question's id from the status")
    )]
    pub id: String,
    /// At most 4096 bytes.
    #[schemars(length(min = 1, max = 4096))]
    #[x_kube(validation = rules::answer("answers.text"))]
    pub text: String,
    /// Who answered. Set by the gateway, or by you as yourself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub answered_by: Option<String>,
}

/// Bounds of a question in a status.
pub mod question {
    /// The longest question, in characters.
    pub const TEXT: usize = 2048;
    /// How many options are kept: the first.
    pub const OPTIONS: usize = 10;
    /// The longest option, in characters.
    pub const OPTION: usize = 200;
}

/// What kind of answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum QuestionKind {
    /// May I?
    Approval,
    /// Is it so?
    Confirmation,
    /// Which of these?
    Selection,
    /// What is meant?
    Clarification,
    /// Is it good?
    Review,
    /// How is this error mended?
    ErrorResolution,
}

/// Bounds of `status.faber.todos`.
pub mod todos {
    /// How many are kept: the first.
    pub const KEPT: usize = 30;
    /// The longest text, in characters.
    pub const TEXT: usize = 200;
}

/// One thing that an agent has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Todo {
    /// At most 200 characters.
    pub text: String,
    pub status: TodoStatus,
}

/// How far a thing to do is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TodoStatus {
    Pending,
    InProgress,
    Completed,
}

/// Tokens by class, and what they cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cache_read_tokens: i64,
    pub cache_write_tokens: i64,
    /// By list prices: a decimal number of US dollars, such as `0.0017`.
    #[serde(rename = "estimatedCostUSD")]
    pub estimated_cost_usd: String,
    /// Answers to the agent, those to its subagents included: what `agent.maxTurns` bounds.
    #[serde(default)]
    pub turns: i64,
}
