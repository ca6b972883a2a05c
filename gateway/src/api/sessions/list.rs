//! Lists: from the watched store, only what the caller may see.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use fabrica_crds::session::{Mode, Phase};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::caller::Caller;
use crate::api::objects::list::{self as objects, Page, Paging};
use crate::app::App;
use crate::identity::Identity;
use crate::names::check_namespace;
use crate::objects::SessionView;
use crate::problem::Problem;

/// Which sessions to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only sessions of this mode.
    #[param(inline, nullable = false)]
    mode: Option<ModeFilter>,
    /// Only sessions whose `spec.workId` is exactly this.
    #[serde(rename = "workId")]
    #[param(nullable = false)]
    work_id: Option<String>,
    /// Only sessions in this phase.
    #[param(inline, nullable = false)]
    phase: Option<PhaseFilter>,
    /// How many at most (1 to 500, default 100).
    #[param(minimum = 1, maximum = 500, nullable = false)]
    limit: Option<usize>,
    /// The `continue` of the page before.
    #[serde(rename = "continue")]
    #[param(nullable = false)]
    after: Option<String>,
}

/// A mode to filter by.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub enum ModeFilter {
    Terminal,
    Chat,
}

/// A phase to filter by.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub enum PhaseFilter {
    Pending,
    Starting,
    Running,
    Stopped,
    Failed,
}

impl From<ModeFilter> for Mode {
    fn from(filter: ModeFilter) -> Self {
        match filter {
            ModeFilter::Terminal => Self::Terminal,
            ModeFilter::Chat => Self::Chat,
        }
    }
}

impl From<PhaseFilter> for Phase {
    fn from(filter: PhaseFilter) -> Self {
        match filter {
            PhaseFilter::Pending => Self::Pending,
            PhaseFilter::Starting => Self::Starting,
            PhaseFilter::Running => Self::Running,
            PhaseFilter::Stopped => Self::Stopped,
            PhaseFilter::Failed => Self::Failed,
        }
    }
}

/// A page of sessions, by namespace and name.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    pub items: Vec<SessionView>,
    /// Ask with this for the next page; absent on the last one.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub after: Option<String>,
}

/// Lists the sessions of all namespaces that the caller may see.
#[utoipa::path(
    get, path = "/api/v1/sessions", tag = "sessions", params(ListQuery),
    responses(
        (status = 200, description = "One page", body = SessionList),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list_all(
    State(app): State<App>,
    Caller(identity): Caller,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<SessionList>, Problem> {
    list(&app, &identity, None, query?.0).await
}

/// Lists the sessions of a namespace that the caller may see.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/sessions", tag = "sessions",
    params(("namespace" = String, Path, description = "The namespace"), ListQuery),
    responses(
        (status = 200, description = "One page", body = SessionList),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such namespace, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list_in_namespace(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(namespace): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<SessionList>, Problem> {
    check_namespace(&namespace)?;
    list(&app, &identity, Some(&namespace), query?.0).await
}

async fn list(
    app: &App,
    identity: &Identity,
    namespace: Option<&str>,
    query: ListQuery,
) -> Result<Json<SessionList>, Problem> {
    let paging = Paging::read(query.limit, query.after.as_deref())?;
    let mode = query.mode.map(Mode::from);
    let phase = query.phase.map(Phase::from);
    let matches = |view: &SessionView| {
        mode.is_none_or(|mode| view.mode() == mode)
            && phase.is_none_or(|phase| view.phase() == phase)
            && query.work_id.as_ref().is_none_or(|id| view.spec.work_id.as_ref() == Some(id))
    };
    let Page { items, after } = objects::list(app, identity, namespace, paging, matches).await?;
    Ok(Json(SessionList { items, after }))
}
