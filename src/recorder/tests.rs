//! Which pods get a stream. No database is asked.

use futures::FutureExt;
use serde_json::json;

use super::*;
use crate::runtime_client::{Conversation, RuntimeError};

/// A runtime that nobody reaches.
struct Closed;

impl Door for Closed {
    fn follow<'a>(
        &'a self,
        _address: &'a str,
        _uid: &'a str,
        _after: u64,
    ) -> BoxFuture<'a, Result<Chunks, RuntimeError>> {
        async { Err(RuntimeError::TooLong) }.boxed()
    }

    fn acknowledge<'a>(
        &'a self,
        _address: &'a str,
        _uid: &'a str,
        _seq: u64,
        _spent: Option<Spent>,
    ) -> BoxFuture<'a, Result<(), RuntimeError>> {
        async { Err(RuntimeError::TooLong) }.boxed()
    }

    fn conversation<'a>(
        &'a self,
        _address: &'a str,
        _uid: &'a str,
    ) -> BoxFuture<'a, Result<Option<Conversation>, RuntimeError>> {
        async { Err(RuntimeError::TooLong) }.boxed()
    }
}

#[tokio::test]
async fn a_pod_that_was_out_of_sight_is_read_again() {
    let session: Session = serde_json::from_value(json!({"apiVersion": "fabrica.dev/v1alpha1",
        "kind": "Session", "spec": {"mode": "Chat"}, "metadata": {"name": "talk", "namespace": "demo",
        "uid": "11111111-2222-3333-4444-555555555555"}}))
    .unwrap();
    let pod = || {
        let (uid, address) = ("pod".to_owned(), String::new());
        LivePod { uid, address, attempt: 1, closed: true, spent: None }
    };
    let store = Store::connect("postgres://nobody.invalid/none").unwrap();
    let recorder = Arc::new(Recorder::new(store, Closed, []));
    recorder.see(&session, [], false);
    let uid = session.id().unwrap();
    let long_ago = Instant::now() - state::GONE;
    if let Some(known) = recorder.state().objects.get_mut(&uid) {
        known.loaded = true;
        known.see([pod()], long_ago);
    }
    let (uid, found) = recorder.next_streams(1).remove(0);
    stream::follow(recorder.clone(), uid, found).await;
    assert_eq!(recorder.next_streams(2).len(), 0, "what is out of sight waits to be seen again");
    recorder.see(&session, [pod()], false);
    assert_eq!(recorder.next_streams(2).len(), 1, "nothing would be archived any more");
    assert_eq!(recorder.next_streams(2).len(), 0, "one stream is enough");
    recorder.left(uid, "pod", true);
    assert_eq!(recorder.next_streams(2).len(), 0, "what was read to its end is not read again");
}
