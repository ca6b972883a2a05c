//! Clients of the servers of tools: over HTTP, as the agent's program is one, and over stdio, as others are.

use std::path::Path;
use std::process::Stdio as Standard;

use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::pod::Pod;
use crate::support::{PATIENCE, eventually};

#[derive(Debug, Clone, Copy)]
pub enum Way {
    Http,
    Stdio,
}

pub enum Client {
    Http(Http),
    Stdio(Box<Stdio>),
}

impl Client {
    /// One that is initialized, and what the server said to that.
    pub async fn open(way: Way, pod: &Pod, server: &str) -> (Self, Value) {
        let file = file(&pod.0.workspace());
        eventually("the tools are there", async || file.exists()).await;
        match way {
            Way::Http => {
                let (client, hello) = Http::open(&file, server).await;
                (Self::Http(client), hello)
            }
            Way::Stdio => {
                let mut client = Stdio::start(&pod.0.workspace(), server);
                let hello = client.initialize().await;
                (Self::Stdio(Box::new(client)), hello)
            }
        }
    }

    pub async fn ask(&mut self, method: &str, params: &Value) -> Value {
        let asked = request(2, method, params);
        match self {
            Self::Http(client) => client.ask(&asked).await,
            Self::Stdio(client) => {
                client.say(&asked).await;
                client.hear().await
            }
        }
    }
}

/// The file that says where a workspace's servers are.
pub fn file(workspace: &Path) -> std::path::PathBuf {
    workspace.join(".fabrica/agent/mcp.json")
}

pub fn request(id: u64, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

pub fn initialize() -> Value {
    let client = json!({"name": "test", "version": "1"});
    let hello = json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": client});
    request(1, "initialize", &hello)
}

pub fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

pub struct Http {
    url: String,
    key: String,
    session: String,
}

impl Http {
    async fn open(file: &Path, server: &str) -> (Self, Value) {
        let servers: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let server = &servers["mcpServers"][server];
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let (url, key) = (word(&server["url"]), word(&server["headers"]["Authorization"]));
        let mut client = Self { url, key, session: String::new() };
        let first = client.post(&initialize()).await;
        client.session = first.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let hello = answer(1, &first.text().await.unwrap());
        client.post(&initialized()).await;
        (client, hello)
    }

    async fn post(&self, body: &Value) -> reqwest::Response {
        let mut asked = reqwest::Client::new().post(&self.url).header("authorization", &self.key);
        if !self.session.is_empty() {
            asked = asked.header("mcp-session-id", &self.session);
        }
        let asked = asked.header(ACCEPT, "application/json, text/event-stream").json(body);
        asked.send().await.unwrap()
    }

    async fn ask(&self, asked: &Value) -> Value {
        answer(asked["id"].as_u64().unwrap(), &self.post(asked).await.text().await.unwrap())
    }
}

/// The message with this id, out of a stream of events.
fn answer(id: u64, stream: &str) -> Value {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let mut answers = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    answers.find(|it| it["id"] == id).unwrap_or_else(|| panic!("no answer: {stream}"))
}

/// The runtime's command, with a program's pipes.
pub struct Stdio {
    child: Child,
    pub input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Stdio {
    pub fn start(workspace: &Path, server: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fabrica-runtime"))
            .args(["mcp", server])
            .env("FABRICA_WORKSPACE", workspace)
            .env_remove("FABRICA_LOG")
            // Nobody is there: the way to the door is a direct one.
            .env("http_proxy", "http://127.0.0.1:9")
            .stdin(Standard::piped())
            .stdout(Standard::piped())
            .stderr(Standard::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { input: child.stdin.take().unwrap(), child, lines }
    }

    pub async fn initialize(&mut self) -> Value {
        self.say(&initialize()).await;
        let hello = self.hear().await;
        self.say(&initialized()).await;
        hello
    }

    pub async fn say(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    /// The next line, which is a message as all of them are.
    pub async fn hear(&mut self) -> Value {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("nothing was said");
        serde_json::from_str(&line.unwrap().expect("it has ended")).unwrap()
    }

    /// How it ends by itself, and what it says of that.
    pub async fn ended(self) -> (Option<i32>, String) {
        let ended = end(self.child, self.lines).await;
        drop(self.input);
        ended
    }

    /// How it ends when its program has nothing more to say.
    pub async fn closed(self) -> (Option<i32>, String) {
        drop(self.input);
        end(self.child, self.lines).await
    }
}

async fn end(child: Child, mut lines: Lines<BufReader<ChildStdout>>) -> (Option<i32>, String) {
    let rest = timeout(PATIENCE, lines.next_line()).await.expect("it does not end");
    assert_eq!(rest.unwrap(), None);
    let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}
