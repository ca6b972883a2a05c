//! One Run at a time: get, create, cancel, retry, delete.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use fabrica_crds::names::RUN_BRANCHES;
use fabrica_crds::{Run, RunSpec};
use fabrica_protocol::run::DEFAULT_BRANCH;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::key::{self, Taken, create_once};
use super::long_plan;
use super::messages::WhichRun;
use super::plan::has_front_matter;
use crate::access::Verb;
use crate::api::body::{read_json, read_optional_json};
use crate::api::caller::Caller;
use crate::api::named::Named;
use crate::api::objects::find::permitted_anywhere;
use crate::api::objects::write::{Draft, change, create, created, permitted, remove, trace};
use crate::app::App;
use crate::names::check_namespace;
use crate::objects::RunView;
use crate::openapi::RunSpecSchema;
use crate::problem::Problem;

/// How much of a name the name of its retry begins with: room for a dash and what the API server appends.
const RETRY_PREFIX: usize = 46;

/// What is wrong with another plan that says more than what is to be done.
const FRONT_MATTER: &str = "must not begin with front matter: a retry keeps the repository, the agent and the budget of the run that it follows; leave the front matter out, or begin a new run with this file";

/// A Run to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CreateRun {
    /// Its name. Absent: one is made from generateName.
    #[schema(max_length = 52, nullable = false)]
    name: Option<String>,
    /// The beginning of a name that is made. Absent: `run-`.
    #[schema(max_length = 47, nullable = false)]
    generate_name: Option<String>,
    /// The CRD's own spec. The owner is set to you.
    #[schema(value_type = RunSpecSchema)]
    spec: Map<String, Value>,
}

/// How a retry differs from the Run that it follows.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRun {
    /// The plan to carry out instead, without front matter. Absent: the same one.
    #[schema(min_length = 1, max_length = 32_768, nullable = false)]
    plan: Option<String>,
}

/// Gets one run, also when the cluster has it no more: then it is `archived`.
#[utoipa::path(
    get, path = "/api/v1/namespaces/{namespace}/runs/{name}", tag = "runs",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The run's name"), WhichRun),
    responses(
        (status = 200, description = "The run", body = RunView),
        (status = 400, description = "The path names what no object can be called; errors names the part", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get_run(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Run>,
    query: Result<Query<WhichRun>, QueryRejection>,
) -> Result<Json<RunView>, Problem> {
    let uid = query?.0.uid;
    Ok(Json(permitted_anywhere::<Run>(&app, &identity, Verb::Get, &key, uid.as_deref()).await?))
}

/// Creates a run. The caller becomes its owner.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/runs", tag = "runs", request_body = CreateRun,
    params(("namespace" = String, Path, description = "The namespace"), key::Header),
    responses(
        (status = 201, description = "Created, or found by its key", body = RunView),
        (status = 400, description = "The body is not JSON, or the key is none", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed, by RBAC, a quota or a policy", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such namespace, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields are wrong, or the key was used for another plan; errors names them", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create_run(
    State(app): State<App>,
    Caller(identity): Caller,
    Path(namespace): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    check_namespace(&namespace)?;
    let (parts, body) = request.into_parts();
    let CreateRun { name, generate_name, spec } = read_json(&parts.headers, body).await?;
    let draft = Draft { name, generate_name, spec, trace: trace(&parts.headers) };
    let keyed = key::name(&parts.headers, &identity)?;
    // A name of the caller's own is taken once anyway.
    if let Some(name) = keyed.filter(|_| draft.name.is_none()) {
        let draft = Draft { name: Some(name), generate_name: None, ..draft };
        return Ok(created(create_once(&app, &identity, &namespace, draft).await?.view));
    }
    Ok(created(create::<Run>(&app, &identity, &namespace, draft).await?))
}

/// Deletes a run and its pods, logs included. What it pushed stays.
#[utoipa::path(
    delete, path = "/api/v1/namespaces/{namespace}/runs/{name}", tag = "runs",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The run's name")),
    responses(
        (status = 204, description = "It is being deleted"),
        (status = 400, description = "The path names what no object can be called; errors names the part", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was replaced meanwhile", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete_run(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Run>,
) -> Result<StatusCode, Problem> {
    remove::<Run>(&app, &identity, &key).await
}

/// Ends a run for good.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/runs/{name}/cancel", tag = "runs",
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The run's name")),
    responses(
        (status = 200, description = "The run as asked for", body = RunView),
        (status = 400, description = "The path names what no object can be called; errors names the part", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has ended already", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn cancel_run(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Run>,
) -> Result<Json<RunView>, Problem> {
    let view = permitted::<Run>(&app, &identity, Verb::Patch, &key).await?;
    if view.phase().is_final() {
        let detail =
            format!("This run has ended ({:?}); there is nothing to cancel.", view.phase());
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    change(&app, &view, json!({"desiredState": "Cancelled"})).await
}

/// Creates a run that does the same again, or an edited plan, and begins from the branch that the old one pushed.
#[utoipa::path(
    post, path = "/api/v1/namespaces/{namespace}/runs/{name}/retry", tag = "runs", request_body = Option<RetryRun>,
    params(("namespace" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The name of the run that has ended"), key::Header),
    responses(
        (status = 201, description = "The new run, or the one that was made for the same key", body = RunView),
        (status = 400, description = "The path names what no object can be called (errors names the part), or the key is none", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed, by RBAC, a quota or a policy", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such run, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The old run has not ended yet, or its plan was too long for it and went with it", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The plan is wrong, or the key was used for another one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn retry_run(
    State(app): State<App>,
    Caller(identity): Caller,
    Named { key, .. }: Named<Run>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let RetryRun { plan } = read_optional_json(&parts.headers, body).await?;
    if plan.as_deref().is_some_and(has_front_matter) {
        return Err(Problem::invalid("plan", FRONT_MATTER));
    }
    let old = permitted_anywhere::<Run>(&app, &identity, Verb::Get, &key, None).await?;
    if !old.archived && !old.phase().is_final() {
        let detail = "This run has not ended yet; cancel it first, or wait for its end.";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    // One that was too long for the old run goes with it, so the new one gets its own.
    let long = if plan.is_none() { long_plan::of(&app, &old).await? } else { None };
    let mut draft = Draft { trace: trace(&parts.headers), ..again(&old, plan)? };
    draft.name = key::retry_name(&parts.headers, &identity, &old)?;
    let beginning = draft.generate_name.take_if(|_| draft.name.is_some() || long.is_some());
    if let Some(long) = &long {
        let made = || long_plan::name(beginning.as_deref().unwrap_or_default());
        let name = draft.name.get_or_insert_with(made);
        draft.spec.insert("planRef".to_owned(), long_plan::reference(name, long));
    }
    let Taken { view, new } = create_once(&app, &identity, &key.namespace, draft).await?;
    if let Some(long) = &long {
        long_plan::keep(&app, &view, new, long).await?;
    }
    Ok(created(view))
}

/// The Run that follows one that has ended.
fn again(old: &RunView, plan: Option<String>) -> Result<Draft, Problem> {
    let status = old.status.clone().unwrap_or_default();
    let mut spec = RunSpec { owner: None, ..old.spec.clone() };
    // The old one's branch carries the old one's name in its commits: it is begun from, and not taken over.
    spec.branch = None;
    // They are answers to questions of the old one.
    spec.answers = None;
    if let (Some(branch), Some(_)) = (status.branch, status.commit) {
        let begun = spec.repository.repository.branch.replace(branch);
        // A retry begins from another Run's branch, and nobody wants to merge into that.
        let begun = begun.filter(|branch| !branch.starts_with(RUN_BRANCHES));
        // What the old one left is to be merged with it, and so into the same branch.
        let base = &mut spec.pull_request.get_or_insert_default().base;
        base.get_or_insert_with(|| begun.unwrap_or_else(|| DEFAULT_BRANCH.to_owned()));
    }
    if plan.is_some() {
        spec.plan_ref = None;
        spec.work_id = None;
        spec.plan = plan;
    }
    let spec = serde_json::to_value(&spec);
    let Ok(Value::Object(mut spec)) = spec else {
        return Err(Problem::unavailable("The old run cannot be written down again."));
    };
    spec.remove("desiredState");
    let name: String = old.metadata.name.chars().take(RETRY_PREFIX).collect();
    let generate_name = Some(format!("{}-", name.trim_end_matches('-')));
    Ok(Draft { name: None, generate_name, spec, trace: None })
}

#[cfg(test)]
mod tests {
    use fabrica_crds::run::PullRequest;
    use rstest::rstest;

    use super::*;

    fn old(commit: Option<&str>) -> RunView {
        let run: Run = serde_json::from_value(json!({
            "apiVersion": "fabrica.dev/v1alpha1", "kind": "Run", "metadata": {"name": "x".repeat(52)},
            "spec": {
                "repository": {"url": "https://git.example.com/a", "branch": "main", "secretRef": {"name": "login"}},
                "planRef": {"name": "plans", "key": "a.md"}, "branch": "work", "owner": "dana", "desiredState": "Cancelled",
            },
            "status": {"phase": "Failed", "branch": "work", "commit": commit},
        }))
        .unwrap();
        run.into()
    }

    #[rstest]
    #[case(Some("abc"), "work")]
    #[case(None, "main")]
    fn a_retry_begins_where_the_old_one_ended(#[case] commit: Option<&str>, #[case] base: &str) {
        let draft = again(&old(commit), None).unwrap();
        let spec = Value::Object(draft.spec);
        assert_eq!(spec["repository"]["branch"], base);
        assert_eq!(spec["repository"]["secretRef"]["name"], "login");
        assert_eq!(spec["planRef"]["name"], "plans");
        for gone in ["branch", "owner", "desiredState"] {
            assert_eq!(spec.get(gone), None, "{gone}");
        }
        assert_eq!(draft.generate_name, Some(format!("{}-", "x".repeat(46))));
    }

    #[rstest]
    #[case::where_the_old_one_began(Some("main"), None, "main")]
    #[case::the_default_one(None, None, "HEAD")]
    #[case::a_retry_that_did_not_say(Some("fabrica/0"), None, "HEAD")]
    #[case::what_a_retry_before_said(Some("fabrica/0"), Some("main"), "main")]
    fn what_a_retry_does_is_merged_into_what_the_old_one_was_for(
        #[case] begun: Option<&str>,
        #[case] base: Option<&str>,
        #[case] expected: &str,
    ) {
        let mut view = old(Some("abc"));
        view.spec.repository.repository.branch = begun.map(str::to_owned);
        view.spec.pull_request =
            base.map(|base| PullRequest { base: Some(base.to_owned()), ..PullRequest::default() });
        let spec = Value::Object(again(&view, None).unwrap().spec);
        assert_eq!(spec["repository"]["branch"], "work");
        assert_eq!(spec["pullRequest"]["base"], expected);
        // Nothing was pushed: it begins where the old one began.
        view.status.as_mut().unwrap().commit = None;
        let spec = Value::Object(again(&view, None).unwrap().spec);
        assert_eq!(spec["repository"].get("branch"), begun.map(|name| json!(name)).as_ref());
        assert_eq!(spec["pullRequest"].get("base"), base.map(|name| json!(name)).as_ref());
    }

    #[test]
    fn an_edited_plan_takes_the_place_of_a_reference() {
        let spec = again(&old(None), Some("# New".to_owned())).unwrap().spec;
        assert_eq!((&spec["plan"], spec.get("planRef")), (&json!("# New"), None));
    }

    #[test]
    fn a_retry_keeps_who_works_and_where() {
        let mut view = old(None);
        let mut spec = json!({
            "repository": {"url": "https://git.example.com/a", "forge": "Gitea"}, "workId": "#12",
            "agent": {"driver": "Claude", "model": "m", "maxTurns": 9, "budgetUSD": "2.50", "baseURL": "http://model"},
            "pullRequest": {"labels": ["shop"], "draft": true}, "credentialsRef": {"name": "keys"},
        });
        view.spec = serde_json::from_value(spec.clone()).unwrap();
        let kept = ["repository", "agent", "pullRequest", "credentialsRef"];
        let same = again(&view, None).unwrap().spec;
        assert_eq!(same["workId"], "#12");
        let edited = again(&view, Some("# New".to_owned())).unwrap().spec;
        assert_eq!(edited.get("workId"), None);
        for part in kept {
            let part_before = spec[part].take();
            assert_eq!((&same[part], &edited[part]), (&part_before, &part_before), "{part}");
        }
    }
}
