//! The gateway as a tool with a token sees it.

use anyhow::{Context, Result, ensure};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// A client of one gateway with one identity.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Origin of the gateway, without a slash at its end.
    pub url: String,
    pub token: Option<String>,
    http: reqwest::Client,
}

impl Gateway {
    /// The gateway that `FABRICA_URL` names.
    pub fn new(token: Option<&str>) -> Result<Self> {
        let url = std::env::var("FABRICA_URL")
            .context("FABRICA_URL is not set: run `make up`, then `eval \"$(make -s env)\"`")?;
        Ok(Self::at(&url, token))
    }

    /// A gateway at this address: a single replica, say.
    pub fn at(url: &str, token: Option<&str>) -> Self {
        let http = reqwest::Client::new();
        Self { url: url.trim_end_matches('/').to_owned(), token: token.map(str::to_owned), http }
    }

    /// A request with our token; the path begins with a slash.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// GET, as status and JSON.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, Value)> {
        decode(self.request(Method::GET, path).send().await?).await
    }

    /// POST of JSON, as status and JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Result<(StatusCode, Value)> {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        decode(request.body(body.to_string()).send().await?).await
    }

    /// Everything that the history of a Session holds.
    pub async fn history(&self, namespace: &str, session: &str) -> Result<Vec<Value>> {
        /// The gateway gives no longer pages.
        const PAGE: usize = 500;
        let messages = format!("/api/v1/namespaces/{namespace}/sessions/{session}/messages");
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().and_then(|last| last["seq"].as_i64()).unwrap_or_default();
            let page = format!("{messages}?limit={PAGE}&after={after}");
            let (status, list) = self.get(&page).await?;
            ensure!(status == 200, "{page}: {status} {list}");
            let some = list["items"].as_array().context("a list of messages")?;
            all.extend_from_slice(some);
            if some.len() < PAGE {
                return Ok(all);
            }
        }
    }

    /// DELETE, as status and JSON.
    pub async fn delete(&self, path: &str) -> Result<(StatusCode, Value)> {
        decode(self.request(Method::DELETE, path).send().await?).await
    }
}

/// An answer's status and its body as JSON; an empty or foreign body is `null`.
pub async fn decode(answer: Response) -> Result<(StatusCode, Value)> {
    let status = answer.status();
    let text = answer.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
}
