//! What the recorder keeps of a Chat.

use std::sync::Arc;

use fabrica_crds::Session;
use fabrica_operator::recorder::{ChatState, LivePod, Recorded, Recorder};
use fabrica_protocol::run::Spent;
use fabrica_test_database::Server;
use futures::FutureExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::door::FakeDoor;
use crate::{DEADLINE, acknowledged};

fn chat(uid: Uuid) -> Session {
    serde_json::from_value(serde_json::json!({
        "apiVersion": "fabrica.dev/v1alpha1",
        "kind": "Session",
        "metadata": {"name": "talk", "namespace": "demo", "uid": uid.to_string(),
                     "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"mode": "Chat", "workId": "12", "repository": {"url": "https://example.com/a.git"}},
        "status": {"phase": "Running", "conditions": [], "usage": {"inputTokens": 1, "outputTokens": 1,
            "cacheReadTokens": 0, "cacheWriteTokens": 0, "estimatedCostUSD": "0.10"}},
    }))
    .unwrap()
}

/// The pod of this name, which goes on with the first journal.
fn pod(uid: &str) -> LivePod {
    let (uid, address) = (uid.to_owned(), "fake".to_owned());
    LivePod { uid, address, attempt: 1, closed: true, spent: Some(spent()) }
}

/// What that conversation has used up.
fn spent() -> Spent {
    Spent { estimated_cost_usd: "0.10".to_owned(), turns: 3 }
}

#[tokio::test]
async fn a_conversation_that_goes_on_in_another_pod_is_kept_once_and_nobody_calls_it_ended() {
    let (server, store) = Server::migrated().await;
    let (uid, door) = (Uuid::new_v4(), FakeDoor::new());
    let wakes = [mpsc::channel(1).0, mpsc::channel(1).0];
    let recorder = Arc::new(Recorder::new(server.store(), door.clone(), wakes));
    recorder.see(&chat(uid), [pod("first")], true);
    let living = Box::new(|| async { None }.boxed());
    tokio::spawn(recorder.clone().run(living, None, CancellationToken::new()));
    let work = async {
        door.write(1, 300);
        acknowledged(&door, 300).await;
        recorder.see(&chat(uid), [pod("second")], true);
        door.write(301, 600);
        acknowledged(&door, 600).await;
        assert_eq!(*door.spent.lock().unwrap(), Some(spent()));
    };
    tokio::time::timeout(DEADLINE, work).await.unwrap();
    let page = store.messages(uid, 0, 500, false).await.unwrap();
    let rest = store.messages(uid, 500, 500, false).await.unwrap();
    assert_eq!((page.len(), rest.len()), (500, 100));
    let object = store.object(uid).await.unwrap().unwrap();
    assert_eq!((&*object.kind, &*object.name, object.finished_at), ("Session", "talk", None));
    assert_eq!(object.estimated_cost_usd.as_deref(), Some("0.10"));
    assert_eq!(recorder.chat_recorded(&chat(uid), ChatState::GoesOn), Recorded::Keeping);
    assert_eq!(
        recorder.chat_recorded(&chat(uid), ChatState::Stopped(Some((1, 600)))),
        Recorded::All
    );
}
