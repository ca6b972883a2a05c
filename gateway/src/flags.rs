//! What was typed on the command line or set in the environment.

use std::net::SocketAddr;

use clap::{Parser, Subcommand, ValueEnum};

/// The door to Fabrica: REST, sockets and the web page.
#[derive(Debug, Clone, Parser)]
#[command(name = "fabrica-gateway", version)]
pub struct Flags {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where browsers and tools connect.
    #[arg(long, env = "FABRICA_ADDRESS", default_value = "0.0.0.0:8080")]
    pub address: SocketAddr,

    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, env = "FABRICA_ADMIN_ADDRESS", default_value = "0.0.0.0:8081")]
    pub admin_address: SocketAddr,

    /// Log filter, as tracing writes it.
    #[arg(long, env = "FABRICA_LOG", default_value = "info")]
    pub log: String,

    /// The namespace of this installation, where the trust Secret is.
    #[arg(long, env = "POD_NAMESPACE", default_value = "fabrica-system")]
    pub namespace: String,

    /// The Secret with the signing keys and the cookie key; the operator makes it.
    #[arg(long, env = "FABRICA_TRUST_SECRET", default_value = "fabrica-trust")]
    pub trust_secret: String,

    /// Whether RBAC alone decides, or owners alone see what RBAC grants.
    #[arg(long, env = "FABRICA_ACCESS", value_enum, default_value_t = AccessMode::Rbac)]
    pub access: AccessMode,

    /// The namespace offered first; without it, the first one the caller may use.
    #[arg(long, env = "FABRICA_DEFAULT_NAMESPACE")]
    pub default_namespace: Option<String>,

    /// The archive's URL, postgres://…; unset: no archive.
    #[arg(long, env = "FABRICA_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<DatabaseUrl>,

    /// Whether a plan that is too long for a Run is put into a ConfigMap. It takes the right to create these.
    #[arg(long, env = "FABRICA_LONG_PLANS", default_value_t = false, action = clap::ArgAction::Set)]
    pub long_plans: bool,

    /// Whether sessions may have the mode Chat.
    #[arg(long, env = "FABRICA_CHAT_ENABLED", default_value_t = true, action = clap::ArgAction::Set)]
    pub chat_enabled: bool,

    /// Where traces are sent over OTLP/HTTP, such as http://collector.monitoring:4318. Unset: there are none.
    #[arg(long, env = "FABRICA_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,

    /// The forges that forms search, as a JSON list: [{"kind": "Gitea", "url": "https://…", "tokenFile": "/…"}].
    #[arg(long, env = "FABRICA_FORGES")]
    pub forges: Option<String>,

    /// What a model may cost where a spec says nothing, in USD: the page shows it, the operator decides it.
    #[arg(long, env = "FABRICA_RUN_BUDGET_USD")]
    pub run_budget_usd: Option<String>,

    /// The address people see, such as https://fabrica.example.org. With it an Origin must equal it;
    /// without it an Origin must name the host of the request.
    #[arg(long, env = "FABRICA_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// How often live sockets are checked again, in seconds. A right may be remembered for 10 s more, and is to end within 60 s.
    #[arg(long, env = "FABRICA_RECHECK_SECONDS", default_value_t = 45, value_parser = clap::value_parser!(u64).range(1..=45))]
    pub recheck_seconds: u64,

    /// How long a stopping gateway keeps serving, so that load balancers notice, in seconds.
    #[arg(long, env = "FABRICA_DRAIN_SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=300))]
    pub drain_seconds: u64,
}

/// A URL with a password in it, which is never shown.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL, for whoever connects.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DatabaseUrl")
    }
}

/// What to do instead of serving.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Command {
    /// Prints the OpenAPI document.
    Openapi,
}

/// Who sees a Session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AccessMode {
    /// Whoever RBAC lets.
    #[value(name = "Rbac", alias = "rbac")]
    Rbac,
    /// Only its owner, and only what RBAC lets.
    #[value(name = "Owner", alias = "owner")]
    Owner,
}
