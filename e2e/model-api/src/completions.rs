//! The same script for those who ask one question over the API that OpenAI began. It says that it is one.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::scenario::{self, Step};
use crate::{Shared, happening};

/// Who says so, in each answer.
const SCRIPTED: &str = "scripted";

pub(crate) async fn completions(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    question: Bytes,
) -> Response {
    let Ok(question) = serde_json::from_slice::<Value>(&question) else {
        return error(400, "the question is no JSON");
    };
    let given =
        headers.get(header::AUTHORIZATION).map(|key| String::from_utf8_lossy(key.as_bytes()));
    let key = given.as_deref().and_then(|given| given.strip_prefix("Bearer "));
    let key = key.unwrap_or_default().to_owned();
    let (number, is_accepted) = shared.hear(key, &question);
    if !is_accepted {
        return error(401, "Incorrect API key provided");
    }
    let messages = question["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let step = happening(&shared, &scenario::find(messages), &question);
    tokio::time::sleep(Duration::from_millis(step.wait)).await;
    if step.hang {
        std::future::pending::<()>().await;
    }
    match step.error {
        Some(status) => error(status, step.message.as_deref().unwrap_or("as the script says")),
        None => Json(answer(&step, &question, number)).into_response(),
    }
}

/// The tokens are the same for every answer, so that costs can be foretold.
fn answer(step: &Step, question: &Value, number: usize) -> Value {
    let text = step.text.as_deref().unwrap_or("I have nothing to say.");
    json!({
        "id": format!("chatcmpl_scripted_{number}"),
        "object": "chat.completion",
        "model": question["model"],
        "system_fingerprint": SCRIPTED,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }],
        "usage": {
            "prompt_tokens": 1120,
            "completion_tokens": 50,
            "total_tokens": 1170,
            "prompt_tokens_details": {"cached_tokens": 1000},
        },
    })
}

fn error(status: u16, message: &str) -> Response {
    let body = Json(json!({"error": {"message": message, "type": SCRIPTED}}));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, body).into_response()
}
