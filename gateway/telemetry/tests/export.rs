//! Spans over real HTTP, to an OTLP receiver that is the test's own: it keeps what it is sent, and nothing else.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use axum::{Router, http::HeaderMap};
use chrono::{TimeDelta, Utc};
use fabrica_telemetry::{Exporter, Kind, Span, Traceparent};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

type Received = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

async fn take(State(received): State<Received>, headers: HeaderMap, body: Bytes) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    received.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
}

async fn receiver() -> (String, Received) {
    let received = Received::default();
    let router = Router::new().route("/v1/traces", post(take)).with_state(received.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, received)
}

fn span(service: &'static str, parent: Traceparent) -> Span {
    let to = Utc::now();
    Span {
        service,
        name: "start".into(),
        kind: Kind::Internal,
        parent,
        own: parent.child(),
        from: to - TimeDelta::seconds(2),
        to,
        failed: true,
        attributes: vec![("fabrica.mode", "Chat".to_owned())],
    }
}

#[tokio::test]
async fn spans_reach_a_collector_under_their_services() {
    let (address, received) = receiver().await;
    let exporter = Exporter::start(&address, &["fabrica-operator", "fabrica-runtime"]).unwrap();
    let root =
        Traceparent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    exporter.export(span("fabrica-operator", root));
    exporter.export(span("fabrica-runtime", root));
    let spans = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let all: Vec<_> = received.lock().unwrap().iter().flat_map(services).collect();
            if all.len() == 2 {
                return all;
            }
            tokio::task::yield_now().await;
        }
    });
    let mut spans = spans.await.unwrap();
    spans.sort_by(|(a, _), (b, _)| a.cmp(b));
    let names: Vec<_> = spans.iter().map(|(service, _)| service.as_str()).collect();
    assert_eq!(names, ["fabrica-operator", "fabrica-runtime"]);
    for (_, span) in spans {
        assert_eq!(span.name, "start");
        assert_eq!(span.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes());
        assert_eq!(span.parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
        assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 2_000_000_000);
        assert_eq!(span.status.unwrap().code, 2);
        assert_eq!(span.attributes[0].key, "fabrica.mode");
    }
}

type Sent = opentelemetry_proto::tonic::trace::v1::Span;

/// Every span of a request, with its service.
fn services(request: &ExportTraceServiceRequest) -> Vec<(String, Sent)> {
    let mut all = Vec::new();
    for resource in &request.resource_spans {
        let service = format!("{:?}", resource.resource.as_ref().unwrap().attributes[0].value);
        let service = service.split('"').nth(1).unwrap().to_owned();
        let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
        all.extend(spans.map(|span| (service.clone(), span.clone())));
    }
    all
}

#[tokio::test]
async fn a_collector_that_is_away_holds_nobody_up() {
    let exporter = Exporter::start("http://127.0.0.1:9", &["fabrica-operator"]).unwrap();
    for _ in 0..10_000 {
        exporter.export(span("fabrica-operator", Traceparent::fresh()));
    }
}
