//! Asks the runtime in a pod, with a signed assertion, briefly.

use std::time::Duration;

use chrono::Utc;
use fabrica_protocol::assertion::{Claims, Role};
use fabrica_protocol::run::{
    Acknowledgement, Answer, CONVERSATION_BYTES, Record, SHA256_HEADER, Spent, Stop, StopReason,
};
use fabrica_protocol::runtime::{AgentSwitch, Event, Idle, PORT};
use fabrica_store::Checkpoint;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;

use crate::trust::Keys;

/// A runtime answers from memory; one that takes longer is asked again at the next pass.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A stream is opened again after so long: nobody tells that a peer vanished without a word.
const STREAM_LIFE: Duration = Duration::from_mins(5);
/// An idle connection to a pod is closed after so long: the next question comes seconds later, and each holds buffers here.
const IDLE: Duration = Duration::from_secs(1);
/// A conversation of 16 MiB takes so long at most, also over a slow network.
const CONVERSATION_TIME: Duration = Duration::from_secs(30);
/// The longest answer: a bounded journal of short lines.
const ANSWER_BYTES: usize = 512 * 1024;

/// Why a runtime could not be asked. All of it means: look again later.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    #[error("sign the assertion")]
    Sign(#[from] fabrica_protocol::assertion::AssertionError),
    #[error("reach the runtime")]
    Request(#[from] reqwest::Error),
    #[error("the runtime's answer is too long")]
    TooLong,
    #[error("read the runtime's answer")]
    Parse(#[from] serde_json::Error),
}

/// What a runtime said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuntimeView {
    pub events: Vec<Event>,
    pub idle: Option<Idle>,
}

/// What a Run's runtime told in one answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    pub records: Vec<Record>,
    /// Whether there was more than one answer holds.
    pub more: bool,
}

/// The agent's conversation, as a runtime hands it out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    /// What the runtime calls its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// gzip.
    pub data: Vec<u8>,
}

/// Speaks to runtimes.
#[derive(Debug, Clone)]
pub struct RuntimeClient {
    http: reqwest::Client,
    keys: Keys,
}

impl RuntimeClient {
    /// A client that signs with these keys.
    pub fn new(keys: Keys) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT)
            .pool_idle_timeout(IDLE)
            .no_proxy()
            // Pods are spoken to in plain HTTP, and the image holds no roots to be read.
            .tls_certs_only([])
            .build()?;
        Ok(Self { http, keys })
    }

    /// The journal and the idleness of the runtime at this address.
    pub async fn view(&self, address: &str, uid: &str) -> Result<RuntimeView, RuntimeError> {
        let (events, idle) = tokio::try_join!(
            self.get(address, uid, "v1/events?follow=false"),
            self.idle(address, uid),
        )?;
        let events = events
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(serde_json::from_slice)
            .collect::<Result<_, _>>()?;
        Ok(RuntimeView { events, idle: Some(idle) })
    }

    /// The idleness of the runtime at this address.
    pub async fn idle(&self, address: &str, uid: &str) -> Result<Idle, RuntimeError> {
        Ok(serde_json::from_slice(&self.get(address, uid, "v1/idle").await?)?)
    }

    /// What a Run's runtime told after this record: as much as one answer holds.
    pub async fn records(
        &self,
        address: &str,
        uid: &str,
        after: u64,
    ) -> Result<Records, RuntimeError> {
        let path = format!("v1/events?follow=false&after={after}");
        let mut answer = self.send(Method::GET, address, uid, &path, None::<&()>).await?;
        let (mut body, mut more) = (Vec::new(), false);
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            more = body.len() > ANSWER_BYTES;
            if more {
                break;
            }
        }
        // What follows the last end of a line is not whole: the next look reads it.
        let whole = body.iter().rposition(|byte| *byte == b'\n').unwrap_or_default();
        let lines = body[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(Records { records: lines.map(serde_json::from_slice).collect::<Result<_, _>>()?, more })
    }

    /// What a Run's runtime told after this record, and what it tells from now on.
    pub async fn follow(
        &self,
        address: &str,
        uid: &str,
        after: u64,
    ) -> Result<Response, RuntimeError> {
        let path = format!("v1/events?after={after}");
        let request = self.request(Method::GET, address, uid, &path)?.timeout(STREAM_LIFE);
        Ok(request.send().await?.error_for_status()?)
    }

    /// Tells a runtime that everything up to this record is kept, and, of a Chat, what was seen to be used up.
    pub async fn acknowledge(
        &self,
        address: &str,
        uid: &str,
        seq: u64,
        spent: Option<Spent>,
    ) -> Result<(), RuntimeError> {
        let body = Acknowledgement { seq, spent };
        self.send(Method::POST, address, uid, "v1/ack", Some(&body)).await.map(|_| ())
    }

    /// Tells a Run's runtime to stop.
    pub async fn stop(
        &self,
        address: &str,
        uid: &str,
        reason: StopReason,
    ) -> Result<(), RuntimeError> {
        let body = Stop { reason };
        self.send(Method::POST, address, uid, "v1/stop", Some(&body)).await.map(|_| ())
    }

    /// Gives a Run's runtime an answer. One that it has is given again without harm, and one that came too late, after
    /// another, changes nothing.
    pub async fn answer(
        &self,
        address: &str,
        uid: &str,
        answer: &Answer,
    ) -> Result<(), RuntimeError> {
        let sent = self.send(Method::POST, address, uid, "v1/answers", Some(answer)).await;
        settled(sent.map(|_| ()))
    }

    /// Has the runtime of a Terminal start or end its agent. One that has it so already changes nothing.
    pub async fn switch(
        &self,
        address: &str,
        uid: &str,
        order: &AgentSwitch,
    ) -> Result<(), RuntimeError> {
        self.send(Method::POST, address, uid, "v1/agent", Some(order)).await.map(|_| ())
    }

    /// The conversation of a Run's newest checkpoint; `None` when it has none.
    pub async fn conversation(
        &self,
        address: &str,
        uid: &str,
    ) -> Result<Option<Conversation>, RuntimeError> {
        let request = self.request(Method::GET, address, uid, "v1/checkpoint")?;
        let answer = request.timeout(CONVERSATION_TIME).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = answer.error_for_status()?;
        let sha256 = answer.headers().get(SHA256_HEADER).and_then(|value| value.to_str().ok());
        let sha256 = sha256.unwrap_or_default().to_owned();
        Ok(Some(Conversation { sha256, data: body(answer, CONVERSATION_BYTES).await? }))
    }

    /// Hands a former pod's checkpoint to the runtime of the next. One that has its checkpoint takes no other.
    pub async fn hand_over(
        &self,
        address: &str,
        uid: &str,
        from: &Checkpoint,
    ) -> Result<(), RuntimeError> {
        let path = format!(
            "v1/checkpoint?commit={}&conversation={}&sha256={}",
            from.commit.as_deref().unwrap_or_default(),
            from.conversation.as_deref().unwrap_or_default(),
            from.sha256
        );
        let request = self.request(Method::PUT, address, uid, &path)?.timeout(CONVERSATION_TIME);
        let request = request.header(CONTENT_TYPE, "application/gzip").body(from.data.clone());
        settled(request.send().await?.error_for_status().map(|_| ()).map_err(RuntimeError::from))
    }

    async fn get(&self, address: &str, uid: &str, path: &str) -> Result<Vec<u8>, RuntimeError> {
        let answer = self.send(Method::GET, address, uid, path, None::<&()>).await?;
        body(answer, ANSWER_BYTES).await
    }

    async fn send(
        &self,
        method: Method,
        address: &str,
        uid: &str,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Response, RuntimeError> {
        let mut request = self.request(method, address, uid, path)?;
        if let Some(body) = body {
            let json = serde_json::to_vec(body)?;
            request = request.header(CONTENT_TYPE, "application/json").body(json);
        }
        Ok(request.send().await?.error_for_status()?)
    }

    fn request(
        &self,
        method: Method,
        address: &str,
        uid: &str,
        path: &str,
    ) -> Result<RequestBuilder, RuntimeError> {
        let now = Utc::now();
        let claims = Claims::new(
            "fabrica-operator",
            uid,
            "fabrica-operator",
            Role::Operator,
            "operator",
            now,
        );
        let token = self.keys.current().signer(now)?.sign(&claims)?;
        let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        let url = format!("http://{host}:{PORT}/{path}");
        Ok(self.http.request(method, url).bearer_auth(token))
    }
}

/// A conflict means that the runtime decided this before.
fn settled(sent: Result<(), RuntimeError>) -> Result<(), RuntimeError> {
    match sent {
        Err(RuntimeError::Request(error)) if error.status() == Some(StatusCode::CONFLICT) => Ok(()),
        sent => sent,
    }
}

/// The body of an answer, at most so many bytes.
async fn body(mut answer: Response, most: usize) -> Result<Vec<u8>, RuntimeError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > most {
            return Err(RuntimeError::TooLong);
        }
    }
    Ok(body)
}
