//! Health and metrics, on a port of their own.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The type of OpenMetrics text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the admin port asks of the operator.
pub trait Health: Send + Sync + 'static {
    /// Why the operator cannot do its work yet; `None` when it can, as leader or standing by.
    fn not_ready(&self) -> Option<&'static str>;
    /// The metrics page.
    fn metrics(&self) -> Result<String, std::fmt::Error>;
}

/// Serves until told to stop.
pub async fn serve<H: Health>(
    address: SocketAddr,
    health: Arc<H>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready::<H>))
        .route("/metrics", get(metrics::<H>))
        .with_state(health);
    let listener = TcpListener::bind(address).await?;
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn ready<H: Health>(State(health): State<Arc<H>>) -> (StatusCode, &'static str) {
    match health.not_ready() {
        None => (StatusCode::OK, "ok"),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

async fn metrics<H: Health>(State(health): State<Arc<H>>) -> Result<Response, StatusCode> {
    let page = health.metrics().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], page).into_response())
}
