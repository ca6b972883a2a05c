//! The messages of a Session by what they say: the whole of its history, as long as the archive keeps it.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use fabrica_crds::Session;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Verb;
use crate::api::caller::Caller;
use crate::api::named::Named;
use crate::api::objects::find::permitted_anywhere;
use crate::api::objects::message::RunMessage;
use crate::api::objects::reading::{Cursor, archived_as};
use crate::app::App;
use crate::problem::Problem;

/// The longest words that are looked for, in characters: a sentence.
const WORDS_LIMIT: usize = 200;

/// What is looked for, and where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SessionSearchQuery {
    /// What stands in their text, in any case of its letters (1 to 200 characters).
    #[param(min_length = 1, max_length = 200)]
    words: String,
    /// Only those whose `seq` is greater.
    #[param(nullable = false)]
    after: Option<i64>,
    /// How many at most, the oldest first (1 to 500, default 100).
    #[param(minimum = 1, maximum = 500, nullable = false)]
    limit: Option<u32>,
    /// Those of the Session with this UID, when several had the name. Absent: of the Session that is there, else of the
    /// newest.
    #[param(nullable = false)]
    uid: Option<String>,
}

/// A part of what is found.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundMessages {
    /// The oldest first.
    items: Vec<RunMessage>,
    /// Where to look on, as `after`; absent when all were looked through. A part may be empty and yet have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<i64>,
}

/// Finds words in what was said and done in a session in mode Chat, also when the cluster has it no more. One answer looks
/// through 5,000 messages at most: ask again with `after` = `next` until there is none.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/sessions/{name}/messages/search", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The session's name"), SessionSearchQuery),
    responses(
        (status = 200, description = "What was found", body = FoundMessages),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "No database keeps what this session tells", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server or the database does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn search_session_messages(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Session>,
    query: Result<Query<SessionSearchQuery>, QueryRejection>,
) -> Result<Json<FoundMessages>, Problem> {
    let SessionSearchQuery { words, after, limit, uid } = query?.0;
    let words = words.trim();
    if !(1..=WORDS_LIMIT).contains(&words.chars().count()) {
        let problem = format!("must have 1 to {WORDS_LIMIT} characters");
        return Err(Problem::bad_part("words", problem));
    }
    let cursor = Cursor::asked(after, limit, false)?;
    let uid = uid.as_deref();
    let session = permitted_anywhere::<Session>(&app, &identity, Verb::Get, &key, uid).await?;
    let (archive, uid) = app.archive.as_ref().zip(archived_as(&session)).ok_or_else(|| {
        let detail =
            "No database keeps what this session tells, so there is nothing to look through.";
        Problem::new(StatusCode::CONFLICT, detail)
    })?;
    let (after, limit) = (cursor.after.max(0).unsigned_abs(), cursor.limit);
    let question = archive.store().find_messages(uid, words, after, limit);
    let found = archive.answer(question).await?;
    Ok(Json(FoundMessages {
        items: found.messages.into_iter().map(RunMessage::from).collect(),
        next: found.next.map(|next| i64::try_from(next).unwrap_or(i64::MAX)),
    }))
}
