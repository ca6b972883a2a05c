//! What a thousand broken connections cost while a program prints: no byte.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fabrica_e2e::terminal::Terminal;
use fabrica_e2e::{Gateway, Namespace};
use serde_json::json;

use crate::stats::count;
use crate::table::{Kind, Row, Table};

/// Connections broken.
const CUTS: usize = 1_000;

/// Prints numbered lines until a line is typed, and then how many they were. Waiting for that line is also its pause.
const PRINTER: &str = "stty -echo; i=0; echo be''gin; until read -t 0.002 line; do \
    for j in $(seq 50); do i=$((i+1)); echo n=$i; done; done; echo tot''al=$i=";

/// Breaks the connection under output and compares every byte that arrived with what was printed.
pub(crate) async fn measure(namespace: &Namespace, table: &Table) -> Result<()> {
    let gateway = Gateway::new(Some(&namespace.user("bench", "edit").await?))?;
    namespace.ready_session("cuts", json!({})).await?;
    let mut terminal = Terminal::connect(&gateway, &namespace.name, "cuts").await?;
    terminal.type_line(PRINTER).await?;
    terminal.read_until("begin\r\n").await?;
    let started = Instant::now();
    let mut longest = Duration::ZERO;
    for _ in 0..CUTS {
        terminal.read_some().await?;
        let cut = Instant::now();
        terminal.resume().await?;
        longest = longest.max(cut.elapsed());
    }
    let taken = started.elapsed();
    terminal.type_line("").await?;
    terminal.read_until("total=").await?;
    let text = terminal.read_until("=\r\n").await?;
    let (wrong, printed) = compare(&text)?;
    let missed = count(printed) / taken.as_secs_f64() * longest.as_secs_f64() / 1024.0;
    table.add(Row {
        what: "bytes lost or doubled in 1,000 forced disconnects under output",
        measured: count(wrong) + f64::from(terminal.gaps),
        ceiling: 0.0,
        unit: "bytes",
        kind: Kind::Gate,
        detail: format!(
            "{printed} bytes printed in {:.1} s; at most {missed:.1} KiB during one of {CUTS} cuts (the ring keeps 1 MiB)",
            taken.as_secs_f64()
        ),
    });
    Ok(())
}

/// How many bytes differ from what was printed, and how many were printed.
fn compare(text: &str) -> Result<(usize, usize)> {
    let (_, rest) = text.split_once("begin\r\n").context("the begin was not kept")?;
    let (body, total) = rest.split_once("total=").context("no total")?;
    let total: u64 = total.split('=').next().unwrap_or_default().parse().context("a total")?;
    let mut expected = String::new();
    for number in 1..=total {
        write!(expected, "n={number}\r\n")?;
    }
    let common = body.bytes().zip(expected.bytes()).take_while(|(one, other)| one == other).count();
    Ok((body.len().max(expected.len()) - common, expected.len()))
}
