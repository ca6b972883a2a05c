//! A stand-in for a forge: it answers what GitHub and Gitea answer to searches, and remembers what it was asked. What a
//! real forge makes of them is tested end to end.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

/// The stand-in's state.
#[derive(Clone)]
pub(crate) struct Forge(Arc<Inner>);

struct Inner {
    asked: Mutex<Vec<(String, Option<String>)>>,
    failure: Mutex<Option<(StatusCode, &'static str)>>,
}

impl Forge {
    /// Starts it on a free port.
    pub(crate) async fn start() -> (Self, SocketAddr) {
        let forge = Self(Arc::new(Inner { asked: Mutex::default(), failure: Mutex::default() }));
        let router = axum::Router::new().fallback(answer).with_state(forge.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (forge, address)
    }

    /// Makes every answer this one, with a Retry-After if it is not empty.
    pub(crate) fn fail(&self, status: u16, retry_after: &'static str) {
        let status = StatusCode::from_u16(status).unwrap();
        *self.0.failure.lock().unwrap() = Some((status, retry_after));
    }

    /// What it was asked since the last look: path with query, and the login that came along.
    pub(crate) fn asked(&self) -> Vec<(String, Option<String>)> {
        std::mem::take(&mut self.0.asked.lock().unwrap())
    }
}

async fn answer(State(forge): State<Forge>, request: Request) -> Response {
    let login = request.headers().get("authorization");
    let login = login.map(|value| value.to_str().unwrap().to_owned());
    let target = request.uri().path_and_query().unwrap().to_string();
    forge.0.asked.lock().unwrap().push((target, login));
    if let Some((status, retry_after)) = *forge.0.failure.lock().unwrap() {
        let failed = (status, [("location", "http://elsewhere.test/")], "no").into_response();
        let mut failed = failed;
        if !retry_after.is_empty() {
            failed.headers_mut().insert("retry-after", retry_after.parse().unwrap());
        }
        return failed;
    }
    let repository = json!({"full_name": "team/shop", "description": "A shop", "private": true});
    match request.uri().path() {
        "/api/v1/repos/search" => Json(json!({"ok": true, "data": [repository]})).into_response(),
        "/api/v3/user/repos" => Json(json!([repository])).into_response(),
        "/api/v3/search/repositories" => Json(json!({"items": [repository]})).into_response(),
        "/api/v1/repos/team/shop/issues" => Json(json!([item(12)])).into_response(),
        "/api/v1/repos/team/shop/issues/12" => Json(item(12)).into_response(),
        "/api/v3/search/issues" => Json(json!({"items": [item(12)]})).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn item(number: u64) -> Value {
    json!({"number": number, "title": "The door squeaks", "state": "open", "pull_request": null})
}
