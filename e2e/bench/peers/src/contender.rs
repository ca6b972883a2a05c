//! Who is measured: a server of each, in a folder of its own, with the same shell in the same environment.

use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use fabrica_protocol::assertion::{Claims, Role, Signer};
use fabrica_protocol::runtime::PORT;
use tempfile::TempDir;

use crate::client::{Client, Hello, Protocol, Way};
use crate::machine;
use crate::tools;

/// An Ed25519 key made for tests (RFC 8032, test 1); it guards nothing.
const PRIVATE_KEY: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
pub(crate) const PUBLIC_KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// Us and the peers that every machine can install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Fabrica,
    NodePty,
    Terminado,
}

impl Contender {
    /// In the order of every round.
    pub(crate) const ALL: [Self; 3] = [Self::Fabrica, Self::NodePty, Self::Terminado];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fabrica => "fabrica",
            Self::NodePty => "node-pty+ws",
            Self::Terminado => "terminado",
        }
    }
}

/// A running server. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    contender: Contender,
    process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    /// Of the Session, where it is ours.
    uid: String,
}

impl Server {
    /// A fresh one.
    pub(crate) fn start(contender: Contender) -> Result<Self> {
        Self::start_as(contender, "uid-bench", tools::own_ip())
    }

    /// The pod of this Session.
    pub(crate) fn start_as(contender: Contender, uid: &str, ip: IpAddr) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        for name in ["workspace", "workspace/home", "tmp"] {
            std::fs::create_dir(folder.path().join(name))?;
        }
        std::fs::write(folder.path().join("keys"), public_keys())?;
        let address = match contender {
            Contender::Fabrica => SocketAddr::new(ip, PORT),
            _ => tools::free_address()?,
        };
        let mut command = command(contender, address, &folder, uid)?;
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let process = process.with_context(|| format!("start {}", contender.name()))?;
        let server = Self { contender, process, address, folder, uid: uid.to_owned() };
        tools::eventually("the server is ready", || tools::answers(address, "/healthz"))?;
        Ok(server)
    }

    /// How it is reached without a gateway. An assertion counts once, so each way is for one connection.
    pub(crate) fn way(&self) -> Result<Way> {
        let (path, token, protocol) = match self.contender {
            Contender::Fabrica => ("/v1/terminal", Some(assertion(&self.uid)?), Protocol::Kterm),
            Contender::NodePty => ("/", None, Protocol::Plain),
            Contender::Terminado => ("/websocket", None, Protocol::Terminado),
        };
        Ok(Way { address: self.address, path: path.to_owned(), token, protocol })
    }

    /// A client that sees a shell.
    pub(crate) fn connect(&self) -> Result<Client> {
        Client::connect(&self.way()?)
    }

    pub(crate) fn connect_as(&self, hello: &Hello) -> Result<Client> {
        Client::connect_as(&self.way()?, hello)
    }

    /// Processor time of the server alone, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        machine::cpu_seconds(self.process.id())
    }

    /// In KiB.
    pub(crate) fn memory(&self, field: &str) -> Result<f64> {
        machine::memory(self.process.id(), field)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(
    contender: Contender,
    address: SocketAddr,
    folder: &TempDir,
    uid: &str,
) -> Result<Command> {
    let at = |name: &str| folder.path().join(name);
    let mut command = match contender {
        Contender::Fabrica => {
            let mut command = Command::new(tools::beside("fabrica-runtime")?);
            command.arg("serve");
            command
        }
        Contender::NodePty => {
            let mut command = Command::new("node");
            command.arg(tools::sources().join("node-pty.mjs")).arg(address.port().to_string());
            command
        }
        Contender::Terminado => {
            let mut command = Command::new(tools::python()?);
            command
                .arg(tools::sources().join("terminado-server.py"))
                .arg(address.port().to_string());
            command
        }
    };
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").context("PATH")?)
        .env("HOME", at("workspace/home"))
        .env("TMPDIR", at("tmp"))
        .env("PS1", "$ ")
        .current_dir(at("workspace"));
    if contender == Contender::Fabrica {
        command
            .env("SESSION_ID", uid)
            .env("MODE", "terminal")
            .env("FABRICA_LOG", "error")
            .env("FABRICA_WORKSPACE", at("workspace"))
            .env("FABRICA_TRUST_KEYS", at("keys"))
            .env("FABRICA_TERMINATION_LOG", at("termination"))
            .env("FABRICA_ADDRESS", address.to_string());
    }
    Ok(command)
}

fn public_keys() -> String {
    serde_json::json!({"keys": [{"kid": "one", "x": PUBLIC_KEY}]}).to_string()
}

/// The private key as a gateway's Secret holds it.
pub(crate) const fn private_key() -> &'static str {
    PRIVATE_KEY
}

fn assertion(uid: &str) -> Result<String> {
    let connection = format!("bench-{}", CONNECTIONS.fetch_add(1, Ordering::Relaxed));
    let now = Utc::now();
    let claims = Claims::new("fabrica-gateway", uid, "bench", Role::Control, &connection, now);
    Ok(Signer::new("one", &STANDARD.decode(PRIVATE_KEY)?).sign(&claims)?)
}
