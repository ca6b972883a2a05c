//! Login, logout and me.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::read_json;
use super::caller::{Caller, address};
use crate::app::App;
use crate::identity::Refused;
use crate::identity::cookie::{self, CookieError};
use crate::identity::origin::{self, OriginCheck};
use crate::namespaces::{UsableNamespace, preferred};
use crate::problem::Problem;

/// What logs somebody in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// A Kubernetes token, such as `kubectl create token` prints.
    #[schema(min_length = 1)]
    token: String,
}

impl std::fmt::Debug for LoginRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LoginRequest").finish_non_exhaustive()
    }
}

/// A login that succeeded.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// The user's name in Kubernetes.
    pub username: String,
    /// When to log in again: with the token, but after 12 hours at the latest.
    pub expires_at: DateTime<Utc>,
}

/// Who the caller is and where they may work.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    pub username: String,
    pub groups: Vec<String>,
    /// When to log in again.
    pub expires_at: DateTime<Utc>,
    /// The namespaces in which the caller may list or create sessions or runs, by name.
    pub namespaces: Vec<UsableNamespace>,
    /// The namespace to offer first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub default_namespace: Option<String>,
    /// Whether sessions may have the mode Chat.
    pub chat_enabled: bool,
    /// What a model may cost where a spec names no `agent.budgetUSD`; absent: as much as it likes.
    #[serde(rename = "defaultBudgetUSD", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub default_budget_usd: Option<String>,
}

/// Exchanges a Kubernetes token for a login cookie.
#[utoipa::path(
    post, path = "/api/v1/login", tag = "login", request_body = LoginRequest, security(()),
    responses(
        (status = 200, description = "Logged in; the cookie is set", body = Login),
        (status = 401, description = "The token is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many failures; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Logins cannot be checked now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn login(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    if origin::check(&parts.headers, &parts.uri, app.config.public_origin.as_ref())
        == OriginCheck::Foreign
    {
        return Err(Refused::Origin.into());
    }
    let body: LoginRequest = read_json(&parts.headers, body).await?;
    let key = app.trust.cookie_key().ok_or(Refused::Unavailable)?;
    let identified = app.reviews.identify(body.token.trim(), address(&parts)).await;
    let identity = identified.map_err(|refused| {
        app.metrics.login(outcome(refused));
        Problem::from(refused)
    })?;
    let secure = !origin::is_loopback(&parts.headers, &parts.uri);
    let jar =
        cookie::seal(&identity, key, secure, Utc::now()).map_err(|error| cookie_problem(&error))?;
    app.metrics.login("succeeded");
    tracing::info!(user = identity.name(), "logged in");
    let login = Login { username: identity.user.name, expires_at: identity.expires };
    Ok((jar, Json(login)).into_response())
}

/// Makes the browser forget the login.
#[utoipa::path(
    post, path = "/api/v1/logout", tag = "login", security(()),
    responses(
        (status = 204, description = "The cookie is gone"),
        (status = 403, description = "The Origin is not this site", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn logout(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    if origin::check(&parts.headers, &parts.uri, app.config.public_origin.as_ref())
        == OriginCheck::Foreign
    {
        return Err(Refused::Origin.into());
    }
    let secure = !origin::is_loopback(&parts.headers, &parts.uri);
    Ok((StatusCode::NO_CONTENT, CookieJar::new().add(cookie::forget(secure))).into_response())
}

/// Tells who the caller is and where they may work.
#[utoipa::path(
    get, path = "/api/v1/me", tag = "login",
    responses(
        (status = 200, description = "The caller", body = Me),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn me(State(app): State<App>, Caller(identity): Caller) -> Result<Json<Me>, Problem> {
    let namespaces = app.namespaces.usable(&app.access, &identity).await?;
    let configured = app.config.default_namespace.as_deref();
    let preferred = preferred(&namespaces, configured, |namespace| namespace.create_sessions);
    let default_namespace =
        preferred.or(namespaces.first()).map(|namespace| namespace.name.clone());
    let expires_at = identity.expires;
    let user = identity.user;
    Ok(Json(Me {
        username: user.name,
        groups: user.groups,
        expires_at,
        namespaces,
        default_namespace,
        chat_enabled: app.config.chat,
        default_budget_usd: app.config.run_budget_usd.clone(),
    }))
}

fn outcome(refused: Refused) -> &'static str {
    match refused {
        Refused::NotLoggedIn | Refused::InvalidToken | Refused::Origin => "refused",
        Refused::TooMany { .. } => "limited",
        Refused::Unavailable => "failed",
    }
}

fn cookie_problem(error: &CookieError) -> Problem {
    tracing::warn!(%error, "no cookie could be made");
    match error {
        CookieError::TooLarge => Problem::forbidden(
            "This identity has too many groups for a browser's cookie; use Authorization: Bearer instead.",
        ),
        CookieError::Serialize(_) => Problem::unavailable("The login could not be written down."),
    }
}
