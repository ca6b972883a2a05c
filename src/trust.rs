//! The signing keys: made when absent, replaced in time, published before they sign.
//!
//! They are never a chart template: a GitOps render must be the same every time.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use fabrica_crds::names;
use fabrica_protocol::trust::{COOKIE_KEY, KEYS, KeyDocument, SigningKey};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::TrustConfig;

/// Between two looks at the Secret.
const PERIOD: Duration = Duration::from_secs(5);
/// Bytes that seal login cookies.
const COOKIE_KEY_BYTES: usize = 64;
/// A key outlives its successor's first use by this much, so that assertions under way stay good.
const GRACE_SECONDS: i64 = 600;
/// Where the Secret notes which wish for rotation was granted.
const ROTATED: &str = "fabrica.dev/rotated";

/// Why keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("read the Secret")]
    Read(#[source] kube::Error),
    #[error("write the Secret")]
    Write(#[source] kube::Error),
    #[error(
        "the Secret's {KEYS} is not what the operator wrote; delete the Secret to have new keys made"
    )]
    Parse(#[source] serde_json::Error),
    #[error("the Secret has no {KEYS}; delete it to have new keys made")]
    Missing,
    #[error("make a key")]
    Generate,
}

/// The present keys, shared with those who sign and publish.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<RwLock<Arc<KeyDocument>>>);

impl Keys {
    /// The keys as they stand.
    pub fn current(&self) -> Arc<KeyDocument> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Keys of their own, for tests that sign.
    #[cfg(test)]
    pub(crate) fn fresh() -> Self {
        let (keys, now) = (Self::default(), Utc::now());
        keys.set(KeyDocument { keys: generate(now, now).into_iter().collect() });
        keys
    }

    fn set(&self, document: KeyDocument) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(document);
    }
}

/// Owns the Secret.
#[derive(Debug)]
pub struct Keeper {
    api: Api<Secret>,
    config: TrustConfig,
    keys: Keys,
    changed: watch::Sender<()>,
}

impl Keeper {
    /// A keeper, the keys it keeps, and a signal that they changed.
    pub fn new(
        client: kube::Client,
        namespace: &str,
        config: TrustConfig,
    ) -> (Self, Keys, watch::Receiver<()>) {
        let keys = Keys::default();
        let (changed, receiver) = watch::channel(());
        let keeper =
            Self { api: Api::namespaced(client, namespace), config, keys: keys.clone(), changed };
        (keeper, keys, receiver)
    }

    /// Keeps the keys until told to stop. Errors are told and tried again.
    pub async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.step(Utc::now()).await {
                tracing::warn!(error = %error, "the signing keys cannot be kept");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    /// One look: makes, replaces or reads.
    pub async fn step(&self, now: DateTime<Utc>) -> Result<(), TrustError> {
        let found = self.api.get_opt(&self.config.secret).await.map_err(TrustError::Read)?;
        let document = match found {
            None => self.create(now).await?,
            Some(secret) => self.renew(secret, now).await?,
        };
        if *self.keys.current() != document {
            self.keys.set(document);
            self.changed.send_replace(());
        }
        Ok(())
    }

    async fn create(&self, now: DateTime<Utc>) -> Result<KeyDocument, TrustError> {
        // The first key signs at once: no pod exists that would have to learn of it.
        let document = KeyDocument { keys: vec![generate(now, now)?] };
        let mut cookie_key = vec![0; COOKIE_KEY_BYTES];
        SystemRandom::new().fill(&mut cookie_key).map_err(|_| TrustError::Generate)?;
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(self.config.secret.clone()),
                labels: Some(BTreeMap::from([(
                    names::MANAGED_BY.to_owned(),
                    names::MANAGER.to_owned(),
                )])),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([
                (KEYS.to_owned(), encode(&document)?),
                (COOKIE_KEY.to_owned(), ByteString(cookie_key)),
            ])),
            ..Secret::default()
        };
        self.api.create(&PostParams::default(), &secret).await.map_err(TrustError::Write)?;
        tracing::info!("made the signing keys");
        Ok(document)
    }

    async fn renew(
        &self,
        mut secret: Secret,
        now: DateTime<Utc>,
    ) -> Result<KeyDocument, TrustError> {
        let data =
            secret.data.as_ref().and_then(|data| data.get(KEYS)).ok_or(TrustError::Missing)?;
        let document: KeyDocument = serde_json::from_slice(&data.0).map_err(TrustError::Parse)?;
        let wish = secret.annotations().get(names::ROTATE).cloned();
        let asked = wish.is_some() && secret.annotations().get(ROTATED) != wish.as_ref();
        let Some(next) = rotate(&document, asked, &self.config, now)? else { return Ok(document) };
        if let Some(wish) = wish {
            secret.annotations_mut().insert(ROTATED.to_owned(), wish);
        }
        secret.data.get_or_insert_default().insert(KEYS.to_owned(), encode(&next)?);
        // With the resourceVersion that was read: two operators cannot both rotate.
        self.api
            .replace(&self.config.secret, &PostParams::default(), &secret)
            .await
            .map_err(TrustError::Write)?;
        tracing::info!(keys = next.keys.len(), "changed the signing keys");
        Ok(next)
    }
}

/// The next document, if it differs: a new key when asked or due, without keys that nobody signs with any more.
fn rotate(
    document: &KeyDocument,
    asked: bool,
    config: &TrustConfig,
    now: DateTime<Utc>,
) -> Result<Option<KeyDocument>, TrustError> {
    let mut next = document.clone();
    let newest = document.keys.iter().map(|key| key.created_at).max();
    if asked || newest.is_none_or(|created| now - created >= config.rotate_after) {
        next.keys.push(generate(now, now + config.publish_before)?);
    }
    let signing = next.signing_key(now).map(|key| key.active_at);
    if let Some(since) = signing.filter(|since| (now - since).num_seconds() >= GRACE_SECONDS) {
        next.keys.retain(|key| key.active_at >= since);
    }
    Ok((next != *document).then_some(next))
}

fn generate(created_at: DateTime<Utc>, active_at: DateTime<Utc>) -> Result<SigningKey, TrustError> {
    /// Enough of the public key to tell keys apart.
    const ID_BYTES: usize = 8;
    let document =
        Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| TrustError::Generate)?;
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| TrustError::Generate)?;
    let public = pair.public_key().as_ref();
    Ok(SigningKey {
        kid: URL_SAFE_NO_PAD.encode(&public[..ID_BYTES]),
        pkcs8: STANDARD.encode(document.as_ref()),
        x: URL_SAFE_NO_PAD.encode(public),
        created_at,
        active_at,
    })
}

fn encode(document: &KeyDocument) -> Result<ByteString, TrustError> {
    serde_json::to_vec(document).map(ByteString).map_err(TrustError::Parse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabrica_protocol::assertion::{Claims, PublicKeys, Role};

    fn config() -> TrustConfig {
        TrustConfig {
            secret: "fabrica-trust".to_owned(),
            rotate_after: chrono::Duration::days(30),
            publish_before: chrono::Duration::seconds(300),
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn a_key_that_was_made_signs_what_pods_believe() {
        let document = KeyDocument { keys: vec![generate(at(0), at(0)).unwrap()] };
        let claims =
            Claims::new("fabrica-operator", "uid", "operator", Role::Operator, "one", at(1));
        let token = document.signer(at(1)).unwrap().sign(&claims).unwrap();
        let keys = PublicKeys::parse(&document.public_annotation()).unwrap();
        assert_eq!(keys.verify(&token, "uid", at(1)).unwrap(), claims);
    }

    #[test]
    fn a_new_key_is_published_long_before_it_signs_and_the_old_one_leaves_long_after() {
        let first = KeyDocument { keys: vec![generate(at(0), at(0)).unwrap()] };
        assert_eq!(rotate(&first, false, &config(), at(10)).unwrap(), None);
        let both = rotate(&first, true, &config(), at(10)).unwrap().unwrap();
        assert_eq!(both.keys.len(), 2);
        assert_eq!(both.signing_key(at(11)).unwrap().kid, first.keys[0].kid);
        assert_eq!(both.signing_key(at(311)).unwrap().kid, both.keys[1].kid);
        assert_eq!(rotate(&both, false, &config(), at(400)).unwrap(), None);
        let last = rotate(&both, false, &config(), at(1000)).unwrap().unwrap();
        assert_eq!(last.keys, both.keys[1..]);
    }

    #[test]
    fn a_key_that_is_old_is_replaced_unasked() {
        let first = KeyDocument { keys: vec![generate(at(0), at(0)).unwrap()] };
        let month = 30 * 24 * 3600;
        assert_eq!(rotate(&first, false, &config(), at(month)).unwrap().unwrap().keys.len(), 2);
    }
}
