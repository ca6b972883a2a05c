//! The environment, read once and never again. What shells get is decided here.

mod agent;
mod chat;
mod forge;
mod plain;
mod providers;
mod run;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fabrica_protocol::runtime::PORT;

pub use chat::ChatConfig;
pub use forge::{Base, ForgeConfig, Token};
pub use providers::ProviderConfig;
pub use run::{AgentConfig, RunConfig};

use plain::is_plain_name;

use crate::secrets::Secrets;
use crate::terminal::size::SizePolicy;
use crate::terminal::socket::Timing;

/// Credentials that shells get under their own names.
const CREDENTIALS: [&str; 4] =
    ["GITHUB_TOKEN", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"];

/// Forges take a token as the password of any user; this name is the one that all of them accept.
pub(crate) const TOKEN_USER: &str = "x-access-token";

/// Between the upgrade and HELLO.
const HELLO_MILLISECONDS: u64 = 5_000;
/// Between our pings: shorter than the time-outs of common proxies.
const PING_MILLISECONDS: u64 = 20_000;
/// A silent client counts as gone after this; browsers slow the timers of hidden pages down to one a minute.
const SILENCE_MILLISECONDS: u64 = 120_000;

/// Variables of ours are never passed on.
const OURS: &str = "FABRICA_";

/// The names of variables whose values came out of Secrets, separated by commas.
const SECRET_VARIABLES: &str = "FABRICA_SECRET_ENV";

/// What the operator said.
#[derive(Clone)]
pub struct Config {
    /// The Session's UID: the audience of every assertion.
    pub session_id: String,
    /// Where the Session is, and what people call it.
    pub namespace: String,
    pub name: String,
    pub repository: Option<Repository>,
    pub git_user: Option<GitUser>,
    pub install_dependencies: bool,
    /// Where the volume is.
    pub workspace: PathBuf,
    pub address: SocketAddr,
    /// The file with the public keys.
    pub trust_keys: PathBuf,
    /// Where the kubelet looks for last words.
    pub termination_log: PathBuf,
    /// How long sockets may take, wait and be silent.
    pub timing: Timing,
    /// Whose size a terminal has.
    pub size_policy: SizePolicy,
    /// Only in a Run's pod.
    pub run: Option<RunConfig>,
    /// Only in a Chat's pod.
    pub chat: Option<ChatConfig>,
    /// What no journal may hold.
    pub secrets: Secrets,
    /// What shells and start steps see.
    pub shell: BTreeMap<OsString, OsString>,
    /// All that was read, for an agent that is started later.
    environment: Arc<BTreeMap<OsString, OsString>>,
}

/// The repository to clone.
#[derive(Clone)]
pub struct Repository {
    pub url: String,
    /// Unset: the default one.
    pub branch: Option<String>,
    pub login: Login,
}

/// How to log in at the repository's host.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// No Secret was named.
    None,
    Basic {
        username: String,
        password: String,
    },
    /// The Secret of this name holds neither `token` nor `username` and `password`.
    Incomplete {
        secret: String,
    },
}

impl Login {
    fn password(&self) -> Option<&str> {
        match self {
            Self::Basic { password, .. } => Some(password),
            Self::None | Self::Incomplete { .. } => None,
        }
    }
}

/// Whose name commits carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitUser {
    pub name: String,
    pub email: String,
}

impl GitUser {
    /// Nobody's name was given, and an agent has to commit under one.
    fn ours() -> Self {
        Self { name: "Fabrica".to_owned(), email: "fabrica@localhost".to_owned() }
    }
}

impl Config {
    /// Reads an environment.
    pub fn from_environment(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let all: BTreeMap<OsString, OsString> = variables.into_iter().collect();
        let text = |name: &str| {
            all.get(&OsString::from(name))
                .map(|value| value.to_string_lossy().into_owned())
                .filter(|value| !value.is_empty())
        };
        let workspace =
            text("FABRICA_WORKSPACE").map_or_else(|| PathBuf::from("/workspace"), PathBuf::from);
        let milliseconds = |name: &str, default: u64| {
            Duration::from_millis(
                text(name).and_then(|value| value.parse().ok()).unwrap_or(default),
            )
        };
        let run = run::read(&text);
        let chat = chat::read(&text);
        let has_agent = run.is_some() || chat.is_some();
        let login = login(&text);
        Self {
            secrets: Secrets::new(login.password(), secret_values(&all)),
            session_id: text("SESSION_ID").unwrap_or_default(),
            namespace: text("FABRICA_NAMESPACE").unwrap_or_default(),
            name: text("FABRICA_NAME").unwrap_or_default(),
            repository: text("REPO_URL").map(|url| Repository {
                url,
                branch: text("BRANCH"),
                login,
            }),
            git_user: text("GIT_USER_NAME")
                .zip(text("GIT_USER_EMAIL"))
                .map(|(name, email)| GitUser { name, email })
                .or_else(|| has_agent.then(GitUser::ours)),
            install_dependencies: text("FABRICA_INSTALL_DEPENDENCIES")
                .is_none_or(|value| value != "false"),
            address: text("FABRICA_ADDRESS")
                .and_then(|value| value.parse().ok())
                .unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], PORT))),
            trust_keys: text("FABRICA_TRUST_KEYS")
                .map_or_else(|| "/run/fabrica/trust/keys".into(), PathBuf::from),
            termination_log: text("FABRICA_TERMINATION_LOG")
                .map_or_else(|| "/dev/termination-log".into(), PathBuf::from),
            timing: Timing {
                hello: milliseconds("FABRICA_HELLO_MILLISECONDS", HELLO_MILLISECONDS),
                ping: milliseconds("FABRICA_PING_MILLISECONDS", PING_MILLISECONDS),
                silence: milliseconds("FABRICA_SILENCE_MILLISECONDS", SILENCE_MILLISECONDS),
            },
            size_policy: text("FABRICA_TERMINAL_SIZE")
                .and_then(|name| SizePolicy::named(&name))
                .unwrap_or_default(),
            shell: shell_environment(&all, !has_agent),
            run,
            chat,
            workspace,
            environment: Arc::new(all),
        }
    }
}

impl Config {
    /// Whether an agent works here.
    pub const fn has_agent(&self) -> bool {
        self.run.is_some() || self.chat.is_some()
    }
}

/// The values of all credentials, known by name or not, and of the user's own variables that came out of Secrets.
fn secret_values(all: &BTreeMap<OsString, OsString>) -> impl Iterator<Item = String> {
    let named = all.get(OsStr::new(SECRET_VARIABLES)).map(|names| names.to_string_lossy());
    let is_secret = move |name: &OsString, value: &str| {
        let name = name.to_string_lossy();
        let is_named = named.as_ref().is_some_and(|names| names.split(',').any(|it| it == name));
        name.starts_with("FABRICA_CREDENTIAL_") || is_named && !is_plain_name(value)
    };
    all.iter().filter_map(move |(name, value)| {
        let value = value.to_string_lossy();
        is_secret(name, &value).then(|| value.into_owned())
    })
}

fn login(text: &impl Fn(&str) -> Option<String>) -> Login {
    let Some(secret) = text("FABRICA_REPOSITORY_SECRET") else {
        return forge_login(text).unwrap_or(Login::None);
    };
    if let Some(token) = text("FABRICA_REPOSITORY_token") {
        return Login::Basic { username: TOKEN_USER.to_owned(), password: token };
    }
    match (text("FABRICA_REPOSITORY_username"), text("FABRICA_REPOSITORY_password")) {
        (Some(username), Some(password)) => Login::Basic { username, password },
        _ => Login::Incomplete { secret },
    }
}

/// Where an agent works, the token of the forge that the repository is on opens the repository too.
fn forge_login(text: &impl Fn(&str) -> Option<String>) -> Option<Login> {
    text("MODE").filter(|mode| mode == "run" || mode == "chat")?;
    let on_github = || text("REPO_URL").is_some_and(|url| url.starts_with("https://github.com/"));
    let name = match text("FABRICA_FORGE").as_deref() {
        Some("gitea") => "FABRICA_CREDENTIAL_GITEA_TOKEN",
        Some("github") => "FABRICA_CREDENTIAL_GITHUB_TOKEN",
        None if on_github() => "FABRICA_CREDENTIAL_GITHUB_TOKEN",
        _ => return None,
    };
    let password = text(name)?.trim().to_owned();
    Some(Login::Basic { username: TOKEN_USER.to_owned(), password })
}

/// Everything but our own variables; for people, with the credentials under their names.
fn shell_environment(
    all: &BTreeMap<OsString, OsString>,
    for_people: bool,
) -> BTreeMap<OsString, OsString> {
    let mut shell: BTreeMap<_, _> = all
        .iter()
        .filter(|(name, _)| !name.to_string_lossy().starts_with(OURS))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for name in CREDENTIALS.iter().filter(|_| for_people) {
        if let Some(value) = all.get(&OsString::from(format!("FABRICA_CREDENTIAL_{name}"))) {
            shell.insert(name.into(), value.clone());
        }
    }
    shell.insert("TERM".into(), "xterm-256color".into());
    shell.insert("COLORTERM".into(), "truecolor".into());
    shell.entry("LANG".into()).or_insert_with(|| "C.UTF-8".into());
    shell
        .entry("PATH".into())
        .or_insert_with(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into());
    shell
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Config")
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Repository").field("url", &self.url).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Login")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Config {
        Config::from_environment(
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())),
        )
    }

    #[test]
    fn shells_see_credentials_and_nothing_of_ours() {
        let config = read(&[
            ("SESSION_ID", "uid"),
            ("FABRICA_CREDENTIAL_OPENAI_API_KEY", "sk"),
            ("FABRICA_CREDENTIAL_OTHER", "hidden"),
            ("FABRICA_REPOSITORY_token", "hidden"),
            ("COLOUR", "green"),
        ]);
        let shell = |name: &str| {
            config
                .shell
                .get(&OsString::from(name))
                .map(|value| value.to_string_lossy().into_owned())
        };
        assert_eq!(shell("OPENAI_API_KEY").as_deref(), Some("sk"));
        assert_eq!(shell("COLOUR").as_deref(), Some("green"));
        assert_eq!(shell("SESSION_ID").as_deref(), Some("uid"));
        assert!(config.shell.values().all(|value| value != "hidden"));
        assert!(config.shell.keys().all(|name| !name.to_string_lossy().starts_with(OURS)));
    }

    #[test]
    fn what_came_out_of_a_secret_is_one() {
        let variables = [
            ("FABRICA_SECRET_ENV", "DATABASE_PASSWORD,PIN,DATABASE_USER"),
            ("DATABASE_PASSWORD", "tops3cret"),
            ("DATABASE_USER", "postgres"),
            ("PIN", "1234"),
            ("COLOUR", "turquoise"),
        ];
        let config = read(&variables);
        let text = "tops3cret 1234 postgres turquoise DATABASE_PASSWORD";
        let shown = "*** 1234 postgres turquoise DATABASE_PASSWORD";
        assert_eq!(config.secrets.redact(text), shown);
        assert_eq!(config.shell.get(OsStr::new("DATABASE_PASSWORD")), Some(&"tops3cret".into()));
    }

    #[test]
    fn a_login_is_a_token_or_a_pair_or_incomplete() {
        let login = |more: &[(&str, &str)]| {
            let mut all = vec![("REPO_URL", "https://h/x"), ("FABRICA_REPOSITORY_SECRET", "login")];
            all.extend(more);
            read(&all).repository.unwrap().login
        };
        assert!(
            matches!(login(&[("FABRICA_REPOSITORY_token", "t")]), Login::Basic { password, .. } if password == "t")
        );
        let pair = [("FABRICA_REPOSITORY_username", "u"), ("FABRICA_REPOSITORY_password", "p")];
        assert!(matches!(login(&pair), Login::Basic { username, .. } if username == "u"));
        assert!(matches!(login(&[]), Login::Incomplete { secret } if secret == "login"));
        assert!(read(&[("REPO_URL", "https://h/x")]).repository.unwrap().login == Login::None);
    }

    #[test]
    fn agents_commit_under_a_name() {
        let name = |variables: &[(&str, &str)]| read(variables).git_user.map(|user| user.name);
        assert_eq!(name(&[]), None);
        assert_eq!(name(&[("MODE", "run")]).as_deref(), Some("Fabrica"));
        let given = [("MODE", "run"), ("GIT_USER_NAME", "Ada"), ("GIT_USER_EMAIL", "ada@h")];
        assert_eq!(name(&given).as_deref(), Some("Ada"));
    }

    #[test]
    fn a_run_logs_in_with_the_forges_token() {
        let login = |url: &str, forge: &str, mode: &str| {
            let tokens = [
                ("FABRICA_CREDENTIAL_GITEA_TOKEN", "tea"),
                ("FABRICA_CREDENTIAL_GITHUB_TOKEN", "hub"),
            ];
            let place = [("REPO_URL", url), ("FABRICA_FORGE", forge), ("MODE", mode)];
            match read(&[&tokens[..], &place].concat()).repository.unwrap().login {
                Login::Basic { password, .. } => Some(password),
                _ => None,
            }
        };
        assert_eq!(login("https://h/x", "gitea", "run").as_deref(), Some("tea"));
        assert_eq!(login("https://h/x", "github", "run").as_deref(), Some("hub"));
        assert_eq!(login("https://github.com/a/b", "", "run").as_deref(), Some("hub"));
        // Nobody said that this host may have it.
        assert_eq!(login("https://h/x", "", "run"), None);
        assert_eq!(login("https://github.com.example/a", "", "run"), None);
        assert_eq!(login("https://h/x", "gitea", "chat").as_deref(), Some("tea"));
        assert_eq!(login("https://h/x", "gitea", "terminal"), None);
    }
}
