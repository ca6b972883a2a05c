//! 6a and 6b: how long a key takes to be seen.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Plan, medians};
use crate::api_server::{ApiServer, uid};
use crate::client::{Client, FIRST, Hello};
use crate::contender::{Contender, Server};
use crate::gateway::Gateway;
use crate::report::{Limit, Row, Table};
use crate::samples::{median, microseconds, quantile, ratios};
use crate::tab::Pace;
use crate::tools;

/// Keys of one block; a terminal that gathers a line takes 4,095.
const KEYS: usize = 300;

/// Between two keys.
const PAUSE: Duration = Duration::from_millis(2);

/// How fast a flood beside is read, in MB/s.
const FLOOD_PACE: f64 = 20.0;

/// Through the gateway and past it keys are typed in blocks, in turns.
const BLOCKS: usize = 6;
const BLOCK_KEYS: usize = 60;

/// A program before which the terminal itself echoes, and the word that tells it is there.
const ECHO_OF_THE_TERMINAL: (&str, &str) = ("echo rea''dy; cat >/dev/null", "ready");

/// Types keys one after the other; how long each takes to be seen.
pub(super) fn keys(client: &mut Client, terminal: u16, count: usize) -> Result<Vec<Duration>> {
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        std::thread::sleep(PAUSE);
        let started = Instant::now();
        client.mouth.type_into(terminal, b"x")?;
        loop {
            let (from, bytes) = client.output()?;
            if from == terminal && bytes.contains(&b'x') {
                break;
            }
        }
        samples.push(started.elapsed());
    }
    Ok(samples)
}

/// A client before a terminal that echoes by itself.
pub(super) fn prepared(server: &Server) -> Result<Client> {
    let mut client = server.connect()?;
    prepare(&mut client, FIRST)?;
    Ok(client)
}

pub(super) fn prepare(client: &mut Client, terminal: u16) -> Result<()> {
    let (line, shown) = ECHO_OF_THE_TERMINAL;
    client.run(terminal, line, shown)?;
    client.settle()
}

/// 6a.
pub(crate) fn idle(plan: &Plan, table: &Table) -> Result<()> {
    let (count, all) = (plan.share(KEYS), Contender::ALL);
    let (mut tails, mut readline) = (vec![Vec::new(); all.len()], vec![Vec::new(); all.len()]);
    let middles = plan.in_turns(&all, "µs", |contender| {
        let server = Server::start(contender)?;
        let mut client = server.connect()?;
        client.run(FIRST, "echo rea''dy", "ready")?;
        client.settle()?;
        let place = all.iter().position(|one| *one == contender).unwrap_or_default();
        readline[place].push(median(&microseconds(&keys(&mut client, FIRST, count)?)));
        client.mouth.type_into(FIRST, b"\x15")?;
        prepare(&mut client, FIRST)?;
        let samples = microseconds(&keys(&mut client, FIRST, count)?);
        tails[place].push(quantile(&samples, 0.99));
        Ok(median(&samples))
    })?;
    let rows = [
        ("echo by the terminal, p50, to node-pty", &middles, Limit::AtMost(0.5)),
        ("echo by the terminal, p99, to node-pty", &tails, Limit::None),
        ("echo by bash, p50, to node-pty", &readline, Limit::None),
    ];
    for (what, values, limit) in rows {
        table.add(Row {
            id: "6a",
            what: what.to_owned(),
            values: ratios(&values[0], &values[1]),
            unit: "×",
            limit,
            figures: medians(&all, "µs", values),
        });
    }
    through_the_gateway(plan, table)
}

fn through_the_gateway(plan: &Plan, table: &Table) -> Result<()> {
    let (mut added, mut direct_all, mut through_all) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        let ip = tools::own_ip();
        let server = Server::start_as(Contender::Fabrica, &uid("echo"), ip)?;
        let api = ApiServer::start(&[("echo".to_owned(), ip)])?;
        let gateway = Gateway::start(&api)?;
        drop(prepared(&server)?);
        let (mut direct, mut through) = (Vec::new(), Vec::new());
        for _ in 0..BLOCKS {
            let mut client = server.connect()?;
            client.settle()?;
            direct.extend(keys(&mut client, FIRST, plan.share(BLOCK_KEYS))?);
            drop(client);
            let mut client = Client::connect(&gateway.way("echo", "user"))?;
            client.settle()?;
            through.extend(keys(&mut client, FIRST, plan.share(BLOCK_KEYS))?);
        }
        let (direct, through) = (median(&microseconds(&direct)), median(&microseconds(&through)));
        eprintln!(
            "  round {round}/{}: direct {direct:.0} µs, through {through:.0} µs",
            plan.rounds
        );
        direct_all.push(direct);
        through_all.push(through);
        added.push(through - direct);
    }
    table.add(Row {
        id: "6a",
        what: "echo through the gateway, above the direct way, p50".to_owned(),
        values: added,
        unit: "µs",
        limit: Limit::AtMost(150.0),
        figures: format!(
            "direct {:.0} µs, through {:.0} µs",
            median(&direct_all),
            median(&through_all)
        ),
    });
    Ok(())
}

/// 6b.
pub(crate) fn beside_a_flood(plan: &Plan, table: &Table) -> Result<()> {
    let all = Contender::ALL;
    let mut tails = vec![Vec::new(); all.len()];
    let middles = plan.in_turns(&all, "µs", |contender| {
        let server = Server::start(contender)?;
        let mut client = prepared(&server)?;
        let (mut other, terminal) = match contender {
            Contender::Fabrica => {
                let mut other = server.connect_as(&Hello::fresh(&[]))?;
                let terminal = other.open()?;
                (other, terminal)
            }
            _ => (server.connect()?, FIRST),
        };
        other.run(terminal, "echo rea''dy; yes", "ready\r\ny")?;
        let flood = std::thread::spawn(move || {
            let mut pace = Pace::new(FLOOD_PACE);
            // It ends with its server.
            while let Ok((_, bytes)) = other.output() {
                pace.draw(bytes.len());
            }
        });
        let samples = keys(&mut client, FIRST, plan.share(KEYS));
        drop(server);
        // A panic there has been told already.
        let _ = flood.join();
        let samples = microseconds(&samples?);
        let place = all.iter().position(|one| *one == contender).unwrap_or_default();
        tails[place].push(quantile(&samples, 0.99));
        Ok(median(&samples))
    })?;
    for (what, values, limit) in
        [("p50", &middles, Limit::AtMost(0.3)), ("p99", &tails, Limit::None)]
    {
        table.add(Row {
            id: "6b",
            what: format!("echo while another terminal floods, {what}, to node-pty"),
            values: ratios(&values[0], &values[1]),
            unit: "×",
            limit,
            figures: medians(&all, "µs", values),
        });
    }
    Ok(())
}
