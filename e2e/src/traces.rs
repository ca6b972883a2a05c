//! An OTLP receiver of the tests' own: it keeps the spans that it is sent, and does nothing else. It stands where a collector
//! would.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use tokio::task::JoinHandle;

use crate::git_server::test_host;

/// A span, as far as tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub service: String,
    pub name: String,
    pub trace: String,
    pub uid: String,
}

type Kept = Arc<Mutex<Vec<Span>>>;

/// A running receiver. Ends when dropped.
#[derive(Debug)]
pub struct Receiver {
    pub url: String,
    kept: Kept,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Starts one that pods can reach.
    pub async fn start() -> Result<Self> {
        let host = test_host();
        let listener =
            tokio::net::TcpListener::bind((host.as_str(), 0)).await.with_context(|| {
                format!("listen on {host}, which pods must reach (FABRICA_TEST_HOST)")
            })?;
        let url = format!("http://{}", listener.local_addr()?);
        let kept = Kept::default();
        let application = Router::new().route("/v1/traces", post(take)).with_state(kept.clone());
        let task = tokio::spawn(async move {
            // Ends with the test; there is nobody left to tell about an error.
            let _ = axum::serve(listener, application).await;
        });
        Ok(Self { url, kept, task })
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Span> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(kept): State<Kept>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    for group in request.resource_spans {
        let resource = group.resource.unwrap_or_default();
        let service = text(&resource.attributes, "service.name");
        for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            kept.push(Span {
                service: service.clone(),
                name: span.name,
                trace: digits(&span.trace_id),
                uid: text(&span.attributes, "fabrica.uid"),
            });
        }
    }
    StatusCode::OK
}

/// A number of a trace, as people write it.
fn digits(bytes: &[u8]) -> String {
    let number = bytes.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{number:032x}")
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|found| found.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        _ => String::new(),
    }
}
