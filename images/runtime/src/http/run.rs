//! The doors of a pod with an agent: the operator keeps its records, answers, and says when a Run must end.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use fabrica_protocol::assertion::Role;
use fabrica_protocol::run::{
    ANSWER_BYTES, Acknowledgement, Answer, CONVERSATION_BYTES, SHA256_HEADER, Stop, StopReason,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::{Shared, allow, read_json};
use crate::pod::Pod;
use crate::problem::Problem;
use crate::run::Interrupt;
use crate::run::questions::AnswerError;
use crate::run::shelf::{HandError, Packed};

/// Wherever an agent works.
pub(super) fn kept() -> Router<Arc<Pod>> {
    Router::new().route("/v1/ack", post(acknowledge)).route("/v1/answers", post(answer))
}

pub(super) fn doors() -> Router<Arc<Pod>> {
    Router::new()
        .merge(kept())
        .route("/v1/stop", post(stop))
        .route("/v1/checkpoint", get(newest).put(hand))
}

async fn answer(
    State(pod): Shared,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<Value>, Problem> {
    allow(&pod, &headers, &[Role::Operator])?;
    let form = "{\"id\": \"…\", \"text\": \"…\", \"answeredBy\": \"…\"}";
    let answer: Answer = read_json(request, form).await?;
    if answer.text.is_empty() || answer.text.len() > ANSWER_BYTES {
        let words = format!("an answer has between 1 and {ANSWER_BYTES} bytes");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, words));
    }
    if let Some(questions) = pod.questions() {
        let refused = |error: AnswerError| Problem::new(StatusCode::CONFLICT, error.to_string());
        questions.take(answer).map_err(refused)?;
    }
    Ok(Json(json!({})))
}

async fn acknowledge(
    State(pod): Shared,
    headers: HeaderMap,
    request: Request,
) -> Result<StatusCode, Problem> {
    allow(&pod, &headers, &[Role::Operator])?;
    let Acknowledgement { seq, spent } = read_json(request, "{\"seq\": <number>}").await?;
    if let Some(run) = &pod.run {
        run.journal.acknowledge(seq);
    } else if let Some(chat) = pod.chat() {
        chat.keep(seq, spent.as_ref());
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn stop(
    State(pod): Shared,
    headers: HeaderMap,
    request: Request,
) -> Result<StatusCode, Problem> {
    allow(&pod, &headers, &[Role::Operator])?;
    let asked: Stop =
        read_json(request, "{\"reason\": \"Cancelled\" or \"DeadlineExceeded\"}").await?;
    if let Some(run) = &pod.run {
        run.interrupt(match asked.reason {
            StopReason::Cancelled => Interrupt::Cancelled,
            StopReason::DeadlineExceeded => Interrupt::DeadlineExceeded,
        });
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The newest checkpoint's conversation.
async fn newest(State(pod): Shared, headers: HeaderMap) -> Result<Response, Problem> {
    allow(&pod, &headers, &[Role::Operator])?;
    let packed = pod.run.as_ref().and_then(|run| run.shelf.newest());
    let packed =
        packed.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no checkpoint yet"))?;
    let kind = (header::CONTENT_TYPE, "application/gzip".to_owned());
    let digest = (HeaderName::from_static(SHA256_HEADER), packed.sha256);
    Ok(([kind, digest], packed.gzip).into_response())
}

/// Of a former pod: a name that is empty is none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HandQuery {
    #[serde(default)]
    commit: String,
    #[serde(default)]
    conversation: String,
    #[serde(default)]
    sha256: String,
}

async fn hand(
    State(pod): Shared,
    headers: HeaderMap,
    Query(query): Query<HandQuery>,
    request: Request,
) -> Result<StatusCode, Problem> {
    allow(&pod, &headers, &[Role::Operator])?;
    let HandQuery { commit, conversation, sha256 } = query;
    let wrong = |words: &str| Problem::new(StatusCode::BAD_REQUEST, words);
    let is_commit =
        matches!(commit.len(), 0 | 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_commit {
        return Err(wrong("commit is the full name of one, or empty"));
    }
    let gzip = to_bytes(request.into_body(), CONVERSATION_BYTES).await;
    let gzip = gzip.map_err(|_| {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the conversation is too large")
    })?;
    let conversation = match conversation.as_str() {
        "" => None,
        id => {
            let id = id.parse().map_err(|_| wrong("conversation is a UUID, or empty"))?;
            Some((id, Packed { gzip, sha256 }))
        }
    };
    let commit = Some(commit).filter(|commit| !commit.is_empty());
    let Some(run) = &pod.run else { return Ok(StatusCode::NO_CONTENT) };
    run.shelf.hand(commit, conversation).map_err(|error| {
        let status = match error {
            HandError::Twice => StatusCode::CONFLICT,
            HandError::Digest | HandError::Unpack(_) | HandError::TooLong => {
                StatusCode::BAD_REQUEST
            }
        };
        Problem::new(status, error.to_string())
    })?;
    Ok(StatusCode::NO_CONTENT)
}
