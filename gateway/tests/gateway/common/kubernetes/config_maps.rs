//! ConfigMaps, which the gateway may create and read.

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

    /// Makes them somebody else's.
    pub(crate) fn disown_config_maps(&self) {
        for object in &mut *self.0.config_maps.lock().unwrap() {
            object["metadata"]["ownerReferences"][0]["uid"] = Value::from("another");
        }
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

pub(super) async fn read(
    State(fake): State<Kubernetes>,
    Path((_, name)): Path<(String, String)>,
) -> Response {
    let config_maps = fake.0.config_maps.lock().unwrap();
    match config_maps.iter().find(|object| object["metadata"]["name"] == *name) {
        Some(found) => Json(found.clone()).into_response(),
        None => failure(404, "NotFound", "not found"),
    }
}
