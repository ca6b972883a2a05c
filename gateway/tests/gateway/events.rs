//! Changes as server-sent events: what the subscriber may see, and only that.

use crate::common::World;
use futures::StreamExt;
use reqwest::Response;
use serde_json::{Value, json};
use std::time::Duration;

/// How long an event may take: a decision is remembered for ten seconds.
const PATIENCE: Duration = Duration::from_secs(25);

/// Reads events from a stream.
pub(crate) struct Events {
    response: futures::stream::BoxStream<'static, Vec<u8>>,
    text: String,
}

impl Events {
    async fn open(world: &World, user: &str) -> Self {
        Self::open_at(world, user, "", None).await
    }

    /// With a query, and the id of the last event that came.
    pub(crate) async fn open_at(
        world: &World,
        user: &str,
        query: &str,
        last: Option<&str>,
    ) -> Self {
        let path = format!("/api/v1/namespaces/demo/events{query}");
        let mut request = world.request(user, reqwest::Method::GET, &path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response: Response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let response = response.bytes_stream().map(|bytes| bytes.unwrap().to_vec()).boxed();
        Self { response, text: String::new() }
    }

    /// The next event: its name and data. None at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(|text| text.trim().to_owned())
                };
                let found = line("event:").zip(line("data:"));
                let rest = rest.to_owned();
                self.text = rest;
                if let Some((name, data)) = found {
                    return Some((name, serde_json::from_str(&data).unwrap()));
                }
                continue;
            }
            let more = tokio::time::timeout(PATIENCE, self.response.next()).await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&more).unwrap());
        }
    }
}

#[tokio::test]
async fn a_snapshot_then_changes() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.put("a", json!({}), json!({})).await;
    world.kubernetes.grant(("guest", "get", "sessions", "demo", "b"));
    world.kubernetes.put("demo", "b", &json!({}), &json!({}));
    world.put("b", json!({}), json!({})).await;
    let mut all = Events::open(&world, "dana").await;
    let mut some = Events::open(&world, "guest").await;
    let (name, snapshot) = all.next().await.unwrap();
    assert_eq!((name.as_str(), snapshot["sessions"].as_array().unwrap().len()), ("snapshot", 2));
    let (_, snapshot) = some.next().await.unwrap();
    assert_eq!(snapshot["sessions"][0]["name"], "b");
    world.kubernetes.put("demo", "a", &json!({}), &json!({"phase": "Running", "conditions": []}));
    world.kubernetes.put("other", "x", &json!({}), &json!({}));
    world.kubernetes.remove("demo", "b");
    let (name, session) = all.next().await.unwrap();
    assert_eq!((name.as_str(), &session["status"]["phase"]), ("session", &json!("Running")));
    let gone = (
        "deleted".to_owned(),
        json!({"kind": "Session", "namespace": "demo", "name": "b", "uid": "uid-b"}),
    );
    assert_eq!(all.next().await.unwrap(), gone);
    assert_eq!(some.next().await.unwrap(), gone);
    world.stop.cancel();
    assert_eq!(all.next().await, None);
    world.task.await.unwrap();
}

#[tokio::test]
async fn what_was_revoked_disappears_at_the_next_look() {
    let world = World::start(&["--recheck-seconds", "1"]).await;
    world.grant_all();
    world.put("a", json!({}), json!({})).await;
    let mut events = Events::open(&world, "dana").await;
    assert_eq!(events.next().await.unwrap().1["sessions"].as_array().unwrap().len(), 1);
    world.kubernetes.revoke_all();
    assert_eq!(
        events.next().await.unwrap(),
        ("snapshot".to_owned(), json!({"sessions": [], "runs": []}))
    );
}

#[tokio::test]
async fn runs_come_in_the_same_stream_by_their_own_rights() {
    let world = World::start(&[]).await;
    world.grant_all();
    world.put("a", json!({}), json!({})).await;
    world.put_run("a", plan(), json!({"phase": "Queued", "conditions": []})).await;
    world.kubernetes.grant(("guest", "list", "sessions", "demo", ""));
    let mut all = Events::open(&world, "dana").await;
    let mut some = Events::open(&world, "guest").await;
    let (_, snapshot) = all.next().await.unwrap();
    assert_eq!(snapshot["sessions"][0]["uid"], "uid-a");
    assert_eq!(snapshot["runs"][0]["uid"], "run-uid-a");
    let (_, snapshot) = some.next().await.unwrap();
    assert_eq!(
        (snapshot["sessions"][0]["uid"].as_str(), &snapshot["runs"]),
        (Some("uid-a"), &json!([]))
    );
    world.kubernetes.put_run("demo", "a", &plan(), &json!({"phase": "Running", "conditions": []}));
    world.kubernetes.remove("demo", "a");
    let (name, run) = all.next().await.unwrap();
    let first = match name.as_str() {
        "run" => run,
        _ => all.next().await.unwrap().1,
    };
    assert_eq!(first["status"]["phase"], "Running");
    let (name, gone) = some.next().await.unwrap();
    assert_eq!((name.as_str(), &gone["kind"]), ("deleted", &json!("Session")));
}

fn plan() -> Value {
    json!({"repository": {"url": "https://git.example.com/a"}, "plan": "# Plan"})
}
