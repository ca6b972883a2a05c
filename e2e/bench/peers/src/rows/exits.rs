//! 6i: programs that say much and end at once.

use anyhow::Result;

use super::{Plan, medians};
use crate::client::{Client, FIRST, Heard, Hello};
use crate::contender::{Contender, Server};
use crate::report::{Limit, Row, Table};
use crate::samples::{figure, median};

/// Programs of one round: 200 in five.
const PROGRAMS: usize = 40;

/// What each says: so many zeros in a row.
const BYTES: usize = 20_000;

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    let (all, count) = (Contender::ALL, plan.share(PROGRAMS));
    let complete = plan.in_turns(&all, "% complete", |contender| {
        let server = Server::start(contender)?;
        let mut client = match contender {
            Contender::Fabrica => Some(server.connect_as(&Hello::fresh(&[]))?),
            _ => None,
        };
        let mut whole = 0;
        for _ in 0..count {
            let seen = match &mut client {
                Some(client) => {
                    let terminal = client.open()?;
                    end(client, terminal)?
                }
                None => end(&mut server.connect()?, FIRST)?,
            };
            whole += usize::from(seen == BYTES);
        }
        Ok(100.0 * whole as f64 / count as f64)
    })?;
    let worst = complete[0].iter().copied().fold(100.0, f64::min);
    table.add(Row {
        id: "6i",
        what: format!("{} × 20,000 bytes, then exit: complete", count * plan.rounds),
        // The worst round counts: one that is lost is one too many.
        values: vec![worst],
        unit: "%",
        limit: Limit::AtLeast(100.0),
        figures: format!("{}; worst {}", medians(&all, "%", &complete), figure(median(&[worst]))),
    });
    Ok(())
}

/// The longest row of zeros that came before the end.
fn end(client: &mut Client, terminal: u16) -> Result<usize> {
    client.mouth.type_into(terminal, format!("printf '%0{BYTES}d' 0; exit\n").as_bytes())?;
    let (mut row, mut longest) = (0, 0);
    while let Some(heard) = client.ear.next()? {
        let (from, end) = match heard {
            Heard::Output { terminal, offset, bytes } => {
                for byte in bytes.iter() {
                    row = if *byte == b'0' { row + 1 } else { 0 };
                    longest = longest.max(row);
                }
                (terminal, offset + bytes.len() as u64)
            }
            Heard::Exit => break,
            _ => continue,
        };
        client.mouth.parsed(from, end)?;
    }
    Ok(longest)
}
