//! The archive on a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: what does not work fails them")]

mod failures;
mod history;
mod ingestion;

use chrono::{DateTime, Utc};
use fabrica_store::{Content, MessageType, NewMessage, Object, Store};
use serde_json::json;
use uuid::Uuid;

pub(crate) fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

pub(crate) fn run_object(name: &str, created: i64) -> Object {
    Object {
        uid: Uuid::new_v4(),
        kind: "Run".to_owned(),
        namespace: "demo".to_owned(),
        name: name.to_owned(),
        owner: Some("me".to_owned()),
        parent: None,
        phase: "Running".to_owned(),
        branch: None,
        commit: None,
        pull_request_url: None,
        estimated_cost_usd: None,
        status: None,
        created_at: time(created),
        started_at: None,
        finished_at: None,
        deleted_at: None,
    }
}

pub(crate) async fn some_run(store: &Store) -> Uuid {
    let object = run_object("run", 0);
    store.put_object(&object).await.unwrap();
    object.uid
}

pub(crate) fn message(journal_seq: u64, text: impl Into<String>) -> NewMessage {
    NewMessage {
        journal_seq,
        time: time(0),
        kind: MessageType::Progress,
        content: Content { message: text.into(), metadata: json!({"kind": "said"}) },
    }
}

pub(crate) fn journal(numbers: impl IntoIterator<Item = u64>) -> Vec<NewMessage> {
    numbers.into_iter().map(|number| message(number, format!("record {number}"))).collect()
}

/// Asserts that `seq` has no gap and that every record is there once; says which ones (attempt and journal number).
pub(crate) async fn whole(store: &Store, uid: Uuid) -> Vec<(u32, u64)> {
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = store.messages(uid, after, 100, false).await.unwrap();
        if page.is_empty() {
            break;
        }
        for message in page {
            after += 1;
            assert_eq!(message.seq, after, "a gap");
            let number = message.content.message.trim_start_matches("record ").parse().unwrap();
            found.push((message.attempt, number));
        }
    }
    let mut sorted = found.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), found.len(), "something is there twice");
    sorted
}
