//! A program in the place of the agent's, which says what a test wants, and tools that the test calls by itself.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::mcp::{Client, Way};
use crate::pod::Pod;

/// Does this when it has read a message, in the words of a shell; the program, and the folder that it is in. What it hears
/// stands in a file beside it.
pub fn program(answer: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("claude");
    let script = format!(
        r#"#!/bin/sh
while read -r line; do
  printf '%s\n' "$line" >>"$0.heard"
  case $line in
  *'"type":"user"'*)
    id=$(printf '%s' "$line" | sed 's/.*"uuid":"\([^"]*\)".*/\1/')
    echo "{{\"type\":\"command_lifecycle\",\"command_uuid\":\"$id\",\"state\":\"started\"}}"
    {answer}
    ;;
  *) echo '{{"type":"control_response"}}' ;;
  esac
done
"#
    );
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let command = file.to_str().unwrap().to_owned();
    (folder, command)
}

/// Says a turn that ends like this.
pub fn turn(result: &Value) -> String {
    let servers = json!([{"name": "fractary-faber", "status": "connected"}]);
    let begin = json!({"type": "system", "subtype": "init", "mcp_servers": servers});
    let rest = json!({"type": "system", "subtype": "session_state_changed", "state": "idle"});
    [&begin, result, &rest].map(|line| format!("echo '{line}'")).join("; ")
}

/// Calls a tool of ours as the agent does; what it answers.
pub async fn call(pod: &Pod, server: &str, tool: &str, input: Value) -> String {
    call_by(Way::Http, pod, server, tool, input).await
}

/// Says of every phase that it is done, up to the one that publishes.
pub async fn walk(pod: &Pod) {
    for (phase, status) in [
        ("frame", "skipped"),
        ("architect", "skipped"),
        ("build", "started"),
        ("build", "completed"),
        ("evaluate", "started"),
        ("evaluate", "completed"),
    ] {
        let step = json!({"phase": phase, "status": status});
        let told = call(pod, "fractary-faber", "set_phase", step).await;
        assert!(told.starts_with("Noted."), "{told}");
    }
}

pub async fn call_by(way: Way, pod: &Pod, server: &str, tool: &str, input: Value) -> String {
    let (mut client, _) = Client::open(way, pod, server).await;
    let answer = client.ask("tools/call", &json!({"name": tool, "arguments": input})).await;
    text(&answer)
}

/// The words of an answer; of one that is none, all of it.
pub fn text(answer: &Value) -> String {
    let words = answer["result"]["content"][0]["text"].as_str();
    words.map_or_else(|| answer.to_string(), str::to_owned)
}
