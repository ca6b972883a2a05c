//! The caller of a request: an identity, and the rule that a cookie needs a matching Origin.

use std::net::IpAddr;

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
        return app.reviews.identify(token, address(parts)).await;
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
