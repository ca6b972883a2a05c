//! Chats: a real runtime, the real Claude Code where FABRICA_TEST_AGENT_CLI says that it is, a scripted model, and clients
//! that share no code with the runtime's socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    dead_code,
    reason = "a test ends at what it did not expect, and each file uses its share of what they share"
)]

mod actor;
mod audit;
mod branch;
mod commands;
mod ends;
mod faber;
mod faults;
mod fields;
mod forged;
#[path = "../run/gitea.rs"]
mod gitea;
#[path = "../run/github.rs"]
mod github;
mod items;
mod mcp;
mod models;
mod npm;
mod pod;
mod ready;
mod real_forge;
mod restart;
#[path = "../run/server.rs"]
mod server;
mod socket;
mod stdio;
#[path = "../support/mod.rs"]
mod support;
mod switch;
mod talk;
mod tools;
mod trouble;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_protocol::assertion::Role;
use pod::{KEY, Pod, cli, model};
use rustix::process::Signal;
use serde_json::{Value, json};
use server::Server;

#[tokio::test]
async fn people_talk_and_everybody_sees_the_same() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let pod = Pod::begin(&server, &model, &cli, &[]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let welcome = ada.welcome.clone();
    assert_eq!((&welcome["author"], &welcome["role"]), (&json!("ada"), &json!("control")));
    assert_eq!(welcome["mayAnswer"], false);
    // Said before the agent is ready, perhaps: it is kept.
    ada.say("m-1", "scenario: chat").await;
    let said = ada.text("Hello, I am the scripted model.").await;
    assert_eq!(said["final"], true);
    let pieces: Vec<_> =
        ada.of("claude_message").into_iter().filter(|it| it["final"] == false).collect();
    let live: String = pieces.iter().filter_map(|piece| piece["delta"].as_str()).collect();
    assert!(!live.is_empty() && "Hello, I am the scripted model.".starts_with(&live), "{live}");
    assert!(pieces.iter().all(|piece| piece["messageId"] == said["messageId"]));
    ada.until("it is over", |it| it["id"] == "m-1" && it["state"] == "completed").await;
    let states: Vec<_> = ada
        .of("user_message")
        .into_iter()
        .map(|it| it["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["queued", "started", "completed"]);

    // Another page sees all of it, and one that comes back what it missed.
    let mut eve = pod.talk("eve", Role::View, json!({})).await;
    let seen = eve.caught_up().await;
    assert_eq!(seen.iter().filter(|it| it["type"] == "user_message").count(), 3);
    assert!(seen.iter().any(|it| it["content"] == "Hello, I am the scripted model."));
    assert!(seen.iter().all(|it| it["final"] != false));
    let after = said["seq"].as_u64().unwrap();
    let hello = json!({"journalId": welcome["journalId"], "after": after});
    let mut again = pod.talk("ada", Role::Control, hello).await;
    let missed = again.caught_up().await;
    assert!(missed.iter().all(|it| it["seq"].as_u64().unwrap() > after), "{missed:?}");
    let mut lost = pod.talk("ada", Role::Control, json!({"journalId": "x", "after": 3})).await;
    let everything = lost.caught_up().await;
    assert_eq!(everything[0]["type"], "reset");
    assert_eq!(everything.len(), seen.len() + 1);

    // Two people, one conversation.
    again.say("m-2", "scenario: chat-tool").await;
    eve.text("It is found.").await;
    let result =
        eve.of("claude_message").into_iter().find(|it| it["kind"] == "tool_result").unwrap();
    assert_eq!((&result["content"], &result["isError"]), (&json!("found"), &json!(false)));
    assert!(result["durationMs"].is_u64());
    let journal = serde_json::to_string(&eve.all).unwrap();
    assert!(!journal.contains(KEY) && !journal.contains(server::PASSWORD));
    assert!(model.asked().iter().all(|asked| asked.key == KEY));
    let idle = pod.0.idle().await;
    assert_eq!((idle.journal, idle.clients), (Some(1), 4));
    let told: DateTime<Utc> = result["timestamp"].as_str().unwrap().parse().unwrap();
    assert!(idle.last_activity_at >= told, "an agent at work is activity, whether or not we ask");
}

#[tokio::test]
async fn a_slash_is_a_command_only_where_one_is_meant() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let pod = Pod::begin(&server, &model, &cli, &[]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", "/cost\nscenario: chat").await;
    ada.text("Hello, I am the scripted model.").await;
    ada.until("it is over", |it| it["id"] == "m-1" && it["state"] == "completed").await;
    let asked = model.asked().len();
    let command = json!({"type": "user_message", "id": "m-2", "content": "/cost", "command": true});
    ada.send(&command).await;
    ada.until("it is over", |it| it["id"] == "m-2" && it["state"] == "completed").await;
    assert_eq!(model.asked().len(), asked, "the program answers that itself");
}

#[tokio::test]
async fn a_question_is_answered_once_and_who_is_late_is_told() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let pod = Pod::begin(&server, &model, &cli, &[]).await;
    let mut ada = pod.talk_answering("ada").await;
    let mut bob = pod.talk_answering("bob").await;
    let mut eve = pod.talk("eve", Role::Control, json!({})).await;
    ada.say("m-1", "scenario: chat-ask").await;
    let question = bob.until("the question", |it| it["type"] == "question").await;
    assert_eq!(question["options"], json!(["red", "blue"]));
    bob.until("it waits", |it| it["type"] == "agent" && it["state"] == "waiting").await;
    let answer =
        |text: &str| json!({"type": "answer", "questionId": question["questionId"], "text": text});
    eve.send(&answer("red")).await;
    assert_eq!(eve.error().await["code"], "forbidden");
    bob.send(&answer("blue")).await;
    let answered =
        ada.until("the answer", |it| it["type"] == "question" && it["state"] == "answered").await;
    assert_eq!((&answered["text"], &answered["answeredBy"]), (&json!("blue"), &json!("bob")));
    ada.send(&answer("red")).await;
    let late = ada.error().await;
    assert_eq!(late["code"], "already_answered");
    assert!(late["message"].as_str().unwrap().contains("bob"));
    ada.text("So be it.").await;
    let told = model.asked().last().unwrap().question.to_string();
    assert!(told.contains("The answer of bob is: blue"), "{told}");
}

#[tokio::test]
async fn a_turn_is_interrupted_and_the_conversation_goes_on() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let pod = Pod::begin(&server, &model, &cli, &[]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", "scenario: long-tool").await;
    ada.until("the tool", |it| it["kind"] == "tool_use").await;
    ada.send(&json!({"type": "interrupt"})).await;
    ada.until("it stopped", |it| it["text"] == "The agent was interrupted.").await;
    ada.say("m-2", "scenario: chat").await;
    ada.text("Hello, I am the scripted model.").await;
}

#[tokio::test]
async fn what_the_model_does_wrong_has_a_name_and_the_conversation_goes_on() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let pod = Pod::begin(&server, &model, &cli, &[]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", "scenario: unauthorized").await;
    let error = ada.error().await;
    assert_eq!((&error["code"], &error["recoverable"]), (&json!("auth_rejected"), &json!(true)));
    ada.say("m-2", "scenario: chat").await;
    ada.text("Hello, I am the scripted model.").await;
    ada.say("m-3", "scenario: cut-once").await;
    ada.text("It went well in the end.").await;
}

#[tokio::test]
async fn a_program_that_dies_goes_on_with_the_same_conversation() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let pod = Pod::begin(&server, &model, &cli, &[]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", "scenario: long-tool").await;
    ada.until("the tool", |it| it["kind"] == "tool_use").await;
    pod.kill_agent(&cli);
    let error = ada.error().await;
    assert_eq!(error["code"], "agent_failed");
    assert!(error["message"].as_str().unwrap().contains("started again"), "{error}");
    ada.until("it is restarted", |it| it["type"] == "agent" && it["state"] == "restarting").await;
    ada.text("The slow program has ended.").await;
    let told = model.asked().last().unwrap().question.to_string();
    assert!(told.contains("The agent process was restarted."), "{told}");
    assert!(told.contains("scenario: long-tool"), "it is the same conversation");
}

#[tokio::test]
async fn another_pod_with_the_same_volume_goes_on() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let mut pod = Pod::begin(&server, &model, &cli, &[]).await;
    let mut ada = pod.talk_answering("ada").await;
    ada.say("m-1", "scenario: chat").await;
    ada.text("Hello, I am the scripted model.").await;
    ada.say("m-2", "scenario: chat-ask").await;
    let question = ada.until("the question", |it| it["type"] == "question").await;
    let welcome = ada.welcome.clone();
    pod.signal(Signal::TERM);
    assert_eq!(ada.closed().await.0, 1001);
    pod.exit().await;
    let folder = pod.0.folder;
    let more = [("FABRICA_CHAT_ATTEMPT", "2")];
    let pod = Pod::begin_in(folder, &server, &model, &cli, &more).await;
    assert_eq!(pod.0.idle().await.journal, Some(1));
    let hello = json!({"journalId": welcome["journalId"], "after": question["seq"]});
    let mut ada = pod.talk_with("ada", Role::Control, true, hello).await;
    assert_eq!(ada.welcome["journalId"], welcome["journalId"]);
    let missed = ada.caught_up().await;
    assert!(missed.iter().all(|it| it["type"] != "reset"), "{missed:?}");
    let is_over = |it: &Value| it["id"] == "m-2" && it["state"] == "completed";
    assert!(missed.iter().any(is_over), "nothing is shown as under way for ever: {missed:?}");
    // The question is still there, and its answer reaches the agent as a message.
    ada.send(&json!({"type": "answer", "questionId": question["questionId"], "text": "red"})).await;
    ada.until("the answer", |it| it["state"] == "answered").await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !model.asked().iter().any(|asked| {
        let told = asked.question.to_string();
        told.contains("The answer of ada is: red") && told.contains("scenario: chat-ask")
    }) {
        assert!(tokio::time::Instant::now() < deadline, "the answer is told");
        ada.next().await;
    }
}

#[tokio::test]
async fn a_repository_that_was_found_runs_nothing_while_git_can_log_in() {
    let (server, model) = (Server::start().await, model().await);
    let mut pod = Pod::begin(&server, &model, "/nowhere/claude", &[]).await;
    let (thief, repository) = (pod.0.workspace().join("thief"), pod.0.workspace().join("repo"));
    std::fs::write(&thief, "#!/bin/sh\ntouch \"$(dirname \"$0\")/stolen\"\n").unwrap();
    std::fs::set_permissions(&thief, Permissions::from_mode(0o755)).unwrap();
    // In such a repository git fetches what is missing, by a program that the repository names.
    for (key, value) in [
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", "/nowhere"),
        ("remote.origin.uploadPack", thief.to_str().unwrap()),
    ] {
        server::git(&repository, &["config", key, value]);
    }
    let objects = repository.join(".git/objects");
    std::fs::remove_dir_all(&objects).unwrap();
    std::fs::create_dir(&objects).unwrap();
    pod.signal(Signal::TERM);
    pod.exit().await;
    let folder = pod.0.folder;
    let more = [("FABRICA_CHAT_ATTEMPT", "2")];
    let pod = Pod::begin_in(folder, &server, &model, "/nowhere/claude", &more).await;
    assert!(!pod.0.workspace().join("stolen").exists());
}

#[tokio::test]
async fn without_an_agent_there_are_terminals_without_credentials() {
    let server = Server::start().await;
    let model = model().await;
    let pod = Pod::begin(&server, &model, "/nowhere/claude", &[]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let error = ada.error().await;
    assert_eq!(error["code"], "agent_failed");
    assert!(error["message"].as_str().unwrap().contains("no Claude Code"), "{error}");
    if ada.welcome["agent"] != "failed" {
        ada.until("it has failed", |it| it["type"] == "agent" && it["state"] == "failed").await;
    }
    let mut shell = pod.0.attach(Role::Control).await;
    shell.type_text(0, "echo \"[$(env | grep -c -e KEY -e TOKEN -e GIT_CONFIG)]\" en''d\r").await;
    let seen = shell.read_until(" end").await;
    assert!(seen.contains("[0] end"), "{seen}");
    // What is said starts it again, in vain.
    ada.say("m-1", "hello").await;
    ada.error().await;
}
