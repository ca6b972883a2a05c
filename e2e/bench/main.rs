//! Measures what `docs/performance.md` states, on the real product: `make bench`.
//!
//! Every part works in a namespace of its own, is bounded, and cleans up. A ratio has its peer or floor in the same
//! run, interleaved with it, so that a busy machine slows both.

mod broker;
mod chat;
mod crowd;
mod cuts;
mod ingestion;
mod link;
mod load;
mod local;
mod memory;
mod node;
mod runs;
mod start;
mod stats;
mod table;
mod terminal;
mod wire;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, ensure};
use fabrica_e2e::cluster::with_namespace;

use crate::table::Table;

/// The parts, in the order in which they run.
const PARTS: [&str; 10] =
    ["start", "terminal", "cuts", "runs", "chat", "wire", "broker", "archive", "memory", "load"];

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.first().is_some_and(|name| name == local::ECHO) {
        local::echo()?;
        return Ok(ExitCode::SUCCESS);
    }
    for name in &asked {
        ensure!(PARTS.contains(&name.as_str()), "«{name}» is none of {}", PARTS.join(", "));
    }
    // Parts without a cluster have clients, too. A second installation fails: the first one stands.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let table = Arc::new(Table::default());
    for part in PARTS {
        if !asked.is_empty() && !asked.iter().any(|name| name == part) {
            continue;
        }
        eprintln!("measuring: {part}");
        match part {
            "wire" => wire::measure(&table).await?,
            "broker" => broker::measure(&table).await?,
            "archive" => ingestion::measure(&table).await?,
            _ => on_cluster(part, Arc::clone(&table)).await,
        }
    }
    table.print();
    Ok(if table.broken() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn on_cluster(part: &'static str, table: Arc<Table>) {
    with_namespace(move |namespace| async move {
        match part {
            "start" => start::measure(&namespace, &table).await,
            "terminal" => terminal::measure(&namespace, &table).await,
            "cuts" => cuts::measure(&namespace, &table).await,
            "runs" => runs::measure(&namespace, &table).await,
            "chat" => Box::pin(chat::measure(&namespace, &table)).await,
            "load" => Box::pin(load::measure(&namespace, &table)).await,
            _ => Box::pin(memory::measure(&namespace, &table)).await,
        }
    })
    .await;
}
