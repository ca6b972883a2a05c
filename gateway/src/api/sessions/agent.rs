//! The agent of a Terminal, switched on and off.

use axum::Json;
use axum::extract::{Request, State};
use fabrica_crds::Session;
use fabrica_crds::session::AgentState;
use serde::Deserialize;
use serde_json::{Map, json};
use utoipa::ToSchema;

use super::write::allow_mode;
use crate::access::Verb;
use crate::api::body::read_json;
use crate::api::caller::Caller;
use crate::api::named::Named;
use crate::api::objects::write::{change, permitted};
use crate::app::App;
use crate::objects::SessionView;
use crate::problem::Problem;

/// What becomes of the agent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchAgent {
    /// Whether it works.
    state: AgentPower,
}

/// Whether an agent works in a Terminal.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub enum AgentPower {
    On,
    Off,
}

impl From<AgentPower> for AgentState {
    fn from(power: AgentPower) -> Self {
        match power {
            AgentPower::On => Self::On,
            AgentPower::Off => Self::Off,
        }
    }
}

/// Starts or ends the agent of a session in mode Terminal, in its running pod: terminals stay. The condition AgentReady says what
/// became of it.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/sessions/{name}/agent", tag = "sessions", request_body = SwitchAgent,
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name")),
    responses(
        (status = 200, description = "The session as asked for", body = SessionView),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed, or agents in sessions are switched off", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields are wrong, it has no repository, or its mode is Chat", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn switch_agent(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Session>,
    request: Request,
) -> Result<Json<SessionView>, Problem> {
    let (parts, body) = request.into_parts();
    let SwitchAgent { state } = read_json(&parts.headers, body).await?;
    let view = permitted::<Session>(&app, &identity, Verb::Patch, &key).await?;
    let spec = json!({"agentState": AgentState::from(state)});
    allow_mode(&app, spec.as_object().unwrap_or(&Map::new()))?;
    change(&app, &view, spec).await
}
