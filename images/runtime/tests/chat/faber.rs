//! A work item goes through the phases, as people see it.

use fabrica_protocol::assertion::Role;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::github::{GitHub, TOKEN};
use crate::pod::{BRANCH, Pod, cli, model};
use crate::server::git;
use crate::support::{UID, folder};

/// A forge with a work item that names a scenario.
pub async fn forge(scenario: &str) -> GitHub {
    let github = GitHub::start().await;
    let item =
        json!({"title": "The door squeaks", "body": format!("Please.\n\nscenario: {scenario}\n")});
    let asked = reqwest::Client::builder().user_agent("test").build().unwrap();
    let asked = asked.post(format!("{}/repos/team/x/issues", github.api)).json(&item);
    let asked = asked.bearer_auth(TOKEN).header("accept", "application/vnd.github+json");
    assert_eq!(asked.send().await.unwrap().status(), 201);
    github
}

pub async fn begin(
    github: &GitHub,
    model: &fabrica_model_api::ModelApi,
    cli: &str,
    more: &[(&str, &str)],
) -> Pod {
    begin_in(folder(), github, model, cli, more).await
}

pub async fn begin_in(
    folder: TempDir,
    github: &GitHub,
    model: &fabrica_model_api::ModelApi,
    cli: &str,
    more: &[(&str, &str)],
) -> Pod {
    let mut variables = vec![
        ("FABRICA_FORGE", "github"),
        ("FABRICA_FORGE_API", github.api.as_str()),
        ("FABRICA_CREDENTIAL_GITHUB_TOKEN", TOKEN),
        ("FABRICA_WORK_ID", "1"),
        ("FABRICA_CHAT_WORKFLOW", "faber"),
        ("GIT_USER_NAME", "Ada"),
        ("GIT_USER_EMAIL", "ada@fabrica.test"),
    ];
    variables.extend(more);
    Pod::begin_in(folder, &github.git, model, cli, &variables).await
}

fn phases(all: &[Value]) -> Vec<String> {
    let updates = all.iter().filter(|it| it["type"] == "phase_update");
    updates
        .map(|it| format!("{} {}", it["phase"].as_str().unwrap(), it["status"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn an_item_goes_through_five_phases_to_its_pull_request() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("faber").await, model().await);
    let pod = begin(&github, &model, &cli, &[]).await;
    let mut ada = pod.talk_answering("ada").await;
    let question = ada.until("a question", |it| it["type"] == "question").await;
    assert_eq!(question["options"], json!(["olive", "sewing machine"]));
    let answer = |question: &Value, text: &str| json!({"type": "answer", "questionId": question["questionId"], "text": text});
    ada.send(&answer(&question, "olive")).await;
    let approval =
        ada.until("the approval", |it| it["kind"] == "approval" && it["state"] == "open").await;
    assert_eq!(approval["options"], json!(["approve", "reject"]));
    assert_eq!(github.git.head(BRANCH), None, "nothing is published before");
    ada.send(&json!({"type": "start_workflow", "id": "w-1", "workId": "1"})).await;
    ada.until("one at a time", |it| it["code"] == "workflow_running").await;
    ada.send(&answer(&approval, "approve")).await;
    let complete = ada.until("the end", |it| it["type"] == "workflow_complete").await;
    assert_eq!(
        (&complete["exitCode"], &complete["summary"]),
        (&json!(0), &json!("The door is quiet."))
    );
    assert!(complete["prUrl"].as_str().unwrap().starts_with("https://github.test/team/x/pull/"));
    assert!(complete["costUsd"].as_str().unwrap().parse::<f64>().unwrap() > 0.0);
    ada.text("The pull request is open.").await;
    let expected = [
        "frame started",
        "frame completed",
        "architect started",
        "architect completed",
        "build started",
        "build completed",
        "evaluate started",
        "evaluate completed",
        "release started",
        "release completed",
    ];
    assert_eq!(phases(&ada.all), expected);
    let todos = ada.of("todo_update");
    assert_eq!(todos.last().unwrap()["todos"][1], json!({"text": "Listen", "status": "completed"}));
    assert_eq!(ada.of("workflow_started")[0]["autonomy"], "guarded");

    let head = github.git.head(BRANCH).unwrap();
    let message = github.git.message(&head);
    assert!(
        message.starts_with("Oil the door") && message.contains(&format!("Fabrica-Run: {UID}"))
    );
    let files = git(&github.git.repository(), &["ls-tree", "--name-only", &head]);
    assert_eq!(files, "README\ndoor");
    let first = model.asked()[0].question.to_string();
    assert!(first.contains("Run FABER workflow for work item #1") && first.contains("~~~~~~~~"));
    // A jump was refused, and the agent told what comes next.
    let last = model.asked().last().unwrap().question.to_string();
    assert!(last.contains("Refused. This is not its turn"), "{last}");
    let records = pod.0.get("/v1/events?follow=false", Role::Operator).await.text().await.unwrap();
    assert!(
        records.contains("\"kind\":\"workflowEnded\"") && records.contains("\"kind\":\"changes\"")
    );
}

#[tokio::test]
async fn who_forgets_to_complete_is_told_twice() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("faber-forgets").await, model().await);
    let pod = begin(&github, &model, &cli, &[]).await;
    let mut ada = pod.talk("ada", Role::View, json!({})).await;
    let complete = ada.until("the end", |it| it["type"] == "workflow_complete").await;
    assert_eq!(complete["exitCode"], 1);
    let told = model.asked().last().unwrap().question.to_string();
    assert_eq!(told.matches("The workflow is not over.").count(), 2);
    assert_eq!(github.git.head(BRANCH), None);
}

#[tokio::test]
async fn an_item_that_is_not_there_ends_the_workflow_and_not_the_conversation() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("faber").await, model().await);
    let pod = begin(&github, &model, &cli, &[("FABRICA_WORK_ID", "77")]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let complete = ada.until("the end", |it| it["type"] == "workflow_complete").await;
    assert_eq!(complete["exitCode"], 4);
    assert!(complete["summary"].as_str().unwrap().contains("77"), "{complete}");
    ada.say("m-1", "scenario: chat").await;
    ada.text("Hello, I am the scripted model.").await;
}

#[tokio::test]
async fn a_rejected_release_publishes_nothing_and_a_workflow_can_be_cancelled() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("faber").await, model().await);
    let pod = begin(&github, &model, &cli, &[]).await;
    let mut ada = pod.talk_answering("ada").await;
    let question = ada.until("a question", |it| it["type"] == "question").await;
    let answer = |question: &Value, text: &str| json!({"type": "answer", "questionId": question["questionId"], "text": text});
    ada.send(&answer(&question, "olive")).await;
    let approval = ada.until("the approval", |it| it["kind"] == "approval").await;
    ada.send(&answer(&approval, "reject: too much oil")).await;
    ada.text("The pull request is open.").await;
    let told = model.asked().last().unwrap().question.to_string();
    assert!(told.contains("does not approve: reject: too much oil"), "{told}");
    assert!(told.contains("Not yet."), "complete is refused");
    ada.send(&json!({"type": "interrupt"})).await;
    let complete = loop {
        // The first one may only have ended a turn.
        let next = ada.next().await;
        if next["type"] == "workflow_complete" {
            break next;
        }
        if next["state"] == "idle" {
            ada.send(&json!({"type": "interrupt"})).await;
        }
    };
    assert!([json!(3), json!(1)].contains(&complete["exitCode"]), "{complete}");
    assert_eq!(github.git.head(BRANCH), None);
}

#[tokio::test]
async fn a_workflow_without_an_agent_ends_and_is_not_worked_later() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("faber").await, model().await);
    let folder = tempfile::tempdir().unwrap();
    let command = folder.path().join("claude");
    let pod = begin(&github, &model, command.to_str().unwrap(), &[]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let complete = ada.until("the end", |it| it["type"] == "workflow_complete").await;
    assert_eq!(complete["exitCode"], 4, "{complete}");
    assert!(complete["summary"].as_str().unwrap().contains("no Claude Code"), "{complete}");
    std::os::unix::fs::symlink(&cli, &command).unwrap();
    ada.say("m-1", "scenario: chat").await;
    ada.text("Hello, I am the scripted model.").await;
    let told = model.asked().last().unwrap().question.to_string();
    assert!(!told.contains("Run FABER workflow"), "{told}");
}

#[tokio::test]
async fn a_workflow_starts_an_agent_again_that_was_given_up() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("faber").await, model().await);
    let folder = tempfile::tempdir().unwrap();
    let command = folder.path().join("claude");
    let plain = [("FABRICA_CHAT_WORKFLOW", "none")];
    let pod = begin(&github, &model, command.to_str().unwrap(), &plain).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.error().await;
    std::os::unix::fs::symlink(&cli, &command).unwrap();
    ada.send(&json!({"type": "start_workflow", "id": "w-1", "workId": "1"})).await;
    ada.until("it is worked", |it| it["type"] == "phase_update").await;
}

#[tokio::test]
async fn a_budget_that_is_used_up_ends_the_workflow() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("faber").await, model().await);
    let more = [("FABRICA_AGENT_BUDGET_USD", "0.001")];
    let pod = begin(&github, &model, &cli, &more).await;
    let mut ada = pod.talk("ada", Role::View, json!({})).await;
    let error = ada.error().await;
    assert_eq!(error["code"], "budget_exceeded", "{error}");
    let complete = ada.until("the end", |it| it["type"] == "workflow_complete").await;
    assert_eq!(complete["exitCode"], 2);
}

#[tokio::test]
async fn a_dry_run_ends_with_a_plan() {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("faber").await, model().await);
    let pod = begin(&github, &model, &cli, &[("FABRICA_CHAT_AUTONOMY", "dryRun")]).await;
    let mut ada = pod.talk_answering("ada").await;
    let question = ada.until("a question", |it| it["type"] == "question").await;
    let id = &question["questionId"];
    ada.send(&json!({"type": "answer", "questionId": id, "text": "olive"})).await;
    let complete = ada.until("the end", |it| it["type"] == "workflow_complete").await;
    assert_eq!(complete["exitCode"], 0, "{complete}");
    let expected = ["frame started", "frame completed", "architect started", "architect completed"];
    assert_eq!(phases(&ada.all), expected);
    assert!(!pod.0.workspace().join("repo/door").exists());
    assert_eq!(github.git.head(BRANCH), None);
}
