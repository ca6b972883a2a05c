//! What a Run's pod is told beside what every pod is.

use std::path::PathBuf;
use std::time::Duration;

use fabrica_protocol::run::LINGER_SECONDS;

use super::forge::{self, ForgeConfig};
use super::providers::{self, ProviderConfig};

/// Where models are asked, unless told otherwise.
const MODEL_URL: &str = "https://api.anthropic.com";
/// A Run's own deadline stands in its object; this one holds where nobody said any.
const SECONDS: u64 = 3_600;

/// The agent's words come at least this often while it waits for nothing of its own: the CLI gives an unanswered
/// question up after 600 s, and says so.
const SILENCE_SECONDS: u64 = 660;

/// A question is held this long before the agent's program ends: people who watch answer within it.
const HOLD_SECONDS: u64 = 300;
/// The CLI drops a call that is held for 600 s, and with it the question.
const LONGEST_HOLD_SECONDS: u64 = 540;

/// One attempt of a Run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunConfig {
    /// The branch that is pushed.
    pub branch: String,
    pub attempt: u32,
    /// How long this attempt may take, from the start of the process.
    pub deadline: Duration,
    /// Who does the work.
    pub driver: String,
    pub agent: AgentConfig,
    /// The subject of a commit of ours.
    pub title: Option<String>,
    /// The file with the plan; missing when nobody gave one.
    pub plan: PathBuf,
    /// Where the pull request is opened.
    pub forge: ForgeConfig,
    /// How long a question is held before the agent's program ends.
    pub hold: Duration,
    /// Whether somebody keeps checkpoints.
    pub checkpoints: bool,
    /// Whether the workspace is a volume that a former pod may have used.
    pub used_volume: bool,
    /// Whether a former pod's checkpoint is handed in, to go on from.
    pub resume: bool,
    /// Whether no attempt follows when the agent fails, and when anything else does.
    pub last: (bool, bool),
    /// How long the verdict waits to be acknowledged.
    pub linger: Duration,
}

/// What an agent that asks a model is told.
#[derive(Clone, PartialEq, Eq)]
pub struct AgentConfig {
    /// Unset: the agent's own choice.
    pub model: Option<String>,
    /// Answers of models.
    pub turns: Option<String>,
    /// In dollars.
    pub budget: Option<String>,
    /// The model's service.
    pub url: String,
    pub key: Option<String>,
    /// Who else may be asked.
    pub providers: Vec<ProviderConfig>,
    /// The agent's program, when it is not where it is looked for.
    pub command: Option<PathBuf>,
    /// How long it may be silent.
    pub silence: Duration,
}

impl std::fmt::Debug for AgentConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AgentConfig").field("model", &self.model).finish_non_exhaustive()
    }
}

/// What the variables say, in a Run's pod.
pub(super) fn read(text: &impl Fn(&str) -> Option<String>) -> Option<RunConfig> {
    if text("MODE")? != "run" {
        return None;
    }
    let number = |name: &str| text(name).and_then(|value| value.parse::<u64>().ok());
    let seconds = |name: &str, default| Duration::from_secs(number(name).unwrap_or(default));
    let is_true = |name: &str| text(name).is_some_and(|value| value == "true");
    Some(RunConfig {
        branch: text("FABRICA_RUN_BRANCH").unwrap_or_default(),
        attempt: number("FABRICA_RUN_ATTEMPT").and_then(|n| n.try_into().ok()).unwrap_or(1),
        deadline: seconds("FABRICA_RUN_SECONDS", SECONDS),
        driver: text("FABRICA_RUN_DRIVER").unwrap_or_else(|| "script".to_owned()),
        agent: agent(text),
        title: text("FABRICA_RUN_TITLE"),
        plan: text("FABRICA_RUN_PLAN_FILE")
            .map_or_else(|| "/run/fabrica/plan/plan.md".into(), PathBuf::from),
        forge: forge::read(text),
        hold: seconds("FABRICA_QUESTION_HOLD_SECONDS", HOLD_SECONDS)
            .min(Duration::from_secs(LONGEST_HOLD_SECONDS)),
        checkpoints: is_true("FABRICA_CHECKPOINTS"),
        used_volume: is_true("FABRICA_USED_VOLUME"),
        resume: is_true("FABRICA_RESUME"),
        last: (is_true("FABRICA_LAST_OF_AGENT"), is_true("FABRICA_LAST_OF_OTHERS")),
        linger: seconds("FABRICA_LINGER_SECONDS", LINGER_SECONDS.into()),
    })
}

/// What the variables say of an agent.
pub(super) fn agent(text: &impl Fn(&str) -> Option<String>) -> AgentConfig {
    let silence = text("FABRICA_AGENT_SILENCE_SECONDS").and_then(|value| value.parse().ok());
    AgentConfig {
        model: text("FABRICA_AGENT_MODEL"),
        turns: text("FABRICA_AGENT_MAX_TURNS"),
        budget: text("FABRICA_AGENT_BUDGET_USD"),
        url: text("FABRICA_AGENT_BASE_URL").unwrap_or_else(|| MODEL_URL.to_owned()),
        key: text("FABRICA_CREDENTIAL_ANTHROPIC_API_KEY"),
        providers: providers::read(text),
        command: text("FABRICA_AGENT_COMMAND").map(PathBuf::from),
        silence: Duration::from_secs(silence.unwrap_or(SILENCE_SECONDS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn configured(variables: &[(&str, &str)]) -> Config {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::from_environment(variables)
    }

    #[test]
    fn only_a_runs_pod_is_a_runs() {
        assert_eq!(configured(&[("FABRICA_RUN_BRANCH", "b")]).run, None);
        assert_eq!(configured(&[("MODE", "terminal"), ("FABRICA_RUN_BRANCH", "b")]).run, None);
        let run = configured(&[("MODE", "run"), ("FABRICA_RUN_SECONDS", "7")]).run.unwrap();
        assert_eq!((run.attempt, run.deadline), (1, Duration::from_secs(7)));
        assert_eq!(run.plan, PathBuf::from("/run/fabrica/plan/plan.md"));
    }

    #[test]
    fn an_agent_sees_no_credentials() {
        let key = ("FABRICA_CREDENTIAL_OPENAI_API_KEY", "sk");
        assert!(configured(&[key]).shell.values().any(|value| value == "sk"));
        let key = ("FABRICA_CREDENTIAL_ANTHROPIC_API_KEY", "sk-long");
        let config = configured(&[("MODE", "run"), key, ("FABRICA_REPOSITORY_token", "sk-long")]);
        assert!(config.shell.values().all(|value| value != "sk-long"));
        assert!(!format!("{:?}", config.run).contains("sk-long"));
        assert_eq!(config.secrets.redact("a sk-long key"), "a *** key");
    }
}
