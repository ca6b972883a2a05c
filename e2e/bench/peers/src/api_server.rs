//! The few routes of an API server that a gateway needs to let everybody in to the Sessions that are told here.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::contender::{PUBLIC_KEY, private_key};

/// The namespace of every Session here.
pub(crate) const NAMESPACE: &str = "bench";

/// Ends when dropped.
#[derive(Debug)]
pub(crate) struct ApiServer {
    _runtime: Runtime,
    pub(crate) address: SocketAddr,
}

/// The UID of a Session.
pub(crate) fn uid(name: &str) -> String {
    format!("uid-{name}")
}

impl ApiServer {
    /// Knows these Sessions, each with the address of its pod.
    pub(crate) fn start(sessions: &[(String, IpAddr)]) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let sessions: Vec<Value> = sessions.iter().map(|(name, ip)| session(name, *ip)).collect();
        let objects = "/apis/fabrica.dev/v1alpha1/namespaces/{namespace}/{resource}/{name}";
        let router = axum::Router::new()
            .route("/apis/authentication.k8s.io/v1/tokenreviews", post(review_token))
            .route("/apis/authorization.k8s.io/v1/subjectaccessreviews", post(review_access))
            .route("/api/v1/namespaces", get(namespaces))
            .route("/api/v1/namespaces/fabrica-system/secrets/fabrica-trust", get(secret))
            .route("/apis/fabrica.dev/v1alpha1/{resource}", get(list))
            .route(objects, get(read))
            .with_state(sessions);
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { _runtime: runtime, address })
    }
}

fn session(name: &str, ip: IpAddr) -> Value {
    json!({
        "apiVersion": "fabrica.dev/v1alpha1", "kind": "Session",
        "metadata": {
            "namespace": NAMESPACE, "name": name, "uid": uid(name), "generation": 1,
            "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {},
        "status": {"phase": "Running", "podIP": ip.to_string(), "conditions": []},
    })
}

/// A token is its user's name.
async fn review_token(Json(review): Json<Value>) -> Json<Value> {
    let user = json!({"username": review["spec"]["token"], "groups": ["people"]});
    Json(json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {},
        "status": {"authenticated": true, "user": user},
    }))
}

async fn review_access() -> Json<Value> {
    Json(json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {},
        "status": {"allowed": true},
    }))
}

async fn namespaces() -> Json<Value> {
    let items = [json!({"metadata": {"name": NAMESPACE}})];
    Json(json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": items,
    }))
}

async fn secret() -> Json<Value> {
    let keys = json!({"keys": [{
        "kid": "one", "pkcs8": private_key(), "x": PUBLIC_KEY,
        "createdAt": "2026-01-01T00:00:00Z", "activeAt": "2026-01-01T00:00:00Z",
    }]});
    Json(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "fabrica-trust"},
        "data": {"keys.json": STANDARD.encode(keys.to_string()), "cookie.key": STANDARD.encode([7_u8; 64])},
    }))
}

async fn list(
    State(sessions): State<Vec<Value>>,
    Path(resource): Path<String>,
    Query(query): Query<Value>,
) -> Response {
    let (kind, items) = match resource.as_str() {
        "sessions" => ("SessionList", sessions),
        _ => ("RunList", Vec::new()),
    };
    if query["watch"] != "true" {
        return Json(json!({
            "apiVersion": "fabrica.dev/v1alpha1", "kind": kind,
            "metadata": {"resourceVersion": "1"}, "items": items,
        }))
        .into_response();
    }
    let known = items.into_iter().map(|object| {
        Ok::<_, std::convert::Infallible>(Bytes::from(format!(
            "{}\n",
            json!({"type": "MODIFIED", "object": object})
        )))
    });
    // Nothing changes here, and the watch stays open.
    Body::from_stream(futures::stream::iter(known).chain(futures::stream::pending()))
        .into_response()
}

async fn read(
    State(sessions): State<Vec<Value>>,
    Path((_, _, name)): Path<(String, String, String)>,
) -> Response {
    match sessions.into_iter().find(|session| session["metadata"]["name"] == name.as_str()) {
        Some(session) => Json(session).into_response(),
        None => axum::http::StatusCode::NOT_FOUND.into_response(),
    }
}
