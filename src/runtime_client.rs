//! Asks the runtime in a pod, with a signed assertion, briefly.

use std::time::Duration;

use chrono::Utc;
use fabrica_protocol::assertion::{Claims, Role};
use fabrica_protocol::run::{Acknowledgement, Record, Stop, StopReason};
use fabrica_protocol::runtime::{Event, Idle, PORT};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;

use crate::trust::Keys;

/// A runtime answers from memory; one that takes longer is asked again at the next pass.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A stream is opened again after so long: nobody tells that a peer vanished without a word.
const STREAM_LIFE: Duration = Duration::from_mins(5);
/// The longest answer: a bounded journal of short lines.
const ANSWER_BYTES: usize = 512 * 1024;

/// Why a runtime could not be asked. All of it means: look again later.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    #[error("sign the assertion")]
    Sign(#[from] fabrica_protocol::assertion::AssertionError),
    #[error("reach the runtime")]
    Request(#[from] reqwest::Error),
    #[error("the runtime's answer is longer than {ANSWER_BYTES} bytes")]
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
            self.get(address, uid, "v1/idle"),
        )?;
        let events = events
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(serde_json::from_slice)
            .collect::<Result<_, _>>()?;
        Ok(RuntimeView { events, idle: Some(serde_json::from_slice(&idle)?) })
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

    /// Tells a Run's runtime that everything up to this record is kept.
    pub async fn acknowledge(
        &self,
        address: &str,
        uid: &str,
        seq: u64,
    ) -> Result<(), RuntimeError> {
        let body = Acknowledgement { seq };
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

    async fn get(&self, address: &str, uid: &str, path: &str) -> Result<Vec<u8>, RuntimeError> {
        let mut answer = self.send(Method::GET, address, uid, path, None::<&()>).await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES {
                return Err(RuntimeError::TooLong);
            }
        }
        Ok(body)
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
