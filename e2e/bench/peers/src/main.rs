//! The terminal beside its peers, on this machine and without a cluster: `make bench-terminal`.
//!
//! The real runtime and the real gateway, node-pty with ws, and terminado serve one client of ours in turns: A B C A B C.
//! A row's gate is a ratio, a floor or a count of the same run; one that is missed is printed and fails the run.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are far from where a float loses whole numbers"
)]

mod api_server;
mod client;
mod contender;
mod gateway;
mod machine;
mod raw_pty;
mod report;
mod rows;
mod samples;
mod shape;
mod stand_in;
mod tab;
mod tools;
mod websocket;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::report::Table;
use crate::rows::{Plan, ROWS};

/// As this program's first argument: be the gateway of another shape that ours is measured against.
const SHAPE: &str = "shape";

/// Rounds of a row, unless the command line says otherwise.
const ROUNDS: usize = 5;

/// No row begins later: a run ends.
const BOUND: Duration = Duration::from_mins(15);

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, address] = arguments.as_slice()
        && first == SHAPE
    {
        shape::serve(address.parse()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (plan, asked) = read(&arguments)?;
    let (table, begun) = (Table::default(), Instant::now());
    machine::describe(plan.rounds, plan.percent)?;
    for (number, row) in ROWS.iter().filter(|row| asked.contains(&row.id)).enumerate() {
        let (place, passed) = (number + 1, begun.elapsed());
        eprintln!("[{place}/{} {} s] {}: {}", asked.len(), passed.as_secs(), row.id, row.what);
        let measured = if passed < BOUND {
            (row.measure)(&plan, &table)
        } else {
            Err(anyhow!("the run had its {} min before", BOUND.as_secs() / 60))
        };
        if let Err(error) = measured {
            table.fail(row.id, row.what, &format!("{error:#}"));
        }
    }
    table.print();
    Ok(if table.broken() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The rows that were asked for, all of them without a word, and how they are to be measured.
fn read(arguments: &[String]) -> Result<(Plan, Vec<&'static str>)> {
    let mut plan = Plan { rounds: ROUNDS, percent: 100 };
    let mut asked = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut number = || -> Result<usize> {
            Ok(words.next().with_context(|| format!("{word} needs a number"))?.parse()?)
        };
        match word.as_str() {
            "--rounds" => plan.rounds = number()?.max(1),
            "--percent" => plan.percent = number()?.clamp(1, 100),
            id => match ROWS.iter().find(|row| row.id == id) {
                Some(row) => asked.push(row.id),
                None => bail!("«{id}» is no row: {}", ROWS.map(|row| row.id).join(" ")),
            },
        }
    }
    ensure!(plan.rounds <= 100, "a hundred rounds are enough");
    if asked.is_empty() {
        asked = ROWS.iter().map(|row| row.id).collect();
    }
    Ok((plan, asked))
}
