//! The gateway's REST, as far as Runs go.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_crds::RunStatus;
use reqwest::{Method, RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Longer than the gateway takes for anything.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How many messages are asked for at once: the most that the gateway gives.
const PAGE: i64 = 500;

/// A request was not answered as hoped.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("{url} does not answer")]
    Send {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the gateway's answer cannot be read: is {url} Fabrica's gateway?")]
    Read {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{0}")]
    Refused(String),
}

/// The gateway, as somebody.
#[derive(Clone)]
pub struct Gateway {
    http: reqwest::Client,
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

/// The refusal of RFC 9457, with the fields that are wrong.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: Option<String>,
    errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    field: String,
    message: String,
}

impl Gateway {
    pub fn new(url: &str, token: String) -> Self {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().unwrap_or_default();
        Self { http, url: url.trim_end_matches('/').to_owned(), token }
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
        self.answer(self.request(Method::GET, &path(namespace, name, ""))).await
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
        let list: MessageList = self.answer(request.query(&page)).await?;
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
        self.answer(request.json(&body)).await
    }

    /// Ends a Run for good.
    pub async fn cancel(&self, namespace: &str, name: &str) -> Result<RunView, GatewayError> {
        self.answer(self.request(Method::POST, &path(namespace, name, "/cancel"))).await
    }

    /// A new Run that goes on from an old one's branch, with another plan if one is given.
    pub async fn retry(
        &self,
        namespace: &str,
        name: &str,
        plan: Option<String>,
    ) -> Result<RunView, GatewayError> {
        let body: Value = plan.map_or_else(|| json!({}), |plan| json!({"plan": plan}));
        self.answer(self.request(Method::POST, &path(namespace, name, "/retry")).json(&body)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, GatewayError> {
        let url = || self.url.clone();
        let response =
            request.send().await.map_err(|source| GatewayError::Send { url: url(), source })?;
        if response.status().is_success() {
            return response
                .json()
                .await
                .map_err(|source| GatewayError::Read { url: url(), source });
        }
        Err(GatewayError::Refused(explain(response).await))
    }
}

fn path(namespace: &str, name: &str, rest: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/runs/{name}{rest}")
}

async fn explain(response: Response) -> String {
    let status = response.status();
    let problem: Problem = response.json().await.unwrap_or_default();
    let mut text = match (problem.detail, problem.title) {
        (Some(detail), _) => detail,
        (None, title) if title.is_empty() => status.to_string(),
        (None, title) => title,
    };
    for FieldError { field, message } in problem.errors {
        let _ = write!(text, "\n  {field}: {message}");
    }
    text
}
