//! What stays when objects and pods are gone, and what goes in the end.

use chrono::{Days, Utc};
use fabrica_protocol::run::CONVERSATION_BYTES;
use fabrica_store::{Batch, Checkpoint, LOOKED_THROUGH, ObjectFilter, StoreError, Usage};
use fabrica_test_database::Server;
use serde_json::json;

use crate::{journal, run_object, some_run, time};

#[tokio::test]
async fn migrations_run_on_empty_and_on_current_and_side_by_side() {
    let server = Server::start().await;
    let (first, second) = (server.store(), server.store());
    let (one, other) = tokio::join!(first.migrate(), second.migrate());
    one.unwrap();
    other.unwrap();
    let uid = some_run(&first).await;
    first.migrate().await.unwrap();
    assert!(first.object(uid).await.unwrap().is_some());
}

#[tokio::test]
async fn messages_are_read_in_pages_and_marked() {
    let (_server, store) = Server::migrated().await;
    let uid = some_run(&store).await;
    let messages = journal(1..=10);
    store.ingest(Batch { uid, attempt: 1, messages: &messages }).await.unwrap();
    let page = store.messages(uid, 4, 3, false).await.unwrap();
    assert_eq!(page.iter().map(|message| message.seq).collect::<Vec<_>>(), [5, 6, 7]);
    assert_eq!(store.mark_read(uid, 8).await.unwrap(), 8);
    assert_eq!(store.mark_read(uid, 8).await.unwrap(), 0);
    assert_eq!(store.messages(uid, 0, 100, true).await.unwrap().len(), 2);
}

#[tokio::test]
async fn messages_are_found_by_what_they_say_a_part_at_a_time() {
    let (_server, store) = Server::migrated().await;
    let (uid, other) = (some_run(&store).await, some_run(&store).await);
    let count = u64::from(LOOKED_THROUGH) + 10;
    let mut messages = journal(1..=count);
    let mut say = |seq: u64, text: &str| {
        messages[usize::try_from(seq).unwrap() - 1].content.message = text.to_owned();
    };
    say(3, "The Door squeaks");
    say(4, "100 % of doors\0");
    say(count, "a door_stop");
    for part in messages.chunks(1_000) {
        store.ingest(Batch { uid, attempt: 1, messages: part }).await.unwrap();
    }
    let elsewhere = [crate::message(1, "another one's door")];
    store.ingest(Batch { uid: other, attempt: 1, messages: &elsewhere }).await.unwrap();
    let find = async |words: &str, after: u64, limit: u32| {
        let found = store.find_messages(uid, words, after, limit).await.unwrap();
        let seqs: Vec<u64> = found.messages.iter().map(|message| message.seq).collect();
        (seqs, found.next)
    };
    let part = u64::from(LOOKED_THROUGH);
    assert_eq!(find("dOOr", 0, 100).await, (vec![3, 4], Some(part)));
    assert_eq!(find("dOOr", part, 100).await, (vec![count], None));
    assert_eq!(find("door", 0, 1).await, (vec![3], Some(3)));
    assert_eq!(find("door", 3, 1).await, (vec![4], Some(4)));
    assert_eq!(find("door", count - 1, 1).await, (vec![count], None));
    // What is looked for is no pattern.
    assert_eq!(find("0 % of", 0, 100).await, (vec![4], Some(part)));
    assert_eq!(find("%", 4, 100).await.0, Vec::<u64>::new());
    assert_eq!(find("door_", count - 1, 100).await.0, [count]);
    assert_eq!(find("doors\0", 0, 100).await.0, [4]);
    assert_eq!(find("door", u64::MAX / 4, 100).await, (vec![], None));
}

#[tokio::test]
async fn objects_are_found_by_uid_and_by_name_and_listed() {
    let (_server, store) = Server::migrated().await;
    let (mut old, new) = (run_object("fix", 1), run_object("fix", 2));
    old.deleted_at = Some(time(9));
    old.phase = "Completed".to_owned();
    old.estimated_cost_usd = Some("0.10".to_owned());
    old.status = Some(json!({"messages": [{"text": "done"}]}));
    old.pull_request_url = Some("https://forge.example/1".to_owned());
    for object in [&old, &new, &run_object("other", 3)] {
        store.put_object(object).await.unwrap();
        store.put_object(object).await.unwrap();
    }
    assert_eq!(store.object(old.uid).await.unwrap().as_ref(), Some(&old));
    assert_eq!(store.object_named("Run", "demo", "fix").await.unwrap(), Some(new.clone()));
    let filter = ObjectFilter {
        namespace: Some("demo".to_owned()),
        kind: Some("Run".to_owned()),
        limit: 2,
        ..ObjectFilter::default()
    };
    let page = store.objects(&filter).await.unwrap();
    assert_eq!(page.len(), 2);
    let behind = Some((page[1].created_at, page[1].uid));
    let rest = store.objects(&ObjectFilter { behind, ..filter.clone() }).await.unwrap();
    assert_eq!(rest, [old.clone()]);
    let some = async |filter: ObjectFilter| -> Vec<String> {
        let found = store.objects(&ObjectFilter { limit: 9, ..filter }).await.unwrap();
        found.into_iter().map(|object| format!("{} {}", object.name, object.phase)).collect()
    };
    let living = vec![new.uid];
    let gone = ObjectFilter { living, deleted_or_before: Some(time(3)), ..ObjectFilter::default() };
    assert_eq!(some(gone).await, ["fix Completed"]);
    let phase = Some("Running".to_owned());
    assert_eq!(some(ObjectFilter { phase, ..filter.clone() }).await.len(), 2);
    let owner = Some("somebody".to_owned());
    assert!(some(ObjectFilter { owner, ..filter }).await.is_empty());
    old.estimated_cost_usd = Some("much".to_owned());
    assert!(store.put_object(&old).await.unwrap_err().is_refused());
}

#[tokio::test]
async fn specs_have_versions_that_never_change() {
    let (server, store) = Server::migrated().await;
    let uid = some_run(&store).await;
    let (one, two) = (json!({"a": 1, "b\0": "\0"}), json!({"a": 2}));
    for (spec, version) in [(&one, 1), (&one, 1), (&two, 2), (&one, 3)] {
        assert_eq!(store.put_spec(uid, spec).await.unwrap(), version);
    }
    let specs = store.specs(uid).await.unwrap();
    assert_eq!(specs.len(), 3);
    assert_eq!(specs[1].spec, two);
    let newest = store.newest_specs(&[uid, uuid::Uuid::new_v4()]).await.unwrap();
    assert_eq!((newest.len(), newest[&uid].version), (1, 3));
    let pool = server.pool().await;
    sqlx::query("UPDATE specs SET version = 9").execute(&pool).await.unwrap_err();
}

#[tokio::test]
async fn usage_and_checkpoints_are_the_newest() {
    let (_server, store) = Server::migrated().await;
    let uid = some_run(&store).await;
    assert_eq!(store.usage(uid).await.unwrap().input_tokens, 0);
    let usage =
        Usage { input_tokens: 5, estimated_cost_usd: "0.25".to_owned(), ..Usage::default() };
    for attempt in [1, 2, 2] {
        store.put_usage(uid, attempt, &usage).await.unwrap();
    }
    let sum = store.usage(uid).await.unwrap();
    assert_eq!((sum.input_tokens, sum.estimated_cost_usd.as_str()), (10, "0.50"));

    assert_eq!(store.checkpoint(uid).await.unwrap(), None);
    assert!(!store.has_checkpoint(uid).await.unwrap());
    let checkpoint = |attempt, bytes| Checkpoint {
        attempt,
        commit: Some("c0ffee".to_owned()),
        conversation: Some("first".to_owned()),
        sha256: "digest".to_owned(),
        data: vec![7; bytes],
    };
    let bare = Checkpoint { commit: None, conversation: None, ..checkpoint(1, 0) };
    store.put_checkpoint(uid, &bare).await.unwrap();
    assert_eq!(store.checkpoint(uid).await.unwrap(), Some(bare.clone()));
    let newest = checkpoint(2, CONVERSATION_BYTES);
    store.put_checkpoint(uid, &newest).await.unwrap();
    store.put_checkpoint(uid, &bare).await.unwrap();
    assert_eq!(store.checkpoint(uid).await.unwrap(), Some(newest), "of an earlier attempt");
    let long = checkpoint(2, CONVERSATION_BYTES + 1);
    let error = store.put_checkpoint(uid, &long).await.unwrap_err();
    assert!(matches!(error, StoreError::CheckpointTooLarge { .. }));
    assert!(store.has_checkpoint(uid).await.unwrap());
    store.delete_checkpoint(uid).await.unwrap();
    assert_eq!(store.checkpoint(uid).await.unwrap(), None);
}

#[tokio::test]
async fn retention_deletes_what_ended_long_ago_with_all_that_belongs_to_it() {
    let (server, store) = Server::migrated().await;
    let live = some_run(&store).await;
    let mut recent = run_object("recent", 0);
    recent.finished_at = Utc::now().checked_sub_days(Days::new(5));
    store.put_object(&recent).await.unwrap();
    for number in 0..25 {
        let mut old = run_object(&format!("old-{number}"), 0);
        old.finished_at = Utc::now().checked_sub_days(Days::new(40));
        store.put_object(&old).await.unwrap();
        let messages = journal([1]);
        store.ingest(Batch { uid: old.uid, attempt: 1, messages: &messages }).await.unwrap();
        store.put_spec(old.uid, &json!({})).await.unwrap();
    }
    assert_eq!(store.delete_older_than(30).await.unwrap(), 25);
    assert_eq!(store.delete_older_than(30).await.unwrap(), 0);
    assert!(store.object(live).await.unwrap().is_some());
    assert!(store.object(recent.uid).await.unwrap().is_some());
    let pool = server.pool().await;
    let count = "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM specs)";
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&pool).await.unwrap(), 0);
}
