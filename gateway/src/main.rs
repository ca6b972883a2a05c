//! `fabrica-gateway`: flags, then configuration, then the server.

use std::io::Write;

use anyhow::Context;
use clap::Parser;
use fabrica_gateway::config::Config;
use fabrica_gateway::flags::{Command, Flags};
use fabrica_gateway::{gateway, kubernetes, openapi, router};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    if let Some(Command::Openapi) = flags.command {
        let document = openapi::document(&router::api().1).context("write the OpenAPI document")?;
        return std::io::stdout()
            .write_all(document.as_bytes())
            .context("print the OpenAPI document");
    }
    // What cannot be read of it is told, and left out; where nothing is left, this level counts.
    let usual = LevelFilter::INFO.into();
    let filter = EnvFilter::builder().with_default_directive(usual).parse_lossy(&flags.log);
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    // An error only says that a provider is there already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = Config::try_from(flags).context("read the flags")?;
    serve(config)
}

#[tokio::main]
async fn serve(config: Config) -> anyhow::Result<()> {
    let client = kubernetes::client().await.context("find the Kubernetes API server")?;
    gateway::run(config, client).await.context("run the gateway")
}
