//! The database away, slow, killed.

use std::pin::pin;
use std::time::Duration;

use fabrica_store::{Batch, Notice, Store, StoreError};
use fabrica_test_database::Server;
use futures::StreamExt;

use crate::{journal, some_run, whole};

const DEADLINE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn nobody_at_the_address_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("postgres://me@localhost/x?host={}", folder.path().display());
    let store = Store::connect(&url).unwrap();
    assert!(store.ping().await.unwrap_err().is_away());
    assert!(store.migrate().await.unwrap_err().is_away());
    assert!(matches!(Store::connect("mysql://x"), Err(StoreError::Url(_))));
    assert!(!format!("{:?}", Store::connect("postgres://a:secret@b/c")).contains("secret"));
}

#[tokio::test]
async fn a_killed_server_loses_and_doubles_nothing() {
    let (mut server, store) = Server::migrated().await;
    let uid = some_run(&store).await;
    let (told, mut progress) = tokio::sync::watch::channel(0);
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for start in (1..=600_u64).step_by(3) {
                let messages = journal(start..start + 3);
                let batch = Batch { uid, attempt: 1, messages: &messages };
                // As the recorder does: the same batch until it is there.
                while let Err(error) = store.ingest(batch).await {
                    assert!(error.is_away(), "{error:?}");
                    tokio::task::yield_now().await;
                }
                told.send_replace(start);
            }
        }
    });
    for milestone in [100, 300] {
        progress.wait_for(|done| *done > milestone).await.unwrap();
        server.kill();
        server.resume().await;
    }
    tokio::time::timeout(DEADLINE, writer).await.unwrap().unwrap();
    assert_eq!(whole(&store, uid).await.len(), 600);
}

#[tokio::test]
async fn a_lock_that_is_held_is_waited_for_and_then_the_database_is_away() {
    let (server, store) = Server::migrated().await;
    let uid = some_run(&store).await;
    let pool = server.pool().await;
    let mut holder = pool.begin().await.unwrap();
    let lock = sqlx::query("SELECT 1 FROM objects WHERE uid = $1 FOR UPDATE").bind(uid);
    lock.execute(&mut *holder).await.unwrap();
    let messages = journal([1, 2]);
    let batch = Batch { uid, attempt: 1, messages: &messages };
    assert!(store.ingest(batch).await.unwrap_err().is_away());
    let (done, ()) = tokio::join!(store.ingest(batch), async {
        tokio::task::yield_now().await;
        holder.commit().await.unwrap();
    });
    assert_eq!(done.unwrap().added, 2);
}

#[tokio::test]
async fn a_listener_learns_of_messages_and_rereads_after_a_loss() {
    let (mut server, store) = Server::migrated().await;
    let uid = some_run(&store).await;
    let mut notices = pin!(store.listen());
    assert_eq!(notices.next().await, Some(Notice::Reread));
    let messages = journal([1, 2]);
    store.ingest(Batch { uid, attempt: 1, messages: &messages }).await.unwrap();
    let last = store.messages(uid, 1, 1, false).await.unwrap().remove(0);
    let news = Notice::Message { id: last.id, uid, kind: last.kind };
    tokio::time::timeout(DEADLINE, async {
        while notices.next().await != Some(news.clone()) {}
        server.kill();
        server.resume().await;
        while notices.next().await != Some(Notice::Reread) {}
        // The first after the loss may be the periodic one: send until the new connection tells.
        for number in 3.. {
            let messages = journal([number]);
            while store.ingest(Batch { uid, attempt: 1, messages: &messages }).await.is_err() {}
            if matches!(notices.next().await, Some(Notice::Message { .. })) {
                break;
            }
        }
    })
    .await
    .unwrap();
}
