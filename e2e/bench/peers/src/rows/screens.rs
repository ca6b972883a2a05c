//! 6n: the emulator that makes snapshots, over recordings of real programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use fabrica_runtime::terminal::screen::Screen;
use fabrica_runtime::terminal::size::Size;

use super::Plan;
use crate::report::{Limit, Row, Table};
use crate::samples::{figure, median, quantile};
use crate::tools;

/// The committed corpus; the runtime's own tests hold each of its places against xterm.js.
const CORPUS: [&str; 9] = ["log", "shell", "wide", "vim", "less", "htop", "top", "tmux", "escapes"];

/// What a frame leaves for a snapshot.
const LIMIT: usize = 64 * 1024;

/// What compares them, and says where they differ.
const COMPARE: &str = "../../../images/runtime/tests/xterm/compare.mjs";

/// How often a recording is fed for its speed.
const FEEDS: usize = 200;

pub(super) fn recording(name: &str) -> PathBuf {
    let folder = tools::sources().join("../../../images/runtime/tests/screens");
    folder.join(name).with_extension("raw")
}

/// What was seen of one recording.
#[derive(Debug, Default)]
struct Seen {
    /// Of each snapshot, in milliseconds.
    times: Vec<f64>,
    /// Of each snapshot, in kB.
    sizes: Vec<f64>,
    snapshots: Vec<Vec<u8>>,
}

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    let (mut late, mut speeds, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut places, mut wrong) = (0, Vec::new());
    for round in 1..=plan.rounds {
        let mut times = Vec::new();
        for name in CORPUS {
            let stream = std::fs::read(recording(name)).with_context(|| name.to_owned())?;
            let seen = every_place(&stream);
            // The same bytes lead to the same snapshots: once is enough.
            if round == 1 {
                places += seen.snapshots.len();
                wrong.extend((!is_state_in_xterm(&stream, &seen.snapshots)?).then_some(name));
            }
            times.extend(seen.times);
            sizes.extend(seen.sizes);
            speeds.push(speed(&stream, plan.share(FEEDS)));
        }
        late.push(quantile(&times, 0.99));
    }
    table.add(Row {
        id: "6n",
        what: "recordings with a place whose snapshot is not the state in xterm.js".to_owned(),
        values: vec![wrong.len() as f64],
        unit: "",
        limit: Limit::AtMost(0.0),
        figures: format!("{places} places in {} recordings {}", CORPUS.len(), wrong.join(" ")),
    });
    table.add(Row {
        id: "6n",
        what: "one snapshot, p99 over all places".to_owned(),
        values: late,
        unit: "ms",
        limit: Limit::AtMost(1.0),
        figures: format!(
            "{} kB (p50), emulator {} MB/s (p50 of the recordings)",
            figure(median(&sizes)),
            figure(median(&speeds))
        ),
    });
    Ok(())
}

/// A snapshot at each offset of a stream.
fn every_place(stream: &[u8]) -> Seen {
    let mut screen = Screen::new(Size::default());
    let mut seen = Seen::default();
    let mut take = |screen: &Screen| {
        let started = Instant::now();
        let snapshot = screen.snapshot(LIMIT);
        seen.times.push(started.elapsed().as_secs_f64() * 1e3);
        seen.sizes.push(snapshot.len() as f64 / 1e3);
        seen.snapshots.push(snapshot);
    };
    take(&screen);
    for byte in stream {
        screen.feed(&[*byte]);
        take(&screen);
    }
    seen
}

/// Asks as the runtime's own tests ask: each snapshot leads a fresh emulator to the state, and to what follows.
fn is_state_in_xterm(stream: &[u8], snapshots: &[Vec<u8>]) -> Result<bool> {
    let mut cases = Vec::new();
    let (columns, rows) = Size::default().cells();
    for cells in [columns, rows] {
        cases.extend(u32::try_from(cells)?.to_le_bytes());
    }
    for piece in std::iter::once(stream).chain(snapshots.iter().map(Vec::as_slice)) {
        cases.extend(u32::try_from(piece.len())?.to_le_bytes());
        cases.extend_from_slice(piece);
    }
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), cases)?;
    let script = tools::sources().join(COMPARE);
    let modules = tools::sources().join("node_modules");
    let run = Command::new("node").args([Path::new(&script), &modules, file.path()]).output()?;
    let same = run.status.success();
    if !same {
        eprint!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    }
    Ok(same)
}

/// In MB/s.
fn speed(stream: &[u8], times: usize) -> f64 {
    let mut screen = Screen::new(Size::default());
    let started = Instant::now();
    for _ in 0..times {
        screen.feed(stream);
    }
    (stream.len() * times) as f64 / 1e6 / started.elapsed().as_secs_f64()
}
