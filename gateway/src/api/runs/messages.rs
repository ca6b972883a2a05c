//! The messages of a Run, by a cursor, and what of them is read.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use fabrica_crds::Run;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Verb;
use crate::api::body::read_json;
use crate::api::caller::Caller;
use crate::api::named::Named;
use crate::api::objects::find::permitted_anywhere;
use crate::api::objects::message::MessageList;
use crate::api::objects::reading::{Cursor, archived_as, nothing_kept, patience, read};
use crate::app::App;
use crate::objects::RunView;
use crate::problem::Problem;

/// Which messages.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MessageQuery {
    /// Only those whose `seq` is greater.
    #[param(nullable = false)]
    after: Option<i64>,
    /// How many at most, the oldest first (1 to 500, default 100).
    #[param(minimum = 1, maximum = 500, nullable = false)]
    limit: Option<u32>,
    /// Only those that nobody has marked as read. It takes a database.
    #[serde(default)]
    #[param(required = false)]
    unread: bool,
    /// How many seconds to wait for the first of them when there is none (0 to 60, default 0).
    #[param(minimum = 0, maximum = 60, nullable = false)]
    wait: Option<u64>,
    /// Those of the Run with this UID, when several had the name. Absent: of the Run that is there, else of the newest.
    #[param(nullable = false)]
    uid: Option<String>,
}

/// What somebody has read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkRead {
    /// The `seq` of the last message: it and all before it are marked.
    #[schema(minimum = 1)]
    through: u64,
}

/// What was marked.
#[derive(Debug, Serialize, ToSchema)]
pub struct Marked {
    /// How many messages had been unread.
    marked: u64,
}

/// Which Run of a name.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichRun {
    /// That of this UID, when several had the name. Absent: the Run that is there, else the newest that was.
    #[param(nullable = false)]
    pub(super) uid: Option<String>,
}

/// Tells what happened in a run, also when the cluster has it no more. Ask again with `after` = the last `seq` for what
/// came since, and with `wait` to be answered as soon as something comes.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/runs/{name}/messages", tag = "runs",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The run's name"), MessageQuery),
    responses(
        (status = 200, description = "The messages", body = MessageList),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Unread ones, and there is no database", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "You wait for too many", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server or the database does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get_messages(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Run>,
    query: Result<Query<MessageQuery>, QueryRejection>,
) -> Result<Json<MessageList>, Problem> {
    let MessageQuery { after, limit, unread, wait, uid } = query?.0;
    let (cursor, patience) = (Cursor::asked(after, limit, unread)?, patience(wait)?);
    let run = permitted_anywhere::<Run>(&app, &identity, Verb::Get, &key, uid.as_deref()).await?;
    Ok(Json(MessageList { items: read(&app, &identity, run, cursor, patience).await? }))
}

/// Marks messages of a run as read, for everybody who reads them.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/runs/{name}/messages/read", tag = "runs", request_body = MarkRead,
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The run's name"), WhichRun),
    responses(
        (status = 200, description = "They are marked", body = Marked),
        (status = 400, description = "The path names what no object can be called; errors names the part", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is no database", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server or the database does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn mark_messages(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Run>,
    query: Result<Query<WhichRun>, QueryRejection>,
    request: Request,
) -> Result<Json<Marked>, Problem> {
    let uid = query?.0.uid;
    let run = permitted_anywhere::<Run>(&app, &identity, Verb::Patch, &key, uid.as_deref()).await?;
    mark(&app, &run, request).await
}

/// Marks what the body says.
pub(super) async fn mark(
    app: &App,
    run: &RunView,
    request: Request,
) -> Result<Json<Marked>, Problem> {
    let (parts, body) = request.into_parts();
    let MarkRead { through } = read_json(&parts.headers, body).await?;
    let through = match i64::try_from(through) {
        Ok(1..) => through,
        _ => return Err(Problem::invalid("through", "must be the seq of a message, from 1 on")),
    };
    let (archive, uid) = app.archive.as_ref().zip(archived_as(run)).ok_or_else(nothing_kept)?;
    let marked = archive.answer(archive.store().mark_read(uid, through)).await?;
    Ok(Json(Marked { marked }))
}
