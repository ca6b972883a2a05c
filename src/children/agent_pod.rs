//! What the runtime of every pod with an agent is told.

use fabrica_crds::parts::{Agent, Forge, Repository, SecretReference};
use k8s_openapi::api::core::v1::EnvFromSource;

use super::pod;
use super::reference::{CREDENTIAL, REPOSITORY};
use crate::config::AgentDefaults;

/// A variable, by its name.
pub(crate) type Told = (&'static str, String);

/// The name of the Secret of credentials, as the runtime is told it, and the Secrets that reach its environment. The default
/// one need not be there.
pub(crate) fn credentials(
    named: Option<&SecretReference>,
    default: Option<&String>,
    repository: &Repository,
) -> (Option<Told>, Vec<EnvFromSource>) {
    let default = default.filter(|_| named.is_none());
    let name = named.map(|reference| &reference.name).or(default);
    let mut secrets =
        pod::secrets(&[(repository.secret_ref.as_ref(), REPOSITORY), (named, CREDENTIAL)]);
    secrets.extend(default.map(|name| pod::optional_secret(name, CREDENTIAL)));
    (name.map(|name| ("FABRICA_CREDENTIALS_SECRET", name.clone())), secrets)
}

/// Claude Code with these settings, what it may cost, and how often it may be answered.
pub(crate) fn claude(
    asked: &Agent,
    default: &AgentDefaults,
    budget: Option<String>,
    turns: Option<i64>,
) -> Vec<Told> {
    let settings = [
        ("FABRICA_RUN_DRIVER", Some("claude".to_owned())),
        ("FABRICA_AGENT_MODEL", asked.model.clone().or_else(|| default.model.clone())),
        ("FABRICA_AGENT_MAX_TURNS", turns.map(|turns| turns.to_string())),
        ("FABRICA_AGENT_BUDGET_USD", budget),
        ("FABRICA_AGENT_BASE_URL", asked.base_url.clone().or_else(|| default.base_url.clone())),
    ];
    set(settings).collect()
}

/// How often the agent may be answered.
pub(crate) fn turns(asked: &Agent, default: &AgentDefaults) -> Option<i64> {
    asked.max_turns.or(default.max_turns).map(i64::from)
}

/// Where pull requests are opened, and what is worked on.
pub(crate) fn forge(forge: Option<Forge>, work_id: Option<&String>) -> Vec<Told> {
    let kind = forge.map(|forge| match forge {
        Forge::GitHub => "github".to_owned(),
        Forge::Gitea => "gitea".to_owned(),
    });
    set([("FABRICA_FORGE", kind), ("FABRICA_WORK_ID", work_id.cloned())]).collect()
}

/// Those that are set.
pub(crate) fn set(
    settings: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> impl Iterator<Item = Told> {
    settings.into_iter().filter_map(|(name, value)| Some((name, value?)))
}
