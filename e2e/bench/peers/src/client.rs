//! One client for all: an adaptor for each protocol, and nothing of ours that a server of ours uses.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::websocket::{self, BINARY, PATIENCE, Reader, TEXT, Writer};

/// The first terminal of a Session; the only one of a peer's connection.
pub(crate) const FIRST: u16 = 1;

/// What a page of ours acknowledges at once.
pub(crate) const ACK_STEP: u64 = 32 * 1024;

/// Nothing more comes when nothing came for so long.
const QUIET: Duration = Duration::from_millis(150);

/// What is spoken over a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `kterm.v1`, ours.
    Kterm,
    /// Bytes in messages, as in the demo of xterm.js.
    Plain,
    /// JSON arrays.
    Terminado,
}

/// Where a server is and how one speaks to it.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    /// Bearer.
    pub(crate) token: Option<String>,
    pub(crate) protocol: Protocol,
}

/// What HELLO asks for.
#[derive(Debug, Clone)]
pub(crate) struct Hello {
    pub(crate) client_id: String,
    pub(crate) epoch: Option<String>,
    /// Terminals, and up to where their output is here.
    pub(crate) terminals: Vec<(u16, Option<u64>)>,
}

static CLIENTS: AtomicU64 = AtomicU64::new(0);

impl Hello {
    /// A page that was just opened.
    pub(crate) fn fresh(terminals: &[u16]) -> Self {
        let client_id = format!("bench-{}", CLIENTS.fetch_add(1, Ordering::Relaxed));
        let terminals = terminals.iter().map(|id| (*id, None)).collect();
        Self { client_id, epoch: None, terminals }
    }

    fn body(&self) -> Vec<u8> {
        let terminal = |(id, have): &(u16, Option<u64>)| {
            let mut one = json!({"id": id, "cols": 80, "rows": 24});
            if let Some(have) = have {
                one["have_off"] = json!(have);
            }
            one
        };
        let terms: Vec<Value> = self.terminals.iter().map(terminal).collect();
        let mut hello =
            json!({"client_id": self.client_id, "visible": true, "terms": terms, "caps": {}});
        if let Some(epoch) = &self.epoch {
            hello["epoch"] = json!(epoch);
        }
        hello.to_string().into_bytes()
    }
}

/// What came.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    Output {
        terminal: u16,
        offset: u64,
        bytes: Cow<'a, [u8]>,
    },
    Snapshot {
        terminal: u16,
        offset: u64,
        bytes: &'a [u8],
    },
    Welcome(Value),
    Terminals(Value),
    /// Input reached the program, up to here.
    Typed {
        terminal: u16,
        offset: u64,
    },
    /// A terminal has ended, and all of its output is here.
    Exit,
    Error(String),
    Other,
}

/// The half that hears.
#[derive(Debug)]
pub(crate) struct Ear {
    reader: Reader,
    protocol: Protocol,
    /// Output of a peer has no offsets: it is counted.
    counted: u64,
}

/// The half that speaks.
#[derive(Debug)]
pub(crate) struct Mouth {
    writer: Writer,
    protocol: Protocol,
    /// Bytes typed so far, by terminal.
    typed: BTreeMap<u16, u64>,
}

impl Ear {
    /// The next message; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Heard<'_>>> {
        let Some((_, body)) = self.reader.message()? else { return Ok(None) };
        Ok(Some(match self.protocol {
            Protocol::Kterm => kterm(body)?,
            Protocol::Plain => counted(&mut self.counted, Cow::Borrowed(body)),
            Protocol::Terminado => match terminado(body)? {
                Some(text) => counted(&mut self.counted, Cow::Owned(text.into_bytes())),
                None if body.starts_with(b"[\"disconnect\"") => Heard::Exit,
                None => Heard::Other,
            },
        }))
    }

    pub(crate) const fn reader(&self) -> &Reader {
        &self.reader
    }
}

fn counted<'a>(total: &mut u64, bytes: Cow<'a, [u8]>) -> Heard<'a> {
    let offset = *total;
    *total += bytes.len() as u64;
    Heard::Output { terminal: FIRST, offset, bytes }
}

fn terminado(body: &[u8]) -> Result<Option<String>> {
    let message: Vec<Value> = serde_json::from_slice(body)?;
    let mut words = message.into_iter();
    match (words.next(), words.next()) {
        (Some(Value::String(kind)), Some(Value::String(text))) if kind == "stdout" => {
            Ok(Some(text))
        }
        _ => Ok(None),
    }
}

fn kterm(frame: &[u8]) -> Result<Heard<'_>> {
    let kind = *frame.first().context("an empty frame")?;
    let terminal = u16::from_le_bytes(frame.get(2..4).context("a short frame")?.try_into()?);
    let body = &frame[4..];
    let offset = || -> Result<u64> {
        Ok(u64::from_le_bytes(body.get(..8).context("a short body")?.try_into()?))
    };
    Ok(match kind {
        0x81 => Heard::Output { terminal, offset: offset()?, bytes: Cow::Borrowed(&body[8..]) },
        0x82 => Heard::Snapshot { terminal, offset: offset()?, bytes: &body[13..] },
        0x83 => Heard::Typed { terminal, offset: offset()? },
        0x85 => Heard::Exit,
        0x87 => Heard::Terminals(serde_json::from_slice(body)?),
        0x88 => Heard::Error(String::from_utf8_lossy(&body[6..]).into_owned()),
        0x89 => Heard::Welcome(serde_json::from_slice(body)?),
        _ => Heard::Other,
    })
}

impl Mouth {
    fn frame(&mut self, kind: u8, terminal: u16, parts: &[&[u8]]) -> Result<()> {
        let [low, high] = terminal.to_le_bytes();
        let head = [kind, 0, low, high];
        let all: Vec<&[u8]> = std::iter::once(&head[..]).chain(parts.iter().copied()).collect();
        self.writer.send(BINARY, &all)
    }

    /// Types into a terminal.
    pub(crate) fn type_into(&mut self, terminal: u16, bytes: &[u8]) -> Result<()> {
        match self.protocol {
            Protocol::Kterm => {
                let offset = self.typed.get(&terminal).copied().unwrap_or_default();
                self.typed.insert(terminal, offset + bytes.len() as u64);
                self.frame(0x01, terminal, &[&offset.to_le_bytes(), bytes])
            }
            Protocol::Plain => self.writer.send(TEXT, &[bytes]),
            Protocol::Terminado => {
                let text = json!(["stdin", String::from_utf8_lossy(bytes)]).to_string();
                self.writer.send(TEXT, &[text.as_bytes()])
            }
        }
    }

    /// Says that output is parsed up to here. No peer asks.
    pub(crate) fn parsed(&mut self, terminal: u16, offset: u64) -> Result<()> {
        if self.protocol == Protocol::Kterm {
            self.frame(0x03, terminal, &[&offset.to_le_bytes()])?;
        }
        Ok(())
    }

    /// Goes on typing from here, as WELCOME said.
    pub(crate) fn typed_up_to(&mut self, terminal: u16, offset: u64) {
        self.typed.insert(terminal, offset);
    }

    fn open(&mut self, key: u128) -> Result<()> {
        self.frame(0x04, 0, &[&key.to_le_bytes(), br#"{"cols":80,"rows":24}"#])
    }

    /// Attaches a terminal of which nothing is here; as one who watches, or who types, too.
    pub(crate) fn attach(&mut self, terminal: u16, view: bool) -> Result<()> {
        let nothing = u64::MAX.to_le_bytes();
        let rest = [0, 0, 0, 0, 80, 0, 24, 0, u8::from(view)];
        self.frame(0x05, terminal, &[&nothing, &[0; 8], &rest])
    }

    pub(crate) fn cut(&self) {
        self.writer.cut();
    }
}

/// Both halves.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) ear: Ear,
    pub(crate) mouth: Mouth,
    /// Empty from a peer.
    pub(crate) welcome: Value,
    acknowledged: BTreeMap<u16, u64>,
}

impl Client {
    /// Connects, and attaches the first terminal or gets one of its own.
    pub(crate) fn connect(way: &Way) -> Result<Self> {
        Self::connect_as(way, &Hello::fresh(&[FIRST]))
    }

    pub(crate) fn connect_as(way: &Way, hello: &Hello) -> Result<Self> {
        let stream = TcpStream::connect(way.address)
            .with_context(|| format!("connect to {}", way.address))?;
        Self::over(stream, way, hello)
    }

    /// Greets over a connection that stands.
    pub(crate) fn over(stream: TcpStream, way: &Way, hello: &Hello) -> Result<Self> {
        let bearer = way.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = Vec::new();
        if let Some(bearer) = &bearer {
            headers.push(("Authorization", bearer.as_str()));
        }
        if way.protocol == Protocol::Kterm {
            headers.push(("Sec-WebSocket-Protocol", "kterm.v1"));
        }
        let (reader, writer) = websocket::handshake(stream, way.address, &way.path, &headers)?;
        let protocol = way.protocol;
        let mut client = Self {
            ear: Ear { reader, protocol, counted: 0 },
            mouth: Mouth { writer, protocol, typed: BTreeMap::new() },
            welcome: Value::Null,
            acknowledged: BTreeMap::new(),
        };
        if protocol == Protocol::Kterm {
            client.mouth.frame(0x0C, 0, &[&hello.body()])?;
            match client.ear.next()?.context("no WELCOME")? {
                Heard::Welcome(welcome) => client.welcome = welcome,
                other => bail!("no WELCOME but {other:?}"),
            }
        }
        Ok(client)
    }

    /// The next output of any terminal (or a snapshot, whose bytes are shown as well), acknowledged as it comes.
    pub(crate) fn output(&mut self) -> Result<(u16, Vec<u8>)> {
        loop {
            let (terminal, end, bytes) = match self.ear.next()?.context("the server closed")? {
                Heard::Output { terminal, offset, bytes } => {
                    (terminal, offset + bytes.len() as u64, bytes.into_owned())
                }
                Heard::Snapshot { terminal, offset, bytes } => (terminal, offset, bytes.to_vec()),
                Heard::Error(text) => bail!("the server says: {text}"),
                _ => continue,
            };
            self.parsed(terminal, end)?;
            return Ok((terminal, bytes));
        }
    }

    fn parsed(&mut self, terminal: u16, end: u64) -> Result<()> {
        let last = self.acknowledged.entry(terminal).or_insert(0);
        if end >= *last + ACK_STEP || *last == 0 {
            *last = end;
            self.mouth.parsed(terminal, end)?;
        }
        Ok(())
    }

    /// How far a terminal was when its client was welcomed.
    pub(crate) fn head(&self, terminal: u16) -> Result<u64> {
        let terms = self.welcome["terms"].as_array().context("terms")?;
        let found = terms.iter().find(|term| term["id"] == terminal);
        found.context("the terminal is gone")?["head"].as_u64().context("head")
    }

    /// Reads until a terminal has shown this.
    pub(crate) fn read_until(&mut self, terminal: u16, wanted: &[u8]) -> Result<()> {
        let mut recent = Vec::new();
        loop {
            let (from, bytes) = self.output()?;
            if from == terminal && shows(&mut recent, &bytes, wanted) {
                return Ok(());
            }
        }
    }

    /// Reads until nothing comes any more.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.ear.reader.set_patience(QUIET)?;
        while self.output().is_ok() {}
        self.ear.reader.set_patience(PATIENCE)
    }

    /// Types a line into a terminal and waits for what it prints.
    pub(crate) fn run(&mut self, terminal: u16, line: &str, shown: &str) -> Result<()> {
        self.mouth.type_into(terminal, format!("{line}\n").as_bytes())?;
        self.read_until(terminal, shown.as_bytes())
    }

    /// Opens one more terminal of ours and attaches it.
    pub(crate) fn open(&mut self) -> Result<u16> {
        let key = u128::from(CLIENTS.fetch_add(1, Ordering::Relaxed)) << 64 | 1;
        let name = format!("{key:x}");
        self.mouth.open(key)?;
        loop {
            let found = match self.ear.next()?.context("the server closed")? {
                Heard::Terminals(list) => list["terms"].as_array().and_then(|terms| {
                    let ours = |term: &&Value| is_key(term, &name);
                    terms.iter().find(ours)?["id"].as_u64()
                }),
                Heard::Error(text) => bail!("no terminal: {text}"),
                _ => None,
            };
            if let Some(id) = found {
                let id = u16::try_from(id)?;
                self.mouth.attach(id, false)?;
                return Ok(id);
            }
        }
    }
}

fn is_key(terminal: &Value, name: &str) -> bool {
    terminal["key"].as_str().is_some_and(|key| key.trim_start_matches('0') == name)
}

/// Whether text has come, however it was cut; `recent` keeps what a cut may need.
pub(crate) fn shows(recent: &mut Vec<u8>, bytes: &[u8], wanted: &[u8]) -> bool {
    recent.extend_from_slice(bytes);
    let found = recent.windows(wanted.len()).any(|part| part == wanted);
    let kept = recent.len().min(wanted.len() - 1);
    recent.drain(..recent.len() - kept);
    found
}
