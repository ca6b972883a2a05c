//! What a Terminal's pod becomes while an agent works in it.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::{Config, GitUser, shell_environment};

/// Set where an agent is wanted from the beginning.
const AT_ONCE: &str = "FABRICA_AGENT_STATE";
/// What keys of the agent's own Secret begin with in a pod whose shells must not have them.
const OWN_CREDENTIAL: &str = "FABRICA_AGENT_CREDENTIAL_";

impl Config {
    /// What an agent that was told these settings works by. The dependencies are there, and the home's git keeps the name
    /// that people gave it.
    #[must_use]
    pub fn with_agent(&self, settings: &BTreeMap<String, String>) -> Self {
        let mut all = (*self.environment).clone();
        let own = self.environment.iter().filter_map(|(name, value)| {
            let name = name.to_str()?.strip_prefix(OWN_CREDENTIAL)?;
            Some((OsString::from(format!("FABRICA_CREDENTIAL_{name}")), value.clone()))
        });
        all.extend(own);
        all.extend(settings.iter().map(|(name, value)| (name.into(), value.into())));
        let work_id = settings.get("FABRICA_WORK_ID").map_or("", String::as_str);
        let ours =
            [("MODE", "chat"), ("WORK_ID", work_id), ("FABRICA_INSTALL_DEPENDENCIES", "false")];
        all.extend(ours.map(|(name, value)| (name.into(), value.into())));
        let mut config = Self::from_environment(all);
        if self.git_user.is_none() {
            let GitUser { name, email } = GitUser::ours();
            for who in ["AUTHOR", "COMMITTER"] {
                config.shell.insert(format!("GIT_{who}_NAME").into(), name.clone().into());
                config.shell.insert(format!("GIT_{who}_EMAIL").into(), email.clone().into());
            }
            config.git_user = None;
        }
        config
    }

    /// What shells see that are opened beside an agent.
    pub fn shell_beside_agent(&self) -> BTreeMap<OsString, OsString> {
        shell_environment(&self.environment, false)
    }

    /// Whether a Terminal's pod was made for an agent to work in it from the beginning.
    pub fn begins_with_agent(&self) -> bool {
        self.environment.contains_key(&OsString::from(AT_ONCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &[(&str, &str)]) -> Config {
        let all = [
            ("MODE", "terminal"),
            ("REPO_URL", "https://github.com/a/b"),
            ("FABRICA_WORKSPACE", "/nowhere"),
            ("FABRICA_CREDENTIAL_GITHUB_TOKEN", "hub-token"),
        ];
        let all = all.iter().chain(more);
        Config::from_environment(all.map(|(name, value)| ((*name).into(), (*value).into())))
    }

    #[test]
    fn an_agent_has_its_settings_and_its_key_and_shells_beside_it_have_neither() {
        let terminal = config(&[("FABRICA_AGENT_CREDENTIAL_ANTHROPIC_API_KEY", "sk-long")]);
        assert!(terminal.shell.values().all(|value| value != "sk-long"));
        assert!(terminal.shell.values().any(|value| value == "hub-token"));
        assert!(terminal.shell_beside_agent().values().all(|value| value != "hub-token"));
        let settings = [
            ("FABRICA_AGENT_MODEL", "m"),
            ("FABRICA_CHAT_ATTEMPT", "3"),
            ("FABRICA_WORK_ID", "12"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = terminal.with_agent(&BTreeMap::from(settings));
        let chat = config.chat.as_ref().unwrap();
        assert_eq!((chat.attempt, chat.agent.model.as_deref()), (3, Some("m")));
        assert_eq!(chat.agent.key.as_deref(), Some("sk-long"));
        assert_eq!(config.shell.get(&OsString::from("WORK_ID")), Some(&"12".into()));
        assert!(config.shell.values().all(|value| value != "sk-long" && value != "hub-token"));
        assert_eq!(config.secrets.redact("sk-long hub-token"), "*** ***");
        assert!(!config.install_dependencies && !terminal.begins_with_agent());
    }

    #[test]
    fn people_keep_their_name() {
        let author = |config: &Config| {
            let agent = config.with_agent(&BTreeMap::new());
            let name = OsString::from("GIT_AUTHOR_NAME");
            (agent.git_user.map(|user| user.name), agent.shell.get(&name).cloned())
        };
        assert_eq!(author(&config(&[])), (None, Some("Fabrica".into())));
        let ada = config(&[("GIT_USER_NAME", "Ada"), ("GIT_USER_EMAIL", "ada@h")]);
        assert_eq!(author(&ada), (Some("Ada".to_owned()), None));
    }
}
