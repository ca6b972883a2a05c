//! Answers to the questions of a Run's agent.

use axum::Json;
use axum::extract::{Request, State};
use fabrica_crds::Run;

use crate::api::caller::Caller;
use crate::api::named::Named;
use crate::api::objects::answers::{GiveAnswer, answer};
use crate::app::App;
use crate::objects::RunView;
use crate::problem::Problem;

/// Answers the question that a run waits for. It goes on when its agent has the answer.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/runs/{name}/answers", tag = "runs", request_body = GiveAnswer,
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The run's name")),
    responses(
        (status = 200, description = "The run with the answer", body = RunView),
        (status = 400, description = "The path names what no object can be called; errors names the part", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "You may see the run and not answer it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is answered already, or this is not the open question; the detail says which is", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields are wrong; errors names them", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn answer_run(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Run>,
    request: Request,
) -> Result<Json<RunView>, Problem> {
    answer(&app, &identity, &key, request).await
}
