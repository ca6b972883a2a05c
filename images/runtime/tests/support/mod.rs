//! A real runtime in a folder of its own, on an address of its own, and a client that shares no code with its sockets.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its share of this")]

pub mod talk;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use fabrica_protocol::assertion::{Claims, Role, Signer};
use fabrica_protocol::kterm::{
    Capabilities, ClientFrame, Hello, HelloTerminal, ServerFrame, Welcome,
};
use fabrica_protocol::runtime::{Event, EventType};
use fabrica_test_network::own_address;
use futures::{SinkExt, StreamExt};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// The UID that every runtime here serves.
pub const UID: &str = "uid-1";

/// The longest any condition is waited for: many agents and forges start at once on machines with little to spare.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// An Ed25519 key made for tests (RFC 8032, test 1); it guards nothing.
const PKCS8: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
pub const KEYS: &str =
    r#"{"keys":[{"kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A running runtime. Ends when dropped.
pub struct Runtime {
    pub folder: TempDir,
    pub process: Child,
    pub address: SocketAddr,
    /// Clients that [`Self::attach`] made.
    pages: AtomicUsize,
}

/// Names of connections: each counts once.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// An assertion of the gateway.
pub fn assertion(role: Role) -> String {
    assertion_named(role, &format!("connection-{}", CONNECTIONS.fetch_add(1, Ordering::Relaxed)))
}

pub fn assertion_named(role: Role, connection: &str) -> String {
    sign(&Claims::new("fabrica-gateway", UID, "ada", role, connection, Utc::now()))
}

pub fn sign(claims: &Claims) -> String {
    Signer::new("one", PKCS8).sign(claims).unwrap()
}

impl Runtime {
    /// Starts one and waits until its first terminal is open.
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        let runtime = Self::begin(variables);
        runtime.ready().await;
        runtime
    }

    /// Starts one.
    pub fn begin(variables: &[(&str, &str)]) -> Self {
        Self::begin_in(folder(), &[], variables)
    }

    /// Starts one in a folder that may hold something already, by a program that ends by starting it.
    pub fn begin_in(folder: TempDir, by: &[&str], variables: &[(&str, &str)]) -> Self {
        let address = own_address();
        let at = |name: &str| folder.path().join(name);
        let words = [by, &[env!("CARGO_BIN_EXE_fabrica-runtime"), "serve"]].concat();
        let process = Command::new(words[0])
            .args(&words[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", at("workspace/home"))
            .env("TMPDIR", at("tmp"))
            .env("PS1", "$ ")
            .env("SESSION_ID", UID)
            .env("MODE", "terminal")
            .env("FABRICA_LOG", "warn")
            .env("FABRICA_WORKSPACE", at("workspace"))
            .env("FABRICA_TRUST_KEYS", at("keys"))
            .env("FABRICA_TERMINATION_LOG", at("termination"))
            .env("FABRICA_ADDRESS", address.to_string())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { folder, process, address, pages: AtomicUsize::new(0) }
    }

    pub fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn ready(&self) {
        eventually("the first terminal is open", async || self.ready_now().await).await;
    }

    pub async fn ready_now(&self) -> bool {
        reqwest::get(self.url("/healthz")).await.is_ok_and(|answer| answer.status() == 200)
    }

    /// Asks with an assertion of this role.
    pub async fn get(&self, path: &str, role: Role) -> reqwest::Response {
        reqwest::Client::new()
            .get(self.url(path))
            .bearer_auth(assertion(role))
            .send()
            .await
            .unwrap()
    }

    pub async fn put(
        &self,
        path: &str,
        body: impl Into<reqwest::Body>,
        role: Role,
    ) -> reqwest::Response {
        reqwest::Client::new()
            .put(self.url(path))
            .bearer_auth(assertion(role))
            .body(body)
            .send()
            .await
            .unwrap()
    }

    pub async fn events(&self) -> Vec<Event> {
        let text = self.get("/v1/events?follow=false", Role::Operator).await.text().await.unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub async fn idle(&self) -> fabrica_protocol::runtime::Idle {
        let text = self.get("/v1/idle", Role::Operator).await.text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The text of the first event of this kind in a step.
    pub async fn said(&self, step: &str, kind: EventType) -> String {
        let events = self.events().await;
        let found = events.iter().find(|event| event.step == step && event.kind == kind);
        found.unwrap_or_else(|| panic!("no {kind:?} of {step} in {events:?}")).text.clone()
    }

    /// Opens a socket without a word.
    pub async fn connect(&self, role: Role) -> Client {
        self.connect_with(&assertion(role)).await.unwrap()
    }

    pub async fn connect_with(
        &self,
        assertion: &str,
    ) -> Result<Client, tokio_tungstenite::tungstenite::Error> {
        let mut request = format!("ws://{}/v1/terminal", self.address).into_client_request()?;
        request
            .headers_mut()
            .insert("authorization", format!("Bearer {assertion}").parse().unwrap());
        request.headers_mut().insert("sec-websocket-protocol", "kterm.v1".parse().unwrap());
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Client { socket })
    }

    /// Opens a socket and says HELLO.
    pub async fn greet(&self, role: Role, hello: Hello) -> (Client, Welcome) {
        let mut client = self.connect(role).await;
        client.send(&ClientFrame::Hello(hello)).await;
        let ServerFrame::Welcome(welcome) = client.next().await else { panic!("no WELCOME") };
        (client, welcome)
    }

    /// A client that has attached terminal 1, and is no other one.
    pub async fn attach(&self, role: Role) -> Client {
        let name = match self.pages.fetch_add(1, Ordering::Relaxed) {
            0 => "page".to_owned(),
            before => format!("page-{before}"),
        };
        self.greet(role, hello(&name, None, None)).await.0
    }
}

/// What a runtime finds when it starts: an empty workspace, and the keys it believes.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("workspace")).unwrap();
    std::fs::create_dir(folder.path().join("tmp")).unwrap();
    std::fs::write(folder.path().join("keys"), KEYS).unwrap();
    folder
}

/// As [`folder`], with a repository from an earlier start.
pub fn cloned() -> TempDir {
    let folder = folder();
    std::fs::create_dir_all(folder.path().join("workspace/repo/.git")).unwrap();
    std::fs::write(folder.path().join("workspace/repo/work"), "unsaved").unwrap();
    folder
}

/// Whether this machine lets us make such a namespace; where it does not, a test says so and proves nothing.
pub fn may_unshare(kind: &str) -> bool {
    let made = std::process::Command::new("unshare").args([kind, "--fork", "true"]).status();
    let may = made.is_ok_and(|status| status.success());
    if !may {
        eprintln!("left out: this needs root and `unshare {kind}`");
    }
    may
}

/// HELLO for terminal 1.
pub fn hello(client_id: &str, epoch: Option<String>, have_off: Option<u64>) -> Hello {
    Hello {
        client_id: client_id.to_owned(),
        epoch,
        visible: true,
        terms: vec![HelloTerminal { id: 1, have_off, cols: 80, rows: 24 }],
        caps: Capabilities::default(),
        ..Hello::default()
    }
}

/// Waits for a condition.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub async fn send(&mut self, frame: &ClientFrame) {
        self.send_raw(Message::Binary(frame.encode())).await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    pub async fn type_text(&mut self, offset: u64, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.send(&ClientFrame::Input { terminal: 1, auto: false, offset, bytes }).await;
    }

    /// The next frame; `Err` holds the close frame.
    pub async fn try_next(&mut self) -> Result<ServerFrame, Option<CloseFrame>> {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame in time")
            {
                Some(Ok(Message::Binary(bytes))) => return Ok(ServerFrame::decode(bytes).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    pub async fn next(&mut self) -> ServerFrame {
        self.try_next().await.expect("a frame, not the end")
    }

    /// Skips frames until the runtime closes; with its code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Err(frame) = self.try_next().await {
                let frame = frame.expect("a close frame");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// Skips frames until one is wanted.
    pub async fn until<T>(&mut self, mut wanted: impl FnMut(ServerFrame) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }

    /// Reads output, and acknowledges it, until it holds this text.
    pub async fn read_until(&mut self, text: &str) -> String {
        let mut seen: Vec<u8> = Vec::new();
        loop {
            if let ServerFrame::Output { terminal, offset, bytes } = self.next().await {
                seen.extend_from_slice(&bytes);
                self.send(&ClientFrame::Ack { terminal, offset: offset + bytes.len() as u64 })
                    .await;
                // Only what is new, with what a frame's border may have cut.
                let new = seen.len() - bytes.len();
                let recent = String::from_utf8_lossy(&seen[new.saturating_sub(text.len())..]);
                if recent.contains(text) {
                    return String::from_utf8_lossy(&seen).into_owned();
                }
            }
        }
    }
}
