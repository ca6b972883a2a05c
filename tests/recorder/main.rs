//! The recorder between a real PostgreSQL and a door that is a fake: its journal lies in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: what does not work fails them")]

mod chat;
mod door;
mod full;
mod retention;

use std::sync::Arc;
use std::time::Duration;

use door::{CONVERSATION, FakeDoor, SHA256};
use fabrica_crds::Run;
use fabrica_operator::recorder::{LivePod, Recorded, Recorder};
use fabrica_store::Store;
use fabrica_test_database::Server;
use futures::FutureExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const DEADLINE: Duration = Duration::from_mins(1);
const RECORDS: u64 = 1200;

fn run(uid: Uuid, phase: &str) -> Run {
    serde_json::from_value(serde_json::json!({
        "apiVersion": "fabrica.dev/v1alpha1",
        "kind": "Run",
        "metadata": {"name": "one", "namespace": "demo", "uid": uid.to_string(),
                     "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"plan": "Do it", "repository": {"url": "https://example.com/a.git"}},
        "status": {"phase": phase, "conditions": [], "attempts": [{"number": 1, "podName": "one-run-1",
                   "startedAt": "2026-01-01T00:00:00Z"}]},
    }))
    .unwrap()
}

fn pod() -> LivePod {
    let (uid, address) = ("pod".to_owned(), "fake".to_owned());
    LivePod { uid, address, attempt: 1, closed: true, spent: None }
}

/// A recorder at work, until the token says stop. `days`: for how long history is kept.
fn start(
    store: Store,
    door: &FakeDoor,
    run: &Run,
    days: Option<u32>,
) -> (Arc<Recorder>, CancellationToken) {
    let recorder = Arc::new(Recorder::new(store, door.clone(), [mpsc::channel(1).0]));
    recorder.see(run, [pod()], true);
    let stop = CancellationToken::new();
    let living = Box::new(|| async { None }.boxed());
    tokio::spawn(recorder.clone().run(living, days, stop.clone()));
    (recorder, stop)
}

/// Everything is there once, in the journal's order.
async fn assert_whole(store: &Store, uid: Uuid) {
    let (mut after, mut texts) = (0, Vec::new());
    loop {
        let page = store.messages(uid, after, 500, false).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        texts.extend(page.into_iter().map(|message| message.content.message));
    }
    let mut expected: Vec<_> = (1..RECORDS).map(|seq| format!("record {seq}")).collect();
    expected.push("the end".to_owned());
    assert_eq!(texts, expected);
}

async fn acknowledged(door: &FakeDoor, seq: u64) {
    let told = door.acknowledged.subscribe().wait_for(|known| *known >= seq).await.map(|_| ());
    told.unwrap();
}

#[tokio::test]
async fn a_database_that_is_killed_and_a_restart_lose_and_double_nothing() {
    let (mut server, store) = Server::migrated().await;
    let (uid, door) = (Uuid::new_v4(), FakeDoor::new());
    let (recorder, stop) = start(server.store(), &door, &run(uid, "Running"), None);
    let work = async {
        door.write(1, 400);
        acknowledged(&door, 400).await;
        server.kill();
        door.write(401, 800);
        server.resume().await;
        acknowledged(&door, 800).await;
        // Another leader, in the middle.
        door.write(801, 1000);
        stop.cancel();
        drop(recorder);
        let (recorder, _stop) = start(server.store(), &door, &run(uid, "Running"), None);
        door.write(1001, RECORDS);
        acknowledged(&door, RECORDS).await;
        let ended = run(uid, "Completed");
        assert_eq!(recorder.recorded(&ended, ended.status.as_ref().unwrap()), Recorded::All);
    };
    tokio::time::timeout(DEADLINE, work).await.unwrap();
    assert_whole(&store, uid).await;
    assert_eq!(store.specs(uid).await.unwrap().len(), 1);
    assert_eq!(store.object(uid).await.unwrap().unwrap().name, "one");
}

#[tokio::test]
async fn a_stream_that_panics_is_opened_again() {
    let (server, store) = Server::migrated().await;
    let (uid, door) = (Uuid::new_v4(), FakeDoor::new());
    door.panic_once();
    let recording = start(server.store(), &door, &run(uid, "Running"), None);
    door.write(1, RECORDS);
    tokio::time::timeout(DEADLINE, acknowledged(&door, RECORDS)).await.unwrap();
    assert_whole(&store, uid).await;
    drop(recording);
}

#[tokio::test]
async fn two_recorders_at_once_and_a_broken_stream_keep_each_record_once() {
    let (server, store) = Server::migrated().await;
    let (uid, door) = (Uuid::new_v4(), FakeDoor::new());
    door.break_every(100);
    let first = start(server.store(), &door, &run(uid, "Running"), None);
    let second = start(server.store(), &door, &run(uid, "Running"), None);
    door.write(1, RECORDS);
    tokio::time::timeout(DEADLINE, acknowledged(&door, RECORDS)).await.unwrap();
    assert_whole(&store, uid).await;
    drop((first, second));
}

#[tokio::test]
async fn a_slow_database_is_waited_for_and_nothing_is_acknowledged_before_the_commit() {
    let (server, store) = Server::migrated().await;
    let (uid, door) = (Uuid::new_v4(), FakeDoor::new());
    let (_recorder, _stop) = start(server.store(), &door, &run(uid, "Running"), None);
    door.write(1, 10);
    tokio::time::timeout(DEADLINE, acknowledged(&door, 10)).await.unwrap();
    let pool = server.pool().await;
    let mut holder = pool.begin().await.unwrap();
    let lock = sqlx::query("SELECT 1 FROM objects WHERE uid = $1 FOR UPDATE").bind(uid);
    lock.execute(&mut *holder).await.unwrap();
    door.write(11, RECORDS);
    let early = tokio::time::timeout(Duration::from_secs(2), acknowledged(&door, 11)).await;
    assert!(early.is_err(), "acknowledged before the commit");
    holder.commit().await.unwrap();
    tokio::time::timeout(DEADLINE, acknowledged(&door, RECORDS)).await.unwrap();
    assert_whole(&store, uid).await;
}

#[tokio::test]
async fn a_checkpoint_is_kept_before_its_record_is_acknowledged_and_goes_with_its_run() {
    let (server, store) = Server::migrated().await;
    let (uid, door) = (Uuid::new_v4(), FakeDoor::new());
    door.checkpoint(5, b"torn on the way");
    let (recorder, _stop) = start(server.store(), &door, &run(uid, "Running"), None);
    door.write(1, 10);
    let early = tokio::time::timeout(Duration::from_secs(2), acknowledged(&door, 5)).await;
    assert!(early.is_err(), "acknowledged before it was kept");
    assert!(!recorder.has_checkpoint(&run(uid, "Running")).await.unwrap());
    door.checkpoint(5, CONVERSATION);
    tokio::time::timeout(DEADLINE, acknowledged(&door, 10)).await.unwrap();
    let kept = recorder.checkpoint(&run(uid, "Running")).await.unwrap().unwrap();
    assert_eq!((kept.attempt, &*kept.data, &*kept.sha256), (1, CONVERSATION, SHA256));
    assert_eq!(
        (kept.commit.as_deref(), kept.conversation.as_deref()),
        (Some("c0ffee"), Some("a-b"))
    );
    recorder.see(&run(uid, "Completed"), [pod()], true);
    let forgotten = async { while store.has_checkpoint(uid).await.unwrap() {} };
    tokio::time::timeout(DEADLINE, forgotten).await.unwrap();
}

#[tokio::test]
async fn the_last_record_is_told_at_once_and_acknowledged_when_the_status_holds_the_verdict() {
    let (server, _store) = Server::migrated().await;
    let (uid, door) = (Uuid::new_v4(), FakeDoor::new());
    let (wake, mut woken) = mpsc::channel(1);
    let recorder = Arc::new(Recorder::new(server.store(), door.clone(), [wake]));
    let open = LivePod { closed: false, ..pod() };
    recorder.see(&run(uid, "Running"), [open], true);
    let living = Box::new(|| async { None }.boxed());
    tokio::spawn(recorder.clone().run(living, None, CancellationToken::new()));
    door.write(1, RECORDS);
    let work = async {
        assert_eq!(woken.recv().await, Some(uid));
        acknowledged(&door, RECORDS - 1).await;
        let early = tokio::time::timeout(Duration::from_secs(1), acknowledged(&door, RECORDS));
        assert!(early.await.is_err(), "the pod would go before its status is written");
        recorder.see(&run(uid, "Completed"), [pod()], true);
        acknowledged(&door, RECORDS).await;
    };
    tokio::time::timeout(DEADLINE, work).await.unwrap();
}
