//! Answers to the questions of a Chat's agent.

use axum::Json;
use axum::extract::{Request, State};
use fabrica_crds::Session;

use crate::api::caller::Caller;
use crate::api::named::Named;
use crate::api::objects::answers::{GiveAnswer, answer};
use crate::app::App;
use crate::objects::SessionView;
use crate::problem::Problem;

/// Answers a question of a session's agent, in mode Chat. It goes on when it has the answer.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/sessions/{name}/answers", tag = "sessions", request_body = GiveAnswer,
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name")),
    responses(
        (status = 200, description = "The session with the answer", body = SessionView),
        (status = 400, description = "The path names what no object can be called; errors names the part", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "You may see the session and not answer it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is answered already, or this is not an open question; the detail says which are", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields are wrong; errors names them", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn answer_session(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Session>,
    request: Request,
) -> Result<Json<SessionView>, Problem> {
    answer(&app, &identity, &key, request).await
}
