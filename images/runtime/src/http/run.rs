//! The doors of a Run: the operator keeps its records and says when it must end.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use fabrica_protocol::assertion::Role;
use fabrica_protocol::run::{Acknowledgement, Stop, StopReason};

use super::caller::{Shared, allow, read_json};
use crate::pod::Pod;
use crate::problem::Problem;
use crate::run::Interrupt;

pub(super) fn doors() -> Router<Arc<Pod>> {
    Router::new().route("/v1/ack", post(acknowledge)).route("/v1/stop", post(stop))
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
