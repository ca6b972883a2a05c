//! `fabrica-gateway`: flags, then configuration, then the server.

use std::io::Write;

use anyhow::Context;
use clap::Parser;
use fabrica_gateway::flags::{Command, Flags};
use fabrica_gateway::{openapi, router};

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    if let Some(Command::Openapi) = flags.command {
        let document = openapi::document(&router::api().1).context("write the OpenAPI document")?;
        return std::io::stdout().write_all(document.as_bytes()).context("print the OpenAPI document");
    }
    Ok(())
}
