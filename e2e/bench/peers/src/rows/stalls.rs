//! 6j: what clients cost that read nothing, while somebody else works.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Plan, echo};
use crate::client::{Client, FIRST, Hello};
use crate::contender::{Contender, Server};
use crate::report::{Limit, Row, Table};
use crate::samples::{figure, median, microseconds};

/// How long the flood lasts.
const FLOOD: Duration = Duration::from_secs(10);

/// Stalled viewers beside one who reads.
const MANY: usize = 8;

/// Keys typed in another terminal, before and during the flood.
const KEYS: usize = 200;

/// What the memory may grow by, in MiB: 2 MB.
const GROWTH: f64 = 2e6 / 1_048_576.0;

/// Between two looks at the memory: often enough to see its top, seldom enough to cost the server nothing.
const LOOK: Duration = Duration::from_millis(100);

const PEERS: [Contender; 2] = [Contender::NodePty, Contender::Terminado];

/// What was seen of one server.
#[derive(Debug)]
struct Seen {
    growth: f64,
    /// Of the echo's median, during and before.
    slower: f64,
}

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    // Memory hardly differs from round to round, and each takes long.
    let rounds = plan.rounds.min(2);
    let (mut one, mut many, mut peers) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
    for round in 1..=rounds {
        one.push(alone(plan)?);
        many.push(beside_a_reader(plan)?);
        // Side by side: only what they hold is looked at.
        let seen = thread::scope(|scope| {
            let looks = PEERS.map(|contender| scope.spawn(move || peer(plan, contender)));
            looks.map(|look| look.join().ok().context("a peer was not seen")?)
        });
        for (values, growth) in peers.iter_mut().zip(seen) {
            values.push(growth?);
        }
        eprintln!("  round {round}/{rounds}: {:?} {:?} {peers:?} MiB", one.last(), many.last());
    }
    let figures = format!(
        "node-pty+ws +{} MiB, terminado +{} MiB with one",
        figure(median(&peers[0])),
        figure(median(&peers[1]))
    );
    for (what, seen, limit) in [
        ("one stalled client", one, Limit::AtMost(2.0)),
        ("8 stalled viewers beside one who reads", many, Limit::None),
    ] {
        table.add(Row {
            id: "6j",
            what: format!("growth of RSS under 10 s of flood, {what}"),
            values: seen.iter().map(|seen| seen.growth).collect(),
            unit: "MiB",
            limit: Limit::AtMost(GROWTH),
            figures: figures.clone(),
        });
        table.add(Row {
            id: "6j",
            what: format!("echo in another terminal under flood, to that before it, {what}"),
            values: seen.iter().map(|seen| seen.slower).collect(),
            unit: "×",
            limit,
            figures: "beside a reader the flood takes its share of the cores".to_owned(),
        });
    }
    Ok(())
}

fn flood_time(plan: &Plan) -> Duration {
    FLOOD * u32::try_from(plan.percent).unwrap_or(100) / 100
}

/// A client in a terminal of its own, whose keys were timed.
fn typist(server: &Server, plan: &Plan) -> Result<(Client, u16, f64)> {
    let mut client = server.connect_as(&Hello::fresh(&[]))?;
    let terminal = client.open()?;
    echo::prepare(&mut client, terminal)?;
    let before = microseconds(&echo::keys(&mut client, terminal, plan.share(KEYS))?);
    Ok((client, terminal, median(&before)))
}

/// The growth since `before`, and the echo, while a flood goes on.
fn look(
    server: &Server,
    plan: &Plan,
    (mut client, terminal, quiet): (Client, u16, f64),
    before: f64,
) -> Result<Seen> {
    let started = Instant::now();
    let samples = microseconds(&echo::keys(&mut client, terminal, plan.share(KEYS))?);
    let mut most = server.memory("VmRSS")?;
    while started.elapsed() < flood_time(plan) {
        most = most.max(server.memory("VmRSS")?);
        thread::sleep(LOOK);
    }
    Ok(Seen { growth: (most - before) / 1024.0, slower: median(&samples) / quiet })
}

/// The only one who would read the flood does not.
fn alone(plan: &Plan) -> Result<Seen> {
    let server = Server::start(Contender::Fabrica)?;
    let typist = typist(&server, plan)?;
    let mut stalled = server.connect()?;
    stalled.settle()?;
    let before = server.memory("VmRSS")?;
    stalled.mouth.type_into(FIRST, b"yes\n")?;
    look(&server, plan, typist, before)
}

/// Others watch the flood and read nothing of it; one reads all of it.
fn beside_a_reader(plan: &Plan) -> Result<Seen> {
    let server = Server::start(Contender::Fabrica)?;
    let typist = typist(&server, plan)?;
    let mut viewers = Vec::new();
    for _ in 0..MANY {
        let mut viewer = server.connect_as(&Hello::fresh(&[]))?;
        viewer.mouth.attach(FIRST, true)?;
        viewer.settle()?;
        viewers.push(viewer);
    }
    let mut reader = server.connect()?;
    reader.settle()?;
    let before = server.memory("VmRSS")?;
    reader.mouth.type_into(FIRST, b"yes\n")?;
    let reading = thread::spawn(move || {
        // It ends with its server.
        while reader.output().is_ok() {}
    });
    let seen = look(&server, plan, typist, before);
    drop(server);
    reading.join().ok().context("the reader failed")?;
    seen
}

/// In MiB.
fn peer(plan: &Plan, contender: Contender) -> Result<f64> {
    let server = Server::start(contender)?;
    let mut stalled = server.connect()?;
    stalled.settle()?;
    let before = server.memory("VmRSS")?;
    stalled.mouth.type_into(FIRST, b"yes\n")?;
    thread::sleep(flood_time(plan));
    Ok((server.memory("VmRSS")? - before) / 1024.0)
}
