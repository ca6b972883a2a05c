//! The tools that the agent has of us: three servers of the Model Context Protocol behind one door on loopback, for whoever
//! has its key.

mod faber;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::faber::Faber;
use super::desk::Desk;
use crate::run::faber::{NAME as FABER, only_the_agent};

/// The servers at work, until dropped.
#[derive(Debug)]
pub(super) struct Tools {
    address: SocketAddr,
    key: String,
    serving: JoinHandle<()>,
}

impl Tools {
    /// Opens the door on a free port of loopback.
    pub(super) async fn start(desk: &Arc<Desk>) -> std::io::Result<Self> {
        let key = uuid::Uuid::new_v4().to_string();
        let router = Router::new()
            .nest_service("/mcp/fractary-faber", serve(desk, Faber))
            .layer(from_fn_with_state(Arc::new(format!("Bearer {key}")), only_the_agent));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the door of the agent's tools closed");
            }
        });
        Ok(Self { address, key, serving })
    }

    /// Under which name each server is known, and where it is.
    pub(super) fn servers(&self) -> Vec<(&'static str, String)> {
        [FABER].map(|name| (name, format!("http://{}/mcp/{name}", self.address))).into()
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn serve<T: ServerHandler>(
    desk: &Arc<Desk>,
    tools: impl Fn(Arc<Desk>) -> T + Send + Sync + 'static,
) -> StreamableHttpService<T, LocalSessionManager> {
    let desk = desk.clone();
    StreamableHttpService::new(
        move || Ok(tools(desk.clone())),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    )
}
