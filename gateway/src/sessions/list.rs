//! Lists: from the watched store, only what the caller may see.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use fabrica_crds::session::{Mode, Phase};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::SessionView;
use super::page::{read_token, token_after};
use super::store::Entry;
use crate::access::{Question, Verb};
use crate::app::App;
use crate::identity::Identity;
use crate::identity::caller::Caller;
use crate::names::check_namespace;
use crate::problem::Problem;

/// How many a page holds when nothing is said.
const PAGE: usize = 100;

/// How many a page holds at most.
const PAGE_LIMIT: usize = 500;

/// Sessions decided one by one, by their names, in one request: for people who were granted single ones. Their
/// namespaces hold few they may not list; the bound is for those who were granted nothing.
const SINGLE_LIMIT: usize = 256;

/// Which sessions to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only sessions of this mode.
    #[param(inline, nullable = false)]
    mode: Option<ModeFilter>,
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
    if !app.store.is_synced() {
        return Err(Problem::unavailable(
            "The list of sessions is still being read; try again in a moment.",
        ));
    }
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE_LIMIT).contains(&limit) {
        return Err(Problem::bad_request(format!("limit must be between 1 and {PAGE_LIMIT}.")));
    }
    // As in Kubernetes, an empty token asks for the first page.
    let token = query.after.as_deref().filter(|token| !token.is_empty());
    let start = token.map(read_token).transpose()?;
    let mode = query.mode.map(Mode::from);
    let phase = query.phase.map(Phase::from);
    let entries = app.store.after(start.as_ref(), namespace);
    let visible = visible(app, identity, entries).await?;
    if let Some(namespace) = namespace.filter(|_| visible.is_empty()) {
        may_see_namespace(app, identity, namespace).await?;
    }
    let mut matching = visible.into_iter().filter(|entry| {
        mode.is_none_or(|mode| entry.view.mode() == mode)
            && phase.is_none_or(|phase| entry.view.phase() == phase)
    });
    let items: Vec<SessionView> =
        matching.by_ref().take(limit).map(|entry| entry.view.clone()).collect();
    let last = items.last().map(SessionView::key);
    let after = matching.next().and(last).map(|key| token_after(&key));
    Ok(Json(SessionList { items, after }))
}

/// An empty list is only for those who may list; to others the namespace does not exist.
pub async fn may_see_namespace(
    app: &App,
    identity: &Identity,
    namespace: &str,
) -> Result<(), Problem> {
    for verb in [Verb::List, Verb::Create] {
        if app.allows(identity, Question::namespace(verb, namespace)).await? {
            return Ok(());
        }
    }
    Err(Problem::not_found("This namespace"))
}

/// Those of the entries that the identity may see, in their order: by the right to list a namespace, else by the right
/// to get the single Session.
pub async fn visible(
    app: &App,
    identity: &Identity,
    entries: Vec<Arc<Entry>>,
) -> Result<Vec<Arc<Entry>>, Problem> {
    let everywhere = app.allows(identity, Question::namespace(Verb::List, "")).await?;
    let mut namespaces: BTreeMap<String, bool> = BTreeMap::new();
    let mut singles = 0;
    let mut visible = Vec::new();
    for entry in entries {
        let namespace = &entry.view.namespace;
        if !app.access.admits_owner(identity, entry.view.owner()) {
            continue;
        }
        let listable = match namespaces.get(namespace) {
            Some(listable) => *listable,
            None => {
                everywhere
                    || app.allows(identity, Question::namespace(Verb::List, namespace)).await?
            }
        };
        namespaces.insert(namespace.clone(), listable);
        let mut seen = listable;
        if !seen && singles < SINGLE_LIMIT {
            singles += 1;
            seen = app.allows(identity, Question::session(Verb::Get, &entry.view.key())).await?;
        }
        if seen {
            visible.push(entry);
        }
    }
    Ok(visible)
}

/// Whether the identity may see one entry.
pub async fn is_visible(app: &App, identity: &Identity, entry: &Entry) -> Result<bool, Problem> {
    if !app.access.admits_owner(identity, entry.view.owner()) {
        return Ok(false);
    }
    let namespace = Question::namespace(Verb::List, &entry.view.namespace);
    let single = Question::session(Verb::Get, &entry.view.key());
    Ok(app.allows(identity, Question::namespace(Verb::List, "")).await?
        || app.allows(identity, namespace).await?
        || app.allows(identity, single).await?)
}
