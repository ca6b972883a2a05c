//! The reviews of tokens and rights.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Kubernetes, failure};

/// A token `<user>-token` is that user's.
pub(super) async fn token(State(fake): State<Kubernetes>, Json(review): Json<Value>) -> Response {
    if fake.is_away() {
        return failure(500, "InternalError", "away");
    }
    fake.0.token_reviews.fetch_add(1, Ordering::SeqCst);
    fake.0.held.subscribe().wait_for(|held| !held).await.unwrap();
    let user =
        review["spec"]["token"].as_str().unwrap_or("").strip_suffix("-token").map(str::to_owned);
    let status = match user {
        Some(user) => {
            json!({"authenticated": true, "user": {"username": user, "groups": ["people"]}})
        }
        None => json!({"authenticated": false}),
    };
    Json(json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {}, "status": status})).into_response()
}

/// Whether a right was granted.
pub(super) async fn access(State(fake): State<Kubernetes>, Json(review): Json<Value>) -> Response {
    if fake.is_away() {
        return failure(500, "InternalError", "away");
    }
    fake.0.reviews.fetch_add(1, Ordering::SeqCst);
    let spec = &review["spec"];
    let attributes = &spec["resourceAttributes"];
    let text = |name: &str| attributes[name].as_str().unwrap_or("").to_owned();
    let resource = match attributes["subresource"].as_str() {
        Some(subresource) => format!("{}/{subresource}", text("resource")),
        None => text("resource"),
    };
    let rights = fake.0.rights.lock().unwrap();
    let allowed = rights.iter().any(|(user, verb, kind, namespace, name)| {
        *user == spec["user"]
            && *verb == text("verb")
            && *kind == resource
            && *namespace == text("namespace")
            && (*name == "*" || *name == text("name"))
    });
    let status = json!({"allowed": allowed});
    Json(json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {}, "status": status})).into_response()
}
