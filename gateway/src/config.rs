//! What the flags mean.

use std::net::SocketAddr;
use std::time::Duration;

use crate::flags::{AccessMode, DatabaseUrl, Flags};
use crate::forges::{Settings, SettingsError};
use crate::identity::origin::{Origin, OriginError};

/// Why the flags make no sense.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("--public-url must be a scheme and a host, such as https://fabrica.example.org")]
    PublicUrl(#[source] OriginError),
    #[error("--forges names what cannot be searched")]
    Forges(#[source] SettingsError),
}

/// How this gateway behaves.
#[derive(Debug, Clone)]
pub struct Config {
    pub address: SocketAddr,
    pub admin_address: SocketAddr,
    pub namespace: String,
    pub trust_secret: String,
    pub access: AccessMode,
    pub default_namespace: Option<String>,
    pub database_url: Option<DatabaseUrl>,
    pub long_plans: bool,
    /// Whether there may be Chats.
    pub chat: bool,
    /// Where traces are sent.
    pub otlp_endpoint: Option<String>,
    /// Those that forms search.
    pub forges: Vec<Settings>,
    /// What a model may cost where a spec says nothing, in USD.
    pub run_budget_usd: Option<String>,
    pub public_origin: Option<Origin>,
    pub recheck: Duration,
    pub drain: Duration,
}

impl TryFrom<Flags> for Config {
    type Error = ConfigError;

    fn try_from(flags: Flags) -> Result<Self, ConfigError> {
        let Flags {
            command: _,
            log: _,
            address,
            admin_address,
            namespace,
            trust_secret,
            access,
            default_namespace,
            database_url,
            long_plans,
            chat_enabled,
            otlp_endpoint,
            forges,
            run_budget_usd,
            public_url,
            recheck_seconds,
            drain_seconds,
        } = flags;
        // Charts pass an empty string for what is not set.
        let default_namespace = default_namespace.filter(|text| !text.is_empty());
        let public_origin = public_url
            .filter(|text| !text.is_empty())
            .map(|text| Origin::parse(text.trim_end_matches('/')))
            .transpose()
            .map_err(ConfigError::PublicUrl)?;
        let forges = forges.filter(|text| !text.is_empty());
        let forges = forges.as_deref().map_or(Ok(Vec::new()), Settings::parse);
        let forges = forges.map_err(ConfigError::Forges)?;
        Ok(Self {
            address,
            admin_address,
            namespace,
            trust_secret,
            access,
            default_namespace,
            database_url,
            long_plans,
            chat: chat_enabled,
            otlp_endpoint: otlp_endpoint.filter(|text| !text.is_empty()),
            forges,
            run_budget_usd: run_budget_usd.filter(|text| !text.is_empty()),
            public_origin,
            recheck: Duration::from_secs(recheck_seconds),
            drain: Duration::from_secs(drain_seconds),
        })
    }
}
