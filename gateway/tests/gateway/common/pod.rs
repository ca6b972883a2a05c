//! A stand-in for the runtime: it checks assertions with the real keys, echoes frames, keeps files, and closes sockets.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use fabrica_protocol::assertion::{Claims, PublicKeys};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// What the pod knows.
#[derive(Clone)]
pub(crate) struct Pod(Arc<Inner>);

struct Inner {
    uid: String,
    keys: PublicKeys,
    claims: Mutex<Vec<Claims>>,
    closers: Mutex<HashMap<String, oneshot::Sender<u16>>>,
    files: Mutex<HashMap<String, Bytes>>,
}

/// The next address; the port is always the runtime's.
static NEXT: AtomicU8 = AtomicU8::new(1);

impl Pod {
    /// Starts a pod of this Session on a loopback address of its own.
    pub(crate) async fn start(uid: &str) -> (Self, IpAddr) {
        let annotation =
            json!({"keys": [{"kid": "one", "x": super::kubernetes::PUBLIC_KEY}]}).to_string();
        let pod = Self(Arc::new(Inner {
            uid: uid.to_owned(),
            keys: PublicKeys::parse(&annotation).unwrap(),
            claims: Mutex::default(),
            closers: Mutex::default(),
            files: Mutex::default(),
        }));
        let router = axum::Router::new()
            .route("/v1/terminal", get(terminal))
            .route("/v1/chat", get(chat))
            .route("/v1/connections/{id}/close", post(close))
            .route("/v1/files/{*path}", get(download).put(upload))
            .with_state(pod.clone());
        // Test binaries may run at the same time: the process is part of the address.
        let [.., high, low] = std::process::id().to_be_bytes();
        let ip = Ipv4Addr::new(127, high | 1, low, NEXT.fetch_add(1, Ordering::SeqCst));
        let listener = tokio::net::TcpListener::bind((ip, 3000)).await.unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (pod, ip.into())
    }

    /// The claims of all assertions that were accepted.
    pub(crate) fn claims(&self) -> Vec<Claims> {
        self.0.claims.lock().unwrap().clone()
    }

    fn check(&self, headers: &HeaderMap) -> Option<Claims> {
        assert!(!headers.contains_key(header::COOKIE), "the client's cookie reached the pod");
        let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        let claims = self.0.keys.verify(token, &self.0.uid, chrono::Utc::now()).ok()?;
        self.0.claims.lock().unwrap().push(claims.clone());
        Some(claims)
    }
}

async fn terminal(
    State(pod): State<Pod>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some(claims) = pod.check(&headers) else { return StatusCode::UNAUTHORIZED.into_response() };
    let (closer, asked) = oneshot::channel();
    pod.0.closers.lock().unwrap().insert(claims.jti, closer);
    upgrade.protocols(["kterm.v1"]).on_upgrade(|socket| echo(socket, asked))
}

async fn chat(State(pod): State<Pod>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let Some(claims) = pod.check(&headers) else { return StatusCode::UNAUTHORIZED.into_response() };
    let (closer, asked) = oneshot::channel();
    pod.0.closers.lock().unwrap().insert(claims.jti, closer);
    upgrade.protocols(["fabrica.chat.v1"]).on_upgrade(|socket| echo(socket, asked))
}

async fn echo(mut socket: WebSocket, mut asked: oneshot::Receiver<u16>) {
    // Sent at once: it may arrive together with the 101.
    socket.send(Message::Binary("welcome".into())).await.unwrap();
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(message @ (Message::Binary(_) | Message::Text(_)))) => socket.send(message).await.unwrap(),
                Some(Ok(_)) => {}
                _ => return,
            },
            Ok(code) = &mut asked => {
                let frame = CloseFrame { code, reason: "".into() };
                socket.send(Message::Close(Some(frame))).await.unwrap();
                return;
            }
        }
    }
}

async fn close(
    State(pod): State<Pod>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> StatusCode {
    let Some(_) = pod.check(&headers) else { return StatusCode::UNAUTHORIZED };
    let code = u16::try_from(body["code"].as_u64().unwrap()).unwrap();
    match pod.0.closers.lock().unwrap().remove(&id) {
        Some(closer) => {
            closer.send(code).unwrap();
            StatusCode::NO_CONTENT
        }
        None => StatusCode::NOT_FOUND,
    }
}

async fn download(
    State(pod): State<Pod>,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Response {
    let Some(_) = pod.check(&headers) else { return StatusCode::UNAUTHORIZED.into_response() };
    if let Some(bytes) = pod.0.files.lock().unwrap().get(&path) {
        // Headers by which a hostile pod would like to act under the gateway's origin.
        let hostile = [("content-type", "text/html"), ("set-cookie", "a=b"), ("etag", "\"1\"")];
        return (hostile, bytes.clone()).into_response();
    }
    let body = json!({"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no such file"});
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    (StatusCode::NOT_FOUND, kind, Json(body)).into_response()
}

async fn upload(
    State(pod): State<Pod>,
    headers: HeaderMap,
    Path(path): Path<String>,
    body: Bytes,
) -> StatusCode {
    let Some(claims) = pod.check(&headers) else { return StatusCode::UNAUTHORIZED };
    assert_eq!(claims.role, fabrica_protocol::assertion::Role::Control);
    pod.0.files.lock().unwrap().insert(path, body);
    StatusCode::NO_CONTENT
}
