//! The operator's process: flags, logs, signals. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use fabrica_operator::{app, config::Flags};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    // What cannot be read of it is told, and left out; where nothing is left, this level counts.
    let usual = LevelFilter::INFO.into();
    let filter = EnvFilter::builder().with_default_directive(usual).parse_lossy(&flags.log);
    tracing_subscriber::fmt().json().with_env_filter(filter).init();
    match run(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the operator stops");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("a TLS provider was installed before"))?;
    let config = flags.into_config()?;
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        signalled.cancel();
    });
    app::run(config, stop).await
}
