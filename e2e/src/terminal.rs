//! A terminal client that is not a browser: says what a page says, keeps every byte with its offset, and comes back.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use fabrica_protocol::kterm::{
    ClientFrame, Hello, HelloTerminal, SUBPROTOCOL, ServerFrame, Welcome,
};
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::Gateway;
use crate::cluster::DEADLINE;

/// A socket to a gateway.
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a client acknowledges at most at once, as the page does.
const ACK_STEP: u64 = 32 * 1024;

/// A runtime is heard of every 20 s at least, by its pings.
const SILENCE: tokio::time::Duration = tokio::time::Duration::from_secs(25);

/// One terminal of one Session.
#[derive(Debug)]
pub struct Terminal {
    gateway: Gateway,
    path: String,
    client_id: String,
    socket: Option<Socket>,
    pub welcome: Option<Welcome>,
    /// The terminal's number.
    pub id: u16,
    /// Everything shown, once; a snapshot begins it anew.
    shown: Vec<u8>,
    /// Offset behind what is shown.
    have: Option<u64>,
    acked: u64,
    /// Offset behind what was typed, and what is not yet acknowledged of it.
    typed: u64,
    unacknowledged: Vec<u8>,
    /// Times the stream skipped or repeated; must stay 0.
    pub gaps: u32,
}

impl Terminal {
    /// Opens the Session's first terminal.
    pub async fn connect(gateway: &Gateway, namespace: &str, session: &str) -> Result<Self> {
        let mut terminal = Self {
            gateway: gateway.clone(),
            path: format!("/api/v1/namespaces/{namespace}/sessions/{session}/terminal"),
            client_id: uuid::Uuid::new_v4().to_string(),
            socket: None,
            welcome: None,
            id: 1,
            shown: Vec::new(),
            have: None,
            acked: 0,
            typed: 0,
            unacknowledged: Vec::new(),
            gaps: 0,
        };
        terminal.resume().await?;
        Ok(terminal)
    }

    /// Drops the socket without a goodbye and comes back, until it succeeds.
    pub async fn resume(&mut self) -> Result<()> {
        self.socket = None;
        let started = tokio::time::Instant::now();
        loop {
            match self.say_hello().await {
                Ok(()) => return Ok(()),
                Err(error) if started.elapsed() > DEADLINE => {
                    return Err(error.context("come back"));
                }
                Err(_) => {
                    /// A page waits longer; a test wants to know soon.
                    const PAUSE: tokio::time::Duration = tokio::time::Duration::from_millis(100);
                    tokio::time::interval_at(tokio::time::Instant::now() + PAUSE, PAUSE)
                        .tick()
                        .await;
                }
            }
        }
    }

    async fn say_hello(&mut self) -> Result<()> {
        let mut socket = open(&self.gateway, &self.path, Some(SUBPROTOCOL)).await?;
        let epoch = self.welcome.as_ref().map(|welcome| welcome.epoch.clone());
        let hello = Hello {
            client_id: self.client_id.clone(),
            epoch,
            visible: true,
            cause: self.welcome.as_ref().map(|_| "closed with 1006".to_owned()),
            attempts: u32::from(self.welcome.is_some()),
            terms: vec![HelloTerminal { id: self.id, have_off: self.have, cols: 100, rows: 30 }],
            ..Hello::default()
        };
        socket.send(Message::Binary(ClientFrame::Hello(hello).encode())).await?;
        let ServerFrame::Welcome(welcome) = next_frame(&mut socket).await? else {
            bail!("no WELCOME")
        };
        if let Some(before) = &self.welcome {
            ensure!(before.epoch == welcome.epoch, "the runtime was restarted");
        }
        let known = welcome
            .terms
            .iter()
            .find(|term| term.id == self.id)
            .and_then(|term| term.in_off)
            .unwrap_or(0);
        self.acknowledge_input(known);
        self.welcome = Some(welcome);
        self.socket = Some(socket);
        if !self.unacknowledged.is_empty() {
            let bytes = Bytes::from(self.unacknowledged.clone());
            let offset = self.typed - bytes.len() as u64;
            self.send(&ClientFrame::Input { terminal: self.id, auto: false, offset, bytes })
                .await?;
        }
        Ok(())
    }

    /// Types bytes.
    pub async fn type_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let offset = self.typed;
        self.typed += bytes.len() as u64;
        self.unacknowledged.extend_from_slice(bytes);
        let bytes = Bytes::copy_from_slice(bytes);
        self.send(&ClientFrame::Input { terminal: self.id, auto: false, offset, bytes }).await
    }

    /// Types a line.
    pub async fn type_line(&mut self, line: &str) -> Result<()> {
        self.type_bytes(format!("{line}\r").as_bytes()).await
    }

    /// Runs a command in the shell and answers what it printed.
    pub async fn run(&mut self, command: &str) -> Result<String> {
        let mark = uuid::Uuid::new_v4().simple().to_string();
        let (begin, end) = (format!("begin-{mark}"), format!("end-{mark}"));
        // Split by quotes, so that the echo of the line does not look like its output.
        let line = format!("echo 'begin-''{mark}'; {command}; echo 'end-''{mark}'");
        self.type_line(&line).await?;
        let text = self.read_until(&end).await?;
        let from = text.rfind(&begin).map_or(0, |at| at + begin.len());
        let to = text.rfind(&end).unwrap_or(text.len());
        Ok(text[from..to].replace('\r', ""))
    }

    /// Reads until a text was shown, and answers everything shown so far.
    pub async fn read_until(&mut self, text: &str) -> Result<String> {
        let reading = async {
            loop {
                if contains(&self.shown, text.as_bytes()) {
                    return Ok(());
                }
                self.read_some().await?;
            }
        };
        match tokio::time::timeout(DEADLINE, reading).await {
            Ok(Ok(())) => Ok(self.text()),
            Ok(Err(error)) => Err::<String, anyhow::Error>(error),
            Err(_) => bail!(
                "«{text}» was not shown in {DEADLINE:?}; the end of it all: {}",
                tail(&self.text())
            ),
        }
    }

    /// Everything shown, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Takes one frame; comes back when the connection is lost. A gateway that is killed with its network says nothing
    /// more, so silence is a loss too, as it is for a page.
    pub async fn read_some(&mut self) -> Result<()> {
        let Some(socket) = self.socket.as_mut() else { return self.resume().await };
        match tokio::time::timeout(SILENCE, next_frame(socket)).await {
            Ok(Ok(frame)) => self.take(frame).await,
            Ok(Err(_)) | Err(_) => self.resume().await,
        }
    }

    async fn take(&mut self, frame: ServerFrame) -> Result<()> {
        match frame {
            ServerFrame::Output { terminal, offset, bytes } if terminal == self.id => {
                if self.have.is_some_and(|have| have != offset) {
                    self.gaps += 1;
                }
                self.have = Some(offset + bytes.len() as u64);
                self.shown.extend_from_slice(&bytes);
            }
            ServerFrame::Snapshot { terminal, offset, bytes, .. } if terminal == self.id => {
                self.have = Some(offset);
                self.acked = offset;
                self.shown = bytes.to_vec();
            }
            ServerFrame::InputAck { terminal, offset } if terminal == self.id => {
                self.acknowledge_input(offset);
            }
            ServerFrame::Error { text, .. } => bail!("the runtime says: {text}"),
            _ => {}
        }
        let have = self.have.unwrap_or(0);
        if have - self.acked.min(have) >= ACK_STEP {
            self.acked = have;
            // A lost acknowledgement is repaired by the next one.
            let _ = self.send(&ClientFrame::Ack { terminal: self.id, offset: have }).await;
        }
        Ok(())
    }

    fn acknowledge_input(&mut self, offset: u64) {
        let left = usize::try_from(self.typed.saturating_sub(offset))
            .unwrap_or(0)
            .min(self.unacknowledged.len());
        let done = self.unacknowledged.len() - left;
        self.unacknowledged.drain(..done);
    }

    /// Sends a frame on the present socket.
    pub async fn send(&mut self, frame: &ClientFrame) -> Result<()> {
        let socket = self.socket.as_mut().context("there is no connection")?;
        socket.send(Message::Binary(frame.encode())).await?;
        Ok(())
    }

    /// Sends a frame and waits for how the runtime closes because of it.
    pub async fn closed_after(&mut self, message: Message) -> Result<(u16, String)> {
        let socket = self.socket.as_mut().context("there is no connection")?;
        socket.send(message).await?;
        closed(socket).await
    }

    /// The connection itself, for what no page would do.
    pub fn socket(&mut self) -> Result<&mut Socket> {
        self.socket.as_mut().context("there is no connection")
    }
}

/// Opens a socket at a path of the gateway, with its token.
pub async fn open(gateway: &Gateway, path: &str, protocol: Option<&str>) -> Result<Socket> {
    open_with(gateway, path, protocol, &[]).await
}

/// A gateway that was killed may still be where the kernel sends the first packet, and then all that repeat it: who connects
/// anew finds another one.
const CONNECT: tokio::time::Duration = tokio::time::Duration::from_secs(15);

/// Opens a socket with more headers.
pub async fn open_with(
    gateway: &Gateway,
    path: &str,
    protocol: Option<&str>,
    headers: &[(&'static str, &str)],
) -> Result<Socket> {
    let url = format!("{}{path}", gateway.url.replacen("http", "ws", 1));
    let mut request = url.into_client_request()?;
    if let Some(token) = &gateway.token {
        request
            .headers_mut()
            .insert(http::header::AUTHORIZATION, format!("Bearer {token}").parse()?);
    }
    if let Some(protocol) = protocol {
        request.headers_mut().insert(http::header::SEC_WEBSOCKET_PROTOCOL, protocol.parse()?);
    }
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse()?);
    }
    let connecting = tokio_tungstenite::connect_async(request);
    let (socket, _) =
        tokio::time::timeout(CONNECT, connecting).await.context("nobody answers")??;
    Ok(socket)
}

/// The next frame of the runtime.
pub async fn next_frame(socket: &mut Socket) -> Result<ServerFrame> {
    loop {
        match tokio::time::timeout(DEADLINE, socket.next()).await?.context("the socket ended")?? {
            Message::Binary(bytes) => return Ok(ServerFrame::decode(bytes)?),
            Message::Close(frame) => bail!("closed: {frame:?}"),
            _ => {}
        }
    }
}

/// How the socket is closed: the code and its words.
pub async fn closed(socket: &mut Socket) -> Result<(u16, String)> {
    loop {
        match tokio::time::timeout(DEADLINE, socket.next())
            .await?
            .context("the socket ended without a close frame")??
        {
            Message::Close(Some(CloseFrame { code, reason })) => {
                return Ok((code.into(), reason.to_string()));
            }
            Message::Close(None) => bail!("a close frame without a code"),
            _ => {}
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).rev().any(|window| window == part)
}

fn tail(text: &str) -> &str {
    /// Enough to see what went wrong.
    const BYTES: usize = 400;
    &text[text.ceil_char_boundary(text.len().saturating_sub(BYTES))..]
}
