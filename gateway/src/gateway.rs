//! The running gateway: its background tasks, its two ports, and how it stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fabrica_store::StoreError;
use fabrica_telemetry::{Exporter, ExporterError};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::{App, SERVICE};
use crate::archive::Archive;
use crate::config::Config;
use crate::forges::{Forge, ForgeError};
use crate::objects::store;
use crate::{admin, recheck, router, server, trust};

/// How long tunnels and streams may take to end once they were told to.
const TASK_LIMIT: Duration = Duration::from_secs(5);

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("find the archive")]
    Archive(#[source] StoreError),
    #[error("send traces")]
    Traces(#[source] ExporterError),
    #[error("prepare the search of forges")]
    Forges(#[source] ForgeError),
    #[error("listen for signals")]
    Signal(#[source] io::Error),
    #[error("write the OpenAPI document")]
    Document(#[source] serde_json::Error),
    #[error("a task that should run for ever has ended: {0}")]
    Ended(&'static str),
}

/// Runs until SIGTERM or SIGINT.
pub async fn run(config: Config, client: kube::Client) -> Result<(), GatewayError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(GatewayError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(GatewayError::Signal)?;
    let stop = CancellationToken::new();
    let serving = serve(config, client, stop.clone());
    tokio::pin!(serving);
    tokio::select! {
        result = &mut serving => return result,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.cancel();
    serving.await
}

/// Runs until `stop` is cancelled.
pub async fn serve(
    config: Config,
    client: kube::Client,
    stop: CancellationToken,
) -> Result<(), GatewayError> {
    let public = listen(config.address).await?;
    let private = listen(config.admin_address).await?;
    let drain = config.drain;
    let archive = config.database_url.as_ref().map(Archive::connect).transpose();
    let archive = archive.map_err(GatewayError::Archive)?;
    let traces = config.otlp_endpoint.as_deref().map(|it| Exporter::start(it, &[SERVICE]));
    let traces = traces.transpose().map_err(GatewayError::Traces)?;
    let forges = Forge::all(&config.forges).map_err(GatewayError::Forges)?;
    let app = App::new(config, client, archive, traces, forges);
    let routes = router::build(app.clone()).map_err(GatewayError::Document)?;
    let admin_stop = CancellationToken::new();
    let serving = server::serve(public, routes, app.stop.clone());
    let administering = server::serve(private, admin::router(app.clone()), admin_stop.clone());
    let stopping = async {
        stop.cancelled().await;
        tracing::info!("stopping");
        app.draining.cancel();
        tokio::time::sleep(drain).await;
        app.stop.cancel();
    };
    let mut background = background(&app);
    let serve_all = async { tokio::join!(serving, stopping) };
    tokio::pin!(administering);
    tokio::select! {
        _ = serve_all => {}
        () = &mut administering => {}
        ended = background.join_next() => {
            stop.cancel();
            return Err(GatewayError::Ended(ended.and_then(Result::ok).unwrap_or("a panic")));
        }
    }
    app.tasks.close();
    if tokio::time::timeout(TASK_LIMIT, app.tasks.wait()).await.is_err() {
        tracing::warn!("some terminals did not end in time");
    }
    admin_stop.cancel();
    Ok(())
}

/// The tasks that keep the gateway's knowledge current. None of them ends before it is dropped.
fn background(app: &App) -> JoinSet<&'static str> {
    let mut tasks = JoinSet::new();
    let (trust, client) = (Arc::clone(&app.trust), app.client.clone());
    let (namespace, secret) = (app.config.namespace.clone(), app.config.trust_secret.clone());
    tasks.spawn(async move {
        trust::keep_current(trust, client, namespace, secret).await;
        "the reading of keys"
    });
    let (sessions, client) = (Arc::clone(&app.sessions), app.client.clone());
    tasks.spawn(async move {
        store::keep_current(sessions, client).await;
        "the watch of sessions"
    });
    let (runs, client) = (Arc::clone(&app.runs), app.client.clone());
    tasks.spawn(async move {
        store::keep_current(runs, client).await;
        "the watch of runs"
    });
    if app.archive.is_some() {
        let app = app.clone();
        tasks.spawn(async move {
            if let Some(archive) = &app.archive {
                archive.listen().await;
            }
            "the news of the archive"
        });
    }
    let app = app.clone();
    tasks.spawn(async move {
        recheck::run(app).await;
        "the recheck of terminals"
    });
    tasks
}

async fn listen(address: SocketAddr) -> Result<TcpListener, GatewayError> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| GatewayError::Listen { address, source })?;
    tracing::info!(%address, "listening");
    Ok(listener)
}
