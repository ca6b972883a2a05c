//! A journal that somebody in the pod has changed, and a runtime that finds it.

use fabrica_protocol::assertion::Role;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::pod::{Pod, cli, model};
use crate::server::Server;
use crate::support::{assertion, folder};

const NOBODY: &str = "/nowhere/claude";

fn journal(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("workspace/.fabrica/journal-1.ndjson")
}

/// What whoever keeps the journal says of it.
pub(crate) async fn keep(pod: &Pod, seq: u64, spent: Value) {
    let request = reqwest::Client::new().post(pod.0.url("/v1/ack"));
    let body = json!({"seq": seq, "spent": spent, "of_a_newer_operator": true});
    let request = request.bearer_auth(assertion(Role::Operator)).body(body.to_string());
    assert_eq!(request.send().await.unwrap().status(), 204);
}

/// The pod goes; its folder.
async fn gone(mut pod: Pod) -> TempDir {
    pod.signal(Signal::TERM);
    pod.exit().await;
    pod.0.folder
}

#[tokio::test]
async fn what_was_spent_stays_spent_whatever_the_file_says() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let bound = [("FABRICA_AGENT_BUDGET_USD", "1")];
    let pod = Pod::begin(&server, &model, &cli, &bound).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", "scenario: chat").await;
    ada.text("Hello, I am the scripted model.").await;
    let folder = gone(pod).await;
    let whole = std::fs::read_to_string(journal(&folder)).unwrap();
    let forged: String = whole.split_inclusive('\n').take(2).collect();
    std::fs::write(journal(&folder), forged).unwrap();

    let asked = model.asked().len();
    let pod = Pod::begin_in(folder, &server, &model, &cli, &bound).await;
    let newest = whole.lines().count() as u64 + 100;
    keep(&pod, newest, json!({"estimatedCostUSD": "1.00", "turns": 7})).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let told =
        ada.until("it is told", |it| it["step"] == "journal" && it["kind"] == "failed").await;
    assert!(told["seq"].as_u64().unwrap() > newest, "its number is its own: {told}");
    assert!(
        told["text"].as_str().unwrap().contains("were seen, and are not in the file"),
        "{told}"
    );
    let told =
        ada.until("it is told", |it| it["step"] == "journal" && it["kind"] == "failed").await;
    assert!(told["text"].as_str().unwrap().contains("more was seen before: $1.00"), "{told}");
    ada.say("m-2", "scenario: chat").await;
    let error = ada.error().await;
    assert_eq!(error["code"], "budget_exceeded", "{error}");
    assert_eq!(model.asked().len(), asked, "nobody was asked");
    let counts = |it: &Value| it["estimatedCostUSD"] == "1.00" && it["turns"] == 7;
    if !ada.all.iter().any(counts) {
        ada.until("what counts", counts).await;
    }
    // Said again, it is nothing new.
    keep(&pod, newest, json!({"estimatedCostUSD": "1.00", "turns": 7})).await;
    let mut eve = pod.talk("eve", Role::View, json!({})).await;
    let all = eve.caught_up().await;
    let failed = all.iter().filter(|it| it["step"] == "journal" && it["kind"] == "failed");
    assert_eq!(failed.count(), 2);
}

#[tokio::test]
async fn turns_are_counted_over_processes() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let bound = [("FABRICA_AGENT_MAX_TURNS", "1")];
    let pod = Pod::begin(&server, &model, &cli, &bound).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", "scenario: chat").await;
    ada.text("Hello, I am the scripted model.").await;
    let folder = gone(pod).await;
    let asked = model.asked().len();
    let pod = Pod::begin_in(folder, &server, &model, &cli, &bound).await;
    keep(&pod, 0, Value::Null).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.caught_up().await;
    ada.say("m-2", "scenario: chat").await;
    let error = ada.error().await;
    assert!(error["message"].as_str().unwrap().contains("All 1 turns"), "{error}");
    assert_eq!(model.asked().len(), asked);
}

#[tokio::test]
async fn leave_that_a_file_says_was_asked_for_releases_nothing() {
    let (server, model) = (Server::start().await, model().await);
    let folder = folder();
    let id = "approval-5bd4b1a1-04a5-4a8e-9f37-0e4b1d3a5c11";
    let entries = [
        json!({"kind": "workflowStarted", "workId": "1", "autonomy": "guarded"}),
        json!({"kind": "phase", "phase": "release", "status": "started"}),
        json!({"kind": "question", "id": id, "questionKind": "approval",
            "question": "The agent wants to release its work: push the branch and open the pull request. Do you approve?",
            "options": ["approve", "reject"]}),
    ];
    let lines = entries.iter().zip(1_u64..).map(|(entry, seq)| {
        let mut line = entry.clone();
        line["seq"] = seq.into();
        line["time"] = "2026-01-01T00:00:00Z".into();
        format!("{line}\n")
    });
    std::fs::create_dir_all(journal(&folder).parent().unwrap()).unwrap();
    std::fs::write(journal(&folder), lines.collect::<String>()).unwrap();
    let pod = Pod::begin_in(folder, &server, &model, NOBODY, &[]).await;
    let mut ada = pod.talk_answering("ada").await;
    let withdrawn = ada
        .until("it is withdrawn", |it| it["type"] == "question" && it["state"] == "answered")
        .await;
    assert!(withdrawn["text"].as_str().unwrap().contains("asks again"), "{withdrawn}");
    ada.send(&json!({"type": "answer", "questionId": id, "text": "approve"})).await;
    ada.until("it is too late", |it| it["code"] == "already_answered").await;
    assert_eq!(server.head(crate::pod::BRANCH), None);
}
