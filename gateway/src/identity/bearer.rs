//! Bearer tokens: reviewed by the API server, remembered for a few seconds.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::api::{Api, PostParams};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::attempts::Attempts;
use super::flight::Flights;
use super::{Identity, Refused, User};
use crate::cache::ExpiringTable;
use crate::kubernetes::{ApiError, answer};

/// How long a review holds: as long as any other decision.
const LIFETIME: Duration = Duration::from_secs(10);

/// How long a token that was good counts as no guess: its next review is not limited.
const GOOD_LIFETIME: Duration = Duration::from_hours(1);

/// Tokens remembered at a time.
const CAPACITY: usize = 1024;

/// The longest token that is worth a question.
const TOKEN_BYTES: usize = 16 * 1024;

/// The longest that any login holds.
const LOGIN_HOURS: i64 = 12;

/// Why a token could not be reviewed.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    #[error("ask the API server to review a token")]
    Ask(#[source] ApiError),
}

/// What a token is remembered by: no token is kept.
type TokenHash = [u8; 32];

/// Asks the API server whose token it is.
pub struct TokenReviews {
    api: Api<TokenReview>,
    known: Mutex<ExpiringTable<TokenHash, Option<Identity>>>,
    good: Mutex<ExpiringTable<TokenHash, ()>>,
    attempts: Attempts,
    /// By address, too: nobody waits, or is refused, for what another address has done.
    asked: Flights<(TokenHash, IpAddr), Result<Identity, Refused>>,
}

impl std::fmt::Debug for TokenReviews {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TokenReviews").finish_non_exhaustive()
    }
}

impl TokenReviews {
    /// Reviews through this client.
    pub fn new(client: kube::Client) -> Self {
        Self {
            api: Api::all(client),
            known: Mutex::new(ExpiringTable::new(LIFETIME, CAPACITY)),
            good: Mutex::new(ExpiringTable::new(GOOD_LIFETIME, CAPACITY)),
            attempts: Attempts::new(Instant::now()),
            asked: Flights::default(),
        }
    }

    /// The identity behind a token that was sent from an address, unless too many of there have failed. All who send the
    /// same token at once get the answer to one review. Who once sent a good token is not kept out by others behind the
    /// same address.
    pub async fn identify(&self, token: &str, address: IpAddr) -> Result<Identity, Refused> {
        if token.is_empty() || token.len() > TOKEN_BYTES {
            return Err(Refused::InvalidToken);
        }
        let hash = TokenHash::from(Sha256::digest(token));
        if let Some(known) = self.known().get(&hash, Instant::now()) {
            let held = known.filter(|identity| Utc::now() < identity.expires);
            return held.ok_or(Refused::InvalidToken);
        }
        self.asked.answer((hash, address), self.review_within_limits(token, hash, address)).await
    }

    async fn review_within_limits(
        &self,
        token: &str,
        hash: TokenHash,
        address: IpAddr,
    ) -> Result<Identity, Refused> {
        let was_good = self.good().get(&hash, Instant::now()).is_some();
        let attempt = if was_good { None } else { Some(self.attempts.begin(address).await) };
        let attempt =
            attempt.transpose().map_err(|wait| Refused::TooMany { seconds: wait.as_secs() + 1 })?;
        let reviewed = self.review(token, hash, Utc::now()).await;
        if let Some(attempt) = attempt
            && !matches!(reviewed, Ok(None))
        {
            attempt.succeed();
        }
        match reviewed {
            Ok(identity) => identity.ok_or(Refused::InvalidToken),
            Err(error) => {
                tracing::warn!(error = crate::chain(&error), "a token could not be reviewed");
                Err(Refused::Unavailable)
            }
        }
    }

    /// The identity behind a token; none when the API server does not accept it.
    async fn review(
        &self,
        token: &str,
        hash: TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<Identity>, ReviewError> {
        let spec = TokenReviewSpec { token: Some(token.to_owned()), audiences: None };
        let review = TokenReview { spec, ..TokenReview::default() };
        let parameters = PostParams::default();
        let answer =
            answer(self.api.create(&parameters, &review)).await.map_err(ReviewError::Ask)?;
        let identity = answer
            .status
            .filter(|status| status.authenticated == Some(true))
            .and_then(|status| status.user)
            .map(User::from)
            .filter(|user| !user.name.is_empty())
            .map(|user| Identity::new(user, expiry(token, now)));
        if identity.is_some() {
            self.good().insert(hash, (), Instant::now());
        }
        self.known().insert(hash, identity.clone(), Instant::now());
        Ok(identity)
    }

    fn known(&self) -> MutexGuard<'_, ExpiringTable<TokenHash, Option<Identity>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn good(&self) -> MutexGuard<'_, ExpiringTable<TokenHash, ()>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A login never outlives its token, nor twelve hours.
fn expiry(token: &str, now: DateTime<Utc>) -> DateTime<Utc> {
    let now = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now);
    let longest = now + TimeDelta::hours(LOGIN_HOURS);
    token_expiry(token).map_or(longest, |expiry| expiry.min(longest))
}

/// The `exp` of a JWT. The API server has checked the signature; other tokens have none.
fn token_expiry(token: &str) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let payload = token.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    DateTime::from_timestamp(claims.exp, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_ends_with_its_token() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let token =
            |exp: i64| format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{exp}}}")));
        assert_eq!(expiry(&token(1_003_600), now).timestamp(), 1_003_600);
        assert_eq!(expiry(&token(9_000_000), now), now + TimeDelta::hours(12));
        assert_eq!(expiry("static-token", now), now + TimeDelta::hours(12));
    }
}
