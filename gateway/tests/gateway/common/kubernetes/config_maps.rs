//! ConfigMaps, which the gateway may only create.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::Value;

use super::{Kubernetes, failure};

impl Kubernetes {
    /// Every ConfigMap that was created.
    pub(crate) fn config_maps(&self) -> Vec<Value> {
        self.0.config_maps.lock().unwrap().clone()
    }
}

/// The namespace `other` has no room for any.
pub(super) async fn create(
    State(fake): State<Kubernetes>,
    Path(namespace): Path<String>,
    Json(object): Json<Value>,
) -> Response {
    let mut config_maps = fake.0.config_maps.lock().unwrap();
    let name = &object["metadata"]["name"];
    if config_maps.iter().any(|other| other["metadata"]["name"] == *name) {
        return failure(409, "AlreadyExists", "already exists");
    }
    if namespace == "other" {
        return failure(403, "Forbidden", "exceeded quota");
    }
    config_maps.push(object.clone());
    (StatusCode::CREATED, Json(object)).into_response()
}
