//! One Session at a time: get, create, delete, suspend, resume. The API server answers, and its errors are translated.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use fabrica_crds::Session;
use http::{StatusCode, header};
use kube::Resource;
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::access::{Question, Verb};
use crate::api::body::read_json;
use crate::api::caller::Caller;
use crate::api::named::Named;
use crate::app::App;
use crate::identity::Identity;
use crate::kubernetes::answer;
use crate::names::{SessionKey, check_namespace, check_new_name};
use crate::openapi::SpecSchema;
use crate::problem::Problem;
use crate::sessions::SessionView;

/// Whose writes these are, in managedFields.
const FIELD_MANAGER: &str = "fabrica-gateway";

/// What is appended to this when neither name nor generateName is given.
const DEFAULT_GENERATE_NAME: &str = "session-";

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
    #[schema(value_type = SpecSchema)]
    spec: Map<String, Value>,
}

/// Gets one session.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/sessions/{name}", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name")),
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get_session(
    State(app): State<App>,
    Caller(identity): Caller,
    Named(key): Named,
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
        (status = 403, description = "Not allowed, by RBAC, a quota or a policy", body = Problem, content_type = "application/problem+json"),
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
    let body: CreateSession = read_json(&parts.headers, body).await?;
    let object = manifest(body, &namespace, identity.name())?;
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let question = Question { name, ..Question::namespace(Verb::Create, &namespace) };
    if !app.access.permits(&identity, question).await? {
        return Err(refused_in_namespace(&app, &identity, &namespace).await?);
    }
    let session = create_strictly(&app, &namespace, &object).await?;
    let view = SessionView::from(session);
    tracing::info!(user = identity.name(), session = %view.key(), uid = view.uid, "created a session");
    let location = format!("/api/v1/namespaces/{}/sessions/{}", view.namespace, view.name);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(view)).into_response())
}

/// Deletes a session, its pod, and its volume unless the spec retains it.
#[utoipa::path(
    delete, path = "/api/v1/namespaces/{namespace}/sessions/{name}", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name")),
    responses(
        (status = 204, description = "It is being deleted"),
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
    Named(key): Named,
) -> Result<StatusCode, Problem> {
    let view = permitted(&app, &identity, Verb::Delete, &key).await?;
    let preconditions = Preconditions { uid: Some(view.uid.clone()), resource_version: None };
    let parameters = DeleteParams::background().preconditions(preconditions);
    answer(sessions(&app, &key).delete(&key.name, &parameters)).await?;
    tracing::info!(user = identity.name(), session = %key, uid = view.uid, "deleted a session");
    Ok(StatusCode::NO_CONTENT)
}

/// Stops a session's pod and keeps its volume.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/sessions/{name}/suspend", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name")),
    responses(
        (status = 200, description = "The session as asked for", body = SessionView),
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
    Named(key): Named,
) -> Result<Json<SessionView>, Problem> {
    let view = permitted(&app, &identity, Verb::Patch, &key).await?;
    change(&app, &key, &view, json!({"operatingMode": "Suspended"})).await
}

/// Runs a stopped session again, whatever stopped it.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/sessions/{name}/resume", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name")),
    responses(
        (status = 200, description = "The session as asked for", body = SessionView),
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
    Named(key): Named,
) -> Result<Json<SessionView>, Problem> {
    let view = permitted(&app, &identity, Verb::Patch, &key).await?;
    let stopped = view.status.as_ref().and_then(|status| status.stopped_at.as_ref());
    let wake = wake_time(stopped.map(fabrica_crds::time::from_kubernetes), Utc::now());
    change(&app, &key, &view, json!({"operatingMode": "Running", "wakeTime": wake})).await
}

/// The time to wake at: now, but later than the stop, which is known to the second only.
fn wake_time(stopped: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    let after_stop = stopped.map_or(now, |stopped| stopped + TimeDelta::seconds(1));
    now.max(after_stop).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The Session, if the caller may do this to it. Who may not even see it is told that it does not exist.
async fn permitted(
    app: &App,
    identity: &Identity,
    verb: Verb,
    key: &SessionKey,
) -> Result<SessionView, Problem> {
    let allowed = app.access.permits(identity, Question::session(verb, key)).await?;
    if !allowed
        && (verb == Verb::Get
            || !app.access.permits(identity, Question::session(Verb::Get, key)).await?)
    {
        return Err(Problem::not_found("This session"));
    }
    let session = answer(sessions(app, key).get(&key.name)).await?;
    let view = SessionView::from(session);
    if !app.access.admits_owner(identity, view.owner()) {
        return Err(Problem::not_found("This session"));
    }
    if !allowed {
        let verb = verb.as_str();
        return Err(Problem::forbidden(format!(
            "You may not {verb} this session; ask for the verb {verb} on sessions.fabrica.dev in {}.",
            key.namespace
        )));
    }
    Ok(view)
}

async fn refused_in_namespace(
    app: &App,
    identity: &Identity,
    namespace: &str,
) -> Result<Problem, Problem> {
    if app.access.permits(identity, Question::namespace(Verb::List, namespace)).await? {
        return Ok(Problem::forbidden(format!(
            "You may not create sessions here; ask for the verb create on sessions.fabrica.dev in {namespace}."
        )));
    }
    Ok(Problem::not_found("This namespace"))
}

async fn change(
    app: &App,
    key: &SessionKey,
    view: &SessionView,
    spec: Value,
) -> Result<Json<SessionView>, Problem> {
    // The UID as a precondition: a Session that was replaced meanwhile is another one.
    let patch = json!({"metadata": {"uid": view.uid}, "spec": spec});
    let parameters =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let parameters = parameters.validation_strict();
    let patch = Patch::Merge(patch);
    Ok(Json(answer(sessions(app, key).patch(&key.name, &parameters, &patch)).await?.into()))
}

fn manifest(body: CreateSession, namespace: &str, username: &str) -> Result<Value, Problem> {
    let CreateSession { name, generate_name, mut spec } = body;
    if let Some(owner) = spec.get("owner").filter(|owner| **owner != json!(username)) {
        let message = format!("must be {username} or absent: a session belongs to who creates it");
        tracing::debug!(%owner, "refused a foreign owner");
        return Err(Problem::invalid("spec.owner", message));
    }
    spec.insert("owner".to_owned(), json!(username));
    let mut metadata = json!({"namespace": namespace});
    match (name, generate_name) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid(
                "generateName",
                "give either name or generateName, not both",
            ));
        }
        (Some(name), None) => {
            check_new_name("name", &name)?;
            metadata["name"] = json!(name);
        }
        (None, prefix) => {
            let prefix = prefix.unwrap_or_else(|| DEFAULT_GENERATE_NAME.to_owned());
            check_new_name("generateName", &prefix)?;
            metadata["generateName"] = json!(prefix);
        }
    }
    let kind = Session::kind(&());
    Ok(
        json!({"apiVersion": Session::api_version(&()), "kind": kind, "metadata": metadata, "spec": spec}),
    )
}

/// Creates it with strict field validation, which the client's own parameters do not offer for a create.
async fn create_strictly(app: &App, namespace: &str, object: &Value) -> Result<Session, Problem> {
    let path = Session::url_path(&(), Some(namespace));
    let body =
        serde_json::to_vec(object).map_err(|error| Problem::bad_request(error.to_string()))?;
    let request =
        http::Request::post(format!("{path}?fieldValidation=Strict&fieldManager={FIELD_MANAGER}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(answer(app.client.request(request)).await?)
}

fn sessions(app: &App, key: &SessionKey) -> Api<Session> {
    Api::namespaced(app.client.clone(), &key.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(value: Value) -> CreateSession {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_requester_becomes_the_owner() {
        let object = manifest(body(json!({"name": "a", "spec": {}})), "demo", "dana").unwrap();
        assert_eq!(object["spec"]["owner"], "dana");
        let problem =
            manifest(body(json!({"spec": {"owner": "eve"}})), "demo", "dana").unwrap_err();
        assert_eq!(problem.errors[0].field, "spec.owner");
        assert!(manifest(body(json!({"spec": {"owner": "dana"}})), "demo", "dana").is_ok());
    }

    #[test]
    fn names_are_given_made_or_refused() {
        let made = manifest(body(json!({"spec": {}})), "demo", "dana").unwrap();
        assert_eq!(made["metadata"]["generateName"], "session-");
        for wrong in [
            json!({"name": "a.b", "spec": {}}),
            json!({"name": "a", "generateName": "b-", "spec": {}}),
        ] {
            assert_eq!(manifest(body(wrong), "demo", "dana").unwrap_err().status, 422);
        }
    }

    #[test]
    fn waking_is_later_than_the_stop() {
        let now = DateTime::from_timestamp(1000, 500_000_000).unwrap();
        let stop = |seconds| DateTime::from_timestamp(seconds, 0);
        assert_eq!(wake_time(None, now), "1970-01-01T00:16:40Z");
        assert_eq!(wake_time(stop(900), now), "1970-01-01T00:16:40Z");
        assert_eq!(wake_time(stop(1000), now), "1970-01-01T00:16:41Z");
    }
}
