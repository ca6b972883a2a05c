//! A shell of a Session in the user's own terminal: it comes back after every loss, and no byte comes twice.

mod answers;
mod clocks;
mod escape;
mod input;
mod link;
mod retry;
mod scanner;
mod socket;
mod stream;
mod tty;
mod verdict;
mod words;

use std::process::ExitCode;
use std::time::Duration;

use fabrica_crds::session::Phase;
use fabrica_protocol::kterm::{ClientFrame, ServerFrame};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::clocks::Clocks;
use self::escape::{Escapes, HELP, Key};
use self::link::{Effect, Event, Link, State};
use self::scanner::Scanner;
use self::socket::{NEWS, News, Socket};
use self::stream::{Effect as StreamEffect, Stream};
use self::tty::{Piece, RawTerminal, Screen};
use crate::gateway::GatewayError;
use crate::place::Door;

pub use self::stream::Wish;
pub use self::tty::TtyError;

/// How long the last output may take to reach a screen.
const FLUSH: Duration = Duration::from_secs(1);
/// ^C, which ends the watching for somebody who only watches.
const INTERRUPT: u8 = 0x03;
/// Emulators keep titles on a stack.
const KEEP_TITLE: &str = "\x1b[22;2t";
const TITLE_OF_BEFORE: &str = "\x1b[23;2t";
/// What a shell ended by a signal is told as.
const BY_SIGNAL: u8 = 128;

/// Attaching failed, or ended otherwise than by the shell's end or by the user's wish.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    #[error(transparent)]
    Tty(#[from] TtyError),
    #[error("signals cannot be heard")]
    Signals(#[source] std::io::Error),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error("{0}")]
    Halted(String),
}

/// How it ended.
enum End {
    Exit { code: i32, signal: u8 },
    Detached,
    Halted(String),
}

/// Attaches until the shell ends, the user detaches, or nothing is left to attach to.
pub async fn attach(door: Door, name: &str, wish: Wish) -> Result<ExitCode, AttachError> {
    tty::check()?;
    wake(&door, name, wish.view).await?;
    let mut signals = Signals::new().map_err(AttachError::Signals)?;
    let mut attachment = Attachment::new(door, name, wish);
    let raw = RawTerminal::enter()?;
    let end = attachment.run(&mut signals).await;
    attachment.leave().await;
    drop(raw);
    match end {
        End::Detached => {
            crate::output::say(&format!("Detached from {name}; its shell goes on."));
            Ok(ExitCode::SUCCESS)
        }
        End::Exit { signal: 0, code } => {
            crate::output::say(&format!("The shell of {name} ended with code {code}."));
            Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
        }
        End::Exit { signal, .. } => {
            crate::output::say(&format!("The shell of {name} was ended by signal {signal}."));
            Ok(ExitCode::from(BY_SIGNAL.saturating_add(signal)))
        }
        End::Halted(why) => Err(AttachError::Halted(why)),
    }
}

/// A Session that rests begins to wake up: attaching waits for it.
async fn wake(door: &Door, name: &str, view: bool) -> Result<(), GatewayError> {
    let session = door.gateway.session(&door.namespace, name).await?;
    if session.status.phase == Some(Phase::Stopped) && !view {
        crate::output::say(&format!("{name} rests; it is being woken."));
        door.gateway.wake(&door.namespace, name).await?;
    }
    Ok(())
}

/// What the system says.
struct Signals {
    resized: Signal,
    ended: Signal,
    hung_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            resized: signal(SignalKind::window_change())?,
            ended: signal(SignalKind::terminate())?,
            hung_up: signal(SignalKind::hangup())?,
        })
    }
}

/// All parts of one attachment, and the channels between them.
struct Attachment {
    door: Door,
    name: String,
    began: Instant,
    link: Link,
    stream: Stream,
    escapes: Escapes,
    scanner: Scanner,
    screen: Screen,
    socket: Option<Socket>,
    /// Sockets so far: what an older one says is not heard.
    number: u64,
    news: mpsc::Receiver<(u64, News)>,
    reporter: mpsc::Sender<(u64, News)>,
    lost_at: Option<Duration>,
    /// A connection has stood.
    met: bool,
    /// What the title says of the connection, while it says anything.
    titled: Option<String>,
    /// The title says how the terminal is called.
    named: bool,
    end: Option<End>,
}

impl Attachment {
    fn new(door: Door, name: &str, wish: Wish) -> Self {
        let (reporter, news) = mpsc::channel(NEWS);
        let client = uuid::Uuid::new_v4().simple().to_string();
        Self {
            door,
            name: name.to_owned(),
            began: Instant::now(),
            link: Link::new(Box::new(random)),
            stream: Stream::new(client, wish, tty::size()),
            escapes: Escapes::default(),
            scanner: Scanner::default(),
            screen: Screen::new(),
            socket: None,
            number: 0,
            news,
            reporter,
            lost_at: None,
            met: false,
            titled: None,
            named: false,
            end: None,
        }
    }

    async fn run(&mut self, signals: &mut Signals) -> End {
        let mut keys = tty::keys();
        let mut clocks = Clocks::new();
        self.link(Event::Start).await;
        loop {
            if let Some(end) = self.end.take() {
                return end;
            }
            let deadline =
                [self.link.deadline(), self.stream.deadline()].into_iter().flatten().min();
            let due = self.began + deadline.unwrap_or(clocks::PERIOD + self.now());
            tokio::select! {
                Some((number, news)) = self.news.recv() => {
                    if number == self.number && self.socket.is_some() {
                        self.hear(news).await;
                    }
                }
                typed = keys.recv() => match typed {
                    Some(bytes) => self.keys(&bytes).await,
                    None => return End::Detached,
                },
                written = self.screen.written.recv() => match written {
                    Some((end, generation)) => self.stream.written(end, generation, self.now()),
                    // The screen is gone.
                    None => return End::Detached,
                },
                Some(()) = signals.resized.recv() => self.stream.resize(tty::size(), self.now()),
                Some(()) = signals.ended.recv() => return End::Detached,
                Some(()) = signals.hung_up.recv() => return End::Detached,
                slept = clocks.tick() => if slept { self.link(Event::Nudge).await },
                () = tokio::time::sleep_until(due) => {
                    self.stream.tick(self.now());
                    self.link(Event::Tick).await;
                }
            }
            self.flow().await;
            self.title();
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    async fn hear(&mut self, news: News) {
        match news {
            News::Opened => self.link(Event::Opened).await,
            News::Alive => self.link(Event::Heard).await,
            News::Closed { code, reason } => {
                self.socket = None;
                self.link(Event::Closed { code, reason }).await;
            }
            News::Frame(ServerFrame::Welcome(welcome)) => {
                self.link(Event::Welcomed).await;
                self.lost_at = None;
                self.met = true;
                self.stream.welcome(welcome);
            }
            News::Frame(frame) => {
                self.link(Event::Heard).await;
                self.stream.frame(frame);
            }
        }
    }

    async fn keys(&mut self, bytes: &[u8]) {
        self.link(Event::Typed).await;
        for key in self.escapes.take(bytes) {
            match key {
                Key::Bytes(bytes) if self.stream.is_view() && bytes.contains(&INTERRUPT) => {
                    self.end = Some(End::Detached);
                }
                Key::Bytes(bytes) => self.stream.typed(&bytes),
                Key::Detach => self.end = Some(End::Detached),
                Key::Discard => self.stream.discard(),
                Key::Help => self.show(&format!("\r\n{HELP}")),
            }
        }
    }

    /// Tells the link what happened, and does what it asks for.
    async fn link(&mut self, event: Event) {
        for effect in self.link.handle(event, self.now()) {
            match effect {
                Effect::Connect { renew } => {
                    if renew {
                        self.renew().await;
                    }
                    self.number += 1;
                    let (gateway, reporter) = (self.door.gateway.clone(), self.reporter.clone());
                    let path =
                        crate::gateway::session(&self.door.namespace, &self.name, "/terminal");
                    self.socket = Some(Socket::open(gateway, path, self.number, reporter));
                }
                Effect::Greet(loss) => {
                    self.send(&ClientFrame::Hello(self.stream.hello(loss.as_ref())));
                }
                Effect::Ping => {
                    let client_us = u64::try_from(self.now().as_micros()).unwrap_or(u64::MAX);
                    self.send(&ClientFrame::Ping { visible: true, client_us });
                }
                Effect::Drop => self.socket = None,
            }
        }
        match self.link.state() {
            // The screen has yet to show the end, for which no connection is needed.
            State::Halted(_) if self.stream.has_ended() => {}
            State::Halted(why) => self.end = Some(End::Halted(why.clone())),
            State::Live => {}
            _ => {
                self.lost_at.get_or_insert(self.began.elapsed());
                self.stream.lost();
            }
        }
    }

    /// Another token. Without one the next attempt is refused for good, and that is told.
    async fn renew(&mut self) {
        if let Err(error) = self.door.renew().await {
            self.show(&format!("\r\n[fabrica: {}]\r\n", printable(&crate::output::chain(&error))));
        }
    }

    /// Carries out what the stream asks for.
    async fn flow(&mut self) {
        for effect in self.stream.effects() {
            match effect {
                StreamEffect::Send(frame) => self.send(&frame),
                StreamEffect::Write { bytes, end, generation, silent } => {
                    let bytes = self.scanner.take(&bytes, silent);
                    self.screen.write(Piece { bytes, mark: Some((end, generation)) });
                }
                StreamEffect::Clear => self.clear(),
                StreamEffect::Notice(words) => {
                    self.show(&format!("\r\n[fabrica: {}]\r\n", printable(&words)));
                }
                StreamEffect::Title(title) => {
                    let keep =
                        if std::mem::replace(&mut self.named, true) { "" } else { KEEP_TITLE };
                    self.show(&format!("{keep}\x1b]2;{}\x07", printable(&title)));
                }
                StreamEffect::Exit { code, signal } => {
                    self.end.get_or_insert(End::Exit { code, signal });
                }
                StreamEffect::Reconnect => self.link(Event::Gap).await,
                StreamEffect::Fail(why) => {
                    self.end.get_or_insert(End::Halted(printable(&why)));
                }
            }
        }
    }

    fn send(&self, frame: &ClientFrame) {
        if let Some(socket) = &self.socket {
            socket.send(frame);
        }
    }

    /// Words of ours, where they cut nothing in two.
    fn show(&self, words: &str) {
        if self.scanner.is_between() {
            self.screen.write(Piece { bytes: words.as_bytes().to_vec(), mark: None });
        }
    }

    /// An empty screen. What stood on it is scrolled up, not lost.
    fn clear(&mut self) {
        let cleared = self.scanner.clear(tty::size().rows);
        self.show(&cleared);
    }

    /// The title shows the connection's state while it is not well; then the one of before is back.
    fn title(&mut self) {
        let since = self.lost_at.map_or(Duration::ZERO, |at| self.now().saturating_sub(at));
        let waiting = self.stream.waiting();
        let said = words::title(&self.name, self.link.state(), self.link.why(), since, waiting);
        if said == self.titled {
            return;
        }
        match &said {
            Some(words) => {
                let keep = if self.titled.is_none() { KEEP_TITLE } else { "" };
                self.show(&format!("{keep}\x1b]2;{words}\x07"));
                // Before the first output there is an empty screen, which has room for it too.
                if !self.met && *self.link.state() == State::Waiting {
                    self.show(&format!("\r[fabrica: {words}]\x1b[K"));
                }
            }
            None => self.show(TITLE_OF_BEFORE),
        }
        self.titled = said;
    }

    /// Leaves the user's terminal as a shell expects it.
    async fn leave(mut self) {
        self.socket = None;
        self.scanner.restart();
        let restored = self.scanner.restore();
        let kept = usize::from(self.titled.is_some()) + usize::from(self.named);
        let title = TITLE_OF_BEFORE.repeat(kept);
        self.show(&format!("{restored}{title}\r\n"));
        let _ = tokio::time::timeout(FLUSH, self.screen.finish()).await;
    }
}

fn printable(words: &str) -> String {
    words.chars().filter(|letter| !letter.is_control()).collect()
}

fn random() -> f64 {
    let number = uuid::Uuid::new_v4().as_fields().0;
    f64::from(number) / f64::from(u32::MAX)
}
