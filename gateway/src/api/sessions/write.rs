//! One Session at a time: get, create, delete, suspend, resume.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use fabrica_crds::Session;
use fabrica_crds::session::{AgentState, Mode};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::access::Verb;
use crate::api::body::read_json;
use crate::api::caller::Caller;
use crate::api::named::Named;
use crate::api::objects::write::{Draft, change, create, created, permitted, remove, trace};
use crate::app::App;
use crate::names::check_namespace;
use crate::objects::SessionView;
use crate::openapi::SessionSpecSchema;
use crate::problem::Problem;

/// A Session to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CreateSession {
    /// Its name. Absent: one is made from generateName.
    #[schema(max_length = 52, nullable = false)]
    name: Option<String>,
    /// The beginning of a name that is made. Absent: `session-`.
    #[schema(max_length = 47, nullable = false)]
    generate_name: Option<String>,
    /// The CRD's own spec. The owner is set to you.
    #[schema(value_type = SessionSpecSchema)]
    spec: Map<String, Value>,
}

/// Gets one session.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/sessions/{name}", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name")),
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 400, description = "The path names what no object can be called; errors names the part", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get_session(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Session>,
) -> Result<Json<SessionView>, Problem> {
    Ok(Json(permitted(&app, &identity, Verb::Get, &key).await?))
}

/// Creates a session. The caller becomes its owner.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/sessions", tag = "sessions", request_body = CreateSession,
    params(("namespace" = String, Path, description = "The namespace")),
    responses(
        (status = 201, description = "Created", body = SessionView),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed, by RBAC, a quota or a policy, or mode Chat is switched off", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such namespace, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields are wrong; errors names them", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create_session(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(namespace): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    check_namespace(&namespace)?;
    let (parts, body) = request.into_parts();
    let CreateSession { name, generate_name, spec } = read_json(&parts.headers, body).await?;
    allow_mode(&app, &spec)?;
    let draft = Draft { name, generate_name, spec, trace: trace(&parts.headers) };
    Ok(created(create::<Session>(&app, &identity, &namespace, draft).await?))
}

/// Refuses an agent where such Sessions are switched off.
pub(super) fn allow_mode(app: &App, spec: &Map<String, Value>) -> Result<(), Problem> {
    let has_agent = spec.get("mode") == Some(&json!(Mode::Chat))
        || spec.get("agentState") == Some(&json!(AgentState::On));
    if app.config.chat || !has_agent {
        return Ok(());
    }
    let detail = "Mode Chat is switched off here, and with it agents in Terminals. Use mode Terminal without one, or ask whoever runs the cluster for the chart's session.chatEnabled.";
    Err(Problem::forbidden(detail))
}

/// Deletes a session, its pod, and its volume unless the spec retains it.
#[utoipa::path(
    delete, path = "/api/v1/namespaces/{namespace}/sessions/{name}", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name")),
    responses(
        (status = 204, description = "It is being deleted"),
        (status = 400, description = "The path names what no object can be called; errors names the part", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was replaced meanwhile", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete_session(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Session>,
) -> Result<StatusCode, Problem> {
    remove::<Session>(&app, &identity, &key).await
}

/// Stops a session's pod and keeps its volume.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/sessions/{name}/suspend", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name")),
    responses(
        (status = 200, description = "The session as asked for", body = SessionView),
        (status = 400, description = "The path names what no object can be called; errors names the part", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It has no volume", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn suspend_session(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Session>,
) -> Result<Json<SessionView>, Problem> {
    let view = permitted::<Session>(&app, &identity, Verb::Patch, &key).await?;
    change(&app, &view, json!({"operatingMode": "Suspended"})).await
}

/// Runs a stopped session again, whatever stopped it.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/sessions/{name}/resume", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name")),
    responses(
        (status = 200, description = "The session as asked for", body = SessionView),
        (status = 400, description = "The path names what no object can be called; errors names the part", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The API server refuses the change", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn resume_session(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Session>,
) -> Result<Json<SessionView>, Problem> {
    let view = permitted::<Session>(&app, &identity, Verb::Patch, &key).await?;
    let stopped = view.status.as_ref().and_then(|status| status.stopped_at.as_ref());
    let wake = wake_time(stopped.map(fabrica_crds::time::from_kubernetes), Utc::now());
    change(&app, &view, json!({"operatingMode": "Running", "wakeTime": wake})).await
}

/// The time to wake at: now, but later than the stop, which is known to the second only.
fn wake_time(stopped: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    let after_stop = stopped.map_or(now, |stopped| stopped + TimeDelta::seconds(1));
    now.max(after_stop).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waking_is_later_than_the_stop() {
        let now = DateTime::from_timestamp(1000, 500_000_000).unwrap();
        let stop = |seconds| DateTime::from_timestamp(seconds, 0);
        assert_eq!(wake_time(None, now), "1970-01-01T00:16:40Z");
        assert_eq!(wake_time(stop(900), now), "1970-01-01T00:16:40Z");
        assert_eq!(wake_time(stop(1000), now), "1970-01-01T00:16:41Z");
    }
}
