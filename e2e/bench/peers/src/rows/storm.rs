//! 6o: whether 500 pages that lost their sockets at once come back as a crowd.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Plan;
use crate::report::{Limit, Row, Table};
use crate::samples::figure;
use crate::tools;

/// Of all clients, in any 100 ms behind the first wave.
const SHARE: f64 = 20.0;

pub(crate) fn measure(_: &Plan, table: &Table) -> Result<()> {
    let output = Command::new("node").arg(tools::sources().join("storm.mjs")).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cases: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    for case in cases {
        let number = |name: &str| case[name].as_f64().with_context(|| name.to_owned());
        table.add(Row {
            id: "6o",
            what: format!(
                "500 clients, the server away for {} s: most attempts in any 100 ms behind the first wave",
                figure(number("downSeconds")?)
            ),
            values: vec![number("most")?],
            unit: "% of clients",
            limit: Limit::AtMost(SHARE),
            figures: format!(
                "the page's own code in simulated time: at {} s, last one back after {} s, {} attempts a client at the most",
                figure(number("mostAtSeconds")?),
                figure(number("lastSeconds")?),
                number("attempts")?
            ),
        });
    }
    Ok(())
}
