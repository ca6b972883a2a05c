//! The calls of a Session's first passes, in order, and the silence after them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use fabrica_crds::SessionStatus;
use fabrica_crds::session::Phase;
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};

use super::build::tests::{defaults, minimal};
use super::*;

const POD: &str = "/api/v1/namespaces/demo/pods/one-session";
const POLICY: &str = "/apis/networking.k8s.io/v1/namespaces/demo/networkpolicies/one-session";
const STATUS: &str = "/apis/fabrica.dev/v1alpha1/namespaces/demo/sessions/one/status";
const PODS: &str = "/api/v1/namespaces/demo/pods";
const POD_EVENTS: &str = "/api/v1/namespaces/demo/events";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/demo/events";

/// What an API server keeps, and what it was asked.
#[derive(Default)]
struct Server {
    objects: Mutex<BTreeMap<String, Value>>,
    calls: Mutex<Vec<String>>,
    /// Whether the next status cannot be written.
    fails: AtomicBool,
}

impl Server {
    /// Since the last time. A pass begins with reads that go side by side; they are told by name.
    fn calls(&self) -> Vec<String> {
        let mut calls = std::mem::take(&mut *self.calls.lock().unwrap());
        let reads = calls.iter().take_while(|call| call.starts_with("GET ")).count();
        calls[..reads].sort();
        calls
    }

    fn get(&self, path: &str) -> Value {
        self.objects.lock().unwrap()[path].clone()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        self.calls.lock().unwrap().push(format!("{} {path}", parts.method));
        let mut body: Value =
            serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or_default();
        if path == STATUS && self.fails.swap(false, Ordering::Relaxed) {
            let failed = Body::from(json!({"code": 500}).to_string().into_bytes());
            return Response::builder().status(500).body(failed).unwrap();
        }
        if path == STATUS {
            body["spec"] = json!({});
        }
        let mut objects = self.objects.lock().unwrap();
        let found = match parts.method {
            Method::GET if path == POD_EVENTS => Some(json!({"metadata": {}, "items": []})),
            Method::GET => objects.get(&path).cloned(),
            Method::POST => {
                let name = body["metadata"]["name"].as_str().unwrap_or_default();
                objects.insert(format!("{path}/{name}"), body.clone());
                Some(body)
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
}

/// A context whose client speaks to this server.
fn context(server: Arc<Server>) -> Arc<Context> {
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = server.clone();
        async move { Ok::<_, Infallible>(server.answer(request).await) }
    });
    let client = kube::Client::new(service, "demo");
    let keys = Keys::default();
    let runtimes = RuntimeClient::new(keys.clone()).unwrap();
    Arc::new(Context::new(client, defaults(), keys, runtimes, Arc::default(), None))
}

/// The Session with the status that was last written.
fn session(server: &Server) -> Arc<Session> {
    let mut session = minimal();
    let written = server.objects.lock().unwrap().get(STATUS).cloned();
    session.status =
        written.and_then(|object| serde_json::from_value(object["status"].clone()).unwrap());
    Arc::new(session)
}

#[tokio::test]
async fn a_session_is_made_once_and_then_left_alone() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let server = Arc::new(Server::default());
    let context = context(server.clone());

    Box::pin(reconcile(session(&server), context.clone())).await.unwrap();
    assert_eq!(
        server.calls(),
        [
            format!("GET {POD}"),
            format!("GET {POLICY}"),
            // The policy stands before the pod it guards.
            format!("PATCH {POLICY}"),
            format!("POST {PODS}"),
            format!("PATCH {STATUS}"),
            format!("POST {EVENTS}"),
        ]
    );

    let mut pod = server.get(POD);
    pod["status"] = json!({"podIP": "10.0.0.9", "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
    server.objects.lock().unwrap().insert(POD.to_owned(), pod);
    Box::pin(reconcile(session(&server), context.clone())).await.unwrap();
    assert_eq!(
        server.calls(),
        [
            format!("GET {POD}"),
            format!("GET {POLICY}"),
            format!("PATCH {STATUS}"),
            format!("POST {EVENTS}")
        ]
    );
    assert_eq!(session(&server).status.as_ref().unwrap().phase, Some(Phase::Running));

    for _ in 0..3 {
        Box::pin(reconcile(session(&server), context.clone())).await.unwrap();
        assert_eq!(
            server.calls(),
            [format!("GET {POD}"), format!("GET {POLICY}")],
            "a quiet object is only looked at"
        );
    }
}

#[tokio::test]
async fn a_status_that_could_not_be_written_is_written_by_the_next_pass() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let server = Arc::new(Server::default());
    let context = context(server.clone());
    let status = |told: Value| {
        serde_json::from_value::<SessionStatus>(json!({"phase": "Running", "messages": told}))
    };
    let mut chat = build::tests::session(json!({"mode": "Chat"}));
    chat.status = Some(status(json!([])).unwrap());
    let word = json!([{"seq": 1, "time": "2026-01-01T00:00:00Z", "type": "Notice", "text": "a"}]);
    let said = status(word).unwrap();
    let now = Utc::now();
    server.fails.store(true, Ordering::Relaxed);
    assert!(apply::write_status(&context, &chat, &said, now).await.is_err());
    assert!(
        apply::write_status(&context, &chat, &said, now).await.unwrap(),
        "it waits for nothing"
    );
    assert_eq!(server.get(STATUS)["status"]["messages"][0]["text"], "a");
}

#[tokio::test]
async fn an_answer_to_what_nobody_asked_is_told_once() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let server = Arc::new(Server::default());
    let context = context(server.clone());
    let asked = json!({"id": "a", "kind": "Approval", "question": "May I?", "askedAt": "2026-01-01T00:00:00Z"});
    let faber = json!({"pendingApprovals": [asked]});
    let pass = async |answers: Value| {
        let spec = json!({"mode": "Chat", "repository": {"url": "https://git.example/a"},
            "operatingMode": "Suspended", "workspace": {"size": "1Gi"}, "answers": answers});
        let mut chat = build::tests::session(spec);
        let written = session(&server).status.clone();
        chat.status = written.or_else(|| serde_json::from_value(json!({"faber": faber})).ok());
        Box::pin(reconcile(Arc::new(chat), context.clone())).await.unwrap();
        let told: Vec<_> =
            session(&server).status.iter().flat_map(|it| it.messages.clone()).collect();
        let objects = server.objects.lock().unwrap();
        let warned = objects.values().filter(|it| it["reason"] == "QuestionUnknown").cloned();
        (told, warned.collect::<Vec<_>>())
    };
    assert_eq!(pass(json!([])).await, (Vec::new(), Vec::new()));
    let stray = json!([{"id": "b", "text": "approve"}]);
    let words = "spec.answers holds an answer to b, and no such question is open. What waits for an answer is a.";
    for _ in 0..3 {
        let (told, warned) = pass(stray.clone()).await;
        assert_eq!(told.iter().map(|it| &*it.text).collect::<Vec<_>>(), [words]);
        assert_eq!(warned.len(), 1);
        assert_eq!((&warned[0]["type"], &warned[0]["note"]), (&json!("Warning"), &json!(words)));
    }
    let (told, _) = pass(json!([stray[0], {"id": "a", "text": "approve"}])).await;
    assert_eq!(told.len(), 1, "it is the right one");
}

#[tokio::test]
async fn an_answer_that_comes_after_one_in_the_chat_is_told_who_was_first() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let context = context(Arc::new(Server::default()));
    let mut talk = chat::Talk::default();
    let mut look = |entry: Value| {
        let mut record = entry;
        record["seq"] = json!(1);
        record["time"] = json!("2026-01-01T00:00:00Z");
        talk.add(&serde_json::from_value(record).unwrap());
        let answer = json!({"id": "a", "text": "olive", "answeredBy": "ada"});
        let (pod, address, talk) = ("pod".to_owned(), String::new(), talk.clone());
        let told = chat::Told { pod, address, number: 1, last: 1, whole: true, talk };
        let session = build::tests::session(json!({"mode": "Chat", "answers": [answer]}));
        let observed = observe::Observed { session, told: Some(told), ..Default::default() };
        let found = deliver::look(&context, &observed, &SessionStatus::default()).unwrap();
        let note = found.event().and_then(|event| event.note);
        context.answers.keep(uid(&observed.session), found, HashSet::default);
        note
    };
    let asked = json!({"kind": "question", "id": "a", "questionKind": "clarification", "question": "Which oil?"});
    assert_eq!(look(asked), None);
    let answered =
        json!({"kind": "answered", "id": "a", "text": "sewing machine", "answeredBy": "bob"});
    let words = "spec.answers holds another answer to a than the agent took: bob answered before.";
    assert_eq!(look(answered).as_deref(), Some(words));
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_told_and_left() {
    let server = Arc::new(Server::default());
    let broken: Guarded = serde_json::from_value(json!({
        "apiVersion": "fabrica.dev/v1alpha1", "kind": "Session", "metadata": {"name": "one", "namespace": "demo"},
        "spec": {"mode": "Unheard"},
    }))
    .unwrap();
    Box::pin(guarded(Arc::new(broken), context(server.clone()))).await.unwrap();
    assert!(server.calls().is_empty());
}
