//! What is called, and when, while a question waits and after the deadline: every pass by an operator that has just started.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;

use chrono::SubsecRound;
use fabrica_protocol::runtime::PORT;
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::tests::{defaults, run as run_of};
use super::*;

/// Addresses of this machine that no other tests use.
const ASKS: &str = "127.83.4.1";
const DEAF: &str = "127.83.4.2";
const STRAY: &str = "127.83.4.3";
/// The pod is as old as the tests.
const LONG: i64 = 604_800_000;
const POD: &str = "/api/v1/namespaces/team/pods/r-run-1";
const STATUS: &str = "/apis/fabrica.dev/v1alpha1/namespaces/team/runs/r/status";

/// An API server and the runtime of one pod: what they keep, and what they were told.
#[derive(Default)]
struct World {
    objects: Mutex<BTreeMap<String, Value>>,
    journal: Mutex<Vec<Value>>,
    told: Mutex<Vec<String>>,
}

impl World {
    /// Since the last time.
    fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    fn tell(&self, what: String) {
        self.told.lock().unwrap().push(what);
    }

    fn status(&self) -> Value {
        let objects = self.objects.lock().unwrap();
        objects.get(STATUS).map(|object| object["status"].clone()).unwrap_or_default()
    }

    fn says(&self, record: Value) {
        self.journal.lock().unwrap().push(record);
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let body: Value =
            serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or_default();
        let mut objects = self.objects.lock().unwrap();
        let found = match parts.method {
            Method::GET => objects.get(&path).cloned(),
            Method::DELETE => {
                self.tell(format!("DELETE {path}"));
                objects.remove(&path)
            }
            Method::PATCH if path == POD => objects.get(&path).cloned(),
            Method::PATCH if path == STATUS => {
                self.tell("status".to_owned());
                let mut object = body;
                object["spec"] =
                    json!({"plan": "p", "repository": {"url": "https://git.example/a"}});
                objects.insert(path, object.clone());
                Some(object)
            }
            _ => {
                objects.insert(path, body.clone());
                Some(body)
            }
        };
        let (code, found) = found
            .map_or((StatusCode::NOT_FOUND, json!({"code": 404, "reason": "NotFound"})), |found| {
                (StatusCode::OK, found)
            });
        Response::builder().status(code).body(Body::from(found.to_string().into_bytes())).unwrap()
    }

    /// One request to the runtime.
    async fn serve(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        stream.read_line(&mut first).await.unwrap();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            let line = line.trim_end().to_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let (body, mut answer) = (String::from_utf8(body).unwrap(), String::new());
        if first.starts_with("POST") {
            let path = first.split(' ').nth(1).unwrap();
            self.tell(format!("{path} {body}"));
        } else {
            let after = first.split_once("after=").unwrap().1.split(' ').next().unwrap();
            let after: usize = after.parse().unwrap();
            let journal = self.journal.lock().unwrap();
            answer = journal
                .iter()
                .skip(after)
                .fold(String::new(), |text, record| text + &record.to_string() + "\n");
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// A world with a Run whose pod runs at this address since the year began.
async fn world(address: &str) -> Arc<World> {
    let world = Arc::new(World::default());
    let listener =
        TcpListener::bind(SocketAddr::new(address.parse().unwrap(), PORT)).await.unwrap();
    let runtime = world.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            runtime.serve(stream).await;
        }
    });
    let began = "2026-01-01T00:00:00Z";
    let status = json!({"status": {"startedAt": began,
        "attempts": [{"number": 1, "podName": "r-run-1", "createdAt": began, "startedAt": began}]}});
    let objects = [(POD.to_owned(), pod(address)), (STATUS.to_owned(), status)];
    world.objects.lock().unwrap().extend(objects);
    world
}

/// An operator in this world that has just started.
fn context(world: &Arc<World>, defaults: RunDefaults) -> Context {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let server = world.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = server.clone();
        async move { Ok::<_, Infallible>(server.answer(request).await) }
    });
    let keys = Keys::fresh();
    Context::new(
        kube::Client::new(service, "team"),
        defaults,
        keys.clone(),
        RuntimeClient::new(keys).unwrap(),
        Arc::default(),
        Acknowledgement::Status,
    )
}

/// A pass over a Run with these answers and this deadline, by an operator that knows nothing but what others keep.
async fn pass(world: &Arc<World>, answers: &Value, seconds: i64) -> Vec<String> {
    let defaults = RunDefaults { checkpoints: false, ..defaults() };
    let context = context(world, defaults);
    let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}, "answers": answers,
        "deadlineSeconds": seconds});
    let run = Arc::new(run_of(&spec, &world.status()));
    Box::pin(reconcile(run, Arc::new(context))).await.unwrap();
    world.told()
}

fn pod(address: &str) -> Value {
    let owner = json!({"apiVersion": "fabrica.dev/v1alpha1", "kind": "Run", "name": "r", "controller": true,
        "uid": "11111111-2222-3333-4444-555555555555"});
    let state = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "r-run-1", "namespace": "team", "uid": "pod", "ownerReferences": [owner]},
        "status": {"phase": "Running", "podIP": address, "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "run", "state": state, "image": "", "imageID": "", "ready": true,
                "restartCount": 0}]}})
}

#[tokio::test]
async fn a_question_is_told_and_answered_by_operators_that_start_again_and_again() {
    let world = world(ASKS).await;
    let pass = async |world, answers| pass(world, answers, LONG).await;
    let asked = Utc::now().trunc_subsecs(0);
    world.says(
        json!({"seq": 1, "time": asked, "kind": "question", "id": "a", "questionKind": "approval",
        "question": "May I?"}),
    );

    let nobody = json!([]);
    assert_eq!(pass(&world, &nobody).await, ["status", r#"/v1/ack {"seq":1}"#]);
    assert_eq!(world.status()["phase"], "Escalated");
    assert_eq!(world.status()["escalation"]["id"], "a");
    let known = world.status();
    assert_eq!(pass(&world, &nobody).await, [r#"/v1/ack {"seq":1}"#], "nothing is new");

    let answers = json!([{"id": "a", "text": "yes", "answeredBy": "ada"}]);
    let sent = r#"/v1/answers {"id":"a","text":"yes","answeredBy":"ada"}"#;
    assert_eq!(pass(&world, &answers).await, [sent, "status", r#"/v1/ack {"seq":1}"#]);
    assert_eq!(world.status()["phase"], "Running");
    assert_eq!(world.status()["escalation"], known["escalation"]);
    assert_eq!(
        pass(&world, &answers).await,
        [sent, r#"/v1/ack {"seq":1}"#],
        "until the agent has it"
    );

    world.says(json!({"seq": 2, "time": asked + chrono::TimeDelta::seconds(7), "kind": "answered", "id": "a",
        "text": "yes", "answeredBy": "ada"}));
    // It came between two looks.
    assert_eq!(pass(&world, &answers).await.last().unwrap(), r#"/v1/ack {"seq":2}"#);
    assert_eq!(world.status()["escalation"], Value::Null);
    for _ in 0..2 {
        assert_eq!(world.status()["attempts"][0]["waitingSeconds"], 7);
        assert_eq!(pass(&world, &answers).await, [r#"/v1/ack {"seq":2}"#]);
    }
}

#[tokio::test]
async fn an_answer_to_what_nobody_asked_is_told_once() {
    const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/team/events";
    let world = world(STRAY).await;
    let context = Arc::new(context(&world, RunDefaults { checkpoints: false, ..defaults() }));
    let pass = async |generation, answers: Value| {
        let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}, "answers": answers,
            "deadlineSeconds": LONG});
        let mut run = run_of(&spec, &world.status());
        run.metadata.generation = Some(generation);
        Box::pin(reconcile(Arc::new(run), context.clone())).await.unwrap();
        let event = world.objects.lock().unwrap().remove(EVENTS).unwrap_or_default();
        let messages = world.status()["messages"].as_array().cloned().unwrap_or_default();
        let notes =
            messages.iter().filter(|it| it["type"] == "Notice").map(|it| it["text"].clone());
        (event, notes.collect::<Vec<_>>())
    };
    world.says(json!({"seq": 1, "time": Utc::now(), "kind": "question", "id": "a", "questionKind": "approval",
        "question": "May I?"}));
    pass(1, json!([])).await;
    let (event, notes) = pass(2, json!([{"id": "b", "text": "yes"}])).await;
    let words = "spec.answers holds an answer to b, and no such question is open. What waits for an answer is a.";
    assert_eq!(event["reason"], "QuestionUnknown");
    assert_eq!((&event["type"], &event["note"]), (&json!("Warning"), &json!(words)));
    assert!(notes.contains(&json!(words)), "{notes:?}");
    assert_eq!(pass(2, json!([{"id": "b", "text": "yes"}])).await, (Value::Null, notes.clone()));
    let (event, after) =
        pass(3, json!([{"id": "b", "text": "yes"}, {"id": "a", "text": "yes"}])).await;
    assert_ne!(event["reason"], "QuestionUnknown", "it is the right one");
    assert_eq!(after.len(), notes.len());
}

#[tokio::test]
async fn a_runtime_that_does_not_end_at_the_deadline_is_told_and_then_its_pod_goes() {
    let world = world(DEAF).await;
    let nobody = json!([]);
    let pass = async || pass(&world, &nobody, 60).await;
    let stop = r#"/v1/stop {"reason":"DeadlineExceeded"}"#;
    assert_eq!(pass().await, [stop, "status"]);
    assert_eq!(pass().await, [stop], "it gets time for its verdict");
    let long_ago = Utc::now() - chrono::TimeDelta::minutes(1);
    world.objects.lock().unwrap().get_mut(STATUS).unwrap()["status"]["stoppingAt"] =
        json!(long_ago.trunc_subsecs(0));
    assert_eq!(pass().await, [stop, &format!("DELETE {POD}")]);
    assert_eq!(pass().await, ["status"]);
    let status = world.status();
    assert_eq!(status["phase"], "Failed");
    assert_eq!(status["conditions"][0]["reason"], "DeadlineExceeded");
    assert_eq!(status["attempts"][0]["cause"], "DeadlineExceeded");
    assert_eq!(status["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(pass().await, [""; 0], "nothing follows");
}

/// A Run of this owner that was made in this minute of an hour.
fn owned(name: &str, owner: &str, minute: u32, status: &Value) -> Run {
    let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}, "owner": owner});
    let mut run = run_of(&spec, status);
    run.metadata.name = Some(name.to_owned());
    run.metadata.uid = Some(name.to_owned());
    run.metadata.creation_timestamp =
        Some(serde_json::from_value(json!(format!("2026-01-01T00:{minute:02}:00Z"))).unwrap());
    run
}

#[tokio::test]
async fn a_run_that_has_ended_was_its_owners_turn() {
    let context = context(&Arc::default(), RunDefaults { per_namespace: 1, ..defaults() });
    let ended = json!({"phase": "Completed", "startedAt": "2026-01-01T00:10:00Z", "attempts": [
        {"number": 1, "podName": "p", "createdAt": "2026-01-01T00:10:00Z", "finishedAt": "2026-01-01T00:11:00Z"}]});
    let (next, others) =
        (owned("next", "ada", 1, &json!({})), owned("others", "bob", 2, &json!({})));
    let (store, mut writer) = kube::runtime::reflector::store();
    for run in [&owned("ended", "ada", 0, &ended), &next, &others] {
        writer.apply_watcher_event(&watcher::Event::Apply(DeserializeGuard(Ok(run.clone()))));
    }
    context.store.set(store).unwrap_or_else(|_| panic!("it is set once"));
    assert_eq!(context.place(&next, Utc::now()), queue::Place::Waits(1));
    assert_eq!(context.place(&others, Utc::now()), queue::Place::Goes);
}
