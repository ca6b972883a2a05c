//! A runtime of a Chat on this machine, and in the place of the agent's program one that answers at once: what is left is ours.

use std::io::{BufRead, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use fabrica_e2e::Gateway;
use fabrica_e2e::cluster::{DEADLINE, eventually};
use fabrica_e2e::git_server::GitServer;
use fabrica_e2e::terminal::{Socket, open};
use fabrica_protocol::assertion::{Claims, Role, Signer};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;

/// As this program's only argument: be the agent's program.
pub(crate) const ECHO: &str = "echo";

pub(crate) const PROTOCOL: &str = "fabrica.chat.v1";
/// Whom the runtime serves.
const UID: &str = "bench";

/// An Ed25519 key made for tests (RFC 8032, test 1); it guards nothing.
const PKCS8: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const KEYS: &str = r#"{"keys":[{"kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A runtime, until dropped.
#[derive(Debug)]
pub(crate) struct Local {
    _process: Child,
    _repository: GitServer,
    _folder: TempDir,
    url: String,
}

impl Local {
    /// Starts one whose workspace may hold a journal already.
    pub(crate) async fn start(prepare: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        let repository = GitServer::start().await?;
        repository.repository("bench", &[("README.md", "hello")]).await?;
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("workspace/.fabrica"))?;
        std::fs::create_dir(at("tmp"))?;
        std::fs::write(at("keys"), KEYS)?;
        std::fs::write(at("agent"), format!("#!/bin/sh\nexec '{}' {ECHO}\n", own()?.display()))?;
        std::fs::set_permissions(at("agent"), std::fs::Permissions::from_mode(0o755))?;
        prepare(&at("workspace/.fabrica"))?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new(own()?.with_file_name("fabrica-runtime"))
            .arg("serve")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").context("PATH")?)
            .env("HOME", at("workspace/home"))
            .env("TMPDIR", at("tmp"))
            .envs([("SESSION_ID", UID), ("MODE", "chat"), ("FABRICA_LOG", "warn")])
            .envs([("FABRICA_CHAT_ATTEMPT", "1"), ("FABRICA_RUN_BRANCH", "fabrica/bench")])
            .env("REPO_URL", repository.url("bench"))
            .env("FABRICA_CREDENTIAL_ANTHROPIC_API_KEY", "key-of-the-bench")
            .env("FABRICA_AGENT_COMMAND", at("agent"))
            .env("FABRICA_WORKSPACE", at("workspace"))
            .env("FABRICA_TRUST_KEYS", at("keys"))
            .env("FABRICA_TERMINATION_LOG", at("termination"))
            .env("FABRICA_ADDRESS", format!("127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("start fabrica-runtime, which is built beside this program")?;
        let url = format!("http://127.0.0.1:{port}");
        let health = format!("{url}/healthz");
        eventually("the runtime is ready", || async {
            Ok(reqwest::get(&health).await.is_ok_and(|answer| answer.status() == 200).then_some(()))
        })
        .await?;
        Ok(Self { _process: process, _repository: repository, _folder: folder, url })
    }

    /// A socket on which nothing was said yet.
    pub(crate) async fn open(&self) -> Result<Socket> {
        let id = uuid::Uuid::new_v4().to_string();
        let claims = Claims::new("fabrica-gateway", UID, "bench", Role::Control, &id, Utc::now());
        let assertion = Signer::new("one", PKCS8).sign(&claims)?;
        open(&Gateway::at(&self.url, Some(&assertion)), "/v1/chat", Some(PROTOCOL)).await
    }
}

fn own() -> Result<PathBuf> {
    Ok(std::env::current_exe()?)
}

pub(crate) async fn send(socket: &mut Socket, message: &Value) -> Result<()> {
    Ok(socket.send(Message::text(message.to_string())).await?)
}

/// Skips messages until one is wanted.
pub(crate) async fn until(socket: &mut Socket, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let search = async {
        loop {
            match socket.next().await.context("the socket ended")?? {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text)?;
                    if wanted(&message) {
                        return Ok(message);
                    }
                }
                Message::Close(frame) => ensure!(false, "closed: {frame:?}"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(DEADLINE, search).await.context("waited in vain")?
}

/// The agent's program: says back what it hears, in the words of the real one.
pub(crate) fn echo() -> Result<()> {
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line?)?;
        let lines = if line["type"] == "control_request" {
            let id = &line["request_id"];
            vec![json!({"type": "control_response",
                "response": {"subtype": "success", "request_id": id, "response": {}}})]
        } else {
            turn(&line["uuid"], &line["message"]["content"])
        };
        let text: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        output.write_all(text.concat().as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

fn turn(id: &Value, text: &Value) -> Vec<Value> {
    let state =
        |state: &str| json!({"type": "command_lifecycle", "command_uuid": id, "state": state});
    vec![
        state("started"),
        json!({"type": "system", "subtype": "init",
            "mcp_servers": [{"name": "fractary-faber", "status": "connected"}]}),
        json!({"type": "assistant", "parent_tool_use_id": null,
            "message": {"id": id, "content": [{"type": "text", "text": text}]}}),
        json!({"type": "result", "is_error": false, "result": text}),
        state("completed"),
        json!({"type": "system", "subtype": "session_state_changed", "state": "idle"}),
    ]
}
