//! What a page does with a network that fails: it says again what was not confirmed, asks for what it missed, and comes back
//! for as long as it takes. Panics at a gap and at a byte that comes twice.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::{ClientFrame, HelloTerminal, OpenRequest, ServerFrame};
use fabrica_test_network::Network;
use futures::SinkExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::{Client, PATIENCE, Runtime, assertion, hello};

/// What is typed at once, as pages cut a paste.
const PIECE: usize = 16 * 1024;
/// Typed and not confirmed: with more, a page waits.
const AHEAD: usize = 64 * 1024;
/// Without a word for so long, a client takes its connection for dead, as one does whose PING is not answered.
const WATCHED: Duration = Duration::from_secs(5);
/// Nothing is under way when nothing came for this long.
const QUIET: Duration = Duration::from_millis(100);

/// The connection is lost.
#[derive(Debug)]
pub(crate) struct Lost;

/// One terminal of one page.
pub(crate) struct Page {
    address: SocketAddr,
    name: String,
    terminal: u16,
    epoch: Option<String>,
    have: Option<u64>,
    /// All that was shown.
    pub(crate) shown: Vec<u8>,
    typed: Vec<u8>,
    confirmed: usize,
    sent: usize,
    exit: Option<i32>,
    client: Option<Client>,
    /// How long each return took, from the beginning of its connection to the first byte that was missed.
    pub(crate) returns: Vec<Duration>,
}

impl Page {
    /// The first terminal, over a network.
    pub(crate) async fn open(network: &Network) -> Self {
        let mut page = Self::new(network.address(), 1);
        page.come_back().await;
        page
    }

    /// The same, on the short way.
    pub(crate) async fn open_near(runtime: &Runtime) -> Self {
        let mut page = Self::new(runtime.address, 1);
        page.come_back().await;
        page
    }

    /// A terminal of its own.
    pub(crate) async fn open_new(runtime: &Runtime, network: &Network) -> Self {
        let mut opener = runtime.connect(Role::Control).await;
        opener
            .send(&ClientFrame::Hello(fabrica_protocol::kterm::Hello {
                terms: Vec::new(),
                ..hello("opener", None, None)
            }))
            .await;
        let key = uuid::Uuid::new_v4().as_u128();
        opener.send(&ClientFrame::Open { key, request: OpenRequest::default() }).await;
        let wanted = format!("{key:032x}");
        let terminal = opener
            .until(|frame| match frame {
                ServerFrame::Terms(list) => {
                    list.terms.into_iter().find(|term| term.key.as_ref() == Some(&wanted))
                }
                _ => None,
            })
            .await
            .id;
        let mut page = Self::new(network.address(), terminal);
        page.come_back().await;
        page
    }

    fn new(address: SocketAddr, terminal: u16) -> Self {
        Self {
            address,
            name: uuid::Uuid::new_v4().to_string(),
            terminal,
            epoch: None,
            have: None,
            shown: Vec::new(),
            typed: Vec::new(),
            confirmed: 0,
            sent: 0,
            exit: None,
            client: None,
            returns: Vec::new(),
        }
    }

    /// Its epoch, and the offset behind what it has.
    pub(crate) fn place(&self) -> (String, u64) {
        self.epoch.clone().zip(self.have).expect("it was connected")
    }

    /// Keeps it for whoever sends next.
    pub(crate) fn types(&mut self, text: &str) {
        self.typed.extend_from_slice(text.as_bytes());
    }

    /// Runs a command, waits until it says so, and answers how much was shown up to there.
    pub(crate) async fn starts(&mut self, command: &str, says: &str) -> usize {
        self.types(command);
        let says = says.as_bytes();
        self.reads_until(|all| all.windows(says.len()).any(|window| window == says)).await;
        let at = self.shown.windows(says.len()).position(|window| window == says);
        at.unwrap() + says.len()
    }

    /// Lives through losses until enough is shown.
    pub(crate) async fn reads_until(&mut self, enough: impl Fn(&[u8]) -> bool) {
        let reading = async {
            while !enough(&self.shown) {
                self.goes_on().await;
            }
        };
        let done = tokio::time::timeout(3 * PATIENCE, reading).await;
        assert!(
            done.is_ok(),
            "waited in vain: {} bytes shown, {} of {} typed",
            self.shown.len(),
            self.confirmed,
            self.typed.len()
        );
    }

    /// Lives through losses until the program has ended, and answers its code.
    pub(crate) async fn reads_to_its_end(&mut self) -> i32 {
        let reading = async {
            while self.exit.is_none() {
                self.goes_on().await;
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the end of a program");
        self.exit.unwrap()
    }

    /// Lives until somebody stops it.
    pub(crate) async fn live(&mut self) {
        loop {
            self.goes_on().await;
        }
    }

    /// Notices a loss, and lives until it has come back.
    pub(crate) async fn returns_once(&mut self) {
        let before = self.returns.len();
        let returning = async {
            while self.returns.len() == before {
                self.goes_on().await;
            }
        };
        tokio::time::timeout(PATIENCE, returning).await.expect("a loss is noticed");
    }

    /// Lives until nothing more comes.
    pub(crate) async fn live_until_quiet(&mut self) {
        while tokio::time::timeout(QUIET, self.goes_on()).await.is_ok() {}
    }

    /// Gives its connection away as it is, and knows of none.
    pub(crate) fn forget(&mut self) -> Option<Client> {
        self.client.take()
    }

    async fn goes_on(&mut self) {
        if self.client.is_none() {
            // What it brings may be all that is waited for.
            return self.come_back().await;
        }
        if self.sends().await.is_err() || self.reads().await.is_err() {
            self.client = None;
        }
    }

    /// Sends what may be sent. Where it is stopped in the middle, its connection is as good as lost.
    pub(crate) async fn sends(&mut self) -> Result<(), Lost> {
        let end = self.typed.len().min(self.confirmed + AHEAD);
        while self.sent < end {
            let to = end.min(self.sent + PIECE);
            let bytes = Bytes::copy_from_slice(&self.typed[self.sent..to]);
            let offset = self.sent as u64;
            self.sent = to;
            self.say(&ClientFrame::Input { terminal: self.terminal, auto: false, offset, bytes })
                .await?;
        }
        Ok(())
    }

    async fn reads(&mut self) -> Result<(), Lost> {
        let coming = self.client.as_mut().ok_or(Lost)?.try_next();
        let frame = tokio::time::timeout(WATCHED, coming).await.map_err(|_| Lost)?;
        match frame.map_err(|_| Lost)? {
            ServerFrame::Output { terminal, offset, bytes } if terminal == self.terminal => {
                assert_eq!(Some(offset), self.have, "no gap, and nothing twice");
                let end = offset + bytes.len() as u64;
                self.have = Some(end);
                self.shown.extend_from_slice(&bytes);
                self.say(&ClientFrame::Ack { terminal, offset: end }).await?;
            }
            ServerFrame::Snapshot { terminal, offset, .. } if terminal == self.terminal => {
                assert_eq!(self.have, None, "a return is exact");
                self.have = Some(offset);
            }
            ServerFrame::InputAck { terminal, offset } if terminal == self.terminal => {
                self.confirmed = self.confirmed.max(usize::try_from(offset).unwrap());
            }
            ServerFrame::Exit { terminal, offset, code, .. } if terminal == self.terminal => {
                assert_eq!(Some(offset), self.have, "the end comes after the last byte");
                self.exit = Some(code);
            }
            ServerFrame::Error { code, text, .. } => panic!("{code:?}: {text}"),
            _ => {}
        }
        Ok(())
    }

    async fn say(&mut self, frame: &ClientFrame) -> Result<(), Lost> {
        let socket = &mut self.client.as_mut().ok_or(Lost)?.socket;
        socket.send(Message::Binary(frame.encode())).await.map_err(|_| Lost)
    }

    /// Connects for as often as it takes.
    async fn come_back(&mut self) {
        let deadline = Instant::now() + 3 * PATIENCE;
        while !matches!(tokio::time::timeout(WATCHED, self.try_to_come_back()).await, Ok(Ok(()))) {
            // One that was given up in its middle is none.
            self.client = None;
            assert!(Instant::now() < deadline, "it did not come back in time");
            tokio::task::yield_now().await;
        }
    }

    async fn try_to_come_back(&mut self) -> Result<(), Lost> {
        let started = Instant::now();
        self.client = None;
        let mut client = connect(self.address).await.ok_or(Lost)?;
        let again = self.epoch.is_some();
        let mut greeting = hello(&self.name, self.epoch.clone(), None);
        greeting.cause = again.then(|| "cut".to_owned());
        greeting.terms =
            vec![HelloTerminal { id: self.terminal, have_off: self.have, cols: 80, rows: 24 }];
        client
            .socket
            .send(Message::Binary(ClientFrame::Hello(greeting).encode()))
            .await
            .map_err(|_| Lost)?;
        let Ok(ServerFrame::Welcome(welcome)) = client.try_next().await else { return Err(Lost) };
        let term =
            welcome.terms.iter().find(|term| term.id == self.terminal).expect("our terminal");
        let known = usize::try_from(term.in_off.unwrap()).unwrap();
        assert!(known >= self.confirmed, "what was confirmed is known");
        (self.sent, self.confirmed) = (known, self.confirmed.max(known));
        let missed = self.have.is_some_and(|have| have < term.head);
        self.epoch = Some(welcome.epoch);
        self.client = Some(client);
        let before = self.shown.len();
        while missed && self.shown.len() == before {
            self.reads().await?;
        }
        if again {
            self.returns.push(started.elapsed());
        }
        Ok(())
    }
}

/// A socket on which nothing was said yet; none where the network fails.
pub(crate) async fn connect(address: SocketAddr) -> Option<Client> {
    let mut request = format!("ws://{address}/v1/terminal").into_client_request().unwrap();
    let bearer = format!("Bearer {}", assertion(Role::Control));
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    request.headers_mut().insert("sec-websocket-protocol", "kterm.v1".parse().unwrap());
    let connecting = tokio::time::timeout(PATIENCE, tokio_tungstenite::connect_async(request));
    let (socket, _) = connecting.await.ok()?.ok()?;
    Some(Client { socket })
}

/// Chance that comes again in each run.
#[derive(Default)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
