//! A page with all terminals of a Session on one socket: whatever happens to the connection, every byte is kept once, and a
//! gap, a repeat or a fresh start is an error.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use fabrica_protocol::kterm::{
    ClientFrame, Hello, HelloTerminal, OpenRequest, SUBPROTOCOL, ServerFrame, Welcome,
};
use futures::SinkExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Duration, Instant};
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, http};

use crate::Gateway;
use crate::cluster::DEADLINE;
use crate::terminal::{Socket, next_frame};

/// What is acknowledged at once, as pages do it.
const ACK_STEP: u64 = 32 * 1024;
/// The terminals of these tests print several times a second: whoever hears nothing for so long has lost its connection.
const SILENCE: Duration = Duration::from_secs(5);
/// A page spreads its attempts; a test wants to know soon.
const PAUSE: Duration = Duration::from_millis(50);

/// Prints a number every 200 ms until a line is typed, and then how many they were.
pub const PRINTER: &str = "stty -echo; PS1=; i=0; echo be''gin; until read -t 0.2 line; do i=$((i+1)); echo n=$i; done; echo total''=$i=";

/// Ends a [`PRINTER`]: several lines, for one that comes as its time is over may be lost.
pub const ENOUGH: &str = "\r\r";

/// One terminal.
#[derive(Debug, Default)]
struct Shown {
    have: Option<u64>,
    acked: u64,
    bytes: Vec<u8>,
    typed: Vec<u8>,
    confirmed: usize,
}

/// All terminals of one Session.
#[derive(Debug)]
pub struct Page {
    gateway: Gateway,
    path: String,
    client_id: String,
    socket: Option<Socket>,
    epoch: Option<String>,
    terminals: BTreeMap<u16, Shown>,
    /// Of each return and terminal: from the moment the connection was accepted to its first missed byte.
    pub returns: Vec<Duration>,
}

impl Page {
    /// Opens terminals until the Session has so many, and attaches to all of them.
    pub async fn open(
        gateway: &Gateway,
        namespace: &str,
        session: &str,
        count: usize,
    ) -> Result<Self> {
        let mut page = Self {
            gateway: gateway.clone(),
            path: format!("/api/v1/namespaces/{namespace}/sessions/{session}/terminal"),
            client_id: uuid::Uuid::new_v4().to_string(),
            socket: None,
            epoch: None,
            terminals: BTreeMap::new(),
            returns: Vec::new(),
        };
        page.come_back().await?;
        for key in 1..count {
            let request = OpenRequest::default();
            page.say(&ClientFrame::Open { key: u128::try_from(key)?, request }).await?;
        }
        let mut opened = 1;
        while opened < count {
            let socket = page.socket.as_mut().context("a socket")?;
            match next_frame(socket).await? {
                ServerFrame::Terms(list) => {
                    opened = list.terms.len();
                    let known = list.terms.iter().map(|term| (term.id, Shown::default()));
                    page.terminals = known.collect();
                }
                ServerFrame::Error { text, .. } => bail!("the runtime says: {text}"),
                _ => {}
            }
        }
        if page.terminals.is_empty() {
            page.terminals.insert(1, Shown::default());
        }
        page.come_back().await?;
        page.returns.clear();
        Ok(page)
    }

    /// Types a line into each terminal.
    pub async fn type_line(&mut self, line: &str) -> Result<()> {
        for terminal in self.terminals.values_mut() {
            terminal.typed.extend_from_slice(format!("{line}\r").as_bytes());
        }
        // What a lost connection does not carry is sent by the next.
        let _ = self.send_typed().await;
        Ok(())
    }

    /// Waits until each terminal has shown this.
    pub async fn read_until(&mut self, text: &str) -> Result<()> {
        let reading = async {
            while !self.terminals.values().all(|shown| contains(&shown.bytes, text.as_bytes())) {
                self.live_on().await?;
            }
            Ok(())
        };
        let read = tokio::time::timeout(DEADLINE, reading).await;
        read.unwrap_or_else(|_| bail!("«{text}» was not shown everywhere in {DEADLINE:?}"))
    }

    /// Lives through losses until it is told to stop.
    pub async fn live(&mut self, mut stop: watch::Receiver<bool>) -> Result<()> {
        loop {
            let Some(socket) = self.socket.as_mut() else {
                self.come_back().await?;
                continue;
            };
            // Nobody who could say stop is left: that says it, too.
            let stopped = async { stop.wait_for(|stop| *stop).await.is_ok() };
            tokio::select! {
                _ = stopped => return Ok(()),
                heard = tokio::time::timeout(SILENCE, next_frame(socket)) => self.heard(heard).await?,
            }
        }
    }

    /// Ends every [`PRINTER`], and checks that each number was shown once, in order.
    pub async fn check_numbers(&mut self) -> Result<()> {
        self.type_line(ENOUGH).await?;
        self.read_until("total=").await?;
        self.read_until("=\r\n").await?;
        for (id, shown) in &self.terminals {
            check_numbers(&String::from_utf8_lossy(&shown.bytes))
                .with_context(|| format!("terminal {id}"))?;
        }
        Ok(())
    }

    async fn live_on(&mut self) -> Result<()> {
        match self.socket.as_mut() {
            None => self.come_back().await,
            Some(socket) => {
                let heard = tokio::time::timeout(SILENCE, next_frame(socket)).await;
                self.heard(heard).await
            }
        }
    }

    async fn heard(
        &mut self,
        heard: Result<Result<ServerFrame>, tokio::time::error::Elapsed>,
    ) -> Result<()> {
        match heard {
            Ok(Ok(frame)) => self.take(frame).await,
            Ok(Err(_)) | Err(_) => self.come_back().await,
        }
    }

    async fn take(&mut self, frame: ServerFrame) -> Result<()> {
        let mut ack = None;
        match frame {
            ServerFrame::Output { terminal, offset, bytes } => {
                let Some(shown) = self.terminals.get_mut(&terminal) else { return Ok(()) };
                ensure!(
                    shown.have == Some(offset),
                    "terminal {terminal}: {offset} after {:?}",
                    shown.have
                );
                let end = offset + bytes.len() as u64;
                shown.have = Some(end);
                shown.bytes.extend_from_slice(&bytes);
                if end - shown.acked >= ACK_STEP {
                    shown.acked = end;
                    ack = Some(ClientFrame::Ack { terminal, offset: end });
                }
            }
            ServerFrame::Snapshot { terminal, offset, .. } => {
                let Some(shown) = self.terminals.get_mut(&terminal) else { return Ok(()) };
                ensure!(shown.have.is_none(), "terminal {terminal} began afresh at {offset}");
                (shown.have, shown.acked) = (Some(offset), offset);
            }
            ServerFrame::InputAck { terminal, offset } => {
                let offset = usize::try_from(offset)?;
                if let Some(shown) = self.terminals.get_mut(&terminal) {
                    shown.confirmed = shown.confirmed.max(offset);
                }
            }
            ServerFrame::Exit { terminal, code, .. } => bail!("terminal {terminal} ended: {code}"),
            ServerFrame::Error { text, .. } => bail!("the runtime says: {text}"),
            _ => {}
        }
        if let Some(ack) = ack {
            // A lost acknowledgement is repaired by the next one.
            let _ = self.say(&ack).await;
        }
        Ok(())
    }

    /// Connects until it succeeds. What a return brings that is not exact is an error at once.
    async fn come_back(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            self.socket = None;
            match self.connect().await {
                Ok((accepted, welcome)) => return self.resume(accepted, welcome).await,
                Err(error) if started.elapsed() > DEADLINE => {
                    return Err(error.context("come back"));
                }
                Err(_) => {
                    tokio::time::interval_at(Instant::now() + PAUSE, PAUSE).tick().await;
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<(Instant, Welcome)> {
        let (_, host) = self.gateway.url.split_once("://").context("an address")?;
        let connecting = tokio::time::timeout(SILENCE, TcpStream::connect(host)).await;
        let stream = connecting??;
        let accepted = Instant::now();
        stream.set_nodelay(true)?;
        let mut request = format!("ws://{host}{}", self.path).into_client_request()?;
        let bearer = format!("Bearer {}", self.gateway.token.as_deref().unwrap_or_default());
        request.headers_mut().insert(http::header::AUTHORIZATION, bearer.parse()?);
        request.headers_mut().insert(http::header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL.parse()?);
        let opening = tokio_tungstenite::client_async(request, MaybeTlsStream::Plain(stream));
        let (mut socket, _) = tokio::time::timeout(SILENCE, opening).await??;
        let terms = self.terminals.iter().map(|(id, shown)| HelloTerminal {
            id: *id,
            have_off: shown.have,
            cols: 100,
            rows: 30,
        });
        let hello = Hello {
            client_id: self.client_id.clone(),
            epoch: self.epoch.clone(),
            visible: true,
            cause: self.epoch.as_ref().map(|_| "cut".to_owned()),
            terms: terms.collect(),
            ..Hello::default()
        };
        socket.send(Message::Binary(ClientFrame::Hello(hello).encode())).await?;
        let ServerFrame::Welcome(welcome) = next_frame(&mut socket).await? else {
            bail!("no WELCOME")
        };
        self.socket = Some(socket);
        Ok((accepted, welcome))
    }

    async fn resume(&mut self, accepted: Instant, welcome: Welcome) -> Result<()> {
        if let Some(before) = &self.epoch {
            ensure!(*before == welcome.epoch, "the runtime was restarted");
        }
        self.epoch = Some(welcome.epoch);
        let mut missed = BTreeMap::new();
        for term in &welcome.terms {
            let Some(shown) = self.terminals.get_mut(&term.id) else { continue };
            let known = usize::try_from(term.in_off.unwrap_or_default())?;
            ensure!(known >= shown.confirmed, "terminal {}: confirmed input is forgotten", term.id);
            shown.confirmed = known;
            match shown.have {
                Some(have) if have < term.head => {
                    missed.insert(term.id, have);
                }
                _ => self.returns.push(accepted.elapsed()),
            }
        }
        if self.send_typed().await.is_err() {
            self.socket = None;
        }
        while !missed.is_empty() {
            let Some(socket) = self.socket.as_mut() else { return Ok(()) };
            // Lost again: the next return is measured by itself.
            let Ok(Ok(frame)) = tokio::time::timeout(SILENCE, next_frame(socket)).await else {
                self.socket = None;
                return Ok(());
            };
            self.take(frame).await?;
            let terminals = &self.terminals;
            let returns = &mut self.returns;
            missed.retain(|id, had| {
                let back = terminals[id].have > Some(*had);
                if back {
                    returns.push(accepted.elapsed());
                }
                !back
            });
        }
        Ok(())
    }

    /// Sends what is not confirmed.
    async fn send_typed(&mut self) -> Result<()> {
        let frames: Vec<ClientFrame> = self
            .terminals
            .iter()
            .filter(|(_, shown)| shown.typed.len() > shown.confirmed)
            .map(|(id, shown)| ClientFrame::Input {
                terminal: *id,
                auto: false,
                offset: shown.confirmed as u64,
                bytes: Bytes::copy_from_slice(&shown.typed[shown.confirmed..]),
            })
            .collect();
        for frame in &frames {
            self.say(frame).await?;
        }
        Ok(())
    }

    async fn say(&mut self, frame: &ClientFrame) -> Result<()> {
        let socket = self.socket.as_mut().context("there is no connection")?;
        Ok(socket.send(Message::Binary(frame.encode())).await?)
    }
}

/// Checks what a [`PRINTER`] printed: every number once, in order, as many as it says.
pub fn check_numbers(text: &str) -> Result<()> {
    let numbers =
        text.split(['\r', '\n', '\u{7}']).filter_map(|line| line.strip_prefix("n=")?.parse().ok());
    let numbers: Vec<usize> = numbers.collect();
    let (_, total) = text.rsplit_once("total=").context("no total")?;
    let total: usize = total.split('=').next().unwrap_or_default().parse()?;
    ensure!(numbers.iter().copied().eq(1..=total), "{} numbers of {total}", numbers.len());
    Ok(())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).rev().any(|window| window == part)
}
