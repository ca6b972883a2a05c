//! From a request to a conversation's socket.

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use fabrica_protocol::assertion::Role;
use fabrica_protocol::chat::SUBPROTOCOL;

use super::caller::{Shared, authorization};
use crate::chat::socket::{self, Peer, READ_BYTES};
use crate::pod::Pod;
use crate::problem::Problem;

pub(super) fn doors() -> Router<Arc<Pod>> {
    Router::new().route("/v1/chat", get(chat))
}

/// Checks everything that HTTP can refuse, and hands the socket on.
async fn chat(State(pod): Shared, request: Request) -> Result<Response, Problem> {
    let claims = pod.gate.check_once(authorization(request.headers()))?;
    if claims.role == Role::Operator {
        let detail = "the role operator does not talk; use control or view";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &pod).await;
    let upgrade = upgrade
        .map_err(|error| Problem::new(StatusCode::UPGRADE_REQUIRED, error.to_string()))?
        .protocols([SUBPROTOCOL])
        .max_message_size(READ_BYTES)
        .max_frame_size(READ_BYTES);
    if upgrade.selected_protocol().is_none() {
        let detail = format!("Sec-WebSocket-Protocol must name {SUBPROTOCOL}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let Some(chat) = pod.live_chat() else {
        let detail = "no agent works in this Session now; spec.agentState switches it on";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    };
    let peer = Peer {
        connection: claims.jti,
        author: claims.sub,
        control: claims.role == Role::Control,
        may_answer: claims.answers,
    };
    let sockets = pod.sockets.clone();
    let timing = pod.config.timing;
    pod.activity.touch();
    Ok(upgrade
        .on_upgrade(move |socket| sockets.track_future(socket::serve(socket, peer, chat, timing))))
}
