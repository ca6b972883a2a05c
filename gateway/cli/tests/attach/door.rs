//! Stands where the gateway stands, before a real runtime and behind a network that fails on demand: lets a client in with an
//! assertion of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::Utc;
use fabrica_protocol::assertion::{Claims, Role, Signer};
use fabrica_protocol::kterm::{ClientFrame, Hello, OpenRequest, SUBPROTOCOL, ServerFrame};
use fabrica_test_network::{Network, own_address};
use futures::{SinkExt, StreamExt};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const UID: &str = "uid-1";

/// The longest any condition is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// An Ed25519 key made for tests (RFC 8032, test 1); it guards nothing.
const PKCS8: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const KEYS: &str = r#"{"keys":[{"kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Names of connections: each counts once.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// A runtime and the door before it.
pub(crate) struct Door {
    pub(crate) url: String,
    folder: TempDir,
    _runtime: Child,
    /// Between the command and us.
    pub(crate) network: Network,
}

impl Door {
    /// A runtime that is ready; none where it was not built: `cargo test --workspace` does, `-p fabrica-cli` alone does not.
    pub(crate) async fn open() -> Option<Self> {
        let program =
            PathBuf::from(env!("CARGO_BIN_EXE_kubectl-fabrica")).with_file_name("fabrica-runtime");
        if !program.exists() {
            eprintln!("left out: this needs `cargo build -p fabrica-runtime`");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("workspace")).unwrap();
        std::fs::create_dir(at("tmp")).unwrap();
        std::fs::write(at("keys"), KEYS).unwrap();
        let address = own_address();
        let runtime = Command::new(program)
            .arg("serve")
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
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        tokio::time::timeout(PATIENCE, ready(address)).await.expect("the runtime becomes ready");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let network = Network::before(listener.local_addr().unwrap()).await;
        tokio::spawn(serve(listener, address));
        let url = format!("http://{}", network.address());
        Some(Self { url, folder, _runtime: runtime, network })
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    /// Opens terminals until there are so many.
    pub(crate) async fn open_terminals(&self, count: usize) {
        let path = "/api/v1/namespaces/demo/sessions/box/terminal";
        let url = format!("{}{path}", self.url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let hello = Hello { client_id: "opener".to_owned(), ..Hello::default() };
        let opening = (1..count).map(|key| {
            let request = OpenRequest::default();
            ClientFrame::Open { key: key.try_into().unwrap(), request }
        });
        for frame in std::iter::once(ClientFrame::Hello(hello)).chain(opening) {
            socket.send(Message::Binary(frame.encode())).await.unwrap();
        }
        let opened = async {
            loop {
                if let Message::Binary(bytes) = socket.next().await.unwrap().unwrap()
                    && let ServerFrame::Terms(list) = ServerFrame::decode(bytes).unwrap()
                    && list.terms.len() == count
                {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, opened).await.expect("all terminals are open");
        socket.close(None).await.unwrap();
    }
}

async fn ready(address: SocketAddr) {
    let url = format!("http://{address}/healthz");
    while !reqwest::get(&url).await.is_ok_and(|answer| answer.status() == 200) {
        tokio::task::yield_now().await;
    }
}

async fn serve(listener: TcpListener, address: SocketAddr) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        tokio::spawn(carry(client, address));
    }
}

/// Answers what is asked of the Session itself; hands the rest on.
async fn carry(mut client: TcpStream, address: SocketAddr) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let (first, rest) = head.split_once("\r\n").unwrap();
    let words: Vec<&str> = first.split(' ').collect();
    let below = words[1].strip_prefix("/api/v1/namespaces/demo/sessions/box").unwrap_or("/none");
    if below.is_empty() {
        let body = r#"{"name":"box","status":{"phase":"Running","conditions":[]}}"#;
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        return client.write_all(answer.as_bytes()).await;
    }
    let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let claims = Claims::new(
        "fabrica-gateway",
        UID,
        "ada",
        Role::Control,
        &format!("c-{number}"),
        Utc::now(),
    );
    let assertion = Signer::new("one", PKCS8).sign(&claims).unwrap();
    let mut forwarded =
        format!("{} /v1{below} HTTP/1.1\r\nauthorization: Bearer {assertion}\r\n", words[0]);
    if below != "/terminal" {
        forwarded.push_str("connection: close\r\n");
    }
    for line in rest.lines().filter(|line| !line.to_ascii_lowercase().starts_with("authorization:"))
    {
        forwarded.push_str(line);
        forwarded.push_str("\r\n");
    }
    let mut runtime = TcpStream::connect(address).await?;
    runtime.write_all(forwarded.as_bytes()).await?;
    tokio::io::copy_bidirectional(&mut client, &mut runtime).await?;
    Ok(())
}
