//! Assertions: JWTs (EdDSA) by which gateway and operator vouch for one request to one pod.
//!
//! A pod holds public keys only. An assertion is bound to the object's UID, so one that a pod catches is useless at
//! any other, and it lives for at most [`LIFETIME_SECONDS`].

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// The longest an assertion may live, and how long ours do.
pub const LIFETIME_SECONDS: i64 = 60;

/// How far the clocks of two nodes may differ.
const CLOCK_SKEW_SECONDS: i64 = 10;

/// Why an assertion was refused. Texts are for logs; a caller only learns that it was.
#[derive(Debug, thiserror::Error)]
pub enum AssertionError {
    #[error("read the public keys")]
    ParseKeys(#[source] serde_json::Error),
    #[error("the public key «{0}» is not an Ed25519 key")]
    ParseKey(String),
    #[error("read the private key")]
    ParsePrivateKey,
    #[error("sign the assertion")]
    Sign(#[source] jsonwebtoken::errors::Error),
    #[error("the assertion is malformed, expired, or meant for another object")]
    Verify(#[source] jsonwebtoken::errors::Error),
    #[error("the assertion names a key that is unknown here")]
    UnknownKey,
    #[error("the assertion lives longer than {LIFETIME_SECONDS} s")]
    TooLong,
}

/// What a request may do in the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Types, opens, closes, uploads.
    Control,
    /// Watches and downloads.
    View,
    /// Reads events and idleness, closes connections: gateway and operator themselves.
    Operator,
}

/// The body of an assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed: `fabrica-gateway` or `fabrica-operator`.
    pub iss: String,
    /// UID of the object whose pod this is for.
    pub aud: String,
    /// The user on whose behalf it is made.
    pub sub: String,
    pub role: Role,
    /// Whether the user may answer what the agent asks.
    #[serde(default, skip_serializing_if = "is_false")]
    pub answers: bool,
    /// Id of the connection: used once, and the name by which it is closed.
    pub jti: String,
    /// Issued at, in seconds since the epoch.
    pub iat: i64,
    /// Expires at, in seconds since the epoch.
    pub exp: i64,
}

impl Claims {
    /// Claims that begin now and live for [`LIFETIME_SECONDS`].
    pub fn new(iss: &str, aud: &str, sub: &str, role: Role, jti: &str, now: DateTime<Utc>) -> Self {
        let iat = now.timestamp();
        Self {
            iss: iss.to_owned(),
            aud: aud.to_owned(),
            sub: sub.to_owned(),
            role,
            answers: false,
            jti: jti.to_owned(),
            iat,
            exp: iat + LIFETIME_SECONDS,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Signs claims with one private key.
#[derive(Clone)]
pub struct Signer {
    key_id: String,
    key: EncodingKey,
}

impl Signer {
    /// A signer for the PKCS#8 document of an Ed25519 key.
    pub fn new(key_id: &str, pkcs8: &[u8]) -> Self {
        Self { key_id: key_id.to_owned(), key: EncodingKey::from_ed_der(pkcs8) }
    }

    /// The id of the key it signs with.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The signed token.
    pub fn sign(&self, claims: &Claims) -> Result<String, AssertionError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, claims, &self.key).map_err(AssertionError::Sign)
    }
}

impl Debug for Signer {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// The public half of one key, as it stands in a pod's annotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    pub kid: String,
    /// The raw 32 bytes, base64url without padding.
    pub x: String,
}

/// The annotation's document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeyList {
    pub keys: Vec<PublicKey>,
}

/// The keys a pod believes.
#[derive(Clone, Default)]
pub struct PublicKeys {
    keys: BTreeMap<String, DecodingKey>,
}

impl PublicKeys {
    /// Reads the annotation's JSON, `{"keys":[{"kid","x"}]}`.
    pub fn parse(json: &str) -> Result<Self, AssertionError> {
        let list: PublicKeyList = serde_json::from_str(json).map_err(AssertionError::ParseKeys)?;
        let mut keys = BTreeMap::new();
        for key in list.keys {
            let decoding = DecodingKey::from_ed_components(&key.x)
                .map_err(|_| AssertionError::ParseKey(key.kid.clone()))?;
            keys.insert(key.kid, decoding);
        }
        Ok(Self { keys })
    }

    /// The claims of a token that one of these keys signed for this audience, if it holds at `now`.
    pub fn verify(
        &self,
        token: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<Claims, AssertionError> {
        let header = jsonwebtoken::decode_header(token).map_err(AssertionError::Verify)?;
        let key = header.kid.and_then(|id| self.keys.get(&id)).ok_or(AssertionError::UnknownKey)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[audience]);
        validation.set_issuer(&["fabrica-gateway", "fabrica-operator"]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        // Time is an argument here, so the library's own look at the clock is switched off.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &validation)
            .map_err(AssertionError::Verify)?
            .claims;
        let seconds = now.timestamp();
        // A signer is trusted, but no number of its must make us panic.
        if claims.exp.saturating_sub(claims.iat) > LIFETIME_SECONDS {
            return Err(AssertionError::TooLong);
        }
        if seconds > claims.exp.saturating_add(CLOCK_SKEW_SECONDS)
            || seconds < claims.iat.saturating_sub(CLOCK_SKEW_SECONDS)
        {
            let expired = jsonwebtoken::errors::ErrorKind::ExpiredSignature;
            return Err(AssertionError::Verify(expired.into()));
        }
        Ok(claims)
    }
}

impl Debug for PublicKeys {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.keys.keys()).finish()
    }
}
