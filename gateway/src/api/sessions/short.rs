//! `/api/sessions`: Sessions of one's default namespace, in few words.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use fabrica_crds::Session;
use fabrica_crds::session::{Forge, Mode, Phase};
use fabrica_crds::time::from_kubernetes;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

use super::write::allow_mode;
use crate::access::Verb;
use crate::api::body::read_json;
use crate::api::caller::Caller;
use crate::api::objects::list::{self as objects, Paging};
use crate::api::objects::write::{Draft, create, permitted, trace};
use crate::api::socket;
use crate::app::App;
use crate::identity::Identity;
use crate::names::{ObjectKey, check_uid};
use crate::namespaces::{UsableNamespace, preferred};
use crate::objects::SessionView;
use crate::problem::Problem;
use crate::socket::door::Door;
use crate::socket::refusal::Refusal;

/// How long a Session may take to be told to this replica after another one created it.
const WATCH_LAG: Duration = Duration::from_secs(1);

/// How many a list holds: whoever has more asks at /api/v1/sessions, page by page.
const LISTED: usize = 500;

/// A mode, as the short forms spell it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShortMode {
    #[default]
    Terminal,
    Chat,
}

impl From<Mode> for ShortMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Terminal => Self::Terminal,
            Mode::Chat => Self::Chat,
        }
    }
}

/// A forge, as the short forms spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShortForge {
    GitHub,
    Gitea,
}

impl From<ShortForge> for Forge {
    fn from(forge: ShortForge) -> Self {
        match forge {
            ShortForge::GitHub => Self::GitHub,
            ShortForge::Gitea => Self::Gitea,
        }
    }
}

/// Where a session is, in one word.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShortSessionStatus {
    Pending,
    Starting,
    Running,
    Stopped,
    Failed,
}

impl From<Phase> for ShortSessionStatus {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Pending => Self::Pending,
            Phase::Starting => Self::Starting,
            Phase::Running => Self::Running,
            Phase::Stopped => Self::Stopped,
            Phase::Failed => Self::Failed,
        }
    }
}

/// A session to create in one's default namespace.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewShortSession {
    /// The repository's address, http or https, without a user part.
    repo_url: String,
    /// The branch to work on. Absent: the default one.
    #[schema(nullable = false)]
    branch: Option<String>,
    /// Where a chat finds its work item and opens its pull request. Absent: GitHub when the address is github.com's, else
    /// nowhere.
    #[schema(inline, nullable = false)]
    forge: Option<ShortForge>,
    /// Absent: terminal.
    #[serde(default)]
    #[schema(required = false)]
    mode: ShortMode,
    /// The work item, in mode chat: 12, #12 or owner/name#12.
    #[schema(nullable = false)]
    work_id: Option<String>,
}

/// A session in few words.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShortSession {
    /// The session's UID.
    id: String,
    name: String,
    mode: ShortMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    work_id: Option<String>,
    /// As the spec says; absent: the repository's default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    branch: Option<String>,
    status: ShortSessionStatus,
    /// Of its pod, while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    container_ip: Option<String>,
    created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    started_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    stopped_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_activity_at: Option<DateTime<Utc>>,
}

impl From<SessionView> for ShortSession {
    fn from(view: SessionView) -> Self {
        let (mode, phase) = (view.mode(), view.phase());
        let status = view.status.unwrap_or_default();
        let time = |time: Option<_>| time.as_ref().map(from_kubernetes);
        Self {
            id: view.metadata.uid,
            name: view.metadata.name,
            mode: mode.into(),
            work_id: view.spec.work_id,
            branch: view.spec.repository.and_then(|repository| repository.repository.branch),
            status: phase.into(),
            container_ip: status.pod_ip,
            created_at: view.metadata.created_at,
            started_at: time(status.started_at),
            stopped_at: time(status.stopped_at),
            last_activity_at: time(status.last_activity_at),
        }
    }
}

/// Which sessions to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ShortListQuery {
    /// Only sessions of this mode.
    #[param(inline, nullable = false)]
    mode: Option<ShortMode>,
    /// Only sessions of exactly this work item.
    #[param(nullable = false)]
    work_id: Option<String>,
}

/// Creates a session in your default namespace.
#[utoipa::path(
    post, path = "/api/sessions", tag = "short forms", request_body = NewShortSession,
    responses(
        (status = 201, description = "Created", body = ShortSession),
        (status = 400, description = "The body is not JSON, or a chat has no workId", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed, by RBAC, a quota or a policy, or mode chat is switched off", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields are wrong; errors names them", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create_short_session(
    State(app): State<App>,
    Caller(identity): Caller,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let spec = spec(read_json(&parts.headers, body).await?)?;
    allow_mode(&app, &spec)?;
    let namespace = default_namespace(&app, &identity, |it| it.create_sessions).await?;
    let trace = trace(&parts.headers);
    let draft = Draft { name: None, generate_name: None, spec, trace };
    let session = ShortSession::from(create::<Session>(&app, &identity, &namespace, draft).await?);
    let location = format!("/api/sessions/{}", session.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(session)).into_response())
}

/// The CRD's spec of what is asked for.
fn spec(asked: NewShortSession) -> Result<Map<String, Value>, Problem> {
    let NewShortSession { repo_url, branch, forge, mode, work_id } = asked;
    if mode == ShortMode::Chat && work_id.as_ref().is_none_or(String::is_empty) {
        return Err(Problem::bad_part(
            "workId",
            "must be set in mode chat: name the work item, such as 12",
        ));
    }
    let mut repository = Map::from_iter([("url".to_owned(), json!(repo_url))]);
    repository.extend(branch.map(|branch| ("branch".to_owned(), json!(branch))));
    repository.extend(forge.map(|forge| ("forge".to_owned(), json!(Forge::from(forge)))));
    let mode = match mode {
        ShortMode::Terminal => Mode::Terminal,
        ShortMode::Chat => Mode::Chat,
    };
    let mut spec = Map::from_iter([
        ("mode".to_owned(), json!(mode)),
        ("repository".to_owned(), Value::Object(repository)),
    ]);
    spec.extend(work_id.map(|id| ("workId".to_owned(), json!(id))));
    Ok(spec)
}

/// Lists the sessions of your default namespace that you may see, at most 500.
#[utoipa::path(
    get, path = "/api/sessions", tag = "short forms", params(ShortListQuery),
    responses(
        (status = 200, description = "The sessions", body = Vec<ShortSession>),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "You may use no namespace", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list_short_sessions(
    State(app): State<App>,
    Caller(identity): Caller,
    query: Result<Query<ShortListQuery>, QueryRejection>,
) -> Result<Json<Vec<ShortSession>>, Problem> {
    let ShortListQuery { mode, work_id } = query?.0;
    // Where one creates, so that one finds it again. Whoever may create nowhere looks where they may.
    let namespace = match default_namespace(&app, &identity, |it| it.create_sessions).await {
        Err(problem) if problem.status == StatusCode::FORBIDDEN.as_u16() => {
            default_namespace(&app, &identity, |_| true).await?
        }
        found => found?,
    };
    let matches = |view: &SessionView| {
        mode.is_none_or(|mode| ShortMode::from(view.mode()) == mode)
            && work_id.as_ref().is_none_or(|id| view.spec.work_id.as_ref() == Some(id))
    };
    let paging = Paging::read(Some(LISTED), None)?;
    let page = objects::list(&app, &identity, Some(&namespace), paging, matches).await?;
    Ok(Json(page.items.into_iter().map(ShortSession::from).collect()))
}

/// Gets a session by its UID, in whatever namespace it is.
#[utoipa::path(
    get, path = "/api/sessions/{id}", tag = "short forms",
    params(("id" = String, Path, description = "The session's UID")),
    responses(
        (status = 200, description = "The session", body = ShortSession),
        (status = 400, description = "The path names what no object can be called; errors names the part", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get_short_session(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(id): Path<String>,
) -> Result<Json<ShortSession>, Problem> {
    check_uid(&id)?;
    let unknown = || Problem::not_found("This session");
    let key = find(&app, &id).await.ok_or_else(unknown)?;
    let view = permitted::<Session>(&app, &identity, Verb::Get, &key).await?;
    // Another one may have taken the name meanwhile.
    if view.metadata.uid == id { Ok(Json(view.into())) } else { Err(unknown()) }
}

/// Opens a session's socket of the subprotocol that is offered first: `kterm.v1` to its terminals, `fabrica.chat.v1` to its agent.
#[utoipa::path(
    get, path = "/api/sessions/{id}/ws", tag = "short forms",
    params(("id" = String, Path, description = "The session's UID")),
    responses(
        (status = 101, description = "The socket is open, or about to be closed with a code"),
        (status = 400, description = "Neither subprotocol is offered", body = Problem, content_type = "application/problem+json"),
        (status = 426, description = "Not a WebSocket", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn open_short_session(
    State(app): State<App>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    // By the request alone: nobody is to learn by a refusal whether there is such a session, or of which mode it is.
    let door = offered(&request);
    let found = match check_uid(&id) {
        Ok(()) => find(&app, &id).await.ok_or_else(Refusal::not_found),
        Err(malformed) => Err(Refusal::malformed(&malformed.to_string())),
    };
    socket::open(app, found, door, request).await
}

fn offered(request: &Request) -> Door {
    let offer = request.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
    let offer = offer.and_then(|offer| offer.to_str().ok()).unwrap_or_default();
    let is = |door: &Door, word: &str| word.eq_ignore_ascii_case(door.subprotocol());
    let named = |word: &str| [Door::Terminal, Door::Chat].into_iter().find(|door| is(door, word));
    offer.split(',').find_map(|word| named(word.trim())).unwrap_or(Door::Terminal)
}

/// Where the Session of a UID is.
async fn find(app: &App, uid: &str) -> Option<ObjectKey> {
    Some(app.sessions.find(uid, WATCH_LAG).await?.view.key())
}

async fn default_namespace(
    app: &App,
    identity: &Identity,
    fits: impl Fn(&UsableNamespace) -> bool,
) -> Result<String, Problem> {
    let usable = app.namespaces.usable(&app.access, identity).await?;
    let found = preferred(&usable, app.config.default_namespace.as_deref(), fits);
    found.map(|namespace| namespace.name.clone()).ok_or_else(|| {
        Problem::forbidden(
            "There is no namespace in which you may do this; ask for the verb create on sessions.fabrica.dev in one.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_body_becomes_a_spec_and_a_chat_needs_its_work_item() {
        let asked = |body: Value| spec(serde_json::from_value(body).unwrap());
        let chat = json!({"repoUrl": "https://h/a", "branch": "b", "mode": "chat", "workId": "12"});
        let expected = json!({"mode": "Chat", "workId": "12", "repository": {"url": "https://h/a", "branch": "b"}});
        assert_eq!(Value::Object(asked(chat).unwrap()), expected);
        let gitea =
            json!({"repoUrl": "https://h/a", "forge": "gitea", "mode": "chat", "workId": "12"});
        assert_eq!(asked(gitea).unwrap()["repository"]["forge"], "Gitea");
        let plain = asked(json!({"repoUrl": "https://h/a"})).unwrap();
        assert_eq!(plain["mode"], "Terminal");
        for work_id in [json!(null), json!("")] {
            let body = json!({"repoUrl": "https://h/a", "mode": "chat", "workId": work_id});
            let problem = asked(body).unwrap_err();
            assert_eq!(problem.status, 400);
            assert!(problem.detail.contains("workId: must be set"), "{}", problem.detail);
        }
    }
}
