//! The door by which the operator switches the agent of a Terminal on and off.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use fabrica_protocol::assertion::Role;
use fabrica_protocol::runtime::AgentSwitch;

use super::caller::{Shared, allow, read_json};
use crate::pod::Pod;
use crate::problem::Problem;

pub(super) fn doors() -> Router<Arc<Pod>> {
    Router::new().route("/v1/agent", post(switch))
}

/// Takes the wish; `/v1/idle` tells what becomes of it.
async fn switch(
    State(pod): Shared,
    headers: HeaderMap,
    request: Request,
) -> Result<StatusCode, Problem> {
    allow(&pod, &headers, &[Role::Operator])?;
    let form = "{\"on\": true or false, \"settings\": {\"<name>\": \"<value>\"}}";
    let wanted: AgentSwitch = read_json(request, form).await?;
    pod.switch.turn(wanted);
    Ok(StatusCode::NO_CONTENT)
}
