//! A stand-in for a model's service, for tests: it speaks the Messages API, and the one that OpenAI began, and says what a
//! script tells it to. Real agents work against it without a network and without a key.

mod answer;
mod completions;
pub mod scenario;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::scenario::{Place, Step};

/// A question holds a whole conversation, and so more than a web form does.
const QUESTION_BYTES: usize = 32 * 1024 * 1024;

/// Questions that are remembered, the newest: more than any test asks, and little memory where it serves for days.
const REMEMBERED: usize = 256;

/// Conversations whose steps are counted, the newest: more than go on at once, where it serves for days.
const CONVERSATIONS: usize = 1024;

/// The service, until dropped.
#[derive(Debug)]
pub struct ModelApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub at: Instant,
    pub key: String,
    pub question: Value,
}

#[derive(Debug, Default)]
struct Shared {
    /// The one that is accepted; unset: any.
    key: Option<String>,
    asked: Mutex<VecDeque<Asked>>,
    /// How often it was asked in all.
    questions: AtomicUsize,
    /// How often each step has happened, by conversation, the newest last.
    happened: Mutex<VecDeque<(String, HashMap<usize, u32>)>>,
}

impl ModelApi {
    /// Serves at an address, and accepts one key alone when one is given.
    pub async fn start(address: SocketAddr, key: Option<String>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { key, ..Shared::default() });
        let router = Router::new()
            .route("/healthz", get(|| async { "ok" }))
            .route("/v1/messages", post(messages))
            .route("/v1/messages/count_tokens", post(count_tokens))
            .route("/v1/chat/completions", post(completions::completions))
            .layer(axum::extract::DefaultBodyLimit::max(QUESTION_BYTES))
            .with_state(shared.clone());
        // It ends with whoever started it.
        let serving =
            tokio::spawn(async move { axum::serve(listener, router).await.unwrap_or_default() });
        Ok(Self { address, shared, serving })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked until now, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).iter().cloned().collect()
    }

    /// Serves until the process ends.
    pub async fn wait(mut self) {
        // It ends with the process alone.
        let _ = (&mut self.serving).await;
    }
}

impl Shared {
    /// Remembers a question; its number, and whether its key is accepted.
    fn hear(&self, key: String, question: &Value) -> (usize, bool) {
        let is_accepted = self.key.as_ref().is_none_or(|accepted| *accepted == key);
        let mut asked = lock(&self.asked);
        if asked.len() == REMEMBERED {
            asked.pop_front();
        }
        asked.push_back(Asked { at: Instant::now(), key, question: question.clone() });
        (self.questions.fetch_add(1, Ordering::Relaxed), is_accepted)
    }
}

impl Drop for ModelApi {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn count_tokens(question: Bytes) -> Json<Value> {
    Json(json!({"input_tokens": question.len() / 4}))
}

async fn messages(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    question: Bytes,
) -> Response {
    let Ok(question) = serde_json::from_slice::<Value>(&question) else {
        return error(400, "the question is no JSON", None);
    };
    let key =
        headers.get("x-api-key").map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
    let (number, is_accepted) = shared.hear(key.unwrap_or_default(), &question);
    if !is_accepted {
        return error(401, "invalid x-api-key", None);
    }
    let messages = question["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let step = happening(&shared, &scenario::find(messages), &question);
    tokio::time::sleep(Duration::from_millis(step.wait)).await;
    match step.error {
        Some(status) => {
            error(status, step.message.as_deref().unwrap_or("as the script says"), step.retry_after)
        }
        None => answer::answer(&step, &question, number),
    }
}

/// An agent is known by what it says of itself, which is the same for all questions of a conversation. Its device may
/// change: a conversation goes on in another pod.
fn conversation(metadata: &Value) -> String {
    let said = metadata["user_id"].as_str().and_then(|text| serde_json::from_str(text).ok());
    let session = said.and_then(|said: Value| Some(said["session_id"].as_str()?.to_owned()));
    session.unwrap_or_else(|| metadata.to_string())
}

/// The step that is due. Steps that happen a few times only leave no answer behind, so they are counted here; the last
/// step is said again and again.
fn happening(shared: &Shared, place: &Place, question: &Value) -> Step {
    let mut happened = lock(&shared.happened);
    let conversation = conversation(&question["metadata"]);
    let place_of = happened.iter().position(|(known, _)| *known == conversation);
    let index = place_of.unwrap_or_else(|| {
        if happened.len() == CONVERSATIONS {
            happened.pop_front();
        }
        happened.push_back((conversation, HashMap::new()));
        happened.len() - 1
    });
    let happened = &mut happened[index].1;
    let mut answers = place.answered;
    for (index, step) in place.steps.iter().enumerate() {
        let is_last = index + 1 == place.steps.len();
        match step.times {
            Some(times) => {
                let count = happened.entry(index).or_default();
                if *count < times {
                    *count += 1;
                    return step.clone();
                }
            }
            None if answers == 0 || is_last => return step.clone(),
            None => answers -= 1,
        }
    }
    Step::default()
}

fn error(status: u16, message: &str, retry_after: Option<u64>) -> Response {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    };
    let body = Json(json!({"type": "error", "error": {"type": kind, "message": message}}));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match retry_after {
        Some(seconds) => (status, [("retry-after", seconds.to_string())], body).into_response(),
        None => (status, body).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_the_same_on_another_device() {
        let said = |device: &str| {
            let id = json!({"device_id": device, "account_uuid": "", "session_id": "s"});
            conversation(&json!({"user_id": id.to_string()}))
        };
        assert_eq!((said("a"), said("b")), ("s".to_owned(), "s".to_owned()));
        assert_ne!(conversation(&json!({"user_id": "a"})), conversation(&json!({"user_id": "b"})));
    }
}
