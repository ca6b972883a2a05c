//! The caller of a request: an identity, and the rule that a cookie needs a matching Origin.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::FromRequestParts;
use chrono::Utc;
use http::request::Parts;
use http::{HeaderMap, Method, header};

use crate::app::App;
use crate::identity::origin::{self, OriginCheck};
use crate::identity::{Identity, Refused, cookie};
use crate::problem::Problem;
use crate::server::ClientAddress;

/// Who sent a request.
#[derive(Debug, Clone)]
pub struct Caller(pub Identity);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        Ok(Self(authenticate(app, parts, !reads).await?))
    }
}

/// Finds the identity behind a request. `guarded`: with a cookie the Origin must be ours.
pub async fn authenticate(app: &App, parts: &Parts, guarded: bool) -> Result<Identity, Refused> {
    if let Some(token) = bearer_token(&parts.headers) {
        return by_token(app, token, address(parts)).await;
    }
    if !cookie::is_present(&parts.headers) {
        return Err(Refused::NotLoggedIn);
    }
    let key = app.trust.cookie_key().ok_or(Refused::Unavailable)?;
    let identity = cookie::open(&parts.headers, key, Utc::now()).ok_or(Refused::NotLoggedIn)?;
    let check = origin::check(&parts.headers, &parts.uri, app.config.public_origin.as_ref());
    if guarded && check != OriginCheck::Matches {
        return Err(Refused::Origin);
    }
    Ok(identity)
}

/// Reviews a token, unless this address has failed too often. Who once sent a good token is not kept out by others
/// behind the same address.
pub async fn by_token(app: &App, token: &str, address: IpAddr) -> Result<Identity, Refused> {
    if let Some(known) = app.reviews.remembered(token) {
        let held = known.filter(|identity| Utc::now() < identity.expires);
        return held.ok_or(Refused::NotLoggedIn);
    }
    let limited = !app.reviews.was_good(token);
    if limited {
        let attempt = app.logins().attempt(address, Instant::now());
        attempt.map_err(|wait| Refused::TooMany { seconds: wait.as_secs() + 1 })?;
    }
    let reviewed = app.reviews.review(token, Utc::now()).await;
    if limited && !matches!(reviewed, Ok(None)) {
        app.logins().succeeded(address, Instant::now());
    }
    match reviewed {
        Ok(identity) => identity.ok_or(Refused::NotLoggedIn),
        Err(error) => {
            tracing::warn!(error = crate::chain(&error), "a token could not be reviewed");
            Err(Refused::Unavailable)
        }
    }
}

/// Where a request came from; unknown ones share one limit.
pub fn address(parts: &Parts) -> IpAddr {
    let unknown = IpAddr::from([0, 0, 0, 0]);
    parts.extensions.get::<ClientAddress>().map_or(unknown, |address| address.0.ip())
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
