//! A fake of the few API server routes that the gateway uses, with rights that tests can change. It decides nothing
//! that the real one decides: what that one validates is tested end to end.

mod config_maps;
mod reviews;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};

/// The seed and the public key of the first test vector of RFC 8032.
const PKCS8: &str = "302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
pub(crate) const PUBLIC_KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// A right: user, verb, resource (`sessions`, `runs` or `sessions/terminal`), namespace, name; `*` fits every name.
pub(crate) type Right = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// The fake's state.
#[derive(Clone)]
pub(crate) struct Kubernetes(Arc<Inner>);

struct Inner {
    rights: Mutex<BTreeSet<Right>>,
    objects: Mutex<Vec<Value>>,
    config_maps: Mutex<Vec<Value>>,
    changes: broadcast::Sender<Value>,
    reviews: AtomicU64,
    token_reviews: AtomicU64,
    held: watch::Sender<bool>,
    version: AtomicU64,
    away: std::sync::atomic::AtomicBool,
}

impl Kubernetes {
    /// Starts it on a free port.
    pub(crate) async fn start() -> (Self, SocketAddr) {
        let fake = Self(Arc::new(Inner {
            rights: Mutex::default(),
            objects: Mutex::default(),
            config_maps: Mutex::default(),
            changes: broadcast::channel(64).0,
            reviews: AtomicU64::new(0),
            token_reviews: AtomicU64::new(0),
            held: watch::Sender::new(false),
            version: AtomicU64::new(10),
            away: false.into(),
        }));
        let objects = "/apis/fabrica.dev/v1alpha1/namespaces/{namespace}/{resource}";
        let router = axum::Router::new()
            .route("/apis/authentication.k8s.io/v1/tokenreviews", post(reviews::token))
            .route("/apis/authorization.k8s.io/v1/subjectaccessreviews", post(reviews::access))
            .route("/api/v1/namespaces", get(namespaces))
            .route("/api/v1/namespaces/fabrica-system/secrets/fabrica-trust", get(secret))
            .route("/api/v1/namespaces/{namespace}/configmaps", post(config_maps::create))
            .route("/api/v1/namespaces/{namespace}/configmaps/{name}", get(config_maps::read))
            .route("/apis/fabrica.dev/v1alpha1/{resource}", get(list))
            .route(objects, post(create))
            .route(&format!("{objects}/{{name}}"), get(read).patch(patch).delete(delete))
            .with_state(fake.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (fake, address)
    }

    pub(crate) fn grant(&self, right: Right) {
        self.0.rights.lock().unwrap().insert(right);
    }

    pub(crate) fn revoke_all(&self) {
        self.0.rights.lock().unwrap().clear();
    }

    /// Makes every review fail, as if the API server were away.
    pub(crate) fn set_away(&self, away: bool) {
        self.0.away.store(away, Ordering::SeqCst);
    }

    /// How many access reviews were asked.
    pub(crate) fn reviews(&self) -> u64 {
        self.0.reviews.load(Ordering::SeqCst)
    }

    /// How many token reviews were asked.
    pub(crate) fn token_reviews(&self) -> u64 {
        self.0.token_reviews.load(Ordering::SeqCst)
    }

    /// Holds the answers to token reviews back, or lets them go.
    pub(crate) fn hold_token_reviews(&self, held: bool) {
        self.0.held.send_replace(held);
    }

    /// Adds or replaces a Session and tells the watches.
    pub(crate) fn put(&self, namespace: &str, name: &str, spec: &Value, status: &Value) -> Value {
        let session = self.put_silently(namespace, name, spec, status);
        self.tell("MODIFIED", &session);
        session
    }

    /// Adds or replaces a Run and tells the watches.
    pub(crate) fn put_run(
        &self,
        namespace: &str,
        name: &str,
        spec: &Value,
        status: &Value,
    ) -> Value {
        let run = self.put_object("runs", namespace, name, spec, status);
        self.tell("MODIFIED", &run);
        run
    }

    /// Adds or replaces a Session while the watches lag behind.
    pub(crate) fn put_silently(
        &self,
        namespace: &str,
        name: &str,
        spec: &Value,
        status: &Value,
    ) -> Value {
        self.put_object("sessions", namespace, name, spec, status)
    }

    fn put_object(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        spec: &Value,
        status: &Value,
    ) -> Value {
        let mut objects = self.0.objects.lock().unwrap();
        objects.retain(|object| !is(object, resource, namespace, name));
        let version = self.0.version.fetch_add(1, Ordering::SeqCst).to_string();
        let uid = uid(resource, name);
        let object = json!({
            "apiVersion": "fabrica.dev/v1alpha1",
            "kind": kind(resource),
            "metadata": {
                "namespace": namespace, "name": name, "uid": uid, "generation": 1,
                "resourceVersion": version, "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": spec,
            "status": status,
        });
        objects.push(object.clone());
        object
    }

    /// A session of the namespace demo, as it is kept.
    pub(crate) fn session(&self, name: &str) -> Value {
        self.find("sessions", "demo", name).unwrap_or_default()
    }

    /// The names of all Runs.
    pub(crate) fn runs(&self) -> Vec<Value> {
        let objects = self.0.objects.lock().unwrap();
        let runs = objects.iter().filter(|object| object["kind"] == "Run");
        runs.map(|run| run["metadata"]["name"].clone()).collect()
    }

    /// Takes a Run out and tells the watches.
    pub(crate) fn remove_run(&self, namespace: &str, name: &str) -> Option<Value> {
        self.remove_object("runs", namespace, name)
    }

    /// Takes a Session out and tells the watches.
    pub(crate) fn remove(&self, namespace: &str, name: &str) -> Option<Value> {
        self.remove_object("sessions", namespace, name)
    }

    fn remove_object(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let mut objects = self.0.objects.lock().unwrap();
        let position = objects.iter().position(|object| is(object, resource, namespace, name))?;
        let object = objects.remove(position);
        self.tell("DELETED", &object);
        Some(object)
    }

    fn find(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let objects = self.0.objects.lock().unwrap();
        objects.iter().find(|object| is(object, resource, namespace, name)).cloned()
    }

    fn tell(&self, kind: &str, object: &Value) {
        let _ = self.0.changes.send(json!({"type": kind, "object": object}));
    }

    fn is_away(&self) -> bool {
        self.0.away.load(Ordering::SeqCst)
    }
}

/// The UID of an object. The archive takes real ones alone: Runs `kept-1`, `kept-2` and so on have such.
fn uid(resource: &str, name: &str) -> String {
    match (resource, name.strip_prefix("kept-")) {
        ("sessions", _) => format!("uid-{name}"),
        (_, Some(number)) => format!("00000000-0000-4000-8000-{number:0>12}"),
        (_, None) => format!("run-uid-{name}"),
    }
}

fn kind(resource: &str) -> &'static str {
    match resource {
        "sessions" => "Session",
        _ => "Run",
    }
}

fn is(object: &Value, resource: &str, namespace: &str, name: &str) -> bool {
    let metadata = &object["metadata"];
    object["kind"] == kind(resource)
        && metadata["namespace"] == namespace
        && metadata["name"] == name
}

fn failure(code: u16, reason: &str, message: &str) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
    });
    (StatusCode::from_u16(code).unwrap(), Json(status)).into_response()
}

async fn namespaces() -> Json<Value> {
    let names = ["default", "demo", "other"].map(|name| json!({"metadata": {"name": name}}));
    Json(
        json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": names}),
    )
}

async fn secret() -> Json<Value> {
    let pkcs8: Vec<u8> = (0..PKCS8.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&PKCS8[at..at + 2], 16).unwrap())
        .collect();
    let keys = json!({"keys": [{
        "kid": "one", "pkcs8": STANDARD.encode(pkcs8), "x": PUBLIC_KEY,
        "createdAt": "2026-01-01T00:00:00Z", "activeAt": "2026-01-01T00:00:00Z",
    }]});
    Json(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "fabrica-trust"},
        "data": {"keys.json": STANDARD.encode(keys.to_string()), "cookie.key": STANDARD.encode([7_u8; 64])},
    }))
}

#[derive(serde::Deserialize)]
struct ListQuery {
    watch: Option<bool>,
}

async fn list(
    State(fake): State<Kubernetes>,
    Path(resource): Path<String>,
    Query(query): Query<ListQuery>,
) -> Response {
    let kind = kind(&resource);
    let items: Vec<Value> = {
        let objects = fake.0.objects.lock().unwrap();
        objects.iter().filter(|object| object["kind"] == kind).cloned().collect()
    };
    if query.watch != Some(true) {
        let list = json!({"apiVersion": "fabrica.dev/v1alpha1", "kind": format!("{kind}List"), "metadata": {"resourceVersion": "1"}, "items": items});
        return Json(list).into_response();
    }
    let changes = fake.0.changes.subscribe();
    let line = |change: &Value| Bytes::from(format!("{change}\n"));
    // What changed between the list and this watch.
    let known: Vec<Bytes> =
        items.iter().map(|object| line(&json!({"type": "MODIFIED", "object": object}))).collect();
    let later = futures::stream::unfold(changes, move |mut changes| async move {
        loop {
            let change = changes.recv().await.ok()?;
            if change["object"]["kind"] == kind {
                return Some((line(&change), changes));
            }
        }
    });
    let lines = futures::StreamExt::chain(futures::stream::iter(known), later);
    Body::from_stream(futures::StreamExt::map(lines, Ok::<_, std::convert::Infallible>))
        .into_response()
}

async fn create(
    State(fake): State<Kubernetes>,
    Path((namespace, resource)): Path<(String, String)>,
    Query(query): Query<std::collections::BTreeMap<String, String>>,
    Json(object): Json<Value>,
) -> Response {
    assert_eq!(query["fieldValidation"], "Strict");
    let made = object["metadata"]["generateName"].as_str().map(|prefix| format!("{prefix}abcde"));
    let name = object["metadata"]["name"].as_str().map_or_else(|| made.unwrap(), str::to_owned);
    if let Some(field) = object["spec"].as_object().unwrap().keys().find(|field| *field == "foo") {
        let message = format!(
            "Session in version \"v1alpha1\" cannot be handled as a Session: strict decoding error: unknown field \"spec.{field}\""
        );
        return failure(400, "BadRequest", &message);
    }
    if object["spec"]["repository"]["url"] == "ftp://refused" {
        let cause =
            json!({"field": "spec.repository.url", "message": "must be http", "reason": ""});
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 422, "reason": "Invalid",
            "message": "invalid", "details": {"causes": [cause]},
        });
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(status)).into_response();
    }
    if fake.find(&resource, &namespace, &name).is_some() {
        return failure(
            409,
            "AlreadyExists",
            &format!("{resource}.fabrica.dev \"{name}\" already exists"),
        );
    }
    let mut created = fake.put_object(&resource, &namespace, &name, &object["spec"], &json!({}));
    created["metadata"]["annotations"] = object["metadata"]["annotations"].clone();
    if let Some(kept) = fake.0.objects.lock().unwrap().last_mut() {
        kept.clone_from(&created);
    }
    fake.tell("ADDED", &created);
    (StatusCode::CREATED, Json(created)).into_response()
}

async fn read(
    State(fake): State<Kubernetes>,
    Path((namespace, resource, name)): Path<(String, String, String)>,
) -> Response {
    match fake.find(&resource, &namespace, &name) {
        Some(object) => Json(object).into_response(),
        None => failure(404, "NotFound", "not found"),
    }
}

async fn patch(
    State(fake): State<Kubernetes>,
    Path((namespace, resource, name)): Path<(String, String, String)>,
    Json(patch): Json<Value>,
) -> Response {
    let Some(mut object) = fake.find(&resource, &namespace, &name) else {
        return failure(404, "NotFound", "not found");
    };
    for (field, value) in patch["spec"].as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    let changed = fake.put_object(&resource, &namespace, &name, &object["spec"], &object["status"]);
    fake.tell("MODIFIED", &changed);
    Json(changed).into_response()
}

async fn delete(
    State(fake): State<Kubernetes>,
    Path((namespace, resource, name)): Path<(String, String, String)>,
) -> Response {
    match fake.remove_object(&resource, &namespace, &name) {
        Some(object) => Json(object).into_response(),
        None => failure(404, "NotFound", "not found"),
    }
}
