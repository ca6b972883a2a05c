//! The keys of this installation: read from the operator's Secret at start and every so often, so that rotation needs
//! no restart.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum_extra::extract::cookie::Key;
use chrono::{DateTime, Utc};
use fabrica_protocol::assertion::{AssertionError, Claims, Role};
use fabrica_protocol::trust::{COOKIE_KEY, KEYS, KeyDocument};
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;

use crate::kubernetes::{ApiError, answer};

/// The issuer in our assertions.
pub const ISSUER: &str = "fabrica-gateway";

/// How often the Secret is read. Pods know a new key minutes before it signs.
const PERIOD: Duration = Duration::from_secs(30);

/// How often it is tried while there are no keys yet.
const FIRST_PERIOD: Duration = Duration::from_secs(1);

/// Why there are no keys, or no assertion.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("get the trust Secret")]
    Get(#[source] ApiError),
    #[error("the trust Secret has no {0}")]
    Missing(&'static str),
    #[error("read {KEYS} of the trust Secret")]
    Parse(#[source] serde_json::Error),
    #[error("{COOKIE_KEY} of the trust Secret is shorter than 64 bytes")]
    CookieKey,
    #[error("no keys have been read yet")]
    NotRead,
    #[error("sign an assertion")]
    Sign(#[source] AssertionError),
}

struct Keys {
    document: KeyDocument,
    cookie: Key,
}

/// The keys last read. Written by [`keep_current`] alone.
#[derive(Default)]
pub struct Trust(RwLock<Option<Arc<Keys>>>);

impl std::fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Trust").field("ready", &self.is_ready()).finish()
    }
}

impl Trust {
    /// Whether keys have been read.
    pub fn is_ready(&self) -> bool {
        self.keys().is_some()
    }

    /// The key that seals cookies.
    pub fn cookie_key(&self) -> Option<Key> {
        self.keys().map(|keys| keys.cookie.clone())
    }

    /// A signed assertion, valid from now on for at most a minute.
    pub fn assertion(
        &self,
        audience: &str,
        user: &str,
        role: Role,
        connection: &str,
        now: DateTime<Utc>,
    ) -> Result<String, TrustError> {
        self.sign(&Claims::new(ISSUER, audience, user, role, connection, now), now)
    }

    /// The same for whoever may also answer what the agent asks.
    pub fn assertion_to_answer(
        &self,
        audience: &str,
        user: &str,
        role: Role,
        connection: &str,
        now: DateTime<Utc>,
    ) -> Result<String, TrustError> {
        let claims = Claims::new(ISSUER, audience, user, role, connection, now);
        self.sign(&Claims { answers: true, ..claims }, now)
    }

    fn sign(&self, claims: &Claims, now: DateTime<Utc>) -> Result<String, TrustError> {
        let keys = self.keys().ok_or(TrustError::NotRead)?;
        let signer = keys.document.signer(now).map_err(TrustError::Sign)?;
        signer.sign(claims).map_err(TrustError::Sign)
    }

    /// Takes over the keys of a Secret.
    pub fn read(&self, secret: &Secret) -> Result<(), TrustError> {
        let data = secret.data.as_ref();
        let value = |name: &'static str| {
            data.and_then(|data| data.get(name))
                .ok_or(TrustError::Missing(name))
                .map(|bytes| bytes.0.as_slice())
        };
        let document = serde_json::from_slice(value(KEYS)?).map_err(TrustError::Parse)?;
        let cookie = Key::try_from(value(COOKIE_KEY)?).map_err(|_| TrustError::CookieKey)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
            Some(Arc::new(Keys { document, cookie }));
        Ok(())
    }

    fn keys(&self) -> Option<Arc<Keys>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads the Secret again and again, for ever. What was read stays when it cannot be read once.
pub async fn keep_current(
    trust: Arc<Trust>,
    client: kube::Client,
    namespace: String,
    name: String,
) {
    let api: Api<Secret> = Api::namespaced(client, &namespace);
    loop {
        let secret = answer(api.get(&name)).await.map_err(TrustError::Get);
        if let Err(error) = secret.and_then(|secret| trust.read(&secret)) {
            tracing::warn!(error = %crate::chain(&error), secret = name, "the keys could not be read; the operator makes them");
        }
        let period = if trust.is_ready() { PERIOD } else { FIRST_PERIOD };
        tokio::time::sleep(period).await;
    }
}
