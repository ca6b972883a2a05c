//! What an idle terminal costs the gateway, measured on its own process.

use std::net::SocketAddr;
use std::process::Stdio;

use fabrica_test_network::own_address;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::common::kubernetes::Kubernetes;
use crate::common::pod::Pod;
use crate::common::{running, until};

/// The most that an idle connection may take, in KiB.
const CEILING_KIB: f64 = 20.0;

/// Sockets in each measured batch; each user opens fewer than their limit.
const BATCH: u32 = 400;
const PER_USER: u32 = 50;

/// Starts the real binary before a fake API server.
async fn start(api: SocketAddr) -> (Child, SocketAddr, tempfile::NamedTempFile) {
    let (address, admin) = (own_address(), own_address());
    let kubeconfig = tempfile::NamedTempFile::new().unwrap();
    let content = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "fake",
        "clusters": [{"name": "fake", "cluster": {"server": format!("http://{api}")}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        "users": [{"name": "fake", "user": {}}],
    });
    std::fs::write(kubeconfig.path(), content.to_string()).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_fabrica-gateway"))
        .args(["--address", &address.to_string(), "--admin-address", &admin.to_string()])
        .env("KUBECONFIG", kubeconfig.path())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until(async || {
        reqwest::get(format!("http://{admin}/readyz"))
            .await
            .is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    (child, address, kubeconfig)
}

async fn open(gateway: SocketAddr, user: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    let request = format!(
        "GET /api/v1/namespaces/demo/sessions/a/terminal HTTP/1.1\r\nHost: {gateway}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: kterm.v1\r\nAuthorization: Bearer {user}-token\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"welcome") {
        assert_ne!(
            stream.read_buf(&mut seen).await.unwrap(),
            0,
            "{}",
            String::from_utf8_lossy(&seen)
        );
    }
    stream
}

fn anonymous_kib(process: &Child) -> u32 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", process.id().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_idle_terminal_costs_little() {
    let (kubernetes, api) = Kubernetes::start().await;
    let (_pod, ip) = Pod::start("uid-a").await;
    kubernetes.put("demo", "a", &json!({}), &running(ip));
    let users: Vec<&'static str> = vec![
        "u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "ua", "ub", "uc", "ud", "ue",
        "uf",
    ];
    for user in &users {
        kubernetes.grant((user, "create", "sessions/terminal", "demo", "*"));
    }
    let (process, gateway, _kubeconfig) = start(api).await;
    let mut sockets = Vec::new();
    let mut sizes = Vec::new();
    for number in 0..2 * BATCH {
        if number % BATCH == 0 {
            sizes.push(anonymous_kib(&process));
        }
        sockets.push(open(gateway, users[usize::try_from(number / PER_USER).unwrap()]).await);
    }
    sizes.push(anonymous_kib(&process));
    // The first batch also pays for what is allocated once.
    let each = f64::from(sizes[2] - sizes[1]) / f64::from(BATCH);
    println!("RssAnon {sizes:?} KiB, {each:.1} KiB for each idle terminal");
    assert!(each <= CEILING_KIB, "{each:.1} KiB for each idle terminal");
}
