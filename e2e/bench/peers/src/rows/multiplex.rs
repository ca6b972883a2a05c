//! 6e: keys in one terminal while another one floods the same socket.

use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Plan, echo};
use crate::client::{Client, FIRST};
use crate::contender::{Contender, Server};
use crate::report::{Limit, Row, Table};
use crate::samples::{median, microseconds, quantile};
use crate::tab::{Pace, Tab};

/// What the tab draws of the flood, in MB/s.
const PACE: f64 = 5.0;

/// Of a link of 10 Mbit/s that is read no faster, in bytes a second.
const LINK: f64 = 1.25e6;

/// The socket's buffer behind such a link.
const LINK_BUFFER: usize = 64 * 1024;

/// Between two keys, and how many there are.
const PAUSE: Duration = Duration::from_millis(10);
const KEYS: usize = 200;

/// What the flood may add, in milliseconds.
const SLACK: f64 = 20.0;

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    let count = plan.share(KEYS);
    let mut above = (Vec::new(), Vec::new());
    let (mut idle_all, mut flooded_all, mut slow_all) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        let server = Server::start(Contender::Fabrica)?;
        let mut client = echo::prepared(&server)?;
        let idle = microseconds(&echo::keys(&mut client, FIRST, count)?);
        let flooded = microseconds(&beside(&flooding(client)?, count)?);
        let slow = slow_link(&Server::start(Contender::Fabrica)?, plan.share(KEYS / 10))?;
        let excess = |share| (quantile(&flooded, share) - 2.0 * quantile(&idle, share)) / 1e3;
        above.0.push(excess(0.5));
        above.1.push(excess(0.99));
        idle_all.push(median(&idle) / 1e3);
        flooded_all.push(median(&flooded) / 1e3);
        slow_all.push(median(&slow) / 1e3);
        eprintln!("  round {round}/{}: p50 {:.2} ms", plan.rounds, median(&flooded) / 1e3);
    }
    let figures =
        format!("alone {:.2} ms, beside {:.2} ms", median(&idle_all), median(&flooded_all));
    for (what, values) in [("p50", above.0), ("p99", above.1)] {
        table.add(Row {
            id: "6e",
            what: format!("echo beside a flood on the same socket, drawn at 5 MB/s, above twice that without it, {what}"),
            values,
            unit: "ms",
            limit: Limit::AtMost(SLACK),
            figures: figures.clone(),
        });
    }
    table.add(Row {
        id: "6e",
        what: "the same over a link of 10 Mbit/s, p50".to_owned(),
        values: slow_all,
        unit: "ms",
        limit: Limit::None,
        figures: "what is on its way when the key is echoed has to come first".to_owned(),
    });
    Ok(())
}

/// Starts a flood in a second terminal of the same socket.
fn flooding(mut client: Client) -> Result<Tab> {
    let terminal = client.open()?;
    client.run(terminal, "echo rea''dy; yes", "ready\r\ny")?;
    Ok(Tab::new(client))
}

/// How long each key took until its echo had come.
fn beside(tab: &Tab, count: usize) -> Result<Vec<Duration>> {
    let mouth = std::sync::Arc::clone(&tab.mouth);
    let typist = thread::spawn(move || -> Result<Vec<Instant>> {
        let mut pressed = Vec::with_capacity(count);
        for _ in 0..count {
            thread::sleep(PAUSE);
            pressed.push(Instant::now());
            let mut mouth = mouth.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            mouth.type_into(FIRST, b"x")?;
        }
        Ok(pressed)
    });
    let (mut pace, mut seen) = (Pace::new(PACE), Vec::with_capacity(count));
    while seen.len() < count {
        match tab.queue.recv_timeout(crate::websocket::PATIENCE) {
            Ok(piece) if piece.terminal == FIRST => {
                seen.extend(piece.bytes.iter().filter(|byte| **byte == b'x').map(|_| piece.at));
            }
            Ok(piece) => {
                pace.draw(piece.bytes.len());
                if pace.is_due(piece.end) {
                    tab.parsed(piece.terminal, piece.end)?;
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                anyhow::bail!("{} of {count} keys were echoed", seen.len())
            }
        }
    }
    let pressed = typist.join().ok().context("the typist failed")??;
    let late = pressed.iter().zip(&seen).map(|(from, to)| to.saturating_duration_since(*from));
    Ok(late.collect())
}

/// Reads no faster than the link would bring it.
fn slow_link(server: &Server, count: usize) -> Result<Vec<f64>> {
    let mut client = echo::prepared(server)?;
    let terminal = client.open()?;
    client.run(terminal, "echo rea''dy", "ready\r\n")?;
    let stream = client.ear.reader().stream();
    rustix::net::sockopt::set_socket_recv_buffer_size(stream, LINK_BUFFER)?;
    client.mouth.type_into(terminal, b"yes\n")?;
    let mut pace = Pace::new(LINK / 1e6);
    let mut samples = Vec::with_capacity(count);
    let begun = Instant::now();
    // The buffers on the way are to be full when the first key is pressed.
    while begun.elapsed() < Duration::from_secs(1) {
        pace.draw(client.output()?.1.len());
    }
    while samples.len() < count {
        let started = Instant::now();
        client.mouth.type_into(FIRST, b"x")?;
        loop {
            let (from, bytes) = client.output()?;
            pace.draw(bytes.len());
            if from == FIRST && bytes.contains(&b'x') {
                break;
            }
        }
        samples.push(started.elapsed());
    }
    Ok(microseconds(&samples))
}
