//! Every route, and the headers that every answer carries.

use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::json;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::sessions::{agent, answers, list, messages, search, short, write};
use crate::api::{events, files, forges, login, runs, socket};
use crate::app::App;
use crate::problem::Problem;
use crate::{openapi, ui};

/// What the page may load and where it may connect: itself. The terminal sets styles by script; images and fonts may be
/// inlined by the build.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; \
base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Headers of every answer that does not set them itself.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The documented routes and their document.
pub fn api() -> (Router<App>, OpenApi) {
    OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(login::logout))
        .routes(routes!(login::me))
        .routes(routes!(list::list_all))
        .routes(routes!(list::list_in_namespace, write::create_session))
        .routes(routes!(write::get_session, write::delete_session))
        .routes(routes!(write::suspend_session))
        .routes(routes!(write::resume_session))
        .routes(routes!(agent::switch_agent))
        .routes(routes!(answers::answer_session))
        .routes(routes!(messages::get_session_messages))
        .routes(routes!(search::search_session_messages))
        .routes(routes!(short::create_short_session, short::list_short_sessions))
        .routes(routes!(short::get_short_session))
        .routes(routes!(short::open_short_session))
        .routes(routes!(runs::list::list_all_runs))
        .routes(routes!(runs::list::list_runs, runs::write::create_run))
        .routes(routes!(runs::write::get_run, runs::write::delete_run))
        .routes(routes!(runs::write::cancel_run))
        .routes(routes!(runs::write::retry_run))
        .routes(routes!(runs::answers::answer_run))
        .routes(routes!(runs::messages::get_messages))
        .routes(routes!(runs::messages::mark_messages))
        .routes(routes!(runs::submit::submit_plan))
        .routes(routes!(runs::short::get_short))
        .routes(routes!(runs::short::get_short_messages))
        .routes(routes!(runs::short::mark_short_messages))
        .routes(routes!(events::events))
        .routes(routes!(events::events_in_namespace))
        .routes(routes!(socket::terminal))
        .routes(routes!(socket::chat))
        .routes(routes!(files::download, files::upload))
        .routes(routes!(forges::list_forges))
        .routes(routes!(forges::find_repositories))
        .routes(routes!(forges::find_work_items))
        .routes(routes!(health))
        .split_for_parts()
}

/// Everything that is served on the public port.
pub fn build(app: App) -> Result<Router, serde_json::Error> {
    let (routes, document) = api();
    let document: &'static str = openapi::document(&document)?.leak();
    let answer = move || async move { ([(header::CONTENT_TYPE, "application/json")], document) };
    Ok(routes
        .route("/openapi.json", get(answer))
        // The root of the workspace: a wildcard does not match nothing.
        .route("/api/v1/namespaces/{namespace}/sessions/{name}/files/", get(files::download))
        .method_not_allowed_fallback(wrong_method)
        .fallback(ui::fallback)
        .layer(from_fn_with_state(app.clone(), observe))
        .with_state(app))
}

/// Tells that the gateway runs.
#[utoipa::path(get, path = "/health", tag = "health", security(()), responses((status = 200, description = "It runs")))]
async fn health() -> Response {
    std::future::ready(Json(json!({"status": "ok"})).into_response()).await
}

/// Refuses a method that a path does not take. The router adds which ones it does, as Allow.
async fn wrong_method(method: Method) -> Problem {
    let detail = format!("{method} is not possible here; the header Allow names what is.");
    std::future::ready(Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)).await
}

/// Counts a request, logs it, and adds the headers of every answer.
async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    // The query may hold what does not belong into logs; the path holds names only.
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let elapsed = start.elapsed();
    let status = response.status().as_u16();
    app.metrics.request(status, elapsed.as_secs_f64());
    tracing::debug!(%method, path, status, milliseconds = elapsed.as_millis(), "answered");
    add_headers(response.headers_mut());
    response
}

fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
