//! A way to the agent's tools for programs that speak the Model Context Protocol over stdio alone. It passes messages on
//! between such a program and the door of the running runtime, and has neither rights nor a memory of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransportConfig, StreamableHttpError,
};
use rmcp::transport::{StreamableHttpClientTransport, Transport, stdio};
use rmcp::{RoleClient, RoleServer};

use crate::run::claude::launch;
use crate::run::claude::servers::{Server, Servers};

/// Messages on their way to the door at once: more than a program has calls under way.
const UNDER_WAY: usize = 64;
/// The door is on this machine.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The session at the door is ended within this time; one that stays there is small.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why nothing is passed on, or no more.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error("no agent is on: {} cannot be read. Start the agent, then this command again", .file.display())]
    NoAgent { file: PathBuf, source: std::io::Error },
    #[error("{} does not say where the agent's tools are", .file.display())]
    File { file: PathBuf, source: serde_json::Error },
    #[error("the agent has no server {name}, but {known}")]
    Unknown { name: String, known: String },
    #[error(
        "nobody answers where the agent's tools were: the agent is off. Start it, then this command again"
    )]
    Off(#[source] reqwest::Error),
    #[error("the agent's tools refuse the key: they were opened anew. Start this command again")]
    Refused,
    #[error("the agent's tools cannot be asked")]
    Door(#[source] StreamableHttpError<reqwest::Error>),
    #[error("the agent's tools were closed")]
    Closed,
    #[error("the program that asks cannot be answered")]
    Program(#[source] std::io::Error),
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}

impl From<StreamableHttpError<reqwest::Error>> for RelayError {
    fn from(error: StreamableHttpError<reqwest::Error>) -> Self {
        match error {
            StreamableHttpError::Client(error) if error.is_connect() => Self::Off(error),
            StreamableHttpError::AuthRequired(_) => Self::Refused,
            StreamableHttpError::TransportChannelClosed => Self::Closed,
            other => Self::Door(other),
        }
    }
}

/// Passes messages on between stdin and stdout and the server of this name until stdin ends: whoever has closed it hears no
/// more answers.
pub async fn run(workspace: &Path, name: &str) -> Result<(), RelayError> {
    let server = find(workspace, name)?;
    let client = reqwest::Client::builder()
        // One that the pod's programs use must not stand between us and our own door.
        .no_proxy()
        // The door speaks plain HTTP.
        .tls_certs_only([])
        // A redirection would carry the key elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .build()
        .map_err(RelayError::Client)?;
    let place =
        StreamableHttpClientTransportConfig::with_uri(&*server.url).auth_header(server.key());
    let mut door = StreamableHttpClientTransport::with_client(client, place);
    let (input, output) = stdio();
    let passed = pass(AsyncRwTransport::new_server(input, output), &mut door).await;
    // One that was never initialized has none, and waits for it.
    let _ = tokio::time::timeout(FAREWELL, door.close()).await;
    passed
}

/// The server of this name, as the running runtime wrote it down for its agent.
fn find(workspace: &Path, name: &str) -> Result<Server, RelayError> {
    let file = launch::servers_file(workspace);
    let text = match std::fs::read(&file) {
        Ok(text) => text,
        Err(source) => return Err(RelayError::NoAgent { file, source }),
    };
    let mut servers = match serde_json::from_slice::<Servers>(&text) {
        Ok(known) => known.servers,
        Err(source) => return Err(RelayError::File { file, source }),
    };
    servers.remove(name).ok_or_else(|| {
        let known = servers.into_keys().collect::<Vec<_>>().join(", ");
        RelayError::Unknown { name: name.to_owned(), known }
    })
}

async fn pass<D>(
    mut program: impl Transport<RoleServer, Error = std::io::Error>,
    door: &mut D,
) -> Result<(), RelayError>
where
    D: Transport<RoleClient>,
    RelayError: From<D::Error>,
{
    let mut sending = FuturesUnordered::new();
    loop {
        tokio::select! {
            // What was said first is sent first.
            biased;
            Some(sent) = sending.next() => sent?,
            told = door.receive() => {
                let told = told.ok_or(RelayError::Closed)?;
                program.send(told).await.map_err(RelayError::Program)?;
            }
            // A call that takes its time holds no other up.
            said = program.receive(), if sending.len() < UNDER_WAY => {
                let Some(said) = said else { return Ok(()) };
                sending.push(door.send(said));
            }
        }
    }
}
