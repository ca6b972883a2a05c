//! What a Chat's pod is told beside what every pod is.

use fabrica_protocol::run::Autonomy;

use super::forge::{self, ForgeConfig};
use super::run::{self, AgentConfig};

/// A Session in which people talk to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatConfig {
    /// How many pods the Session has had, from 1.
    pub attempt: u32,
    /// The branch that is pushed.
    pub branch: String,
    /// Who the agent is.
    pub driver: String,
    pub agent: AgentConfig,
    /// Where the work items are, and where the pull request is opened.
    pub forge: ForgeConfig,
    /// Whether the agent begins to work the work item by itself.
    pub workflow: bool,
    /// The most that the agent may do by itself.
    pub autonomy: Autonomy,
}

/// What the variables say, in a Chat's pod.
pub(super) fn read(text: &impl Fn(&str) -> Option<String>) -> Option<ChatConfig> {
    text("MODE").filter(|mode| mode == "chat")?;
    let autonomy = text("FABRICA_CHAT_AUTONOMY")
        .and_then(|word| serde_json::from_value(serde_json::Value::from(word)).ok());
    Some(ChatConfig {
        attempt: text("FABRICA_CHAT_ATTEMPT").and_then(|word| word.parse().ok()).unwrap_or(1),
        branch: text("FABRICA_RUN_BRANCH").unwrap_or_default(),
        driver: text("FABRICA_RUN_DRIVER").unwrap_or_else(|| "claude".to_owned()),
        agent: run::agent(text),
        forge: forge::read(text),
        workflow: text("FABRICA_CHAT_WORKFLOW").is_some_and(|word| word == "faber"),
        autonomy: autonomy.unwrap_or(Autonomy::Guarded),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::config::Config;

    fn configured(variables: &[(&str, &str)]) -> Config {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::from_environment(variables)
    }

    #[rstest]
    #[case("dryRun", Autonomy::DryRun)]
    #[case("assist", Autonomy::Assist)]
    #[case("autonomous", Autonomy::Autonomous)]
    #[case("", Autonomy::Guarded)]
    #[case("rubbish", Autonomy::Guarded)]
    fn autonomy_is_read(#[case] word: &str, #[case] expected: Autonomy) {
        let config = configured(&[("MODE", "chat"), ("FABRICA_CHAT_AUTONOMY", word)]);
        assert_eq!(config.chat.unwrap().autonomy, expected);
    }

    #[test]
    fn only_a_chats_pod_is_a_chats_and_its_shells_see_no_credentials() {
        let key = ("FABRICA_CREDENTIAL_ANTHROPIC_API_KEY", "sk-long");
        assert_eq!(configured(&[("FABRICA_CHAT_WORKFLOW", "faber")]).chat, None);
        let config = configured(&[("MODE", "chat"), ("FABRICA_CHAT_WORKFLOW", "faber"), key]);
        assert!(config.run.is_none() && config.shell.values().all(|value| value != "sk-long"));
        let chat = config.chat.unwrap();
        assert!(chat.workflow && chat.attempt == 1 && chat.driver == "claude");
        assert!(!format!("{chat:?}").contains("sk-long"));
    }
}
