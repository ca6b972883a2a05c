//! The admin port: liveness, readiness, metrics.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};

use crate::app::App;

/// The type of OpenMetrics text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The routes of the admin port.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(app)
}

async fn readyz(State(app): State<App>) -> Response {
    let lacking: Vec<&str> = [
        (!app.trust.is_ready(), "keys of the trust Secret"),
        (!app.sessions.is_synced(), "the list of sessions"),
        (!app.runs.is_synced(), "the list of runs"),
        (app.draining.is_cancelled(), "stopping"),
    ]
    .into_iter()
    .filter_map(|(lacks, what)| lacks.then_some(what))
    .collect();
    if lacking.is_empty() {
        return "ok".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, lacking.join(", ")).into_response()
}

async fn metrics(State(app): State<App>) -> Response {
    match app.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
