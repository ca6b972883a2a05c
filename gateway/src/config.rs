//! What the flags mean.

use std::net::SocketAddr;
use std::time::Duration;

use crate::flags::{AccessMode, DatabaseUrl, Flags};
use crate::identity::origin::{Origin, OriginError};

/// Why the flags make no sense.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("--public-url must be a scheme and a host, such as https://fabrica.example.org")]
    PublicUrl(#[source] OriginError),
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
    pub public_origin: Option<Origin>,
    pub recheck: Duration,
    pub drain: Duration,
}

impl TryFrom<Flags> for Config {
    type Error = ConfigError;

    fn try_from(flags: Flags) -> Result<Self, ConfigError> {
        let Flags {
            command: _,
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
            public_origin,
            recheck: Duration::from_secs(recheck_seconds),
            drain: Duration::from_secs(drain_seconds),
        })
    }
}
