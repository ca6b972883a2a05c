//! How long a client waits for its terminal: connecting, typing, coming back.

use std::time::Duration;

use anyhow::Result;
use fabrica_e2e::terminal::Terminal;
use fabrica_e2e::{Gateway, Namespace};
use serde_json::json;

use crate::link::{Link, Place, Way};
use crate::stats::{describe, median, milliseconds};
use crate::table::{Kind, Row, Table};

/// Connections of each kind.
const CONNECTIONS: usize = 50;

/// Connections of users whom the gateway has never seen.
const STRANGERS: usize = 30;

/// Keys are typed in blocks, directly and through the gateway in turn.
const BLOCKS: usize = 16;
const KEYS: usize = 30;

/// The first keys of a block warm the connection up.
const WARM_UP: usize = 5;

const SESSION: &str = "terminal";

/// Measures one Session's terminal, directly and through the gateway.
pub(crate) async fn measure(namespace: &Namespace, table: &Table) -> Result<()> {
    let gateway = Gateway::new(Some(&namespace.user("bench", "edit").await?))?;
    let session = namespace.ready_session(SESSION, json!({})).await?;
    let through = Way::through(&gateway, namespace, SESSION);
    let direct = Way::direct(namespace, &session).await?;
    let mut link = Link::open(&through, None).await?;
    while !link.shown.contains(&b'$') {
        link.read().await?;
    }
    let place = link.last_byte();
    drop(link);

    let first = connect(&direct, None, CONNECTIONS).await?;
    time(table, "runtime: connect to an open terminal → first byte (p50)", &first, Some(5.0));
    let resumed = connect(&direct, Some(&place), CONNECTIONS).await?;
    time(table, "runtime: resume → first byte (p50)", &resumed, Some(5.0));
    let resumed = connect(&through, Some(&place), CONNECTIONS).await?;
    time(table, "resume through the gateway → first byte (p50)", &resumed, Some(5.0));
    let strange = connect_as_strangers(namespace).await?;
    let what = "connect through the gateway with cold access decisions (p50)";
    time(table, what, &strange, Some(15.0));
    echo(&gateway, namespace, (&direct, &through), table).await
}

async fn connect(way: &Way, place: Option<&Place>, count: usize) -> Result<Vec<Duration>> {
    let mut samples = Vec::new();
    for _ in 0..count {
        samples.push(Link::open(way, place).await?.first_byte);
    }
    Ok(samples)
}

/// Each with a token of its own: neither who they are nor what they may do is remembered.
async fn connect_as_strangers(namespace: &Namespace) -> Result<Vec<Duration>> {
    let mut samples = Vec::new();
    for _ in 0..STRANGERS {
        let token = namespace.cluster.token(&namespace.name, "bench").await?;
        let way = Way::through(&Gateway::new(Some(&token))?, namespace, SESSION);
        samples.push(Link::open(&way, None).await?.first_byte);
    }
    Ok(samples)
}

async fn echo(
    gateway: &Gateway,
    namespace: &Namespace,
    (direct, through): (&Way, &Way),
    table: &Table,
) -> Result<()> {
    let mut terminal = Terminal::connect(gateway, &namespace.name, SESSION).await?;
    // The kernel's own echo, byte by byte: nothing of a shell is in the figure.
    terminal.type_line("stty -icanon echo; echo rea''dy; exec cat >/dev/null").await?;
    terminal.read_until("ready").await?;
    drop(terminal);
    let (mut floor, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        type_block(direct, &mut floor).await?;
        type_block(through, &mut whole).await?;
    }
    let difference = milliseconds(median(&whole)) - milliseconds(median(&floor));
    table.add(Row {
        what: "echo through the gateway, above the direct way (p50)",
        measured: difference * 1e3,
        ceiling: 150.0,
        unit: "µs",
        kind: Kind::Ceiling,
        detail: format!("through {}; direct {}", describe(&whole), describe(&floor)),
    });
    Ok(())
}

async fn type_block(way: &Way, samples: &mut Vec<Duration>) -> Result<()> {
    let mut link = Link::open(way, None).await?;
    for key in 0..KEYS {
        let taken = link.echo().await?;
        if key >= WARM_UP {
            samples.push(taken);
        }
    }
    Ok(())
}

fn time(table: &Table, what: &'static str, samples: &[Duration], ceiling: Option<f64>) {
    table.add(Row {
        what,
        measured: milliseconds(median(samples)),
        ceiling: ceiling.unwrap_or_default(),
        unit: "ms",
        kind: if ceiling.is_some() { Kind::Ceiling } else { Kind::Note },
        detail: describe(samples),
    });
}
