//! The broker before an upstream that is a fake, and says so.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use fabrica_runtime::broker::ledger::{Limits, Refusal, Spent};
use fabrica_runtime::broker::usage::Usage;
use fabrica_runtime::broker::{Broker, Key, Settings};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const REAL_KEY: &str = "sk-ant-the-real-key";
const START: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":100,"cache_creation_input_tokens":20,"cache_read_input_tokens":1000,"output_tokens":1}}}

"#;
const END: &str = r#"event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":50}}

event: message_stop
data: {"type":"message_stop"}

"#;
const ANSWER: Usage =
    Usage { input: 100, output: 50, cache_write: 20, cache_write_hour: 0, cache_read: 1000 };

type Reply = Box<dyn Fn() -> Response + Send + Sync>;

/// Not the service: answers what a test wants, and keeps what it was asked.
#[derive(Clone)]
struct Fake {
    reply: Arc<Reply>,
    asked: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    fake.asked.lock().unwrap().push((parts.uri.to_string(), parts.headers, body));
    ([("x-fake", "this is a fake upstream")], (fake.reply)()).into_response()
}

async fn upstream(reply: impl Fn() -> Response + Send + Sync + 'static) -> (String, Fake) {
    let fake = Fake { reply: Arc::new(Box::new(reply)), asked: Arc::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(fake.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, fake)
}

async fn broker(url: String, limits: Limits) -> Broker {
    let (key, before) = (Key::new(REAL_KEY).unwrap(), Spent::default());
    let (providers, prices) = (Vec::new(), Vec::new());
    Broker::start(Settings { url, key, limits, before, providers, prices }).await.unwrap()
}

async fn ask(broker: &Broker, model: &str) -> reqwest::Response {
    reqwest::Client::new()
        .post(format!("{}/v1/messages?beta=true", broker.url()))
        .header("x-api-key", broker.dummy_key())
        .header("accept-encoding", "gzip")
        .header("anthropic-version", "2023-06-01")
        .json(&json!({"model": model, "stream": true, "messages": []}))
        .send()
        .await
        .unwrap()
}

fn events(pieces: Vec<Result<Bytes, std::io::Error>>) -> Response {
    let body = Body::from_stream(futures::stream::iter(pieces));
    ([("content-type", "text/event-stream; charset=utf-8")], body).into_response()
}

fn whole() -> Response {
    events(vec![Ok(Bytes::from_static(START.as_bytes())), Ok(Bytes::from_static(END.as_bytes()))])
}

#[tokio::test]
async fn streams_pass_through_counted_with_the_key_exchanged() {
    let bytes = || [START, END].concat().into_bytes();
    let (url, fake) =
        upstream(move || events(bytes().into_iter().map(|b| Ok(Bytes::from(vec![b]))).collect()))
            .await;
    let broker = broker(url, Limits::default()).await;
    let answer = ask(&broker, "claude-opus-5-5").await;
    assert_eq!(answer.headers()["x-fake"], "this is a fake upstream");
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    assert_eq!(answer.bytes().await.unwrap(), bytes());
    {
        let ledger = broker.ledger();
        assert_eq!(ledger.lines()["claude-opus-5-5"].usage, ANSWER);
        assert_eq!((ledger.spent().to_string(), ledger.answers()), ("0.0017".to_owned(), 1));
    }
    let asked = fake.asked.lock().unwrap();
    let (path, headers, body) = &asked[0];
    assert_eq!(path, "/v1/messages?beta=true");
    assert_eq!(headers["x-api-key"], REAL_KEY);
    assert_eq!(headers["anthropic-version"], "2023-06-01");
    assert!(!headers.contains_key("accept-encoding") && !headers.contains_key("authorization"));
    assert_eq!(serde_json::from_slice::<Value>(body).unwrap()["model"], "claude-opus-5-5");
    assert!(!format!("{broker:?}").contains(REAL_KEY));
    assert!(!format!("{broker:?}").contains(broker.dummy_key()));
}

/// An answer whose pieces a test sends one by one.
async fn piece_by_piece() -> (mpsc::Sender<Result<Bytes, std::io::Error>>, String) {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let receiver = Mutex::new(Some(receiver));
    let (url, _) = upstream(move || {
        let receiver = receiver.lock().unwrap().take().unwrap();
        let body = Body::from_stream(futures::stream::unfold(receiver, async |mut receiver| {
            Some((receiver.recv().await?, receiver))
        }));
        ([("content-type", "text/event-stream")], body).into_response()
    })
    .await;
    (sender, url)
}

#[tokio::test]
async fn each_piece_is_passed_on_before_the_next_one_comes() {
    let (sender, url) = piece_by_piece().await;
    let broker = broker(url, Limits::default()).await;
    let mut pieces = ask(&broker, "claude-opus-5-5").await.bytes_stream();
    for piece in [START, "event: ping\ndata: {}\n\n", END] {
        sender.send(Ok(Bytes::from(piece))).await.unwrap();
        let next = tokio::time::timeout(Duration::from_secs(5), pieces.next()).await.unwrap();
        assert_eq!(next.unwrap().unwrap(), piece);
    }
}

#[tokio::test]
async fn answers_in_one_piece_are_counted() {
    let (url, _) = upstream(|| {
        axum::Json(json!({"type": "message", "usage": {"input_tokens": 10, "output_tokens": 2}}))
            .into_response()
    })
    .await;
    let broker = broker(url, Limits::default()).await;
    assert_eq!(ask(&broker, "claude-sonnet-4-5-20250929").await.status(), StatusCode::OK);
    let spent = broker.ledger().spent();
    assert_eq!(spent.to_string(), "0.00006");
}

#[tokio::test]
async fn errors_pass_through_and_cost_nothing() {
    for status in [400, 401, 429, 500, 529] {
        let (url, _) = upstream(move || {
            let body = json!({"type": "error", "error": {"type": "x", "message": "fake"}});
            let status = StatusCode::from_u16(status).unwrap();
            (status, [("retry-after", "7")], axum::Json(body)).into_response()
        })
        .await;
        let broker = broker(url, Limits::default()).await;
        let answer = ask(&broker, "claude-opus-5-5").await;
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.headers()["retry-after"], "7");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["message"], "fake");
        assert_eq!(broker.ledger().answers(), 0);
    }
}

#[tokio::test]
async fn a_cut_stream_counts_what_was_seen_and_stays_cut() {
    let (sender, url) = piece_by_piece().await;
    let broker = broker(url, Limits::default()).await;
    sender.send(Ok(Bytes::from(START))).await.unwrap();
    let mut pieces = ask(&broker, "claude-opus-5-5").await.bytes_stream();
    assert_eq!(pieces.next().await.unwrap().unwrap(), START);
    // Only now, or nothing at all of the answer would have left the fake.
    sender.send(Err(std::io::Error::other("the fake cuts"))).await.unwrap();
    assert!(pieces.next().await.unwrap().is_err());
    let usage = broker.ledger().lines()["claude-opus-5-5"].usage;
    assert_eq!(usage, Usage { output: 1, ..ANSWER });
}

#[tokio::test]
async fn only_the_agent_asks_and_only_models() {
    let (url, fake) = upstream(whole).await;
    let broker = broker(url, Limits::default()).await;
    let client = reqwest::Client::new();
    let post = |path: &str| client.post(format!("{}{path}", broker.url())).body("{}");
    for request in [
        post("/v1/messages"),
        post("/v1/messages").header("x-api-key", REAL_KEY),
        post("/v1/files").header("x-api-key", "guess"),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["type"], "authentication_error");
    }
    let bearer = |request: reqwest::RequestBuilder| request.bearer_auth(broker.dummy_key());
    for request in
        [post("/v1/files"), post("/"), client.get(format!("{}/v1/messages", broker.url()))]
    {
        assert_eq!(bearer(request).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    }
    assert!(fake.asked.lock().unwrap().is_empty());
    assert_eq!(
        bearer(post("/v1/messages/count_tokens")).send().await.unwrap().status(),
        StatusCode::OK
    );
    assert_eq!(fake.asked.lock().unwrap()[0].0, "/v1/messages/count_tokens");
    assert_eq!(broker.ledger().answers(), 0);
}

#[tokio::test]
async fn limits_and_unpriced_models_are_refused_without_asking() {
    let (url, fake) = upstream(whole).await;
    let budget: Limits = Limits { budget: Some("0.0017".parse().unwrap()), turns: None };
    let spender = broker(url.clone(), budget).await;
    assert_eq!(
        ask(&spender, "claude-opus-5-5").await.bytes().await.unwrap().len(),
        START.len() + END.len()
    );
    let refused = ask(&spender, "claude-opus-5-5").await;
    assert_eq!(
        (refused.status(), refused.headers()["x-should-retry"].to_str().unwrap()),
        (StatusCode::BAD_REQUEST, "false")
    );
    let error = refused.json::<Value>().await.unwrap();
    assert_eq!(error["error"]["message"], "The budget of $0.0017 is used up: $0.0017 were spent.");
    assert!(matches!(spender.refusal(), Some(Refusal::BudgetExceeded { .. })));

    let talker = broker(url.clone(), Limits { budget: None, turns: Some(1) }).await;
    ask(&talker, "claude-opus-5-5").await.bytes().await.unwrap();
    assert_eq!(ask(&talker, "claude-opus-5-5").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(talker.refusal(), Some(Refusal::TurnsExceeded { turns: 1 }));
    assert_eq!(fake.asked.lock().unwrap().len(), 2);

    let stranger = broker(url, Limits::default()).await;
    let error = ask(&stranger, "claude-omega-9").await.json::<Value>().await.unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains("claude-omega-9"));
    assert_eq!(stranger.refusal(), Some(Refusal::Unpriced { model: "claude-omega-9".to_owned() }));
    assert_eq!(fake.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_a_bad_gateway() {
    let broker = broker("http://127.0.0.1:1".to_owned(), Limits::default()).await;
    let answer = ask(&broker, "claude-opus-5-5").await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(!answer.text().await.unwrap().contains(REAL_KEY));
}
