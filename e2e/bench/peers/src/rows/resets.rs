//! 6g: connections that are reset at random, while a program prints and while somebody pastes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::net::sockopt::set_socket_linger;

use super::Plan;
use crate::client::{Client, FIRST, Heard, Hello};
use crate::contender::{Contender, Server};
use crate::report::{Limit, Row, Table};
use crate::samples::{figure, quantile};
use crate::tools;

/// Connections that are reset in all rounds together.
const RESETS: usize = 1000;

/// A connection lives for a moment between these, in milliseconds.
const LIVES: std::ops::Range<u64> = 2..20;

/// A paste goes out in such pieces, so much of it before it is known to have reached the program, and so fast a second.
const PIECE: u64 = 1024;
const UNTYPED: u64 = 16 * 1024;
const PASTE_A_SECOND: f64 = 256.0 * 1024.0;

/// Prints its lines for ever.
const COUNTER: &str = "i=0; while :; do echo n=$((i=i+1)); done";

/// The numbered lines of a counter, checked as they come.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    line: Vec<u8>,
    last: u64,
    /// Lines that were not the one after the last.
    pub(super) wrong: u64,
}

impl Numbers {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            if let Some(number) = number(&self.line) {
                self.wrong += u64::from(number != self.last + 1);
                self.last = number;
            } else if self.last > 0 {
                self.wrong += 1;
            }
            self.line.clear();
        }
    }

    pub(super) const fn last(&self) -> u64 {
        self.last
    }
}

/// Of a line like `n=17`. The shell may have switched a mode before the first.
fn number(line: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    line.rsplit(['\r', '\u{7}']).next()?.strip_prefix("n=")?.parse().ok()
}

/// What is pasted, by its place.
fn pasted(offset: u64) -> u8 {
    // A prime period: no piece and no buffer repeats it.
    b"abcdefghijklmnopqrstuvwxyz0123456789+"[(offset % 37) as usize]
}

/// A page through all of its connections.
#[derive(Debug)]
struct Page {
    client_id: String,
    epoch: String,
    paste_terminal: u16,
    /// Output that is here, of the counter and of the terminal that is pasted into.
    have: [u64; 2],
    numbers: Numbers,
    /// Where the paste begins in the client's input, what was sent of it, and what reached the program.
    paste_start: u64,
    sent: u64,
    typed: u64,
    begun: Instant,
    wrong: u64,
}

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    let (mut late, mut wrong_output, mut wrong_input) = (Vec::new(), 0, 0);
    let (mut printed, mut typed) = (0, 0);
    let resets = plan.share(RESETS / plan.rounds);
    for round in 1..=plan.rounds {
        let server = Server::start(Contender::Fabrica)?;
        let (client, mut page) = begin(&server)?;
        let mut samples = Vec::new();
        let mut client = Some(client);
        for number in 0..resets {
            let mut current = client.take().context("a connection")?;
            page.live(&mut current, life(number as u64))?;
            reset(current)?;
            let (next, taken) = page.come_back(&server)?;
            samples.push(taken);
            client = Some(next);
        }
        let mut last = client.context("a connection")?;
        wrong_input += page.finish(&server, &mut last)?;
        wrong_output += page.wrong + page.numbers.wrong;
        printed += page.numbers.last();
        typed += page.typed - page.paste_start;
        late.push(quantile(&samples, 0.99));
        eprintln!("  round {round}/{}: p99 {} ms", plan.rounds, figure(quantile(&samples, 0.99)));
    }
    let all = resets * plan.rounds;
    let count = |what: &str, value: u64, figures: String| Row {
        id: "6g",
        what: format!("{all} resets: {what} lost or doubled"),
        values: vec![value as f64],
        unit: "",
        limit: Limit::AtMost(0.0),
        figures,
    };
    table.add(count("lines or frames of output", wrong_output, format!("{printed} lines printed")));
    table.add(count("bytes of a paste", wrong_input, format!("{typed} bytes pasted")));
    table.add(Row {
        id: "6g",
        what: "reset → first output again, p99".to_owned(),
        values: late,
        unit: "ms",
        limit: Limit::AtMost(20.0),
        figures: format!("{resets} resets a round, under output and paste"),
    });
    Ok(())
}

/// How long a connection lives: different for each, the same in every run.
fn life(number: u64) -> Duration {
    let mixed =
        number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
            >> 33;
    Duration::from_millis(LIVES.start + mixed % (LIVES.end - LIVES.start))
}

/// A counter in the first terminal, and in a second one a program that writes down what is pasted.
fn begin(server: &Server) -> Result<(Client, Page)> {
    let hello = Hello::fresh(&[FIRST]);
    let mut client = server.connect_as(&hello)?;
    let paste_terminal = client.open()?;
    client.run(paste_terminal, "stty raw -echo; echo rea''dy; cat >pasted", "ready")?;
    client.settle()?;
    let setup = "stty raw -echo; echo rea''dy; cat >pasted\n".len() as u64;
    let mut page = Page {
        client_id: hello.client_id,
        epoch: client.welcome["epoch"].as_str().unwrap_or_default().to_owned(),
        paste_terminal,
        have: [0, 0],
        numbers: Numbers::default(),
        paste_start: setup,
        sent: setup,
        typed: setup,
        begun: Instant::now(),
        wrong: 0,
    };
    client.run(FIRST, "stty -echo; echo go''es", "goes\r\n")?;
    client.settle()?;
    drop(client);
    // What is here begins behind what was said so far.
    let client = server.connect_as(&Hello::fresh(&[]))?;
    page.have = [client.head(FIRST)?, client.head(paste_terminal)?];
    drop(client);
    let (mut client, _) = page.greet(server)?;
    client.mouth.type_into(FIRST, format!("{COUNTER}\n").as_bytes())?;
    Ok((client, page))
}

impl Page {
    fn greet(&mut self, server: &Server) -> Result<(Client, Instant)> {
        let [counted, heard] = self.have.map(Some);
        let hello = Hello {
            client_id: self.client_id.clone(),
            epoch: Some(self.epoch.clone()),
            terminals: vec![(FIRST, counted), (self.paste_terminal, heard)],
        };
        let way = server.way()?;
        let started = Instant::now();
        let mut client = Client::connect_as(&way, &hello)?;
        let terms = client.welcome["terms"].as_array().context("terms")?.clone();
        for term in terms {
            let id = u16::try_from(term["id"].as_u64().context("id")?)?;
            let typed = term["in_off"].as_u64().unwrap_or_default();
            client.mouth.typed_up_to(id, typed);
            if id == self.paste_terminal {
                ensure!((self.typed..=self.sent).contains(&typed), "input went back to {typed}");
                (self.sent, self.typed) = (typed, typed);
            }
        }
        Ok((client, started))
    }

    /// Connects again; milliseconds until the counter is seen.
    fn come_back(&mut self, server: &Server) -> Result<(Client, f64)> {
        let (mut client, started) = self.greet(server)?;
        while !self.hear(&mut client)? {}
        Ok((client, started.elapsed().as_secs_f64() * 1e3))
    }

    /// Takes one message; whether it was the counter's.
    fn hear(&mut self, client: &mut Client) -> Result<bool> {
        let (terminal, end) = match client.ear.next()?.context("the server closed")? {
            Heard::Output { terminal, offset, bytes } => {
                let have = &mut self.have[usize::from(terminal == self.paste_terminal)];
                self.wrong += u64::from(offset != *have);
                *have = offset + bytes.len() as u64;
                if terminal == FIRST {
                    self.numbers.take(&bytes);
                }
                (terminal, *have)
            }
            Heard::Snapshot { terminal, offset, .. } => {
                let have = &mut self.have[usize::from(terminal == self.paste_terminal)];
                // Of a page that has everything it starts with what it has.
                self.wrong += u64::from(offset != *have);
                (terminal, offset)
            }
            Heard::Typed { terminal, offset } if terminal == self.paste_terminal => {
                self.typed = self.typed.max(offset);
                return Ok(false);
            }
            Heard::Error(text) => anyhow::bail!("the server says: {text}"),
            _ => return Ok(false),
        };
        client.mouth.parsed(terminal, end)?;
        Ok(terminal == FIRST)
    }

    /// Prints and pastes for so long.
    fn live(&mut self, client: &mut Client, life: Duration) -> Result<()> {
        let until = Instant::now() + life;
        while Instant::now() < until {
            self.hear(client)?;
            let due = self.begun.elapsed().as_secs_f64() * PASTE_A_SECOND;
            let may = self.sent < self.typed + UNTYPED && (self.sent as f64) < due;
            if may {
                let piece: Vec<u8> = (0..PIECE).map(|at| pasted(self.sent + at)).collect();
                client.mouth.type_into(self.paste_terminal, &piece)?;
                self.sent += PIECE;
            }
        }
        Ok(())
    }

    /// Lets both end; how many bytes of the paste are wrong.
    fn finish(&mut self, server: &Server, client: &mut Client) -> Result<u64> {
        let sent = self.sent;
        while self.typed < sent {
            self.hear(client)?;
        }
        client.mouth.type_into(FIRST, b"\x03")?;
        let path = server.folder.path().join("workspace/pasted");
        let length = (sent - self.paste_start) as usize;
        let mut found = Vec::new();
        // The program may still be writing.
        let in_time = tools::eventually("the paste is written", || {
            found = std::fs::read(&path).unwrap_or_default();
            found.len() >= length
        });
        let wanted = (self.paste_start..sent).map(pasted);
        let same =
            found.iter().zip(wanted).take_while(|(found, wanted)| **found == *wanted).count();
        let wrong = found.len().max(length) - same;
        ensure!(in_time.is_ok() || wrong > 0, "the paste was not written");
        Ok(wrong as u64)
    }
}

/// Ends a connection by RST: what is on its way is lost.
fn reset(client: Client) -> Result<()> {
    set_socket_linger(client.ear.reader().stream(), Some(Duration::ZERO))?;
    drop(client);
    Ok(())
}
