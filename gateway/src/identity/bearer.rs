//! Bearer tokens: reviewed by the API server, remembered for a few seconds.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::api::{Api, PostParams};
use serde::Deserialize;

use super::{Identity, User};
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

/// Asks the API server whose token it is.
pub struct TokenReviews {
    api: Api<TokenReview>,
    known: Mutex<ExpiringTable<String, Option<Identity>>>,
    good: Mutex<ExpiringTable<u64, ()>>,
    hasher: RandomState,
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
            hasher: RandomState::new(),
        }
    }

    /// What is remembered of a token: nothing, or whether it is somebody's.
    pub fn remembered(&self, token: &str) -> Option<Option<Identity>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&token.to_owned(), Instant::now())
    }

    /// Whether this token was good not long ago. It says nothing of now.
    pub fn was_good(&self, token: &str) -> bool {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.get(&self.hasher.hash_one(token), Instant::now()).is_some()
    }

    /// The identity behind a token; none when the API server does not accept it.
    pub async fn review(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Identity>, ReviewError> {
        if token.is_empty() || token.len() > TOKEN_BYTES {
            return Ok(None);
        }
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
            let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
            good.insert(self.hasher.hash_one(token), (), Instant::now());
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(token.to_owned(), identity.clone(), Instant::now());
        Ok(identity)
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
