//! The running gateway: its background tasks, its two ports, and how it stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::Config;
use crate::sessions::store;
use crate::terminal::recheck;
use crate::{admin, router, server, trust};

/// How long tunnels and streams may take to end once they were told to.
const TASK_LIMIT: Duration = Duration::from_secs(5);

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
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
    let asked = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    };
    let (result, ()) = tokio::join!(serve(config, client, stop.clone()), async {
        tokio::select! {
            () = asked => {}
            () = stop.cancelled() => {}
        }
    });
    result
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
    let app = App::new(config, client);
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
    let background = background(&app);
    tokio::pin!(background, administering);
    let serve_all = async { tokio::join!(serving, stopping) };
    tokio::select! {
        _ = serve_all => {}
        () = &mut administering => {}
        ended = &mut background => {
            stop.cancel();
            return Err(GatewayError::Ended(ended));
        }
    }
    app.tasks.close();
    if tokio::time::timeout(TASK_LIMIT, app.tasks.wait()).await.is_err() {
        tracing::warn!("some terminals did not end in time");
    }
    admin_stop.cancel();
    Ok(())
}

/// The tasks that keep the gateway's knowledge current. None of them ends by itself before the gateway stops.
async fn background(app: &App) -> &'static str {
    let secret = app.config.trust_secret.clone();
    let keys = trust::keep_current(
        Arc::clone(&app.trust),
        app.client.clone(),
        app.config.namespace.clone(),
        secret,
    );
    let sessions = store::keep_current(Arc::clone(&app.store), app.client.clone());
    let rechecks = async {
        recheck::run(app.clone()).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = keys => "trust",
        () = sessions => "sessions",
        () = rechecks => "recheck",
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, GatewayError> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| GatewayError::Listen { address, source })?;
    tracing::info!(%address, "listening");
    Ok(listener)
}
