//! Runs, Chats and their messages out of a real database.

use std::time::Duration;

use crate::common::{World, running, until};
use crate::events::Events;
use chrono::{DateTime, Utc};
use fabrica_store::{Batch, Content, MessageType, NewMessage, Object, Store};
use fabrica_test_database::Server;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

const RUNS: &str = "/api/v1/namespaces/demo/runs";
/// How long a killed server may take until readers get on with it.
const PATIENCE: Duration = Duration::from_mins(1);

fn spec(owner: &str) -> Value {
    json!({"repository": {"url": "https://git.example.com/a"}, "plan": "# Plan", "owner": owner})
}

/// The UID that the fake API server gives a Run `kept-N`.
fn uid(number: u32) -> Uuid {
    Uuid::parse_str(&format!("00000000-0000-4000-8000-{number:012}")).unwrap()
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn object(uid: Uuid, name: &str, created: i64) -> Object {
    Object {
        uid,
        kind: "Run".to_owned(),
        namespace: "demo".to_owned(),
        name: name.to_owned(),
        owner: Some("dana".to_owned()),
        parent: None,
        phase: "Completed".to_owned(),
        branch: None,
        commit: None,
        pull_request_url: None,
        estimated_cost_usd: None,
        status: Some(
            json!({"phase": "Completed", "conditions": [], "commit": format!("of {created}")}),
        ),
        created_at: time(created),
        started_at: None,
        finished_at: None,
        deleted_at: None,
    }
}

async fn keep(store: &Store, object: &Object) {
    store.put_object(object).await.unwrap();
    let owner = object.owner.as_deref().unwrap_or_default();
    store.put_spec(object.uid, &spec(owner)).await.unwrap();
}

async fn ingest(store: &Store, uid: Uuid, numbers: std::ops::RangeInclusive<u64>) {
    let message = |journal_seq| NewMessage {
        journal_seq,
        time: time(0),
        kind: MessageType::Progress,
        content: Content {
            message: format!("record {journal_seq}"),
            metadata: json!({"kind": "said"}),
        },
    };
    let messages: Vec<_> = numbers.map(message).collect();
    store.ingest(Batch { uid, attempt: 1, messages: &messages }).await.unwrap();
}

/// A gateway before a database that has the Run `kept-1` with three messages, and the cluster has it too.
async fn start(flags: &[&str]) -> (Server, Store, World) {
    let (server, store) = Server::migrated().await;
    let url = server.url();
    let mut all = vec!["--database-url", &url];
    all.extend(flags);
    let world = World::start(&all).await;
    world.grant_all();
    keep(&store, &object(uid(1), "kept-1", 10)).await;
    ingest(&store, uid(1), 1..=3).await;
    world.put_run("kept-1", spec("dana"), json!({"phase": "Running", "conditions": []})).await;
    (server, store, world)
}

fn seqs(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().or_else(|| page.as_array()).unwrap();
    items.iter().map(|item| item["seq"].as_u64().unwrap()).collect()
}

fn mark(world: &World, user: &str, path: &str, through: i64) -> RequestBuilder {
    world.request(user, Method::POST, path).json(&json!({"through": through}))
}

#[tokio::test]
async fn messages_are_read_in_pages_and_marked() {
    let (_server, _store, world) = start(&[]).await;
    world.kubernetes.grant(("guest", "get", "runs", "demo", "*"));
    let path = format!("{RUNS}/kept-1/messages");
    let (_, page) = world.get("dana", &format!("{path}?after=1&limit=1")).await;
    let message = &page["items"][0];
    assert_eq!((seqs(&page), message.get("readAt")), (vec![2], None));
    assert_eq!(message["sessionId"], uid(1).to_string());
    assert_eq!(
        message["content"],
        json!({"message": "record 2", "metadata": {"kind": "said", "attempt": 1}})
    );
    let short = format!("/sessions/{}/messages", uid(1));
    assert_eq!(seqs(&world.get("dana", &short).await.1), [1, 2, 3]);
    let read = format!("{path}/read");
    assert_eq!(world.answer(mark(&world, "guest", &read, 2)).await.0, 403);
    assert_eq!(world.answer(mark(&world, "stranger", &read, 2)).await.0, 404);
    for wrong in [0, -1] {
        assert_eq!(world.answer(mark(&world, "dana", &read, wrong)).await.0, 422);
    }
    assert_eq!(world.answer(mark(&world, "dana", &read, 2)).await, (200, json!({"marked": 2})));
    let (_, page) = world.get("guest", &path).await;
    assert!(page["items"][0]["readAt"].is_string() && page["items"][2].get("readAt").is_none());
    assert_eq!(seqs(&world.get("dana", &format!("{path}?unread=true")).await.1), [3]);
    let again = mark(&world, "dana", &format!("{short}/read"), 9);
    assert_eq!(world.answer(again).await, (200, json!({"marked": 1})));
    assert_eq!(seqs(&world.get("dana", &format!("{short}?unread=true")).await.1), [0; 0]);
}

#[tokio::test]
async fn who_waits_is_told_when_a_record_is_committed() {
    let (_server, store, world) = start(&[]).await;
    let path = format!("{RUNS}/kept-1/messages?after=3&wait=60");
    let began = tokio::time::Instant::now();
    let (answer, ()) = tokio::join!(world.get("dana", &path), async {
        let _ = world.get("dana", RUNS).await;
        ingest(&store, uid(1), 4..=5).await;
    });
    assert_eq!(seqs(&answer.1), [4, 5]);
    assert!(began.elapsed() < PATIENCE);
    let (_, none) = world.get("dana", &format!("{RUNS}/kept-1/messages?after=5&wait=1")).await;
    assert_eq!(none, json!({"items": []}));
}

#[tokio::test]
async fn a_stream_tells_messages_once_and_goes_on_where_it_was() {
    let (mut server, store, world) = start(&[]).await;
    let id = uid(1);
    let query = format!("?messages={id}&after=1");
    let mut events = Events::open_at(&world, "dana", &query, None).await;
    let mut next = async |count: usize| {
        let mut found = Vec::new();
        while found.len() < count {
            let (name, data) = events.next().await.unwrap();
            if name == "message" {
                found.push(data["seq"].as_u64().unwrap());
            }
        }
        found
    };
    assert_eq!(next(2).await, [2, 3]);
    ingest(&store, id, 4..=150).await;
    assert_eq!(next(147).await, (4..=150).collect::<Vec<u64>>());
    server.kill();
    server.resume().await;
    let more = async {
        let numbers = [151];
        for number in numbers {
            until(async || store.ping().await.is_ok()).await;
            ingest(&store, id, number..=number).await;
        }
    };
    let (found, ()) = tokio::join!(next(1), more);
    assert_eq!(found, [151]);
    let last = format!("{id}/149");
    let mut resumed = Events::open_at(&world, "dana", &query, Some(&last)).await;
    assert_eq!(resumed.next().await.unwrap().0, "snapshot");
    assert_eq!(resumed.next().await.unwrap().1["seq"], 150);
    let stranger = world.request("stranger", Method::GET, &format!("/api/v1/events?messages={id}"));
    assert_eq!(world.answer(stranger).await.0, 404);
}

#[tokio::test]
async fn a_run_that_is_gone_is_read_from_the_archive() {
    let (_server, store, world) = start(&[]).await;
    keep(&store, &object(uid(7), "kept-1", 5)).await;
    world.kubernetes.grant(("guest", "get", "runs", "demo", "kept-1"));
    let path = format!("{RUNS}/kept-1");
    assert_eq!(world.get("dana", &path).await.1.get("archived"), None);
    let older = format!("{path}?uid={}", uid(7));
    assert_eq!(world.get("dana", &older).await.1["status"]["commit"], "of 5");
    world.remove_run("kept-1").await;
    for user in ["dana", "guest"] {
        let (status, run) = world.get(user, &path).await;
        assert_eq!((status, &run["archived"]), (200, &json!(true)), "{run}");
        assert_eq!(
            (&run["status"]["commit"], &run["spec"]["plan"]),
            (&json!("of 10"), &json!("# Plan"))
        );
    }
    for path in
        [path.clone(), older.clone(), format!("{path}/messages"), format!("/sessions/{}", uid(1))]
    {
        assert_eq!(world.get("stranger", &path).await.0, 404, "{path}");
    }
    assert_eq!(seqs(&world.get("dana", &format!("{path}/messages")).await.1), [1, 2, 3]);
    let (_, short) = world.get("dana", &format!("/sessions/{}", uid(1))).await;
    assert_eq!((&short["status"], &short["archived"]), (&json!("completed"), &json!(true)));
    assert_eq!(
        seqs(&world.get("dana", &format!("/sessions/{}/messages", uid(1))).await.1),
        [1, 2, 3]
    );
    for unknown in
        [format!("{RUNS}/none"), format!("{path}?uid={}", uid(8)), format!("{path}?uid=x")]
    {
        assert_eq!(world.get("dana", &unknown).await.0, 404, "{unknown}");
    }
    let delete = world.request("dana", Method::DELETE, &path);
    assert_eq!(world.answer(delete).await.0, 404);
    let (status, retried) =
        world.answer(world.request("dana", Method::POST, &format!("{path}/retry"))).await;
    assert_eq!(status, 201, "{retried}");
}

#[tokio::test]
async fn the_conversation_of_a_chat_that_is_gone_is_read_from_the_archive() {
    let (_server, store, world) = start(&["--access", "Owner"]).await;
    world.kubernetes.grant(("guest", "get", "sessions", "demo", "talk"));
    for (number, created) in [(8, 10), (9, 20)] {
        let session = Object {
            kind: "Session".to_owned(),
            phase: "Stopped".to_owned(),
            status: None,
            ..object(uid(number), "talk", created)
        };
        store.put_object(&session).await.unwrap();
        let repository = json!({"url": "https://git.example.com/a"});
        let spec =
            json!({"mode": "Chat", "workId": "12", "repository": repository, "owner": "dana"});
        store.put_spec(session.uid, &spec).await.unwrap();
        ingest(&store, session.uid, 1..=number.into()).await;
    }
    let path = "/api/v1/namespaces/demo/sessions/talk/messages";
    let search = format!("{path}/search?words=%20RECORD%20");
    let (_, found) = world.get("dana", &format!("{search}8&limit=1")).await;
    assert_eq!((seqs(&found), &found["next"]), (vec![8], &json!(8)));
    let (_, found) = world.get("dana", &format!("{search}8&after=8")).await;
    assert_eq!(found, json!({"items": []}));
    let (_, found) = world.get("dana", &format!("{search}&after=6&uid={}", uid(8))).await;
    assert_eq!((seqs(&found), found.get("next")), (vec![7, 8], None));
    for wrong in ["", "?words=%20", "?words=a&limit=501", &format!("?words={}", "a".repeat(201))] {
        assert_eq!(world.get("dana", &format!("{path}/search{wrong}")).await.0, 400, "{wrong}");
    }
    let older = format!("{path}?after=6&uid={}", uid(8));
    let (_, newest) = world.get("dana", &format!("{path}?after=6")).await;
    assert_eq!(
        (seqs(&newest), &newest["items"][0]["sessionId"]),
        (vec![7, 8, 9], &json!(uid(9).to_string()))
    );
    assert_eq!(seqs(&world.get("dana", &older).await.1), [7, 8]);
    for user in ["guest", "stranger"] {
        assert_eq!(world.get(user, path).await.0, 404, "{user}");
        assert_eq!(world.get(user, &search).await.0, 404, "{user}");
    }
    let of_a_run = format!("{path}?uid={}", uid(1));
    assert_eq!(world.get("dana", &of_a_run).await.0, 404);
    world.put("talk", json!({"owner": "dana"}), running("127.0.0.9")).await;
    assert_eq!(world.get("dana", path).await, (200, json!({"items": []})));
    // A terminal's shells are in no archive.
    assert_eq!(world.get("dana", &search).await.0, 409);
    assert_eq!(seqs(&world.get("dana", &older).await.1), [7, 8]);
}

#[tokio::test]
async fn archived_runs_come_after_those_of_the_cluster() {
    let (_server, store, world) = start(&["--access", "Owner"]).await;
    for number in 2..=4 {
        keep(&store, &object(uid(number), &format!("kept-{number}"), i64::from(number))).await;
    }
    let eves = Object { owner: Some("eve".to_owned()), ..object(uid(5), "kept-5", 50) };
    keep(&store, &eves).await;
    let failed = Object {
        phase: "Failed".to_owned(),
        status: Some(json!({"phase": "Failed", "conditions": []})),
        ..object(uid(6), "kept-6", 1)
    };
    keep(&store, &failed).await;
    let names = async |query: &str| {
        let (mut names, mut token) = (Vec::new(), String::new());
        loop {
            let (_, page) = world.get("dana", &format!("{RUNS}?{query}&continue={token}")).await;
            for item in page["items"].as_array().unwrap() {
                let mark = if item["archived"] == true { "-" } else { "" };
                names.push(format!("{mark}{}", item["name"].as_str().unwrap()));
            }
            match page["continue"].as_str() {
                Some(next) => token = next.to_owned(),
                None => return names,
            }
        }
    };
    let all = ["kept-1", "-kept-4", "-kept-3", "-kept-2", "-kept-6"];
    for limit in [1, 2, 5, 100] {
        assert_eq!(names(&format!("archived=true&limit={limit}")).await, all, "{limit}");
    }
    assert_eq!(names("limit=1").await, ["kept-1"]);
    assert_eq!(names("archived=true&phase=Failed").await, ["-kept-6"]);
    assert_eq!(names("archived=true&workId=1").await, [""; 0]);
    let (_, page) = world.get("dana", "/api/v1/runs?archived=true&limit=1").await;
    let token = page["continue"].as_str().unwrap();
    assert_eq!(world.get("dana", &format!("/api/v1/runs?continue={token}")).await.0, 400);
    assert_eq!(world.get("stranger", &format!("{RUNS}?archived=true")).await.0, 404);
}

#[tokio::test]
async fn without_the_database_everything_but_history_goes_on() {
    let (mut server, _store, world) = start(&[]).await;
    server.kill();
    let path = format!("{RUNS}/kept-1");
    assert_eq!(world.get("dana", &path).await.0, 200);
    assert_eq!(world.get("dana", RUNS).await.0, 200);
    for history in
        [format!("{path}/messages"), format!("{RUNS}?archived=true"), format!("{RUNS}/gone")]
    {
        let answer = world.request("dana", Method::GET, &history).send().await.unwrap();
        assert_eq!(answer.status(), 503, "{history}");
        assert!(answer.headers().contains_key("retry-after"));
    }
    let mut events = Events::open_at(&world, "dana", &format!("?messages={}", uid(1)), None).await;
    assert_eq!(events.next().await.unwrap().0, "snapshot");
    server.resume().await;
    let first = tokio::time::timeout(PATIENCE, events.next()).await.unwrap();
    assert_eq!(first.unwrap().1["seq"], 1);
}
