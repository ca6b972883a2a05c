//! Files of a workspace: streamed to and from the pod, which knows what may be reached.
//!
//! What comes from a pod is its user's: it is never shown under our origin as a page.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use fabrica_crds::Session;
use fabrica_protocol::assertion::Role;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::read_bytes;
use super::caller::Caller;
use super::named::Named;
use crate::access::{Question, Verb};
use crate::app::App;
use crate::identity::Identity;
use crate::names::{Kind, ObjectKey};
use crate::pods::{ANSWER_TIMEOUT, Pod};
use crate::problem::Problem;
use crate::quota::Place;

/// The longest path, as it stands in the request.
const PATH_BYTES: usize = 4096;

/// The most that is read of a pod's refusal: it is a sentence.
const REFUSAL_BYTES: usize = 16 * 1024;

/// Headers of an upload that the pod gets.
const UPLOAD_HEADERS: [HeaderName; 2] = [header::CONTENT_LENGTH, header::CONTENT_TYPE];

/// Headers of a download that the client gets.
const DOWNLOAD_HEADERS: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::ETAG, header::LAST_MODIFIED, header::CONTENT_ENCODING];

/// One entry of a directory.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileEntry {
    pub name: String,
    pub kind: FileKind,
    /// In bytes.
    pub size: u64,
    pub modified: chrono::DateTime<Utc>,
}

/// What an entry is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    File,
    Directory,
    Symlink,
}

/// What a directory holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Directory {
    pub entries: Vec<FileEntry>,
    /// Whether it holds more than is listed.
    pub truncated: bool,
}

/// Downloads a file below /workspace, or lists a directory.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/sessions/{name}/files/{*path}", tag = "files",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name"), ("path" = String, Path, description = "Relative to /workspace; slashes stand as they are")),
    responses(
        (status = 200, description = "The file's bytes, or the directory", content((String = "application/octet-stream"), (Directory = "application/json"))),
        (status = 400, description = "The path is wrong, or neither a file nor a directory", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed, or the path leads through a link", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session or file, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A part of the path is a file", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many transfers", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The session is not running", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The pod does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn download(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Session>,
    request: Request,
) -> Result<Response, Problem> {
    transfer(&app, identity, key, request, Role::View).await
}

/// Uploads a file below /workspace.
#[utoipa::path(
    put, path = "/api/v1/namespaces/{namespace}/sessions/{name}/files/{*path}", tag = "files",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name"), ("path" = String, Path, description = "Relative to /workspace; slashes stand as they are")),
    request_body(content = String, content_type = "application/octet-stream", description = "The file's bytes"),
    responses(
        (status = 204, description = "Written, or replaced"),
        (status = 400, description = "The path is wrong, or the upload broke off", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed, or the path leads through a link", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The path is a directory, or a part of it is a file", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many transfers", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The session is not running", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The pod does not answer", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "Larger than the space left", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn upload(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Session>,
    request: Request,
) -> Result<Response, Problem> {
    transfer(&app, identity, key, request, Role::Control).await
}

async fn transfer(
    app: &App,
    identity: Identity,
    key: ObjectKey,
    request: Request,
    role: Role,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let path = path_in_pod(parts.uri.path())?;
    let pod = pod(app, &identity, &key, role).await?;
    let place = app.transfers.take(identity.name());
    let place = place.ok_or_else(|| {
        Problem::too_many("You run too many transfers at once; wait for one to end.", 5)
    })?;
    let connection = uuid::Uuid::new_v4().to_string();
    let assertion = app.trust.assertion(&pod.uid, identity.name(), role, &connection, Utc::now());
    let assertion =
        assertion.map_err(|_| Problem::unavailable("The gateway has no signing key yet."))?;
    let request = forwarded(&parts, &path, body)?;
    // An upload takes as long as it takes; the sockets' own time-outs notice a peer that is gone.
    let limit = (parts.method != Method::PUT).then_some(ANSWER_TIMEOUT);
    let answer = app.pods.send(&pod, &assertion, request, limit).await.map_err(|error| {
        tracing::info!(error = %crate::chain(&error), session = %key, "a file could not be transferred");
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "The session's pod does not answer; try again in a moment.")
    })?;
    answered(answer, place).await
}

/// The pod, if the caller may do this and the Session runs.
async fn pod(app: &App, identity: &Identity, key: &ObjectKey, role: Role) -> Result<Pod, Problem> {
    let absent = || Problem::not_found(&format!("The session {key}"));
    let verb = if role == Role::View { Verb::Get } else { Verb::Create };
    let allowed =
        app.access.permits(identity, Question::part(Kind::Session, "terminal", verb, key)).await?;
    if !allowed
        && !app.access.permits(identity, Question::object(Kind::Session, Verb::Get, key)).await?
    {
        return Err(absent());
    }
    let entry =
        app.sessions.get(key).filter(|entry| app.access.admits_owner(identity, entry.view.owner()));
    let entry = entry.ok_or_else(absent)?;
    if !allowed {
        let verb = verb.as_str();
        let detail =
            format!("You need the verb {verb} on sessions/terminal for the files of this session.");
        return Err(Problem::forbidden(detail));
    }
    Pod::of(&entry.view)
        .ok_or_else(|| Problem::unavailable("This session is not running; resume it first."))
}

/// The path below /v1/files of the pod, still encoded. Steps upwards are refused here already.
fn path_in_pod(path: &str) -> Result<String, Problem> {
    // /api/v1/namespaces/{namespace}/sessions/{name}/files/{path}
    let path = path.splitn(9, '/').nth(8).unwrap_or("");
    let upwards = path
        .split('/')
        .any(|part| matches!(part.replace("%2e", ".").replace("%2E", ".").as_str(), ".." | "."));
    let lowered = path.to_ascii_lowercase();
    if upwards || lowered.contains("%2f") || lowered.contains("%00") || path.len() > PATH_BYTES {
        return Err(Problem::bad_request(
            "The path must lie below /workspace, without . and .. parts.",
        ));
    }
    Ok(format!("/v1/files/{path}"))
}

fn forwarded(parts: &Parts, path: &str, body: Body) -> Result<http::Request<Body>, Problem> {
    let uploads = parts.method == Method::PUT;
    let mut request = http::Request::new(if uploads { body } else { Body::empty() });
    // A HEAD is asked as a GET, whose body is then not sent on.
    *request.method_mut() = if uploads { Method::PUT } else { Method::GET };
    *request.uri_mut() =
        path.parse().map_err(|_| Problem::bad_request("The path is malformed."))?;
    if uploads {
        copy(&UPLOAD_HEADERS, &parts.headers, request.headers_mut());
    }
    Ok(request)
}

/// The pod's answer, as far as it may reach a browser. The place is kept until the last byte.
async fn answered(
    answer: http::Response<hyper::body::Incoming>,
    place: Place,
) -> Result<Response, Problem> {
    let (parts, body) = answer.into_parts();
    let status = parts.status;
    if status == StatusCode::UNAUTHORIZED {
        tracing::warn!(%status, "a pod does not accept the gateway's assertion");
        return Err(Problem::unavailable(
            "The session does not know the gateway's key yet; try again in a moment.",
        ));
    }
    if status.is_redirection() || status.is_informational() {
        return Err(Problem::new(
            StatusCode::BAD_GATEWAY,
            "The session's pod gave an answer that makes no sense.",
        ));
    }
    if !status.is_success() {
        return Err(refused(&parts, Body::new(body)).await);
    }
    let body = body.map_frame(move |frame| {
        let _kept = &place;
        frame
    });
    let mut response = (status, Body::new(body.map_err(axum::Error::new))).into_response();
    let headers = response.headers_mut();
    copy(&DOWNLOAD_HEADERS, &parts.headers, headers);
    let json = parts.headers.get(header::CONTENT_TYPE).and_then(json_type);
    let kind = json.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What a pod refuses, in the shape of all problems. Of its own words the sentence is kept, if it has one.
async fn refused(answer: &http::response::Parts, body: Body) -> Problem {
    #[derive(Deserialize)]
    struct Told {
        detail: String,
    }
    let bytes = read_bytes(body, REFUSAL_BYTES).await.unwrap_or_default();
    let detail = serde_json::from_slice::<Told>(&bytes).map_or_else(
        |_| "The session's pod refuses this and does not say why.".to_owned(),
        |told| told.detail,
    );
    let problem = Problem::new(answer.status, detail);
    let seconds = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    match seconds.and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) => problem.retry_after(seconds),
        None => problem,
    }
}

/// JSON of the runtime keeps its type: browsers never render it.
fn json_type(kind: &HeaderValue) -> Option<HeaderValue> {
    let essence = kind.to_str().ok()?.split(';').next()?.trim();
    (essence == "application/json").then(|| HeaderValue::from_static("application/json"))
}

fn copy(names: &[HeaderName], from: &HeaderMap, to: &mut HeaderMap) {
    for name in names {
        if let Some(value) = from.get(name) {
            to.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PREFIX: &str = "/api/v1/namespaces/demo/sessions/a/files/";

    #[rstest]
    #[case("repo/README.md", Some("/v1/files/repo/README.md"))]
    #[case("", Some("/v1/files/"))]
    #[case("a%20b/files/c", Some("/v1/files/a%20b/files/c"))]
    #[case("files/x", Some("/v1/files/files/x"))]
    #[case("...", Some("/v1/files/..."))]
    #[case("../etc/passwd", None)]
    #[case("repo/%2e%2E/%2e./x", None)]
    #[case("repo%2f..%2fx", None)]
    #[case("a%00b", None)]
    fn keeps_paths_below(#[case] path: &str, #[case] expected: Option<&str>) {
        assert_eq!(path_in_pod(&format!("{PREFIX}{path}")).ok().as_deref(), expected);
    }
}
