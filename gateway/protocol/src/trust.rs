//! The document in the operator's Secret `fabrica-trust`: every signing key, which of them signs now, and what pods
//! are told of them. Rotation publishes a key long before it signs, so that live pods know it by then.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::assertion::{AssertionError, PublicKey, PublicKeyList, Signer};

/// The Secret's data key of the signing keys ([`KeyDocument`] as JSON).
pub const KEYS: &str = "keys.json";

/// The Secret's data key of the 64 random bytes that seal login cookies.
pub const COOKIE_KEY: &str = "cookie.key";

/// The annotation that carries public keys to pods.
pub const ANNOTATION: &str = "fabrica.dev/trust-keys";

/// One signing key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    pub kid: String,
    /// The PKCS#8 document, base64.
    pub pkcs8: String,
    /// The raw public key, base64url without padding.
    pub x: String,
    pub created_at: DateTime<Utc>,
    /// From when on it signs: later than `created_at` by the time pods need to learn of it.
    pub active_at: DateTime<Utc>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// All keys, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDocument {
    pub keys: Vec<SigningKey>,
}

impl KeyDocument {
    /// The newest key that may sign now.
    pub fn signing_key(&self, now: DateTime<Utc>) -> Option<&SigningKey> {
        self.keys.iter().filter(|key| key.active_at <= now).max_by_key(|key| key.active_at)
    }

    /// A signer with that key.
    pub fn signer(&self, now: DateTime<Utc>) -> Result<Signer, AssertionError> {
        let key = self.signing_key(now).ok_or(AssertionError::UnknownKey)?;
        let pkcs8 = STANDARD.decode(&key.pkcs8).map_err(|_| AssertionError::ParsePrivateKey)?;
        Ok(Signer::new(&key.kid, &pkcs8))
    }

    /// What pods are told: the public half of every key, as JSON.
    pub fn public_annotation(&self) -> String {
        let keys = self
            .keys
            .iter()
            .map(|key| PublicKey { kid: key.kid.clone(), x: key.x.clone() })
            .collect();
        serde_json::to_string(&PublicKeyList { keys }).unwrap_or_default()
    }
}
