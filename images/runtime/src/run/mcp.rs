//! What servers of the Model Context Protocol have in common.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use super::audit::{Audited, Scribe};

/// A server under its name; each client gets tools of its own, and every call is written down.
pub(crate) fn serve<T: ServerHandler + Clone, S: Scribe>(
    name: &'static str,
    tools: T,
    scribe: S,
) -> StreamableHttpService<Audited<T, S>, LocalSessionManager> {
    let audited = Audited { name, tools, scribe };
    StreamableHttpService::new(
        move || Ok(audited.clone()),
        sessions(),
        StreamableHttpServerConfig::default(),
    )
}

/// Sessions that last. By default one ends in which nothing is said for five minutes, and with it the call that waits for
/// a human. Those of a program that is gone stay: they are few and small.
fn sessions() -> Arc<LocalSessionManager> {
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.keep_alive = None;
    Arc::new(sessions)
}

pub(crate) async fn only_the_agent(
    State(key): State<Arc<String>>,
    request: Request,
    next: Next,
) -> Response {
    let given =
        request.headers().get(header::AUTHORIZATION).map_or(&b""[..], |given| given.as_bytes());
    if verify_slices_are_equal(given, key.as_bytes()).is_err() {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_may_wait_for_longer_than_anything_is_said() {
        assert_eq!(sessions().session_config.keep_alive, None);
    }
}
