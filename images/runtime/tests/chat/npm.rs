//! npm beside the agent: a script in npm's place ends when a test says so.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fabrica_protocol::assertion::Role;
use serde_json::json;
use tempfile::TempDir;

use crate::pod::{Pod, cli, model};
use crate::server::Server;
use crate::support::eventually;

/// Waits until somebody writes into the pipe, and ends as the first word says.
const NPM: &str = "#!/bin/sh\n# Not npm: a script of a test.\nmkfifo ../go.new && mv ../go.new ../go\nread -r code < ../go\nmkdir -p node_modules\nexit \"$code\"\n";
const RUNS: &str = "the repository's dependencies are being installed by npm";
const ENDED: &str = "npm has ended. Look at node_modules before you rely on it.";

/// A repository that has dependencies, and an image with that npm; the PATH that finds it.
async fn place() -> (Server, TempDir, String) {
    let server = Server::start().await;
    server.commit_files("main", &[("package.json", "{}"), ("package-lock.json", "{}")]);
    let image = tempfile::tempdir().unwrap();
    let npm = image.path().join("npm");
    std::fs::write(&npm, NPM).unwrap();
    std::fs::set_permissions(&npm, Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", image.path().display(), std::env::var("PATH").unwrap());
    (server, image, path)
}

/// Lets npm end.
async fn end(workspace: &Path, code: &'static str) {
    let pipe = workspace.join("go");
    eventually("npm waits", async || pipe.exists()).await;
    // Opening it waits for who reads.
    tokio::task::spawn_blocking(move || std::fs::write(pipe, code).unwrap()).await.unwrap();
}

#[tokio::test]
async fn the_agent_works_while_npm_does_and_is_told_with_the_next_message() {
    let Some(cli) = cli() else { return };
    let (server, _image, path) = place().await;
    let model = model().await;
    let pod = Pod::begin(&server, &model, &cli, &[("PATH", &path)]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", "scenario: chat").await;
    ada.text("Hello, I am the scripted model.").await;
    let workspace = pod.0.workspace();
    assert!(!workspace.join("repo/node_modules").exists(), "npm runs still");
    assert!(model.asked().last().unwrap().question.to_string().contains(RUNS));
    ada.until("it is over", |it| it["id"] == "m-1" && it["state"] == "completed").await;
    end(&workspace, "0\n").await;
    ada.until("npm has ended", |it| it["step"] == "dependencies" && it["kind"] == "finished").await;
    ada.say("m-2", "And now?\nscenario: chat-tool").await;
    ada.text("It is found.").await;
    let told = model.asked().last().unwrap().question.to_string();
    assert!(told.contains(ENDED) && told.matches(RUNS).count() == 1);
}

#[tokio::test]
async fn an_agent_in_the_middle_of_something_is_told_when_npm_has_failed() {
    let Some(cli) = cli() else { return };
    let (server, _image, path) = place().await;
    let model = model().await;
    let pod = Pod::begin(&server, &model, &cli, &[("PATH", &path)]).await;
    let mut ada = pod.talk_answering("ada").await;
    ada.say("m-1", "scenario: chat-ask").await;
    let question = ada.until("the question", |it| it["type"] == "question").await;
    end(&pod.0.workspace(), "1\n").await;
    ada.until("npm has failed", |it| it["step"] == "dependencies" && it["kind"] == "failed").await;
    ada.send(&json!({"type": "answer", "questionId": question["questionId"], "text": "red"})).await;
    ada.text("So be it.").await;
    // It is said while the agent works, and read after that.
    eventually("it is told", async || {
        model.asked().iter().any(|asked| asked.question.to_string().contains(ENDED))
    })
    .await;
}
