//! The doors of a Run: the operator keeps its records and says when it must end.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use fabrica_protocol::assertion::Role;
use fabrica_protocol::run::{ANSWER_BYTES, Acknowledgement, Answer, Stop, StopReason};
use serde_json::{Value, json};

use super::caller::{Shared, allow, read_json};
use crate::pod::Pod;
use crate::problem::Problem;
use crate::run::Interrupt;
use crate::run::questions::AnswerError;

pub(super) fn doors() -> Router<Arc<Pod>> {
    Router::new()
        .route("/v1/ack", post(acknowledge))
        .route("/v1/stop", post(stop))
        .route("/v1/answers", post(answer))
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
    if let Some(run) = &pod.run {
        let refused = |error: AnswerError| Problem::new(StatusCode::CONFLICT, error.to_string());
        run.questions.take(answer).map_err(refused)?;
    }
    Ok(Json(json!({})))
}

async fn acknowledge(
    State(pod): Shared,
    headers: HeaderMap,
    request: Request,
) -> Result<StatusCode, Problem> {
    allow(&pod, &headers, &[Role::Operator])?;
    let Acknowledgement { seq } = read_json(request, "{\"seq\": <number>}").await?;
    if let Some(run) = &pod.run {
        run.journal.acknowledge(seq);
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
