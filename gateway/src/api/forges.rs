//! Searching forges, for whoever fills in a form.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::caller::Caller;
use crate::app::App;
use crate::forges::{Forge, ForgeError, Kind, Repository, Slug, Words, WorkItem};
use crate::identity::Identity;
use crate::problem::Problem;
use crate::quota::Place;

/// A forge that can be searched.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForgeView {
    /// Its place in the chart's list, and in paths.
    pub id: usize,
    pub kind: Kind,
    /// What stands before `owner/name` in the addresses of its repositories.
    pub url: String,
    /// Whether the gateway has a token for it: without one, only what is public is found.
    pub authenticated: bool,
}

/// The forges that the chart names.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForgeList {
    pub items: Vec<ForgeView>,
}

/// Repositories that were found, at most 20.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepositoryList {
    pub items: Vec<Repository>,
}

/// Work items that were found, at most 20.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkItemList {
    pub items: Vec<WorkItem>,
}

/// Which repositories to find.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RepositoryQuery {
    /// Part of a name, or `owner/name`; without it those that changed last.
    #[serde(default)]
    #[param(required = false)]
    q: String,
}

/// Which work items to find.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WorkItemQuery {
    /// `owner/name`.
    repository: String,
    /// Words of an open work item, or a number; without it the newest.
    #[serde(default)]
    #[param(required = false)]
    q: String,
}

/// Lists the forges that can be searched.
#[utoipa::path(
    get, path = "/api/v1/forges", tag = "forges",
    responses(
        (status = 200, description = "The forges; none when the chart names none", body = ForgeList),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The caller may create neither sessions nor runs", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list_forges(
    State(app): State<App>,
    Caller(identity): Caller,
) -> Result<Json<ForgeList>, Problem> {
    may_search(&app, &identity).await?;
    let mut items = Vec::with_capacity(app.forges.len());
    for (id, forge) in app.forges.iter().enumerate() {
        // A token that cannot be read is told by the search.
        let authenticated = forge.has_token().await.unwrap_or(false);
        items.push(ForgeView {
            id,
            kind: forge.kind(),
            url: forge.url().to_owned(),
            authenticated,
        });
    }
    Ok(Json(ForgeList { items }))
}

/// Finds repositories of a forge.
#[utoipa::path(
    get, path = "/api/v1/forges/{forge}/repositories", tag = "forges",
    params(("forge" = usize, Path, description = "The forge's id"), RepositoryQuery),
    responses(
        (status = 200, description = "What was found", body = RepositoryList),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The caller may create neither sessions nor runs", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such forge", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many searches, here or at the forge; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 502, description = "The forge does not answer, or not as it should", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn find_repositories(
    State(app): State<App>,
    Caller(identity): Caller,
    path: Result<Path<usize>, PathRejection>,
    query: Result<Query<RepositoryQuery>, QueryRejection>,
) -> Result<Json<RepositoryList>, Problem> {
    let (id, Query(query)) = (id(path)?, query?);
    let (forge, _place) = search(&app, &identity, id).await?;
    let found = forge.repositories(Words::of(&query.q)).await;
    let found = found.map_err(|error| problem(forge, &error))?;
    Ok(Json(RepositoryList { items: found.to_vec() }))
}

/// Finds open work items of a repository, or the one that has a number.
#[utoipa::path(
    get, path = "/api/v1/forges/{forge}/work-items", tag = "forges",
    params(("forge" = usize, Path, description = "The forge's id"), WorkItemQuery),
    responses(
        (status = 200, description = "What was found", body = WorkItemList),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The caller may create neither sessions nor runs", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such forge, or it shows no such repository", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many searches, here or at the forge; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 502, description = "The forge does not answer, or not as it should", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn find_work_items(
    State(app): State<App>,
    Caller(identity): Caller,
    path: Result<Path<usize>, PathRejection>,
    query: Result<Query<WorkItemQuery>, QueryRejection>,
) -> Result<Json<WorkItemList>, Problem> {
    let (id, Query(query)) = (id(path)?, query?);
    let (forge, _place) = search(&app, &identity, id).await?;
    let of = Slug::parse(&query.repository)
        .ok_or_else(|| Problem::bad_part("repository", "must be owner/name"))?;
    let found = forge.work_items(of, Words::of(&query.q)).await;
    let found = found.map_err(|error| problem(forge, &error))?;
    Ok(Json(WorkItemList { items: found.to_vec() }))
}

/// The id in a path.
fn id(path: Result<Path<usize>, PathRejection>) -> Result<usize, Problem> {
    let wrong = |_| {
        Problem::bad_part(
            "forge",
            "must be the id of a forge, a number: GET /api/v1/forges lists them",
        )
    };
    path.map(|Path(id)| id).map_err(wrong)
}

/// The forge to search, and a place among those who search.
async fn search<'a>(
    app: &'a App,
    identity: &Identity,
    id: usize,
) -> Result<(&'a Forge, Place), Problem> {
    may_search(app, identity).await?;
    let forge = app.forges.get(id).ok_or_else(|| Problem::not_found("This forge"))?;
    let place = app.searches.take(identity.name());
    let busy = || Problem::too_many("Too many searches at a time; try again in a moment.", 1);
    Ok((forge, place.ok_or_else(busy)?))
}

/// What a token sees is for those alone who may create something.
async fn may_search(app: &App, identity: &Identity) -> Result<(), Problem> {
    let usable = app.namespaces.usable(&app.access, identity).await?;
    if usable.iter().any(|namespace| namespace.create_sessions || namespace.create_runs) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "To search forges one must be allowed to create sessions or runs in some namespace.",
    ))
}

fn problem(forge: &Forge, error: &ForgeError) -> Problem {
    let url = forge.url();
    tracing::info!(forge = url, error = crate::chain(error), "a forge told nothing");
    let failed = |words: String| Problem::new(StatusCode::BAD_GATEWAY, words);
    match error {
        ForgeError::Limited { seconds } => Problem::too_many(
            format!("{url} is asked too often; try again in {seconds} s."),
            *seconds,
        ),
        // GitHub says so of a repository that the token does not see.
        ForgeError::Refused(StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY) => {
            Problem::new(StatusCode::NOT_FOUND, format!("{url} shows the gateway no such thing."))
        }
        ForgeError::Refused(StatusCode::UNAUTHORIZED) | ForgeError::TokenCharacters => failed(
            format!("{url} does not take the gateway's token: an administrator has to renew it."),
        ),
        ForgeError::Refused(StatusCode::FORBIDDEN) => failed(format!(
            "{url} does not let the gateway's token search: an administrator has to allow it."
        )),
        ForgeError::Unreachable(_) => failed(format!(
            "{url} does not answer; try again in a moment, or give the address by hand."
        )),
        ForgeError::Client(_)
        | ForgeError::Token(_)
        | ForgeError::Refused(_)
        | ForgeError::TooLong
        | ForgeError::Answer(_) => {
            failed(format!("{url} cannot be searched now; give the address by hand."))
        }
    }
}
