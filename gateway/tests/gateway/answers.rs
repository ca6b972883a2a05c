//! Answers to the questions of Runs.

use crate::common::World;
use reqwest::Method;
use serde_json::{Value, json};

const ANSWERS: &str = "/api/v1/namespaces/demo/runs/a/answers";

fn spec() -> Value {
    json!({"repository": {"url": "https://git.example.com/a"}, "plan": "# Plan"})
}

#[tokio::test]
async fn the_open_question_is_answered_once_by_who_may() {
    let world = World::start(&[]).await;
    world.grant_all();
    for verb in ["get", "patch"] {
        world.kubernetes.grant(("guest", verb, "runs", "demo", "*"));
    }
    let question = json!({"id": "q1", "kind": "Approval", "question": "May I?",
        "askedAt": "2026-01-01T00:00:00Z", "dueAt": "2026-01-08T00:00:00Z"});
    let status = json!({"phase": "Escalated", "conditions": [], "escalation": question});
    world.put_run("a", spec(), status).await;
    let send = async |user: &str, path: &str, body: Value| {
        world.answer(world.request(user, Method::POST, path).json(&body)).await
    };
    let answer = json!({"id": "q1", "text": "yes"});
    assert_eq!(send("stranger", ANSWERS, answer.clone()).await.0, 404);
    let (status, problem) = send("guest", ANSWERS, answer.clone()).await;
    assert_eq!(status, 403);
    assert!(problem["detail"].as_str().unwrap().contains("runs.fabrica.dev/answers"), "{problem}");
    let unknown = ANSWERS.replace("/a/", "/b/");
    assert_eq!(send("dana", &unknown, answer.clone()).await.0, 404);
    for (body, field) in [
        (json!({"id": "q1", "text": ""}), "text"),
        (json!({"id": "q 1", "text": "x"}), "id"),
        (json!({"id": "q1", "text": "x", "answeredBy": "eve"}), "answeredBy"),
    ] {
        let (status, problem) = send("dana", ANSWERS, body).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    let (status, problem) = send("dana", ANSWERS, json!({"id": "q0", "text": "yes"})).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("q1"), "{problem}");
    let (status, run) = send("dana", ANSWERS, answer.clone()).await;
    let given = json!([{"id": "q1", "text": "yes", "answeredBy": "dana"}]);
    assert_eq!((status, &run["spec"]["answers"]), (200, &given), "{run}");
    assert_eq!(send("dana", ANSWERS, answer).await.0, 409);
}

#[tokio::test]
async fn leave_to_release_is_given_or_refused_in_so_many_words() {
    let world = World::start(&[]).await;
    world.grant_all();
    let question = json!({"id": "q1", "kind": "Approval", "question": "May I?",
        "options": ["approve", "reject"], "askedAt": "2026-01-01T00:00:00Z"});
    let status =
        json!({"phase": "Running", "conditions": [], "faber": {"pendingApprovals": [question]}});
    let known = json!([{"id": "q0", "text": "early"}]);
    world.put("a", json!({"mode": "Chat", "answers": known}), status).await;
    let send = async |id: &str, text: &str| {
        let path = ANSWERS.replace("/runs/", "/sessions/");
        let body = json!({"id": id, "text": text});
        world.answer(world.request("dana", Method::POST, &path).json(&body)).await
    };
    for text in ["yes please", "approve only after the tests pass"] {
        let (status, problem) = send("q1", text).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("text")), "{problem}");
    }
    let (status, problem) = send("q0", "late").await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().starts_with("No question q0 is open"), "{problem}");
    let (status, session) = send("q1", "reject: test it").await;
    assert_eq!(status, 200, "{session}");
}
