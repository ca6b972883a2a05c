//! 6h: a client that comes back when what it lacks has left the ring.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Plan;
use crate::client::{Client, FIRST, Heard, Hello, shows};
use crate::contender::{Contender, Server};
use crate::report::{Limit, Row, Table};
use crate::samples::figure;
use crate::tools;

/// What the flow is made of, and about how much of it there is, in bytes.
const RECORDINGS: [&str; 6] = ["log", "shell", "vim", "less", "htop", "wide"];
const FLOW: usize = 10_000_000;

/// How much of it has passed when the first of two comes back.
const FIRST_BACK: u64 = 6_000_000;

/// What an emulator was told, piece by piece.
#[derive(Debug, Default)]
struct Heap {
    bytes: Vec<u8>,
    end: u64,
    epoch: String,
}

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    let (mut different, mut sent, mut grids) = (0, Vec::new(), 0);
    for round in 1..=plan.rounds {
        let server = Server::start(Contender::Fabrica)?;
        let (size, all) = flow(&server, plan.share(FLOW))?;
        let folder = tempfile::tempdir()?;
        for found in &all[1..] {
            different += u64::from(!is_same(folder.path(), &all[0], found)?);
            grids += 1;
        }
        eprintln!("  round {round}/{}: {size} bytes sent to whoever came last", plan.rounds);
        sent.push(size as f64 / 1e3);
    }
    table.add(Row {
        id: "6h",
        what: "screens, cursors or modes that differ in xterm.js after an overrun".to_owned(),
        values: vec![different as f64],
        unit: "",
        limit: Limit::AtMost(0.0),
        figures: format!(
            "{grids} of them, beside a client that saw all {} MB",
            figure(plan.share(FLOW) as f64 / 1e6)
        ),
    });
    table.add(Row {
        id: "6h",
        what: "sent to a client that comes back after an overrun".to_owned(),
        values: sent,
        unit: "kB",
        limit: Limit::AtMost(64.0),
        figures: String::new(),
    });
    Ok(())
}

/// Bytes sent to the one that came last, and what the three were told: the one that stayed comes first.
fn flow(server: &Server, bytes: usize) -> Result<(usize, [Heap; 3])> {
    let piece = server.folder.path().join("workspace/piece");
    let once = recordings()?;
    std::fs::write(&piece, &once)?;
    let (mut stays, [first, last]) = (server.connect()?, [(); 2].map(|()| Hello::fresh(&[FIRST])));
    stays.settle()?;
    drop(stays);
    let mut stays = server.connect()?;
    let mut all: [Heap; 3] = Default::default();
    settle(&mut stays, &mut all[0])?;
    for (hello, heap) in [&first, &last].into_iter().zip(&mut all[1..]) {
        let mut leaves = server.connect_as(hello)?;
        settle(&mut leaves, heap)?;
        heap.epoch = leaves.welcome["epoch"].as_str().unwrap_or_default().to_owned();
    }
    let times = bytes / once.len() + 1;
    let line = format!("for i in $(seq {times}); do cat piece; done; stty sane; echo do''ne\n");
    stays.mouth.type_into(FIRST, line.as_bytes())?;
    let mut back = None;
    let mut recent = Vec::new();
    let begin = all[0].end;
    loop {
        let Some(bytes) = hear(&mut stays, &mut all[0])? else { continue };
        if back.is_none()
            && all[0].end - begin > FIRST_BACK.min(times as u64 * once.len() as u64 / 2)
        {
            back = Some(come_back(server, &first, &all[1])?);
        }
        if shows(&mut recent, &bytes, b"done\r\n") {
            break;
        }
        // It is read meanwhile, or nobody's window would move.
        if let Some(client) = &mut back {
            client.ear.reader().set_patience(std::time::Duration::from_millis(1))?;
            while let Ok(Some(_)) = hear(client, &mut all[1]) {}
        }
    }
    settle(&mut stays, &mut all[0])?;
    settle(back.as_mut().context("nobody came back in time")?, &mut all[1])?;
    let before = all[2].bytes.len();
    let mut client = come_back(server, &last, &all[2])?;
    settle(&mut client, &mut all[2])?;
    for heap in &all {
        ensure!(heap.end == all[0].end, "not everything came: {} of {}", heap.end, all[0].end);
    }
    Ok((all[2].bytes.len() - before, all))
}

fn recordings() -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for name in RECORDINGS {
        all.extend(std::fs::read(super::screens::recording(name))?);
    }
    Ok(all)
}

fn come_back(server: &Server, hello: &Hello, heap: &Heap) -> Result<Client> {
    let terminals = vec![(FIRST, Some(heap.end))];
    let hello = Hello { terminals, epoch: Some(heap.epoch.clone()), ..hello.clone() };
    server.connect_as(&hello)
}

/// Takes one message; the output in it.
fn hear(client: &mut Client, heap: &mut Heap) -> Result<Option<Vec<u8>>> {
    let bytes = match client.ear.next()?.context("the server closed")? {
        Heard::Output { offset, bytes, .. } => {
            heap.end = offset + bytes.len() as u64;
            bytes.into_owned()
        }
        Heard::Snapshot { offset, bytes, .. } => {
            heap.end = offset;
            bytes.to_vec()
        }
        _ => return Ok(None),
    };
    client.mouth.parsed(FIRST, heap.end)?;
    heap.bytes.extend_from_slice(&bytes);
    Ok(Some(bytes))
}

fn settle(client: &mut Client, heap: &mut Heap) -> Result<()> {
    client.ear.reader().set_patience(std::time::Duration::from_millis(500))?;
    while hear(client, heap).is_ok() {}
    client.ear.reader().set_patience(crate::websocket::PATIENCE)
}

/// Whether both lead the emulator of our page to the same state.
fn is_same(folder: &Path, one: &Heap, other: &Heap) -> Result<bool> {
    let (left, right) = (folder.join("one"), folder.join("other"));
    std::fs::write(&left, &one.bytes)?;
    std::fs::write(&right, &other.bytes)?;
    let script = tools::sources().join("grid.mjs");
    let run = Command::new("node").arg(script).arg(left).arg(right).output()?;
    let same = run.status.success();
    if !same {
        eprint!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    }
    Ok(same)
}
