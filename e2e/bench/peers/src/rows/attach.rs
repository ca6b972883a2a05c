//! 6f: from nothing to the first byte of a terminal.

use std::time::Instant;

use anyhow::{Context, Result};

use super::{Plan, medians};
use crate::client::{Client, FIRST, Heard};
use crate::contender::{Contender, Server};
use crate::report::{Limit, Row, Table};
use crate::samples::{median, ratios};

/// Connections in a round.
const CONNECTIONS: usize = 20;

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    let all = Contender::ALL;
    let times = plan.in_turns(&all, "ms", |contender| {
        let server = Server::start(contender)?;
        if contender == Contender::Fabrica {
            let mut client = server.connect()?;
            client.run(FIRST, "echo rea''dy", "ready\r\n")?;
            client.settle()?;
        }
        let mut samples = Vec::new();
        for _ in 0..plan.share(CONNECTIONS) {
            samples.push(first_byte(&server)?);
        }
        Ok(median(&samples))
    })?;
    table.add(Row {
        id: "6f",
        what: "connect to a warm terminal → first byte, p50".to_owned(),
        values: times[0].clone(),
        unit: "ms",
        limit: Limit::AtMost(1.5),
        figures: medians(&all, "ms", &times),
    });
    table.add(Row {
        id: "6f",
        what: "the same, to node-pty, which starts a shell first".to_owned(),
        values: ratios(&times[0], &times[1]),
        unit: "×",
        limit: Limit::None,
        figures: String::new(),
    });
    Ok(())
}

/// In milliseconds.
fn first_byte(server: &Server) -> Result<f64> {
    let way = server.way()?;
    let started = Instant::now();
    let mut client = Client::connect(&way)?;
    loop {
        match client.ear.next()?.context("the server closed")? {
            Heard::Output { bytes, .. } if !bytes.is_empty() => break,
            Heard::Snapshot { .. } => break,
            _ => {}
        }
    }
    Ok(started.elapsed().as_secs_f64() * 1e3)
}
