//! Other models, asked through the broker: the scripted one, and fakes that do what no service should, and say so.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fabrica_model_api::ModelApi;
use fabrica_runtime::broker::consult::{Consult, ConsultError, Consulted, Provider};
use fabrica_runtime::broker::ledger::{Limits, Spent};
use fabrica_runtime::broker::{Broker, Key, Settings};
use fabrica_runtime::config::{Config, ProviderConfig};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const REAL_KEY: &str = "sk-the-real-key";
const MODEL: &str = "gpt-5-mini";
/// Of one scripted answer of that model.
const COST: &str = "0.000155";

async fn model() -> ModelApi {
    ModelApi::start(([127, 0, 0, 1], 0).into(), Some(REAL_KEY.to_owned())).await.unwrap()
}

fn provider(url: String, key: &str) -> Provider {
    Provider { name: "openai", url, key: Key::bearer(key).unwrap() }
}

/// As the variables of a pod say where it is.
fn configured(name: &str, url: &str) -> Provider {
    let of = name.to_uppercase();
    let variables = [
        ("MODE".to_owned(), "chat"),
        (format!("FABRICA_CREDENTIAL_{of}_API_KEY"), REAL_KEY),
        (format!("{of}_BASE_URL"), url),
    ];
    let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
    let mut known = Config::from_environment(variables).chat.unwrap().agent.providers;
    assert_eq!(known.len(), 1, "only one has a key");
    let ProviderConfig { name, url, .. } = known.remove(0);
    Provider { name, url, key: Key::bearer(REAL_KEY).unwrap() }
}

async fn broker(providers: Vec<Provider>, limits: Limits) -> Broker {
    let key = Key::new("unused").unwrap();
    let (url, before) = ("http://127.0.0.1:1".to_owned(), Spent::default());
    let own = r#"{"own": {"input": "1", "output": "2"}}"#;
    let prices = vec![("openai", own.to_owned()), ("gemini", own.to_owned())];
    Broker::start(Settings { url, key, limits, before, providers, prices }).await.unwrap()
}

fn question(provider: &str, model: &str, prompt: &str) -> Consult {
    let [provider, model, prompt] = [provider, model, prompt].map(str::to_owned);
    Consult { provider, model, prompt, ..Consult::default() }
}

async fn ask(broker: &Broker, model: &str, prompt: &str) -> Result<Consulted, ConsultError> {
    broker.consult(question("openai", model, prompt)).await
}

#[rstest]
#[case::openai("openai", MODEL, COST)]
#[case::gemini("gemini", "gemini-2.5-flash", "0.000191")]
#[tokio::test]
async fn another_model_answers_and_counts(
    #[case] provider: &str,
    #[case] named: &str,
    #[case] cost: &str,
) {
    let model = model().await;
    let known = configured(provider, &format!("{}/v1/", model.url()));
    let broker = broker(vec![known], Limits::default()).await;
    let asked = question(provider, named, "Which oil?\nscenario: opinion");
    let consulted = broker.consult(asked).await.unwrap();
    assert_eq!(consulted.text, "Take sewing machine oil: olive oil gums up.");
    assert_eq!((consulted.cost.to_string().as_str(), consulted.is_cut), (cost, false));
    let asked = model.asked();
    assert_eq!((asked.len(), asked[0].key.as_str()), (1, REAL_KEY));
    let sent = &asked[0].question;
    assert_eq!((&sent["model"], &sent["max_completion_tokens"]), (&json!(named), &json!(16384)));
    assert_eq!(sent["reasoning_effort"], Value::Null);
    let own = question(provider, "own", "scenario: opinion");
    let own = Consult { max_tokens: Some(100), effort: Some("low"), ..own };
    broker.consult(own).await.unwrap();
    let asked = model.asked();
    let sent = &asked[1].question;
    assert_eq!(
        (&sent["max_completion_tokens"], &sent["reasoning_effort"]),
        (&json!(100), &json!("low"))
    );
    let ledger = broker.ledger();
    assert_eq!((ledger.answers(), ledger.turns()), (2, 0));
    let usage = ledger.lines()[named].usage;
    assert_eq!((usage.input, usage.cache_read, usage.output), (120, 1000, 50));
    assert_eq!(ledger.lines()["own"].cost.to_string(), "0.00122");
    assert!(!format!("{broker:?}").contains(REAL_KEY));
}

#[tokio::test]
async fn what_may_not_be_asked_is_not_and_the_words_say_what_to_do() {
    let model = model().await;
    let url = format!("{}/v1", model.url());
    let nobody = broker(Vec::new(), Limits::default()).await;
    let words = |error: ConsultError| error.to_string();
    let refused = ask(&nobody, MODEL, "x").await.map_err(words).unwrap_err();
    assert!(refused.contains("credentialsRef") && refused.contains("Go on without"), "{refused}");

    let budget = Limits { budget: Some(COST.parse().unwrap()), turns: Some(0) };
    let broker = broker(vec![provider(url, REAL_KEY)], budget).await;
    let refused = broker.consult(question("gemini", MODEL, "x")).await.map_err(words).unwrap_err();
    assert!(refused.contains("Call again with one of: openai."), "{refused}");
    let refused = ask(&broker, "gpt-omega", "x").await.map_err(words).unwrap_err();
    assert!(refused.contains("gpt-omega") && refused.contains("gpt-5-mini"), "{refused}");
    // A model of the agent's own service is none of this one's.
    assert!(ask(&broker, "claude-opus-5-5", "x").await.is_err());
    assert_eq!(ask(&broker, MODEL, " ").await, Err(ConsultError::Empty));
    let long = "x".repeat(128 * 1024 + 1);
    assert_eq!(ask(&broker, MODEL, &long).await, Err(ConsultError::TooLong(long.len())));
    for max_tokens in [Some(0), Some(16 * 1024 + 1)] {
        let asked = Consult { max_tokens, ..question("openai", MODEL, "x") };
        assert_eq!(broker.consult(asked).await, Err(ConsultError::Tokens));
    }
    assert!(model.asked().is_empty());

    ask(&broker, MODEL, "scenario: opinion").await.unwrap();
    let refused = ask(&broker, MODEL, "scenario: opinion").await.map_err(words).unwrap_err();
    assert!(refused.contains("The budget of $0.000155 is used up"), "{refused}");
    assert_eq!(model.asked().len(), 1);
    assert_eq!(broker.refusal(), None, "the agent's own next question ends its work");
}

/// Not a service: answers every question so.
async fn fake(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(move || {
        let answer = answer.clone();
        async move { ([("x-fake", "this is a fake service")], answer()).into_response() }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[rstest]
#[case::key(401, r#"{"error":{"message":"Incorrect API key"}}"#, "do not try again", "0.00")]
#[case::limited(429, "{}", "try again later", "0.00")]
#[case::broken(500, "<html>", "Try again once", "0.00")]
#[case::redirected(302, "", "answered 302", "0.00")]
// It was heard, and may have to be paid: no token is shorter than a byte.
#[case::no_answer(200, "<html>", "is no answer", "0.00001")]
#[tokio::test]
async fn what_a_service_does_wrong_is_told(
    #[case] status: u16,
    #[case] body: &'static str,
    #[case] expected: &str,
    #[case] cost: &str,
) {
    let status = StatusCode::from_u16(status).unwrap();
    let url =
        fake(move || (status, [("location", "http://127.0.0.1:1")], body).into_response()).await;
    let broker = broker(vec![provider(url, REAL_KEY)], Limits::default()).await;
    let refused = ask(&broker, "own", "ten bytes.").await.unwrap_err().to_string();
    assert!(refused.contains(expected), "{refused}");
    assert_eq!(broker.ledger().spent().to_string(), cost);
}

#[tokio::test]
async fn an_answer_that_tells_no_tokens_counts_by_its_length() {
    let answer =
        || axum::Json(json!({"choices": [{"message": {"content": "abcde"}}]})).into_response();
    let broker = broker(vec![provider(fake(answer).await, REAL_KEY)], Limits::default()).await;
    let consulted = ask(&broker, "own", "ten bytes.").await.unwrap();
    assert_eq!(consulted.cost.to_string(), "0.00002");
}

#[tokio::test]
async fn an_answer_without_an_end_is_given_up() {
    let endless = || {
        let piece = || Ok::<_, std::io::Error>(axum::body::Bytes::from(vec![b'x'; 64 * 1024]));
        axum::body::Body::from_stream(futures::stream::repeat_with(piece)).into_response()
    };
    let broker = broker(vec![provider(fake(endless).await, REAL_KEY)], Limits::default()).await;
    assert_eq!(ask(&broker, "own", "x").await, Err(ConsultError::Unreadable("openai")));
}

#[tokio::test]
async fn a_service_that_is_not_there_is_said_to_be_unreachable() {
    let url = "http://127.0.0.1:1".to_owned();
    let broker = broker(vec![provider(url, REAL_KEY)], Limits::default()).await;
    assert_eq!(ask(&broker, "own", "x").await, Err(ConsultError::Unreachable("openai")));
    assert_eq!(broker.ledger().answers(), 0);
}
