//! What a model call costs more because it goes through the broker.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fabrica_model_api::ModelApi;
use fabrica_runtime::broker::ledger::{Limits, Spent};
use fabrica_runtime::broker::{Broker, Key, Settings};
use serde_json::{Value, json};

use crate::stats::{describe, median, milliseconds};
use crate::table::{Kind, Row, Table};

/// Calls of each kind, in turns.
const ROUNDS: usize = 200;
/// As long as a short conversation with its tools.
const PROMPT_BYTES: usize = 50 * 1024;

pub(crate) async fn measure(table: &Table) -> Result<()> {
    let model = ModelApi::start(([127, 0, 0, 1], 0).into(), None).await?;
    let settings = Settings {
        url: model.url(),
        key: Key::new("key-of-the-bench")?,
        limits: Limits::default(),
        before: Spent::default(),
        providers: Vec::new(),
        prices: Vec::new(),
    };
    let broker = Broker::start(settings).await?;
    let http = reqwest::Client::new();
    let question = question();
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        direct.push(ask(&http, &model.url(), "key-of-the-bench", &question).await?);
        through.push(ask(&http, &broker.url(), broker.dummy_key(), &question).await?);
    }
    table.add(Row {
        what: "a model call through the broker, above one without it (p50)",
        measured: milliseconds(median(&through)) - milliseconds(median(&direct)),
        ceiling: 5.0,
        unit: "ms",
        kind: Kind::Ceiling,
        detail: format!("through {}; direct {}", describe(&through), describe(&direct)),
    });
    Ok(())
}

fn question() -> Value {
    let text = format!("scenario: nothing\n{}", "x".repeat(PROMPT_BYTES));
    json!({"model": "claude-sonnet-4-5", "stream": true, "max_tokens": 100,
        "messages": [{"role": "user", "content": text}]})
}

async fn ask(http: &reqwest::Client, url: &str, key: &str, question: &Value) -> Result<Duration> {
    let before = Instant::now();
    let answer = http
        .post(format!("{url}/v1/messages?beta=true"))
        .header("x-api-key", key)
        .header("anthropic-version", "2023-06-01")
        .json(question)
        .send()
        .await?
        .error_for_status()
        .context("the model's answer")?;
    let bytes = answer.bytes().await?;
    ensure!(!bytes.is_empty(), "an empty answer");
    Ok(before.elapsed())
}
