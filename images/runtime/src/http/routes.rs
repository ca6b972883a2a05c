//! One function a door.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fabrica_protocol::assertion::Role;
use fabrica_protocol::runtime::Idle;
use futures::{Stream, stream};
use serde::Deserialize;

use super::caller::{Shared, allow, read_json};
use super::upgrade::terminal;
use super::{agent, chat, run};
use crate::chat::{Chat, had_agent};
use crate::files;
use crate::pod::Pod;
use crate::problem::Problem;

/// All doors.
pub fn router(pod: Arc<Pod>) -> Router {
    let own = match (&pod.run, &pod.chat) {
        (Some(_), _) => run::doors(),
        (None, Some(_)) => session_doors().merge(run::kept()).merge(chat::doors()),
        (None, None) => {
            session_doors().merge(run::kept()).merge(chat::doors()).merge(agent::doors())
        }
    };
    Router::new()
        .route("/healthz", get(health))
        .route("/v1/events", get(events))
        .route("/v1/idle", get(idle))
        .merge(own)
        .with_state(pod)
}

fn session_doors() -> Router<Arc<Pod>> {
    Router::new()
        .route("/v1/terminal", get(terminal))
        .route("/v1/connections/{jti}/close", post(close_connection))
        .route("/v1/files/", get(list_root))
        .route("/v1/files/{*path}", get(download).put(upload))
}

/// Open to the kubelet: says one bit.
async fn health(State(pod): Shared) -> (StatusCode, &'static str) {
    if pod.is_ready() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting")
    }
}

#[derive(Debug, Deserialize)]
struct EventsQuery {
    #[serde(default)]
    after: u64,
    /// Whether the answer stays open for what is still to come (default true).
    #[serde(default = "yes")]
    follow: bool,
}

fn yes() -> bool {
    true
}

async fn events(
    State(pod): Shared,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Problem> {
    allow(&pod, &headers, &[Role::Operator])?;
    // Records would be told under numbers of start steps otherwise.
    if query.follow && pod.records().is_none() && had_agent(&pod.config) {
        let detail = "the conversation is not open yet; ask again in a moment";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    }
    let answer = Response::builder().header(header::CONTENT_TYPE, "application/x-ndjson");
    let body = if query.follow {
        Body::from_stream(follow(pod, query.after))
    } else {
        Body::from(lines(&pod, query.after).1)
    };
    answer
        .body(body)
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// Events after a number as lines, and the last number.
fn lines(pod: &Pod, after: u64) -> (u64, Vec<u8>) {
    if let Some(records) = pod.records() {
        return records.lines(after);
    }
    let events = pod.journal.after(after);
    let last = events.last().map_or(after, |event| event.seq);
    let mut text = Vec::new();
    for event in events {
        text.extend(serde_json::to_vec(&event).unwrap_or_default());
        text.push(b'\n');
    }
    (last, text)
}

fn follow(
    pod: Arc<Pod>,
    after: u64,
) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
    let newest = pod.records().map_or_else(|| pod.journal.watch(), |records| records.watch());
    stream::unfold((pod, newest, after), |(pod, mut newest, after)| async move {
        loop {
            newest.mark_unchanged();
            let (last, text) = lines(&pod, after);
            if !text.is_empty() {
                return Some((Ok(Bytes::from(text)), (pod, newest, last)));
            }
            tokio::select! {
                changed = newest.changed() => changed.ok()?,
                () = pod.stop.cancelled() => return None,
            }
        }
    })
}

async fn idle(State(pod): Shared, headers: HeaderMap) -> Result<Json<Idle>, Problem> {
    allow(&pod, &headers, &[Role::Operator])?;
    // Of a Terminal alone: elsewhere an agent is there, or never.
    let is_terminal = pod.run.is_none() && pod.chat.is_none();
    let agent = is_terminal.then(|| pod.switch.report());
    let Some(chat) = pod.chat() else {
        return Ok(Json(Idle { agent, ..pod.activity.report(&pod.shells) }));
    };
    let (clients, visible) = chat.clients.count();
    if chat.is_busy() || visible > 0 {
        pod.activity.touch();
    }
    let idle = pod.activity.report(&pod.shells);
    let sum = |count: u32, more| count.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
    Ok(Json(Idle {
        busy: idle.busy || chat.is_busy(),
        clients: sum(idle.clients, clients),
        visible_clients: sum(idle.visible_clients, visible),
        journal: Some(chat.number),
        conversation: Some(chat.counters.report()),
        agent,
        ..idle
    }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseRequest {
    code: u16,
}

async fn close_connection(
    State(pod): Shared,
    headers: HeaderMap,
    Path(jti): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    allow(&pod, &headers, &[Role::Operator])?;
    let asked: CloseRequest = read_json(request, "{\"code\": <close code>}").await?;
    let reason = "access has ended";
    let in_chat = |chat: Arc<Chat>| chat.clients.close(&jti, asked.code, reason);
    if pod.shells.shared.state().close_connection(&jti, asked.code, reason)
        || pod.chat().is_some_and(in_chat)
    {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::new(StatusCode::NOT_FOUND, "there is no such connection"))
}

async fn list_root(State(pod): Shared, headers: HeaderMap) -> Result<Response, Problem> {
    allow(&pod, &headers, &[Role::View, Role::Control])?;
    files::read(&pod.config.workspace, "").await
}

async fn download(
    State(pod): Shared,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    allow(&pod, &headers, &[Role::View, Role::Control])?;
    files::read(&pod.config.workspace, &path).await
}

async fn upload(
    State(pod): Shared,
    headers: HeaderMap,
    Path(path): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    allow(&pod, &headers, &[Role::Control])?;
    // A clone needs its folder empty.
    if !pod.is_furnished() {
        let detail = "the workspace is not there yet: try again when a terminal can be used";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    }
    pod.activity.touch();
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok());
    files::write(&pod.config.workspace, &path, length, request.into_body()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
