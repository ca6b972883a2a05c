//! The messages of a Session, by a cursor.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use fabrica_crds::Session;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::access::Verb;
use crate::api::caller::Caller;
use crate::api::named::Named;
use crate::api::objects::find::permitted_anywhere;
use crate::api::objects::message::MessageList;
use crate::api::objects::reading::{Cursor, patience, read};
use crate::app::App;
use crate::problem::Problem;

/// Which messages.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionMessageQuery {
    /// Only those whose `seq` is greater.
    #[param(nullable = false)]
    after: Option<i64>,
    /// How many at most, the oldest first (1 to 500, default 100).
    #[param(minimum = 1, maximum = 500, nullable = false)]
    limit: Option<u32>,
    /// How many seconds to wait for the first of them when there is none (0 to 60, default 0).
    #[param(minimum = 0, maximum = 60, nullable = false)]
    wait: Option<u64>,
    /// Those of the Session with this UID, when several had the name. Absent: of the Session that is there, else of the
    /// newest.
    #[param(nullable = false)]
    uid: Option<String>,
}

/// Tells what happened in a session. In mode Chat, with a database, that is the whole conversation, also when the cluster has
/// the session no more; else the newest messages of its status. Ask again with `after` = the last `seq` for what came since,
/// and with `wait` to be answered as soon as something comes.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/sessions/{name}/messages", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name"), SessionMessageQuery),
    responses(
        (status = 200, description = "The messages", body = MessageList),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "You wait for too many", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server or the database does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get_session_messages(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Session>,
    query: Result<Query<SessionMessageQuery>, QueryRejection>,
) -> Result<Json<MessageList>, Problem> {
    let SessionMessageQuery { after, limit, wait, uid } = query?.0;
    let (cursor, patience) = (Cursor::asked(after, limit, false)?, patience(wait)?);
    let uid = uid.as_deref();
    let session = permitted_anywhere::<Session>(&app, &identity, Verb::Get, &key, uid).await?;
    Ok(Json(MessageList { items: read(&app, &identity, session, cursor, patience).await? }))
}
