//! Measures what `docs/performance.md` states, on the real product: `make bench`.
//!
//! Every part works in a namespace of its own, is bounded, and cleans up. A ratio has its peer or floor in the same
//! run, interleaved with it, so that a busy machine slows both.

mod broker;
mod cuts;
mod ingestion;
mod link;
mod load;
mod memory;
mod node;
mod runs;
mod start;
mod stats;
mod table;
mod terminal;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, ensure};
use fabrica_e2e::cluster::with_namespace;

use crate::table::Table;

/// The parts, in the order in which they run.
const PARTS: [&str; 8] =
    ["start", "terminal", "cuts", "runs", "broker", "archive", "memory", "load"];

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    for name in &asked {
        ensure!(PARTS.contains(&name.as_str()), "«{name}» is none of {}", PARTS.join(", "));
    }
    let table = Arc::new(Table::default());
    for part in PARTS {
        if !asked.is_empty() && !asked.iter().any(|name| name == part) {
            continue;
        }
        eprintln!("measuring: {part}");
        let table = Arc::clone(&table);
        with_namespace(|namespace| async move {
            match part {
                "start" => start::measure(&namespace, &table).await,
                "terminal" => terminal::measure(&namespace, &table).await,
                "cuts" => cuts::measure(&namespace, &table).await,
                "runs" => runs::measure(&namespace, &table).await,
                "broker" => broker::measure(&table).await,
                "archive" => ingestion::measure(&table).await,
                "load" => Box::pin(load::measure(&namespace, &table)).await,
                _ => Box::pin(memory::measure(&namespace, &table)).await,
            }
        })
        .await;
    }
    table.print();
    Ok(if table.broken() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
