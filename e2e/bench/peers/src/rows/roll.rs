//! 6m: one of two gateways is killed while 200 terminals of 13 Sessions print.

use std::borrow::Cow;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Plan;
use super::resets::Numbers;
use crate::api_server::{ApiServer, uid};
use crate::client::{Client, FIRST, Heard, Hello, Way};
use crate::contender::{Contender, Server};
use crate::gateway::Gateway;
use crate::report::{Limit, Row, Table};
use crate::samples::{figure, quantile};
use crate::tools;

/// Terminals, and as many of them as a Session may have in each Session.
const TERMINALS: usize = 200;
const OF_A_SESSION: usize = 16;

/// Prints a line every 200 ms.
const COUNTER: &str = "stty -echo; i=0; while :; do echo n=$((i=i+1)); read -t 0.2; done";

/// Before and behind the kill.
const BEFORE: Duration = Duration::from_secs(2);
const BEHIND: Duration = Duration::from_secs(3);

/// The first attempt of every page comes within so many milliseconds, at random.
const JITTER: u64 = 100;

/// What one page saw.
#[derive(Debug)]
struct Seen {
    /// When the living gateway had taken its connection.
    accepted: Instant,
    /// When each of its terminals was as far as the runtime said.
    back: Vec<Instant>,
    /// Lines lost, doubled or torn.
    wrong: u64,
    lines: u64,
}

/// One of its terminals.
#[derive(Debug, Default)]
struct Terminal {
    id: u16,
    have: u64,
    numbers: Numbers,
    wrong: u64,
    /// Where it has to come to be back.
    goal: Option<u64>,
}

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    let (mut late, mut wrong, mut lines, mut terminals) = (Vec::new(), 0, 0, 0);
    let rounds = plan.rounds.min(3);
    for round in 1..=rounds {
        let seen = roll(plan.share(TERMINALS))?;
        let first = seen.iter().map(|seen| seen.accepted).min().context("no page")?;
        let back = seen.iter().flat_map(|seen| &seen.back);
        let times: Vec<f64> = back.map(|at| (*at - first).as_secs_f64() * 1e3).collect();
        wrong += seen.iter().map(|seen| seen.wrong).sum::<u64>();
        lines += seen.iter().map(|seen| seen.lines).sum::<u64>();
        terminals = times.len();
        late.push(quantile(&times, 0.99));
        eprintln!(
            "  round {round}/{rounds}: {terminals} back, p99 {} ms",
            figure(quantile(&times, 0.99))
        );
    }
    table.add(Row {
        id: "6m",
        what: format!("a gateway killed under {terminals} terminals: lines lost, doubled or torn"),
        values: vec![wrong as f64],
        unit: "",
        limit: Limit::AtMost(0.0),
        figures: format!("{lines} lines in {rounds} rounds, every terminal back in each"),
    });
    table.add(Row {
        id: "6m",
        what: "first connection taken by the other gateway → terminal as far as the runtime, p99"
            .to_owned(),
        values: late,
        unit: "ms",
        limit: Limit::AtMost(500.0),
        figures: format!("the pages' own first {JITTER} ms of jitter are in it"),
    });
    Ok(())
}

fn roll(terminals: usize) -> Result<Vec<Seen>> {
    let sessions: Vec<usize> = (0..terminals.div_ceil(OF_A_SESSION))
        .map(|number| OF_A_SESSION.min(terminals - number * OF_A_SESSION))
        .collect();
    let names: Vec<_> =
        (0..sessions.len()).map(|number| (format!("roll-{number}"), tools::own_ip())).collect();
    let pods = names.iter().map(|(name, ip)| Server::start_as(Contender::Fabrica, &uid(name), *ip));
    let _pods: Vec<Server> = pods.collect::<Result<_>>()?;
    let api = ApiServer::start(&names)?;
    let (mut dies, lives) = (Gateway::start(&api)?, Gateway::start(&api)?);
    let ready = Arc::new(Barrier::new(sessions.len() + 1));
    let pages: Vec<_> = names
        .iter()
        .zip(&sessions)
        .enumerate()
        .map(|(number, ((name, _), count))| {
            let ways = [dies.way(name, "user"), lives.way(name, "user")];
            let (ready, count) = (Arc::clone(&ready), *count);
            let (sender, outcome): (Sender<Result<Seen>>, Receiver<_>) = channel();
            let jitter = Duration::from_millis(number as u64 * JITTER / 13);
            thread::spawn(move || {
                let page = Page::open(&ways[0], count);
                ready.wait();
                let seen = page.and_then(|page| page.live(&ways[1], jitter));
                // Whoever waits is there until all have answered.
                let _ = sender.send(seen);
            });
            outcome
        })
        .collect();
    ready.wait();
    thread::sleep(BEFORE);
    dies.kill()?;
    pages.into_iter().map(|page| page.recv().context("a page failed")?).collect()
}

/// A page of one Session with all of its terminals.
#[derive(Debug)]
struct Page {
    client: Client,
    hello: Hello,
    terminals: Vec<Terminal>,
}

impl Page {
    /// Opens the terminals and starts what they print.
    fn open(way: &Way, count: usize) -> Result<Self> {
        let mut client = Client::connect(way)?;
        let mut ids = vec![FIRST];
        for _ in 1..count {
            ids.push(client.open()?);
        }
        for id in &ids {
            client.run(*id, "echo rea''dy", "ready\r\n")?;
        }
        client.settle()?;
        drop(client);
        // What is here begins behind what was said so far.
        let mut hello = Hello::fresh(&[]);
        let client = Client::connect_as(way, &hello)?;
        let terminals = ids.iter().map(|id| {
            let have = client.head(*id)?;
            Ok(Terminal { id: *id, have, ..Terminal::default() })
        });
        let terminals: Vec<Terminal> = terminals.collect::<Result<_>>()?;
        hello.epoch = client.welcome["epoch"].as_str().map(str::to_owned);
        hello.terminals = terminals.iter().map(|it| (it.id, Some(it.have))).collect();
        drop(client);
        let mut client = Client::connect_as(way, &hello)?;
        for id in ids {
            client.mouth.type_into(id, format!("{COUNTER}\n").as_bytes())?;
        }
        Ok(Self { client, hello, terminals })
    }

    /// Reads until its gateway is gone, comes back through the other one, and reads on.
    fn live(mut self, other: &Way, jitter: Duration) -> Result<Seen> {
        while self.hear().unwrap_or(false) {}
        self.hello.terminals = self.terminals.iter().map(|it| (it.id, Some(it.have))).collect();
        thread::sleep(jitter);
        let stream = TcpStream::connect(other.address)?;
        let accepted = Instant::now();
        self.client = Client::over(stream, other, &self.hello)?;
        for terminal in &mut self.terminals {
            terminal.goal = Some(self.client.head(terminal.id)?);
        }
        let mut back = Vec::new();
        let until = Instant::now() + BEHIND;
        while Instant::now() < until {
            let now = Instant::now();
            for terminal in &mut self.terminals {
                if terminal.goal.is_some_and(|goal| terminal.have >= goal) {
                    terminal.goal = None;
                    back.push(now);
                }
            }
            ensure!(self.hear()?, "the other gateway closed");
        }
        ensure!(
            back.len() == self.terminals.len(),
            "{} of {} terminals are back",
            back.len(),
            self.terminals.len()
        );
        let wrong = self.terminals.iter().map(|it| it.wrong + it.numbers.wrong).sum();
        let lines = self.terminals.iter().map(|it| it.numbers.last()).sum();
        Ok(Seen { accepted, back, wrong, lines })
    }

    /// Takes one message; `false` at the end.
    fn hear(&mut self) -> Result<bool> {
        let Some(heard) = self.client.ear.next()? else { return Ok(false) };
        let (id, offset, bytes) = match heard {
            Heard::Output { terminal, offset, bytes } => (terminal, offset, bytes),
            Heard::Snapshot { terminal, offset, .. } => (terminal, offset, Cow::default()),
            _ => return Ok(true),
        };
        let found = self.terminals.iter_mut().find(|terminal| terminal.id == id);
        let terminal = found.context("a terminal that nobody asked for")?;
        terminal.wrong += u64::from(offset != terminal.have);
        terminal.have = offset + bytes.len() as u64;
        terminal.numbers.take(&bytes);
        let end = terminal.have;
        self.client.mouth.parsed(id, end)?;
        Ok(true)
    }
}
