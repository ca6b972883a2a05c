//! A program in the place of the agent's, which says what a test wants, and tools that the test calls by itself.

use std::os::unix::fs::PermissionsExt;

use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::pod::Pod;
use crate::support::eventually;

/// Does this when it has read a message, in the words of a shell; the program, and the folder that it is in.
pub fn program(answer: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("claude");
    let script = format!(
        r#"#!/bin/sh
while read -r line; do
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
    let file = pod.0.workspace().join(".fabrica/agent/mcp.json");
    eventually("the tools are there", async || file.exists()).await;
    let servers: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let server = &servers["mcpServers"][server];
    let url = server["url"].as_str().unwrap();
    let key = server["headers"]["Authorization"].as_str().unwrap();
    let asked = async |session: &str, body: Value| {
        let asked = reqwest::Client::new().post(url).header("authorization", key);
        let asked = asked.header(ACCEPT, "application/json, text/event-stream");
        let asked = asked.header("mcp-session-id", session).json(&body);
        asked.send().await.unwrap()
    };
    let client = json!({"name": "test", "version": "1"});
    let hello = json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": client});
    let begin = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello});
    let first = reqwest::Client::new().post(url).header("authorization", key);
    let first = first.header(ACCEPT, "application/json, text/event-stream").json(&begin);
    let first = first.send().await.unwrap();
    let session = first.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    asked(&session, ready).await;
    let params = json!({"name": tool, "arguments": input});
    let body = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params});
    let answer = asked(&session, body).await.text().await.unwrap();
    let data = answer.lines().filter_map(|line| line.strip_prefix("data: "));
    let answers = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let found = answers.into_iter().find(|it| it["id"] == 2);
    let found = found.unwrap_or_else(|| panic!("no answer: {answer}"));
    found["result"]["content"][0]["text"].as_str().unwrap_or(&answer).to_owned()
}
