//! `/sessions/{id}`: a Run by its UID, in few words.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use chrono::{DateTime, Utc};
use fabrica_crds::Run;
use fabrica_crds::run::Phase;
use fabrica_crds::time::from_kubernetes;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::messages::{MarkRead, Marked, mark};
use crate::access::Verb;
use crate::api::caller::Caller;
use crate::api::objects::find::permitted_by_uid;
use crate::api::objects::message::RunMessage;
use crate::api::objects::reading::{Cursor, patience, read};
use crate::app::App;
use crate::objects::RunView;
use crate::problem::Problem;

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
    /// The cluster has it no more: this is the last that the archive knows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    archived: bool,
}

impl From<RunView> for ShortRun {
    fn from(view: RunView) -> Self {
        let status = view.phase().into();
        let observed = view.status.unwrap_or_default();
        Self {
            archived: view.archived,
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

/// Which messages.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ShortMessageQuery {
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
}

/// Tells where a run is.
#[utoipa::path(
    get, path = "/sessions/{id}", tag = "short forms",
    params(("id" = String, Path, description = "The sessionId that POST /run answered: the run's UID")),
    responses(
        (status = 200, description = "The run, also when the cluster has it no more", body = ShortRun),
        (status = 400, description = "The path names what no object can be called; errors names the part", body = Problem, content_type = "application/problem+json"),
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
    Ok(Json(permitted_by_uid::<Run>(&app, &identity, Verb::Get, &id).await?.into()))
}

/// Tells what happened in a run, also when the cluster has it no more.
#[utoipa::path(
    get, path = "/sessions/{id}/messages", tag = "short forms",
    params(("id" = String, Path, description = "The run's UID"), ShortMessageQuery),
    responses(
        (status = 200, description = "The messages, oldest first", body = Vec<RunMessage>),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Unread ones, and there is no database", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "You wait for too many", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server or the database does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get_short_messages(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(id): Path<String>,
    query: Result<Query<ShortMessageQuery>, QueryRejection>,
) -> Result<Json<Vec<RunMessage>>, Problem> {
    let ShortMessageQuery { after, limit, unread, wait } = query?.0;
    let (cursor, patience) = (Cursor::asked(after, limit, unread)?, patience(wait)?);
    let run = permitted_by_uid::<Run>(&app, &identity, Verb::Get, &id).await?;
    Ok(Json(read(&app, &identity, run, cursor, patience).await?))
}

/// Marks messages of a run as read, for everybody who reads them.
#[utoipa::path(
    post, path = "/sessions/{id}/messages/read", tag = "short forms", request_body = MarkRead,
    params(("id" = String, Path, description = "The run's UID")),
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
pub async fn mark_short_messages(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Marked>, Problem> {
    let run = permitted_by_uid::<Run>(&app, &identity, Verb::Patch, &id).await?;
    mark(&app, &run, request).await
}
