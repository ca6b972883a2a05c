//! 6k: what terminals hold in which nothing happens.

use std::time::Duration;

use anyhow::Result;

use super::{Plan, medians};
use crate::client::FIRST;
use crate::contender::{Contender, Server};
use crate::report::{Limit, Row, Table};
use crate::samples::ratios;

/// As many as a Session may have.
const TERMINALS: usize = 16;

/// After this long without work a process counts as idle.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    let all = Contender::ALL;
    let sizes = plan.in_turns(&all, "KiB", |contender| {
        let server = Server::start(contender)?;
        let mut clients = vec![server.connect()?];
        for _ in 1..TERMINALS {
            if contender == Contender::Fabrica {
                let terminal = clients[0].open()?;
                clients[0].run(terminal, "echo rea''dy", "ready\r\n")?;
            } else {
                let mut client = server.connect()?;
                client.run(FIRST, "echo rea''dy", "ready\r\n")?;
                clients.push(client);
            }
        }
        std::thread::sleep(IDLE);
        server.memory("RssAnon")
    })?;
    table.add(Row {
        id: "6k",
        what: "RssAnon with 16 idle terminals, to node-pty".to_owned(),
        values: ratios(&sizes[0], &sizes[1]),
        unit: "×",
        limit: Limit::AtMost(0.1),
        figures: medians(&all, "KiB", &sizes),
    });
    Ok(())
}
