//! `POST /run`: a markdown plan becomes a Run.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use fabrica_telemetry::Traceparent;
use http::StatusCode;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::key::{self, Taken, create_once};
use super::long_plan;
use super::plan::Document;
use crate::api::body::{has_type, read_bytes};
use crate::api::caller::Caller;
use crate::api::objects::write::{Draft, trace};
use crate::app::App;
use crate::identity::{Identity, origin};
use crate::names::{ObjectKey, check_namespace};
use crate::namespaces::preferred;
use crate::objects::RunView;
use crate::problem::{FieldError, Problem};

/// The largest file.
const FILE_BYTES: usize = 1024 * 1024;

/// The longest plan that a Run holds, in characters, as the CRD has it.
const PLAN_CHARACTERS: usize = 32_768;

/// Where the run is made.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SubmitQuery {
    /// The namespace. Absent: your default one.
    #[param(nullable = false)]
    namespace: Option<String>,
}

/// A plan that was taken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The id for `/sessions/{id}`: the Run's UID.
    session_id: String,
    /// The namespace that the run is in.
    namespace: String,
    /// The run's name.
    name: String,
    /// What happens now, in a sentence.
    message: String,
    /// The page that shows it.
    url: String,
}

/// Takes a markdown plan whose front matter names the repository (`repo`) and maybe `title`, `branch` (to push to),
/// `base` (to begin from), `model`, `budgetUSD` and `forge` (GitHub or Gitea).
#[utoipa::path(
    post, path = "/run", tag = "short forms",
    request_body(content = String, content_type = "text/markdown", description = "The plan, below front matter"),
    params(SubmitQuery, key::Header),
    responses(
        (status = 202, description = "The run is there and will start", body = Accepted),
        (status = 400, description = "The query, the key or the text is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "You may not create runs there, or nowhere, or a quota or policy refuses it", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such namespace, or not for you", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The plan of a former run of the same key is still being cleared away", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The file or the plan is too long", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not sent as text/markdown", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Fields are wrong, or the key was used for another plan; errors names fields and lines", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API server does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn submit_plan(
    State(app): State<App>,
    Caller(identity): Caller,
    query: Result<Query<SubmitQuery>, QueryRejection>,
    request: Request,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let Query(SubmitQuery { namespace }) = query?;
    if let Some(namespace) = &namespace {
        check_namespace(namespace)?;
    }
    let (parts, body) = request.into_parts();
    if !has_type(&parts.headers, "text/markdown") {
        let detail = "Send the plan as markdown, with Content-Type: text/markdown.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let named = (key::name(&parts.headers, &identity)?, trace(&parts.headers));
    let bytes = read_bytes(body, FILE_BYTES).await?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Problem::bad_request("The plan is not text in UTF-8."))?;
    let document = Document::read(text).map_err(refused)?;
    let long = is_long(&app, &document)?;
    let namespace = match namespace {
        Some(namespace) => namespace,
        None => default_namespace(&app, &identity).await?,
    };
    let view = if long {
        take_long(&app, &identity, &namespace, named, &document).await?
    } else {
        let spec = spec(&document, json!({"plan": document.plan}));
        take(&app, &identity, &namespace, named, &document, spec).await?.view
    };
    Ok((StatusCode::ACCEPTED, Json(accepted(&app, &parts, &view))))
}

fn accepted(app: &App, parts: &Parts, view: &RunView) -> Accepted {
    let ObjectKey { namespace, name } = view.key();
    let base = origin::address(&parts.headers, &parts.uri, app.config.public_origin.as_ref());
    Accepted {
        session_id: view.metadata.uid.clone(),
        message: format!("The run {namespace}/{name} was accepted."),
        url: format!("{base}/ns/{namespace}/runs/{name}"),
        namespace,
        name,
    }
}

/// Whether the plan is too long for a Run and is put into a ConfigMap.
fn is_long(app: &App, document: &Document) -> Result<bool, Problem> {
    let length = document.plan.chars().count();
    if length <= PLAN_CHARACTERS {
        return Ok(false);
    }
    let too_long = |detail| Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    if !app.config.long_plans {
        return too_long(format!(
            "The plan has {length} characters; a run holds {PLAN_CHARACTERS}. Put it into a ConfigMap, and create the run with spec.planRef at /api/v1/namespaces/{{namespace}}/runs."
        ));
    }
    if !long_plan::fits(&document.plan) {
        return too_long(
            "The plan is longer than a ConfigMap can hold, which is 1 MiB.".to_owned(),
        );
    }
    Ok(true)
}

/// The same with the plan in a ConfigMap. It is made after the Run, which it belongs to: the pod waits for it.
async fn take_long(
    app: &App,
    identity: &Identity,
    namespace: &str,
    (name, trace): (Option<String>, Option<Traceparent>),
    document: &Document,
) -> Result<RunView, Problem> {
    let name = name.unwrap_or_else(|| long_plan::name("run-"));
    let reference = json!({"planRef": long_plan::reference(&name, &document.plan)});
    let spec = spec(document, reference);
    let Taken { view, new } =
        take(app, identity, namespace, (Some(name), trace), document, spec).await?;
    long_plan::keep(app, &view, new, &document.plan).await?;
    Ok(view)
}

/// The Run; what the API server says against a field is told of the line that it comes from.
async fn take(
    app: &App,
    identity: &Identity,
    namespace: &str,
    (name, trace): (Option<String>, Option<Traceparent>),
    document: &Document,
    spec: Map<String, Value>,
) -> Result<Taken, Problem> {
    let draft = Draft { name, generate_name: None, spec, trace };
    create_once(app, identity, namespace, draft).await.map_err(|problem| {
        if problem.status != StatusCode::UNPROCESSABLE_ENTITY.as_u16() {
            return problem;
        }
        refused(problem.errors.into_iter().map(|error| document.translate(error)).collect())
    })
}

/// The spec that the front matter asks for, with the plan or where it is.
fn spec(document: &Document, plan: Value) -> Map<String, Value> {
    let mut repository = json!({"url": document.get("repo")});
    let mut agent = Map::new();
    for (field, part) in [("base", "branch"), ("forge", "forge")] {
        if let Some(value) = document.get(field) {
            repository[part] = json!(value);
        }
    }
    for field in ["model", "budgetUSD"] {
        if let Some(value) = document.get(field) {
            agent.insert(field.to_owned(), json!(value));
        }
    }
    let mut spec = Map::new();
    if let Value::Object(plan) = plan {
        spec.extend(plan);
    }
    spec.insert("title".to_owned(), json!(document.title()));
    spec.insert("repository".to_owned(), repository);
    spec.insert("agent".to_owned(), Value::Object(agent));
    if let Some(branch) = document.get("branch") {
        spec.insert("branch".to_owned(), json!(branch));
    }
    spec
}

fn refused(errors: Vec<FieldError>) -> Problem {
    let detail = match errors.first() {
        Some(FieldError { field, message }) => format!("{field}: {message}"),
        None => "The API server refuses this plan.".to_owned(),
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_errors(errors)
}

async fn default_namespace(app: &App, identity: &Identity) -> Result<String, Problem> {
    let usable = app.namespaces.usable(&app.access, identity).await?;
    let configured = app.config.default_namespace.as_deref();
    let found = preferred(&usable, configured, |namespace| namespace.create_runs);
    found.map(|namespace| namespace.name.clone()).ok_or_else(|| {
        Problem::forbidden(
            "You may create runs in no namespace; ask for the verb create on runs.fabrica.dev in one.",
        )
    })
}
