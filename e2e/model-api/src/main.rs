//! The scripted model as a program, for pods that need one to ask.

use std::net::SocketAddr;

use clap::Parser;
use fabrica_model_api::ModelApi;

#[derive(Debug, Parser)]
#[command(about = "A scripted stand-in for a model's service")]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "0.0.0.0:8080")]
    address: SocketAddr,
    /// The one key that is accepted; unset: any.
    #[arg(long)]
    key: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let Arguments { address, key } = Arguments::parse();
    let api = ModelApi::start(address, key).await?;
    eprintln!("the scripted model listens on {}", api.url());
    api.wait().await;
    Ok(())
}
