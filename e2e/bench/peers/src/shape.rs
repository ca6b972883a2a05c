//! The gateway that most would write: axum takes messages from one WebSocket and tungstenite sends them on over another.
//! It asks nobody who comes, so what is compared is the way of the bytes alone.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use axum::extract::Path;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use fabrica_protocol::runtime::PORT;
use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Serves `/{address of a pod}` until it is killed.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let router =
            axum::Router::new().route("/healthz", get(async || "ok")).route("/{pod}", get(upgrade));
        let listener = tokio::net::TcpListener::bind(address).await?;
        Ok(axum::serve(listener, router).await?)
    })
}

async fn upgrade(Path(pod): Path<IpAddr>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["kterm.v1"]).on_upgrade(async move |socket| {
        if let Err(error) = relay(pod, socket).await {
            eprintln!("the shape: {error}");
        }
    })
}

async fn relay(pod: IpAddr, client: WebSocket) -> Result<()> {
    let url = format!("ws://{}/v1/terminal", SocketAddr::new(pod, PORT));
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "kterm.v1".parse()?);
    let (pod, _) = tokio_tungstenite::connect_async(request).await?;
    let (mut to_pod, mut from_pod) = pod.split();
    let (mut to_client, mut from_client) = client.split();
    let down = async {
        while let Some(Ok(message)) = from_pod.next().await {
            if let tungstenite::Message::Binary(bytes) = message
                && to_client.send(Message::Binary(bytes)).await.is_err()
            {
                return;
            }
        }
    };
    let up = async {
        while let Some(Ok(message)) = from_client.next().await {
            if let Message::Binary(bytes) = message
                && to_pod.send(tungstenite::Message::Binary(bytes)).await.is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        () = down => {}
        () = up => {}
    }
    Ok(())
}
