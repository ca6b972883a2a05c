//! Lists of Runs.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use fabrica_crds::run::Phase;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::archived::{self, Selection};
use crate::api::caller::Caller;
use crate::api::objects::list::{self as objects, Paging, page_limit};
use crate::app::App;
use crate::identity::Identity;
use crate::names::{Kind, check_namespace};
use crate::objects::RunView;
use crate::objects::page::{Start, read_start, token_in_archive};
use crate::objects::visibility::may_see_namespace;
use crate::problem::Problem;

/// Which runs to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Only runs in this phase.
    #[param(inline, nullable = false)]
    phase: Option<RunPhaseFilter>,
    /// Only runs whose `spec.workId` is exactly this.
    #[serde(rename = "workId")]
    #[param(nullable = false)]
    work_id: Option<String>,
    /// How many at most (1 to 500, default 100).
    #[param(minimum = 1, maximum = 500, nullable = false)]
    limit: Option<usize>,
    /// After the runs of the cluster also those that it has no more, newest first, marked `archived`. Without a database
    /// there are none.
    #[serde(default)]
    #[param(required = false)]
    archived: bool,
    /// The `continue` of the page before.
    #[serde(rename = "continue")]
    #[param(nullable = false)]
    after: Option<String>,
}

/// A phase to filter by.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub enum RunPhaseFilter {
    Pending,
    Queued,
    Running,
    Escalated,
    Completed,
    Failed,
    Cancelled,
}

impl From<RunPhaseFilter> for Phase {
    fn from(filter: RunPhaseFilter) -> Self {
        match filter {
            RunPhaseFilter::Pending => Self::Pending,
            RunPhaseFilter::Queued => Self::Queued,
            RunPhaseFilter::Running => Self::Running,
            RunPhaseFilter::Escalated => Self::Escalated,
            RunPhaseFilter::Completed => Self::Completed,
            RunPhaseFilter::Failed => Self::Failed,
            RunPhaseFilter::Cancelled => Self::Cancelled,
        }
    }
}

/// A page of runs, by namespace and name; archived ones come last, by their age.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunList {
    pub items: Vec<RunView>,
    /// Ask with this for the next page; absent on the last one.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub after: Option<String>,
}

/// Lists the runs of all namespaces that the caller may see.
#[utoipa::path(
    get, path = "/api/v1/runs", tag = "runs", params(RunQuery),
    responses(
        (status = 200, description = "One page", body = RunList),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server or the database does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list_all_runs(
    State(app): State<App>,
    Caller(identity): Caller,
    query: Result<Query<RunQuery>, QueryRejection>,
) -> Result<Json<RunList>, Problem> {
    list(&app, &identity, None, query?.0).await
}

/// Lists the runs of a namespace that the caller may see.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/runs", tag = "runs",
    params(("namespace" = String, Path, description = "The namespace"), RunQuery),
    responses(
        (status = 200, description = "One page", body = RunList),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such namespace, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server or the database does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list_runs(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(namespace): Path<String>,
    query: Result<Query<RunQuery>, QueryRejection>,
) -> Result<Json<RunList>, Problem> {
    check_namespace(&namespace)?;
    list(&app, &identity, Some(&namespace), query?.0).await
}

async fn list(
    app: &App,
    identity: &Identity,
    namespace: Option<&str>,
    query: RunQuery,
) -> Result<Json<RunList>, Problem> {
    let limit = page_limit(query.limit)?;
    let token = query.after.as_deref().filter(|token| !token.is_empty());
    let start = token.map_or(Ok(Start::Living(None)), read_start)?;
    let phase = query.phase.map(Phase::from);
    let matches = |view: &RunView| {
        phase.is_none_or(|phase| view.phase() == phase)
            && query.work_id.as_ref().is_none_or(|id| view.spec.work_id.as_ref() == Some(id))
    };
    let (mut items, behind) = match start {
        Start::Living(start) => {
            let paging = Paging { limit, start };
            let page = objects::list(app, identity, namespace, paging, matches).await?;
            if page.after.is_some() || !query.archived {
                return Ok(Json(RunList { items: page.items, after: page.after }));
            }
            (page.items, None)
        }
        Start::Archive(_) if !query.archived => {
            return Err(Problem::bad_part(
                "continue",
                "leads into the archive: ask with archived=true",
            ));
        }
        Start::Archive(behind) => {
            if let Some(namespace) = namespace {
                may_see_namespace(&app.access, identity, &[Kind::Run], namespace).await?;
            }
            (Vec::new(), behind)
        }
    };
    if items.len() == limit {
        return Ok(Json(RunList { items, after: Some(token_in_archive(behind)) }));
    }
    let selection = Selection { namespace, phase, behind, limit: limit - items.len() };
    let (archived, next) = archived::list(app, identity, selection, matches).await?;
    items.extend(archived);
    Ok(Json(RunList { items, after: next.map(|next| token_in_archive(Some(next))) }))
}
