//! Who asks, and what: only our agent, only models.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::answer::{Metered, Tab};
use super::ledger::Refusal;

/// The longest question: the service takes no longer ones.
const QUESTION_BYTES: usize = 32 * 1024 * 1024;
const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");
/// Headers that belong to one connection, and those that we set anew. Without `accept-encoding` answers come plain, so
/// they can be counted.
const NOT_FORWARDED: [HeaderName; 14] = [
    header::ACCEPT_ENCODING,
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::COOKIE,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    KEY_HEADER,
];
/// Headers of an answer that belong to its connection.
const NOT_RETURNED: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .method_not_allowed_fallback(unknown)
        .fallback(unknown)
        .layer(from_fn_with_state(shared.clone(), only_the_agent))
        .with_state(shared)
}

/// The part of a question that decides whether it is asked.
#[derive(Debug, Deserialize)]
struct Question {
    model: String,
}

/// A refusal as the service itself would word it.
fn refuse(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = json!({"type": "error", "error": {"type": kind, "message": message}});
    (status, axum::Json(body)).into_response()
}

async fn unknown() -> Response {
    refuse(StatusCode::NOT_FOUND, "not_found_error", "only models can be asked here")
}

async fn only_the_agent(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    if !has_key(request.headers(), &shared.dummy) {
        let message = "this door is for the agent of this pod alone";
        return refuse(StatusCode::UNAUTHORIZED, "authentication_error", message);
    }
    next.run(request).await
}

fn has_key(headers: &HeaderMap, dummy: &str) -> bool {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let key = headers.get(KEY_HEADER).map(axum::http::HeaderValue::as_bytes);
    let is_ours = |given: &[u8]| verify_slices_are_equal(given, dummy.as_bytes()).is_ok();
    [bearer, key].into_iter().flatten().any(is_ours)
}

async fn count_tokens(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (place, headers, url, question) = match take(&shared, request).await {
        Ok(taken) => taken,
        Err(refusal) => return refusal,
    };
    let answer = ask(&shared, headers, url, question).await;
    answer.map_or_else(
        |refusal| refusal,
        |answer| pass(answer, |body| Metered::new(body, place, None)),
    )
}

async fn messages(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (place, headers, url, question) = match take(&shared, request).await {
        Ok(taken) => taken,
        Err(refusal) => return refusal,
    };
    let Ok(Question { model }) = serde_json::from_slice(&question) else {
        let message = "the question names no model";
        return refuse(StatusCode::BAD_REQUEST, "invalid_request_error", message);
    };
    let exhausted = shared.ledger().exhausted(&shared.limits);
    if let Some(refusal) = exhausted {
        return stand_firm(&shared, refusal);
    }
    let Some(price) = shared.prices.of(&model).cloned() else {
        return stand_firm(&shared, Refusal::Unpriced { model });
    };
    match ask(&shared, headers, url, question).await {
        Ok(answer) => {
            let tab =
                answer.status().is_success().then(|| Tab::open(&shared, model, price, &answer));
            pass(answer, |body| Metered::new(body, place, tab))
        }
        Err(refusal) => refusal,
    }
}

/// Refuses so that nobody tries again.
fn stand_firm(shared: &Shared, refusal: Refusal) -> Response {
    let message = refusal.to_string();
    tracing::warn!(message, "a question to the model was refused");
    shared.ledger().refuse(refusal);
    let refused = refuse(StatusCode::BAD_REQUEST, "invalid_request_error", &message);
    ([("x-should-retry", "false")], refused).into_response()
}

type Taken = (OwnedSemaphorePermit, HeaderMap, String, Bytes);

/// Waits for a place, so that few questions lie in memory, and reads the question.
async fn take(shared: &Shared, request: Request) -> Result<Taken, Response> {
    let place = shared.places.clone().acquire_owned().await.map_err(|_| {
        refuse(StatusCode::SERVICE_UNAVAILABLE, "overloaded_error", "the pod is ending")
    })?;
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let url = format!("{}{path}", shared.url);
    let mut headers = parts.headers;
    leave_out(&mut headers, &NOT_FORWARDED);
    headers.insert(KEY_HEADER, shared.key.0.clone());
    let question = to_bytes(body, QUESTION_BYTES).await.map_err(|_| {
        let message = format!("the question is broken off, or longer than {QUESTION_BYTES} bytes");
        refuse(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", &message)
    })?;
    Ok((place, headers, url, question))
}

async fn ask(
    shared: &Shared,
    headers: HeaderMap,
    url: String,
    question: Bytes,
) -> Result<reqwest::Response, Response> {
    let unreachable = |error: reqwest::Error| {
        let error = crate::chain(&error.without_url());
        tracing::warn!(error, "the model's service does not answer");
        refuse(StatusCode::BAD_GATEWAY, "api_error", "the model's service cannot be reached")
    };
    let asked = shared.client.post(url).headers(headers).body(question).send().await;
    let answer = asked.map_err(unreachable)?;
    if answer.headers().contains_key(header::CONTENT_ENCODING) {
        let message = "the model's service answers in an encoding that cannot be counted";
        return Err(refuse(StatusCode::BAD_GATEWAY, "api_error", message));
    }
    Ok(answer)
}

/// Hands an answer on while it comes in.
fn pass(
    mut answer: reqwest::Response,
    metered: impl FnOnce(reqwest::Response) -> Metered,
) -> Response {
    let status = answer.status();
    let mut headers = std::mem::take(answer.headers_mut());
    leave_out(&mut headers, &NOT_RETURNED);
    (status, headers, Body::new(metered(answer))).into_response()
}

fn leave_out(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}
