//! 6d: how long after ^C a tab shows that the flood has stopped.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Plan, medians};
use crate::client::{FIRST, shows};
use crate::contender::{Contender, Server};
use crate::report::{Limit, Row, Table};
use crate::samples::{ratios, smaller};
use crate::tab::{Pace, Tab};

/// What the tab draws, in MB/s.
const PACE: f64 = 5.0;

/// How long the flood lasts.
const FLOOD: Duration = Duration::from_secs(3);

/// After this long nobody waits any more: the figure is at least so much.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    let all = Contender::ALL;
    let times = plan.in_turns(&all, "ms", |contender| interrupt(&Server::start(contender)?))?;
    table.add(Row {
        id: "6d",
        what: "^C under a flood of 3 s in a tab that draws 5 MB/s → seen, to the best peer"
            .to_owned(),
        values: ratios(&times[0], &smaller(&times[1], &times[2])),
        unit: "×",
        limit: Limit::AtMost(1.0 / 50.0),
        figures: medians(&all, "ms", &times),
    });
    Ok(())
}

/// In milliseconds.
fn interrupt(server: &Server) -> Result<f64> {
    let mut client = server.connect()?;
    client.run(FIRST, "echo rea''dy", "ready\r\n")?;
    client.settle()?;
    let tab = Tab::new(client);
    tab.type_into(FIRST, format!("yes {}\n", "a".repeat(75)).as_bytes())?;
    let (mut pace, mut recent) = (Pace::new(PACE), Vec::new());
    let started = Instant::now();
    let mut pressed: Option<Instant> = None;
    loop {
        let piece = tab.queue.recv_timeout(LIMIT).context("nothing came")?;
        pace.draw(piece.bytes.len());
        if pace.is_due(piece.end) {
            tab.parsed(piece.terminal, piece.end)?;
        }
        let seen = shows(&mut recent, &piece.bytes, b"^C");
        match pressed {
            Some(at) if seen || at.elapsed() > LIMIT => return Ok(at.elapsed().as_secs_f64() * 1e3),
            None if started.elapsed() >= FLOOD => {
                pressed = Some(Instant::now());
                tab.type_into(FIRST, b"\x03")?;
            }
            _ => {}
        }
    }
}
