//! The gateway's REST, and its sockets.

mod error;

pub use error::GatewayError;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_crds::{RunStatus, SessionStatus};
use http::header;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use error::explain;

/// Longer than the gateway takes for anything.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection for a stream may take to stand, and how soon a peer that is gone is looked for.
const CONNECT: Duration = Duration::from_secs(10);
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How many messages are asked for at once: the most that the gateway gives.
const PAGE: i64 = 500;

/// The gateway, as somebody.
#[derive(Clone)]
pub struct Gateway {
    http: reqwest::Client,
    /// For what takes as long as it takes: files and sockets.
    streams: reqwest::Client,
    url: String,
    token: String,
}

impl std::fmt::Debug for Gateway {
    /// Without the token.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gateway").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A plan that was taken.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    pub namespace: String,
    pub name: String,
    pub message: String,
    pub url: String,
}

/// A Run as the gateway shows it.
#[derive(Debug, Deserialize)]
pub struct RunView {
    pub name: String,
    #[serde(default)]
    pub status: RunStatus,
    /// The cluster has it no more.
    #[serde(default)]
    pub archived: bool,
}

/// A Session as the gateway shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    pub name: String,
    #[serde(default)]
    pub status: SessionStatus,
    /// Set while it is being deleted.
    #[serde(default)]
    pub deletion_timestamp: Option<DateTime<Utc>>,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
struct Page<T> {
    items: Vec<T>,
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// A message, as the archive keeps it or the Run's status.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub seq: i64,
    /// `progress`, `completion`, `escalation` or `error`.
    #[serde(rename = "type")]
    pub kind: String,
    pub content: Content,
    pub created_at: DateTime<Utc>,
}

/// What a message says.
#[derive(Debug, Deserialize)]
pub struct Content {
    pub message: String,
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct MessageList {
    items: Vec<Message>,
}

impl Gateway {
    pub fn new(url: &str, token: String) -> Self {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().unwrap_or_default();
        let streams = reqwest::Client::builder()
            .http1_only()
            .connect_timeout(CONNECT)
            .tcp_keepalive(KEEPALIVE)
            .build()
            .unwrap_or_default();
        Self { http, streams, url: url.trim_end_matches('/').to_owned(), token }
    }

    /// The same gateway with another token.
    #[must_use]
    pub fn with_token(&self, token: String) -> Self {
        Self { token, ..self.clone() }
    }

    /// Its address, which the pages begin with.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A Session as it is now.
    pub async fn session(&self, namespace: &str, name: &str) -> Result<SessionView, GatewayError> {
        let request = self.request(Method::GET, &session(namespace, name, ""));
        self.about(("session", namespace, name), request).await
    }

    /// Wakes a Session that rests.
    pub async fn wake(&self, namespace: &str, name: &str) -> Result<SessionView, GatewayError> {
        let request = self.request(Method::POST, &session(namespace, name, "/resume"));
        self.about(("session", namespace, name), request).await
    }

    /// All Sessions of a namespace.
    pub async fn sessions(&self, namespace: &str) -> Result<Vec<SessionView>, GatewayError> {
        self.list(&format!("/api/v1/namespaces/{namespace}/sessions")).await
    }

    /// All Runs of a namespace.
    pub async fn runs(&self, namespace: &str) -> Result<Vec<RunView>, GatewayError> {
        self.list(&format!("/api/v1/namespaces/{namespace}/runs")).await
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, GatewayError> {
        let mut all = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let request = self.request(Method::GET, path).query(&[("continue", next.as_deref())]);
            let page: Page<T> = self.answer(request).await?;
            all.extend(page.items);
            next = page.next;
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// Opens a WebSocket at a path; what goes over it is the caller's.
    pub async fn upgrade(
        &self,
        path: &str,
        protocol: &str,
    ) -> Result<reqwest::Upgraded, GatewayError> {
        let key = generate_key();
        let failed = |source| GatewayError::Send { url: self.url.clone(), source };
        let response = self
            .streams
            .get(format!("{}{path}", self.url))
            .bearer_auth(&self.token)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_PROTOCOL, protocol)
            .header(header::SEC_WEBSOCKET_KEY, &key)
            .send()
            .await
            .map_err(failed)?;
        if response.status().is_client_error() || response.status().is_server_error() {
            return Err(GatewayError::Refused(explain(response).await));
        }
        let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
        let accepted = accepted.is_some_and(|accept| *accept == derive_accept_key(key.as_bytes()));
        if response.status() != StatusCode::SWITCHING_PROTOCOLS || !accepted {
            return Err(GatewayError::Upgrade { url: self.url.clone() });
        }
        response.upgrade().await.map_err(failed)
    }

    /// Sends a file of this many bytes below a path of the gateway.
    pub async fn upload(
        &self,
        below: &str,
        path: &str,
        length: u64,
        body: reqwest::Body,
    ) -> Result<(), GatewayError> {
        let request = self.streams.put(self.file(below, path));
        let request = request.header(header::CONTENT_LENGTH, length).body(body);
        self.good(request.bearer_auth(&self.token)).await.map(drop)
    }

    /// A file below a path of the gateway; none: it is a folder.
    pub async fn download(
        &self,
        below: &str,
        path: &str,
    ) -> Result<Option<Response>, GatewayError> {
        let request = self.streams.get(self.file(below, path));
        let response = self.good(request.bearer_auth(&self.token)).await?;
        let kind = response.headers().get(header::CONTENT_TYPE);
        let listed = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        Ok((!listed).then_some(response))
    }

    /// Each part of a path is encoded on its own.
    fn file(&self, below: &str, path: &str) -> String {
        let base = format!("{}{below}", self.url);
        let Ok(mut url) = reqwest::Url::parse(&base) else { return base };
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path.split('/'));
        }
        url.into()
    }

    /// Makes a Run of a markdown file.
    pub async fn submit(
        &self,
        namespace: &str,
        plan: String,
        key: Option<&str>,
    ) -> Result<Accepted, GatewayError> {
        let mut request = self
            .request(Method::POST, "/run")
            .query(&[("namespace", namespace)])
            .header("content-type", "text/markdown")
            .body(plan);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.answer(request).await
    }

    /// A Run as it is now.
    pub async fn run(&self, namespace: &str, name: &str) -> Result<RunView, GatewayError> {
        self.about(("run", namespace, name), self.request(Method::GET, &path(namespace, name, "")))
            .await
    }

    /// What happened after the message of this number: a page, which is empty at the end.
    pub async fn messages(
        &self,
        namespace: &str,
        name: &str,
        after: i64,
    ) -> Result<Vec<Message>, GatewayError> {
        let request = self.request(Method::GET, &path(namespace, name, "/messages"));
        let page = [("after", after), ("limit", PAGE)];
        let list: MessageList = self.about(("run", namespace, name), request.query(&page)).await?;
        Ok(list.items)
    }

    /// Answers a Run's question.
    pub async fn answer_question(
        &self,
        namespace: &str,
        name: &str,
        question: &str,
        text: &str,
    ) -> Result<RunView, GatewayError> {
        let body = json!({"id": question, "text": text});
        let request = self.request(Method::POST, &path(namespace, name, "/answers"));
        self.about(("run", namespace, name), request.json(&body)).await
    }

    /// Ends a Run for good.
    pub async fn cancel(&self, namespace: &str, name: &str) -> Result<RunView, GatewayError> {
        let request = self.request(Method::POST, &path(namespace, name, "/cancel"));
        self.about(("run", namespace, name), request).await
    }

    /// A new Run that goes on from an old one's branch, with another plan if one is given.
    pub async fn retry(
        &self,
        namespace: &str,
        name: &str,
        plan: Option<String>,
    ) -> Result<RunView, GatewayError> {
        let body: Value = plan.map_or_else(|| json!({}), |plan| json!({"plan": plan}));
        let request = self.request(Method::POST, &path(namespace, name, "/retry"));
        self.about(("run", namespace, name), request.json(&body)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, GatewayError> {
        let response = self.good(request).await?;
        let read = |source| GatewayError::Read { url: self.url.clone(), source };
        response.json().await.map_err(read)
    }

    /// The same about one object: one that is not there is named, with where it was looked for.
    async fn about<T: DeserializeOwned>(
        &self,
        (kind, namespace, name): (&'static str, &str, &str),
        request: RequestBuilder,
    ) -> Result<T, GatewayError> {
        self.answer(request).await.map_err(|error| error.about(kind, namespace, name))
    }

    /// An answer that is no refusal.
    async fn good(&self, request: RequestBuilder) -> Result<Response, GatewayError> {
        let failed = |source| GatewayError::Send { url: self.url.clone(), source };
        let response = request.send().await.map_err(failed)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let is_away = matches!(
            response.status(),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
        );
        let is_missing = response.status() == StatusCode::NOT_FOUND;
        let words = explain(response).await;
        Err(match (is_away, is_missing) {
            (true, _) => GatewayError::Away(words),
            (_, true) => GatewayError::Missing(words),
            _ => GatewayError::Refused(words),
        })
    }
}

/// The path of a Session, or of something below it.
pub fn session(namespace: &str, name: &str, rest: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/sessions/{name}{rest}")
}

fn path(namespace: &str, name: &str, rest: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/runs/{name}{rest}")
}
