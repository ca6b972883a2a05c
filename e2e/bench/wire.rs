//! What the runtime of a Chat adds to a message, and how long it tells a long history: on this machine, without a cluster.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};

use crate::local::{self, Local};
use crate::stats::{describe, median, milliseconds};
use crate::table::{Kind, Row, Table};

/// Messages whose way is timed, and those that warm it up.
const MESSAGES: usize = 300;
const WARM_UP: usize = 20;
/// A long conversation, how often it is told, and the length of each of its texts in bytes.
const HISTORY: usize = 10_000;
const REPLAYS: usize = 10;
const TEXT: usize = 100;

pub(crate) async fn measure(table: &Table) -> Result<()> {
    message(table).await?;
    replay(table).await
}

/// From a client to the agent's program and back: what is in between writes it down on the way.
async fn message(table: &Table) -> Result<()> {
    let runtime = Local::start(|_| Ok(())).await?;
    let mut socket = runtime.open().await?;
    local::send(&mut socket, &json!({"type": "hello"})).await?;
    local::until(&mut socket, |it| it["type"] == "caught_up").await?;
    let mut samples = Vec::new();
    for number in 0..WARM_UP + MESSAGES {
        let (id, content) = (format!("m-{number}"), format!("message {number}"));
        let started = Instant::now();
        let said = json!({"type": "user_message", "id": id, "content": content});
        local::send(&mut socket, &said).await?;
        let is_back =
            |it: &Value| it["type"] == "claude_message" && it["content"] == content.as_str();
        local::until(&mut socket, is_back).await?;
        if number >= WARM_UP {
            samples.push(started.elapsed());
        }
        local::until(&mut socket, |it| it["id"] == id.as_str() && it["state"] == "completed")
            .await?;
    }
    table.add(Row {
        what: "a message from a client to the agent's program and back, over loopback (p50)",
        measured: milliseconds(median(&samples)),
        ceiling: 2.0,
        unit: "ms",
        kind: Kind::Ceiling,
        detail: describe(&samples),
    });
    Ok(())
}

fn history(folder: &Path) -> Result<()> {
    let line = |seq: usize| json!({"seq": seq, "time": "2026-01-01T00:00:00Z", "kind": "said", "text": "x".repeat(TEXT)});
    let lines: Vec<String> = (1..=HISTORY).map(|seq| format!("{}\n", line(seq))).collect();
    Ok(std::fs::write(folder.join("journal-1.ndjson"), lines.concat())?)
}

/// A client that comes to a long conversation.
async fn replay(table: &Table) -> Result<()> {
    let runtime = Local::start(history).await?;
    let mut samples = Vec::new();
    for _ in 0..REPLAYS {
        let mut socket = runtime.open().await?;
        let started = Instant::now();
        local::send(&mut socket, &json!({"type": "hello"})).await?;
        local::until(&mut socket, |it| it["type"] == "caught_up").await?;
        samples.push(started.elapsed());
    }
    table.add(Row {
        what: "10,000 messages of a chat are told to a client that comes (p50)",
        measured: milliseconds(median(&samples)),
        ceiling: 300.0,
        unit: "ms",
        kind: Kind::Ceiling,
        detail: describe(&samples),
    });
    Ok(())
}
