//! From a request to a terminal's socket.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Response;
use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::{SUBPROTOCOL, close};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;

use super::caller::{Shared, authorization};
use crate::pod::Pod;
use crate::problem::Problem;
use crate::terminal::socket::{self, Peer};
use crate::terminal::websocket;

/// What a client is told that comes before the start steps are done.
const NOT_READY: &str = "the start steps are not done yet; ra=1000";

/// The same while a Chat is ready and its repository is not there yet: that may take minutes, and clients try no more than
/// thirty times a minute.
const NOT_FURNISHED: &str = "the repository is not there yet; ra=2000";

/// Checks everything that HTTP can refuse, and hands the plain socket on.
pub(super) async fn terminal(
    State(pod): Shared,
    mut request: Request,
) -> Result<Response, Problem> {
    let claims = pod.gate.check_once(authorization(request.headers()))?;
    if claims.role == Role::Operator {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "the role operator opens no terminal; use control or view",
        ));
    }
    let accept = websocket::accept(key(request.headers())?);
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let upgrade = upgrade
        .ok_or_else(|| Problem::new(StatusCode::UPGRADE_REQUIRED, "terminals need HTTP/1.1"))?;
    let control = claims.role == Role::Control;
    let peer = Peer { connection: claims.jti, user: claims.sub, control };
    let sockets = pod.sockets.clone();
    sockets.spawn(serve(upgrade, peer, pod));
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .header(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
        .body(Body::empty())
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

async fn serve(upgrade: OnUpgrade, peer: Peer, pod: Arc<Pod>) {
    let parts = match upgrade.await {
        Ok(upgraded) => auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded),
        Err(error) => return tracing::debug!(%error, "a socket was given up before it began"),
    };
    let Ok(parts) = parts else { return tracing::error!("the connection is no plain socket") };
    let stream = parts.io.into_inner();
    if pod.is_furnished() {
        socket::serve(stream, &parts.read_buf, &peer, &pod.shells, pod.config.timing, pod.started)
            .await;
    } else {
        let why = if pod.is_ready() { NOT_FURNISHED } else { NOT_READY };
        socket::refuse(&stream, close::NOT_READY, why).await;
    }
}

/// The client's key, when this is a WebSocket of our protocol.
fn key(headers: &HeaderMap) -> Result<&str, Problem> {
    let wanted = lists(headers, &header::UPGRADE, "websocket")
        && lists(headers, &header::SEC_WEBSOCKET_VERSION, "13");
    if !wanted {
        return Err(Problem::new(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket, version 13"));
    }
    if !lists(headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        let detail = format!("Sec-WebSocket-Protocol must name {SUBPROTOCOL}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    key.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is missing"))
}

/// Whether a header's comma-separated lists hold a word.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}
