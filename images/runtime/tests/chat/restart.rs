//! What was asked of a runtime that is gone is done by the next one, as it was meant.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use fabrica_protocol::assertion::Role;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::faber::{begin, begin_in, forge};
use crate::pod::{Pod, cli, model};
use crate::support::{eventually, folder};

const PLAIN: [(&str, &str); 1] = [("FABRICA_CHAT_WORKFLOW", "none")];

/// The folder of a pod that took this and did nothing: its repository never came.
async fn taken(wanted: &Value) -> TempDir {
    let forge = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/team/x.git", forge.local_addr().unwrap());
    let mut pod = Pod::bare(folder(), &[("REPO_URL", &url)]);
    pod.0.ready().await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.send(wanted).await;
    let is_taken = |it: &Value| it["id"] == wanted["id"] || it["type"] == "workflow_started";
    ada.until("it is taken", is_taken).await;
    pod.signal(Signal::TERM);
    pod.exit().await;
    pod.0.folder
}

#[tokio::test]
async fn a_workflow_keeps_its_plan_and_its_id() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("chat").await, model().await);
    let work =
        json!({"type": "start_workflow", "id": "w-1", "workId": "1", "plan": "Take olives."});
    let folder = taken(&work).await;
    let pod = begin_in(folder, &github, &model, &cli, &PLAIN).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    // Whoever lost the connection and says it again is told that it stands.
    ada.send(&work).await;
    ada.until("it was taken before", |it| it["code"] == "duplicate").await;
    ada.text("Hello, I am the scripted model.").await;
    let told = model.asked()[0].question.to_string();
    assert!(told.contains("Run FABER workflow for work item #1"), "{told}");
    assert!(told.contains("Take olives."), "{told}");
}

#[tokio::test]
async fn a_command_is_still_one() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("chat").await, model().await);
    let command = json!({"type": "user_message", "id": "m-1", "content": "/cost", "command": true});
    let folder = taken(&command).await;
    let pod = begin_in(folder, &github, &model, &cli, &PLAIN).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.until("it is over", |it| it["id"] == "m-1" && it["state"] == "completed").await;
    assert!(model.asked().is_empty(), "the program answers that itself");
}

#[tokio::test]
async fn an_answer_waits_until_the_agent_listens() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("faber").await, model().await);
    let mut pod = begin(&github, &model, &cli, &[]).await;
    let mut ada = pod.talk_answering("ada").await;
    let question = ada.until("a question", |it| it["type"] == "question").await;
    pod.signal(Signal::TERM);
    pod.exit().await;
    let folder = pod.0.folder;
    let deaf = folder.path().join("deaf");
    std::fs::write(&deaf, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    std::fs::set_permissions(&deaf, Permissions::from_mode(0o755)).unwrap();
    let mut pod = begin_in(folder, &github, &model, deaf.to_str().unwrap(), &[]).await;
    let mut ada = pod.talk_answering("ada").await;
    // By the first pod, and by this one: now it takes what comes.
    for _ in 0..2 {
        let is_fetched = |it: &Value| it["step"] == "workItem" && it["kind"] == "finished";
        ada.until("the item is fetched", is_fetched).await;
    }
    let answer = json!({"type": "answer", "questionId": question["questionId"], "text": "olive, and only that"});
    ada.send(&answer).await;
    ada.send(&json!({"type": "ping"})).await;
    ada.until("it was heard", |it| it["type"] == "pong").await;
    pod.signal(Signal::TERM);
    pod.exit().await;
    assert!(ada.of("question").iter().all(|it| it["state"] == "open"), "nobody was told");
    let pod = begin_in(pod.0.folder, &github, &model, &cli, &[]).await;
    let mut ada = pod.talk_answering("ada").await;
    ada.send(&answer).await;
    ada.until("the agent has it", |it| it["type"] == "question" && it["state"] == "answered").await;
    let told = || {
        model
            .asked()
            .last()
            .is_some_and(|it| it.question.to_string().contains("olive, and only that"))
    };
    eventually("it was said to the agent", async || told()).await;
}
