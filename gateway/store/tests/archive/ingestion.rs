//! Every record once, numbered without gaps.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use fabrica_store::{Batch, MessageType, StoreError};
use fabrica_test_database::Server;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use crate::{journal, message, some_run, whole};

#[tokio::test]
async fn a_batch_is_kept_once() {
    let (_server, store) = Server::migrated().await;
    let uid = some_run(&store).await;
    let messages = journal([1, 2, 3, 3]);
    let batch = Batch { uid, attempt: 1, messages: &messages };
    let first = store.ingest(batch).await.unwrap();
    assert_eq!((first.added, first.refused, first.last_seq), (3, 0, 3));
    let second = store.ingest(batch).await.unwrap();
    assert_eq!((second.added, second.last_seq), (0, 3));
    assert_eq!(store.last_ingested(uid, 1).await.unwrap(), 3);
    assert_eq!(store.last_ingested(uid, 2).await.unwrap(), 0);
    store.ingest(Batch { uid, attempt: 2, messages: &messages }).await.unwrap();
    assert_eq!(whole(&store, uid).await.len(), 6);
}

#[tokio::test]
async fn what_has_no_place_is_refused() {
    let (_server, store) = Server::migrated().await;
    let messages = journal([1]);
    let batch = Batch { uid: Uuid::new_v4(), attempt: 1, messages: &messages };
    assert!(matches!(store.ingest(batch).await, Err(StoreError::UnknownObject(_))));
    let uid = some_run(&store).await;
    let messages = [message(u64::MAX, "far")];
    let error = store.ingest(Batch { uid, attempt: 1, messages: &messages }).await.unwrap_err();
    assert!(error.is_refused() && !error.is_away());
}

#[tokio::test]
async fn a_record_that_postgresql_refuses_becomes_an_error_record() {
    let (_server, store) = Server::migrated().await;
    let uid = some_run(&store).await;
    let mut messages = journal(1..=20);
    // PostgreSQL's calendar begins in 4713 BC.
    for index in [4, 17] {
        messages[index].time = DateTime::<Utc>::MIN_UTC;
    }
    let batch = Batch { uid, attempt: 1, messages: &messages };
    let done = store.ingest(batch).await.unwrap();
    assert_eq!((done.added, done.refused, done.last_seq), (20, 2, 20));
    let kept = store.messages(uid, 0, 100, false).await.unwrap();
    assert_eq!(kept.len(), 20);
    assert_eq!(kept[4].kind, MessageType::Error);
    assert_eq!(kept[4].content.metadata["kind"], "refused");
    assert_eq!(kept[5].content.message, "record 6");
    assert_eq!(store.ingest(batch).await.unwrap().added, 0, "it is not tried again");
}

#[tokio::test]
async fn null_characters_and_long_texts_are_kept() {
    let (_server, store) = Server::migrated().await;
    let uid = some_run(&store).await;
    let long = "ä\\\"\n".repeat(1024 * 1024 / 5);
    let messages = [message(1, "a\0b"), message(2, long.clone()), message(3, "\u{1f600}")];
    store.ingest(Batch { uid, attempt: 1, messages: &messages }).await.unwrap();
    let kept = store.messages(uid, 0, 100, false).await.unwrap();
    let texts: Vec<_> = kept.iter().map(|message| message.content.message.as_str()).collect();
    assert_eq!(texts, ["a\\u0000b", long.as_str(), "\u{1f600}"]);
}

#[tokio::test]
async fn two_writers_never_double_or_gap() {
    let (server, store) = Server::migrated().await;
    let uid = some_run(&store).await;
    let writer = |step: u64| {
        let store = server.store();
        async move {
            for start in (1..=200).step_by(usize::try_from(step).unwrap()) {
                let messages = journal(start..(start + step).min(201));
                store.ingest(Batch { uid, attempt: 1, messages: &messages }).await.unwrap();
            }
        }
    };
    tokio::join!(writer(7), writer(11), writer(3));
    assert_eq!(whole(&store, uid).await.len(), 200);
    assert_eq!(store.last_ingested(uid, 1).await.unwrap(), 200);
}

/// Random batches in any order, with replays and two writers: what is there in the end is what was sent, once.
#[test]
fn batches_in_any_order_are_idempotent() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_server, store) = runtime.block_on(Server::migrated());
    let batches = prop::collection::vec(
        (1_u32..3, prop::collection::vec(1_u64..40, 0..12), any::<bool>()),
        1..12,
    );
    let mut runner =
        TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(40) });
    runner
        .run(&batches, |batches| {
            runtime.block_on(async {
                let uid = some_run(&store).await;
                let write = |mine: bool| {
                    let (store, batches) = (&store, &batches);
                    async move {
                        for (attempt, numbers, both) in batches {
                            if mine || *both {
                                let messages = journal(numbers.iter().copied());
                                let batch = Batch { uid, attempt: *attempt, messages: &messages };
                                store.ingest(batch).await.unwrap();
                            }
                        }
                    }
                };
                tokio::join!(write(true), write(false));
                let sent: BTreeSet<_> = batches
                    .iter()
                    .flat_map(|(attempt, numbers, _)| {
                        numbers.iter().map(|number| (*attempt, *number))
                    })
                    .collect();
                assert_eq!(whole(&store, uid).await, sent.into_iter().collect::<Vec<_>>());
            });
            Ok(())
        })
        .unwrap();
}
