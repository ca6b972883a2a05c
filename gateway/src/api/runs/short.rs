//! `/sessions/{id}`: a Run by its UID, in few words.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use chrono::{DateTime, Utc};
use fabrica_crds::Run;
use fabrica_crds::run::Phase;
use fabrica_crds::time::from_kubernetes;
use serde::Serialize;
use utoipa::ToSchema;

use super::messages::{Cursor, MessageQuery, short_type};
use crate::access::Verb;
use crate::api::caller::Caller;
use crate::api::objects::write::permitted;
use crate::app::App;
use crate::identity::Identity;
use crate::objects::RunView;
use crate::problem::Problem;

/// How long a Run may take to be told to this replica after another one created it.
const WATCH_LAG: Duration = Duration::from_secs(1);

/// Where a Run is, in one word.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShortStatus {
    Pending,
    Queued,
    Running,
    Escalated,
    Completed,
    Failed,
    Cancelled,
}

impl From<Phase> for ShortStatus {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Pending => Self::Pending,
            Phase::Queued => Self::Queued,
            Phase::Running => Self::Running,
            Phase::Escalated => Self::Escalated,
            Phase::Completed => Self::Completed,
            Phase::Failed => Self::Failed,
            Phase::Cancelled => Self::Cancelled,
        }
    }
}

/// A Run in few words.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShortRun {
    /// The Run's UID.
    id: String,
    repo_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    title: Option<String>,
    /// The branch that the work is pushed to; absent until it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    branch_name: Option<String>,
    /// Where people find the pull request; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pr_url: Option<String>,
    /// What models cost so far by list prices, in US dollars; absent while none was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cost_usd: Option<String>,
    status: ShortStatus,
    created_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    completed_at: Option<DateTime<Utc>>,
}

impl From<RunView> for ShortRun {
    fn from(view: RunView) -> Self {
        let status = view.phase().into();
        let observed = view.status.unwrap_or_default();
        Self {
            id: view.metadata.uid,
            repo_url: view.spec.repository.repository.url,
            title: view.spec.title,
            branch_name: observed.branch.or(view.spec.branch),
            pr_url: observed.pull_request_url,
            cost_usd: observed.usage.map(|usage| usage.estimated_cost_usd),
            status,
            created_at: view.metadata.created_at,
            completed_at: observed.finished_at.as_ref().map(from_kubernetes),
        }
    }
}

/// One message of a Run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShortMessage {
    /// Unique among all messages.
    id: String,
    /// The Run's UID.
    session_id: String,
    /// Grows within the Run.
    seq: i64,
    /// `progress`, or `error`.
    #[serde(rename = "type")]
    kind: &'static str,
    content: ShortContent,
    created_at: DateTime<Utc>,
}

/// What a message says.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShortContent {
    message: String,
}

/// Tells where a run is.
#[utoipa::path(
    get, path = "/sessions/{id}", tag = "short forms",
    params(("id" = String, Path, description = "The sessionId that POST /run answered: the run's UID")),
    responses(
        (status = 200, description = "The run", body = ShortRun),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get_short(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(id): Path<String>,
) -> Result<Json<ShortRun>, Problem> {
    Ok(Json(find(&app, &identity, &id).await?.into()))
}

/// Tells what happened in a run.
#[utoipa::path(
    get, path = "/sessions/{id}/messages", tag = "short forms",
    params(("id" = String, Path, description = "The run's UID"), MessageQuery),
    responses(
        (status = 200, description = "The messages, oldest first", body = Vec<ShortMessage>),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get_short_messages(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(id): Path<String>,
    query: Result<Query<MessageQuery>, QueryRejection>,
) -> Result<Json<Vec<ShortMessage>>, Problem> {
    let cursor = Cursor::try_from(query?.0)?;
    let view = find(&app, &identity, &id).await?;
    let messages = cursor.read(&view).into_iter().map(|message| ShortMessage {
        id: format!("{id}/{}", message.seq),
        session_id: id.clone(),
        seq: message.seq,
        kind: short_type(message.kind),
        created_at: from_kubernetes(&message.time),
        content: ShortContent { message: message.text },
    });
    Ok(Json(messages.collect()))
}

/// The Run of a UID as the API server has it now, if the caller may see it.
async fn find(app: &App, identity: &Identity, uid: &str) -> Result<RunView, Problem> {
    let unknown = || Problem::not_found("This run");
    let entry = app.runs.find(uid, WATCH_LAG).await.ok_or_else(unknown)?;
    let view = permitted::<Run>(app, identity, Verb::Get, &entry.view.key()).await?;
    // Another one may have taken the name meanwhile.
    if view.metadata.uid == uid { Ok(view) } else { Err(unknown()) }
}
