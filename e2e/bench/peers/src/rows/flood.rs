//! 6c: how fast a long file passes, and what its passage costs.

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result};

use super::{Plan, medians};
use crate::client::{ACK_STEP, FIRST, Heard};
use crate::contender::{Contender, Server};
use crate::raw_pty::{self, Passed};
use crate::report::{Limit, Row, Table};
use crate::samples::{figure, median, ratios, smaller};

/// Lines of the file, of 200 bytes each.
const LINES: usize = 500_000;
const LINE: usize = 200;

/// Ends the output; no file of text holds it.
const MARKER: u8 = 1;

/// What a program without us takes, round for round.
#[derive(Default)]
struct Floor {
    /// In MB/s.
    speeds: Vec<f64>,
    /// In seconds a 100 MB.
    processor: Vec<f64>,
}

impl Floor {
    fn note(&mut self, passed: &Passed) {
        self.speeds.push(passed.bytes as f64 / 1e6 / passed.time.as_secs_f64());
        self.processor.push(passed.processor / (passed.bytes as f64 / 1e8));
    }
}

/// A log in which every third line is coloured.
fn write(path: &std::path::Path, lines: usize) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for number in 0..lines {
        let (on, off) = if number % 3 == 0 { ("\x1b[32m", "\x1b[0m") } else { ("", "") };
        let head = format!("{on}2026-01-01T00:00:00Z line {number:08} of a log{off} ");
        writeln!(file, "{head}{}", "x".repeat(LINE - 1 - head.len()))?;
    }
    Ok(file.flush()?)
}

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("log");
    write(&path, plan.share(LINES))?;
    let command = format!("cat {}; printf '\\001'", path.display());
    let all = Contender::ALL;
    let (mut raw, mut sent_on) = (Floor::default(), Floor::default());
    let mut cpu = vec![Vec::new(); all.len()];
    let speeds = plan.in_turns(&all, "MB/s", |contender| {
        if contender == Contender::Fabrica {
            raw.note(&raw_pty::read(&command)?);
            sent_on.note(&raw_pty::send_on(&command)?);
        }
        let server = Server::start(contender)?;
        let before = server.cpu_seconds()?;
        let (seconds, bytes) = pass(&server, &command)?;
        let place = all.iter().position(|one| *one == contender).unwrap_or_default();
        cpu[place].push((server.cpu_seconds()? - before) / (bytes as f64 / 1e8));
        Ok(bytes as f64 / 1e6 / seconds)
    })?;
    table.add(Row {
        id: "6c",
        what: "cat of 100 MB, speed, to a reader of a raw PTY".to_owned(),
        values: ratios(&speeds[0], &raw.speeds),
        unit: "×",
        limit: Limit::AtLeast(0.95),
        figures: format!(
            "raw PTY {} MB/s, sent on {} MB/s, {}",
            figure(median(&raw.speeds)),
            figure(median(&sent_on.speeds)),
            medians(&all, "MB/s", &speeds)
        ),
    });
    table.add(Row {
        id: "6c",
        what: "cat of 100 MB, the server's processor time, to the best peer".to_owned(),
        values: ratios(&cpu[0], &smaller(&cpu[1], &cpu[2])),
        unit: "×",
        limit: Limit::AtMost(0.5),
        figures: format!(
            "raw PTY {} s, sent on {} s, {}",
            figure(median(&raw.processor)),
            figure(median(&sent_on.processor)),
            medians(&all, "s a 100 MB", &cpu)
        ),
    });
    Ok(())
}

/// Seconds from the command to the marker, and the bytes that came.
fn pass(server: &Server, command: &str) -> Result<(f64, usize)> {
    let mut client = server.connect()?;
    client.run(FIRST, "echo rea''dy", "ready\r\n")?;
    client.settle()?;
    let started = Instant::now();
    client.mouth.type_into(FIRST, format!("{command}\n").as_bytes())?;
    let (mut total, mut acknowledged) = (0, 0);
    loop {
        let heard = client.ear.next()?.context("the server closed")?;
        let Heard::Output { terminal, offset, bytes } = heard else { continue };
        total += bytes.len();
        let (end, is_last) = (offset + bytes.len() as u64, bytes.contains(&MARKER));
        if end >= acknowledged + ACK_STEP {
            acknowledged = end;
            client.mouth.parsed(terminal, end)?;
        }
        if is_last {
            return Ok((started.elapsed().as_secs_f64(), total));
        }
    }
}
