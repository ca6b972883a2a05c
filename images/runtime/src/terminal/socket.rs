//! One client's socket: bytes in become frames for the state, and what the state has to say goes out when there is room.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use chrono::Utc;
use fabrica_protocol::kterm::{ClientFrame, close};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::client::{Client, Closing};
use super::handle::Request;
use super::outgoing::Next;
use super::pace::Pace;
use super::shells::Shells;
use super::websocket::{self, Decoder, Message};

/// Bytes taken from a socket at once.
const READ_BYTES: usize = 16 * 1024;

/// What the kernel keeps of what we sent. What it keeps is sent in order: a deep queue of one terminal would stand between
/// a person and the echo of another.
const SEND_BUFFER_BYTES: usize = 128 * 1024;

/// How often a client hears from us that nothing is taken from, while a program does not read: its pings wait unread, and it
/// gives a socket up that it hears nothing of for 1.5 s.
const REMIND_EVERY: Duration = Duration::from_millis(500);

/// How long the last words may take, and the other end to have heard them.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// How long a socket may take, wait and be silent.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Until HELLO.
    pub hello: Duration,
    /// Between our pings: shorter than what proxies on the way allow.
    pub ping: Duration,
    /// Until a silent client counts as gone. Browsers slow the timers of hidden pages down to one a minute.
    pub silence: Duration,
}

/// Who is at the other end.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The assertion's id.
    pub connection: String,
    /// Whose it is, as the assertion says.
    pub user: String,
    pub control: bool,
}

/// Serves a socket until either side ends it. `early` are bytes that came with the upgrade.
pub async fn serve(
    stream: TcpStream,
    early: &[u8],
    peer: &Peer,
    shells: &Shells,
    timing: Timing,
    started: Instant,
) {
    let wake = Arc::new(Notify::new());
    let Peer { connection, user, control } = peer;
    let joined = shells.shared.state().join(connection, user, *control, Arc::clone(&wake));
    match joined {
        Err((code, reason)) => {
            shells.shared.state().turned_away(connection, code, Instant::now());
            refuse(&stream, code, reason).await;
        }
        Ok(id) => {
            let now = Instant::now();
            // Where it cannot be set, only an echo beside a flood is later.
            let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER_BYTES);
            let mut socket = Socket {
                id,
                stream,
                wake,
                shells,
                timing,
                started,
                decoder: Decoder::default(),
                rest: Bytes::new(),
                left: false,
                pace: Pace::default(),
                opened: now,
                heard: now,
                ping_at: now + timing.ping,
                remind_at: now,
            };
            socket.decoder.buffer().extend_from_slice(early);
            let closing = socket.run().await;
            shells.shared.state().leave(id);
            if let Some(Closing { code, reason }) = closing {
                shells.shared.state().turned_away(&peer.connection, code, Instant::now());
                socket.say_goodbye(code, &reason).await;
            }
        }
    }
}

/// Tells a client why it cannot come in, in the only words that a browser passes on.
pub async fn refuse(stream: &TcpStream, code: u16, reason: &str) {
    let mut message = websocket::close(code, reason);
    // A client that does not take this would not have listened to more.
    let _ = tokio::time::timeout(CLOSE_LIMIT, drain(stream, &mut message)).await;
}

struct Socket<'shells> {
    id: u32,
    stream: TcpStream,
    wake: Arc<Notify>,
    shells: &'shells Shells,
    timing: Timing,
    started: Instant,
    decoder: Decoder,
    /// What the kernel did not take of the last message: at most one message, copied, for the ring moves on.
    rest: Bytes,
    /// Messages may have been left unread because the client had to wait.
    left: bool,
    pace: Pace,
    opened: Instant,
    heard: Instant,
    ping_at: Instant,
    remind_at: Instant,
}

impl Socket<'_> {
    /// Runs until the connection should end; with what to say, or nothing when the other end is gone.
    async fn run(&mut self) -> Option<Closing> {
        loop {
            if let Err(closing) = self.take_messages() {
                return Some(closing);
            }
            self.remind();
            let working = match self.send() {
                Ok(working) => working,
                Err(error) => {
                    tracing::debug!(client = self.id, %error, "a socket broke");
                    return None;
                }
            };
            if let Some(closing) = self.due() {
                return Some(closing);
            }
            if working {
                tokio::task::yield_now().await;
                continue;
            }
            let (interest, deadline) = (self.interest(), self.deadline());
            let deaf = self.shells.shared.state().input_waits(self.id);
            tokio::select! {
                ready = ready(&self.stream, interest) => {
                    let ready = ready.ok()?;
                    if (ready.is_readable() || ready.is_read_closed()) && !self.receive() {
                        return None;
                    }
                }
                () = self.wake.notified() => {}
                () = sleep_until(deadline) => {}
            }
            if deaf {
                // While nobody listens to a client, its silence says nothing about it.
                self.heard = Instant::now();
            }
        }
    }

    /// Says that we are there, while a program that does not read has us take nothing.
    fn remind(&mut self) {
        let mut state = self.shells.shared.state();
        let now = Instant::now();
        if now >= self.remind_at && state.input_waits(self.id) {
            self.remind_at = now + REMIND_EVERY;
            state.remind(self.id);
        }
    }

    /// Hands complete messages to the state, unless the client has to wait.
    fn take_messages(&mut self) -> Result<(), Closing> {
        self.left = true;
        while self.may_read() {
            let held = self.decoder.buffer().len();
            let message = self.decoder.next_message().map_err(|violation| Closing {
                code: violation.close_code(),
                reason: violation.to_string(),
            })?;
            let Some(message) = message else {
                self.left = false;
                break;
            };
            let taken = held - self.decoder.buffer().len();
            self.pace.message(taken, self.started.elapsed());
            match message {
                // One answer at a time: whoever floods pings gets the newest only.
                Message::Ping(body) if self.rest.is_empty() => {
                    self.rest = websocket::pong(&body);
                }
                Message::Ping(_) | Message::Pong => {}
                Message::Close => {
                    return Err(Closing { code: close::NORMAL, reason: String::new() });
                }
                Message::Binary(body) => self.take_frame(body)?,
            }
        }
        Ok(())
    }

    /// Whether to take more from the client: not while something waits, nor when it speaks too fast.
    fn may_read(&mut self) -> bool {
        let waits = self.pace.wait(self.started.elapsed()).is_some();
        !waits && self.shells.shared.state().may_read(self.id)
    }

    fn take_frame(&mut self, body: Bytes) -> Result<(), Closing> {
        let frame = ClientFrame::decode(body)
            .map_err(|error| Closing { code: error.close_code(), reason: error.to_string() })?;
        let now = self.started.elapsed();
        self.pace
            .frame(&frame, now)
            .map_err(|error| Closing { code: close::TOO_MANY, reason: error.to_string() })?;
        let request = self.shells.shared.state().handle(self.id, frame, Utc::now(), now);
        match request {
            Some(Request::Open { key, request }) => self.shells.open(self.id, key, &request),
            Some(Request::Signal { terminal, signal }) => {
                self.shells.signal_foreground(terminal, signal);
            }
            Some(Request::Command { terminal, id, line }) => {
                self.shells.command(self.id, terminal, id, &line);
            }
            None => {}
        }
        self.shells.shared.state().events.write(Instant::now());
        Ok(())
    }

    /// Writes until the kernel takes no more, or there is no more. Says whether others should have their turn first.
    fn send(&mut self) -> io::Result<bool> {
        self.shells.shared.state().note_late(self.id, self.started.elapsed());
        loop {
            while !self.rest.is_empty() {
                match self.stream.try_write(&self.rest) {
                    Ok(count) => self.rest.advance(count),
                    Err(error) => return would_block(error).map(|()| false),
                }
            }
            self.rest = Bytes::new();
            let mut state = self.shells.shared.state();
            match state.next_message(self.id, self.started.elapsed()) {
                Next::Send(message) => {
                    let head = websocket::binary_head(message.len());
                    let pieces = [&head[..], &message.head, message.body[0], message.body[1]];
                    let written = match self.stream.try_write_vectored(&pieces.map(IoSlice::new)) {
                        Ok(written) => written,
                        Err(error) => would_block(error).map(|()| 0)?,
                    };
                    self.rest = behind(pieces, written);
                }
                Next::Working => return Ok(true),
                Next::Nothing => {
                    state.sent_all(self.id, self.started.elapsed());
                    return Ok(false);
                }
            }
        }
    }

    /// Takes what has arrived. Says whether the connection still stands.
    fn receive(&mut self) -> bool {
        let buffer = self.decoder.buffer();
        buffer.reserve(READ_BYTES);
        match self.stream.try_read_buf(buffer) {
            Ok(0) => false,
            Ok(_) => {
                self.heard = Instant::now();
                true
            }
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    /// What time, or somebody else, says about this connection.
    fn due(&mut self) -> Option<Closing> {
        let now = Instant::now();
        let state = self.shells.shared.state();
        let client = state.clients.get(&self.id)?;
        if let Some(closing) = &client.closing {
            return Some(closing.clone());
        }
        let timeout =
            |reason: &str| Some(Closing { code: close::TIMEOUT, reason: reason.to_owned() });
        if !client.is_greeted() && now >= self.opened + self.timing.hello {
            return timeout("HELLO did not come in time");
        }
        if now >= self.heard + self.timing.silence {
            return timeout("nothing was heard for too long");
        }
        drop(state);
        if now >= self.ping_at {
            self.ping_at = now + self.timing.ping;
            if self.rest.is_empty() {
                self.rest = websocket::ping();
            }
        }
        None
    }

    fn deadline(&mut self) -> Instant {
        // What it had to wait for has passed meanwhile, and the socket will not say so.
        if self.left && self.may_read() {
            return Instant::now();
        }
        let silence = self.heard + self.timing.silence;
        let slowed = self.pace.wait(self.started.elapsed()).map(|wait| Instant::now() + wait);
        let next = self.ping_at.min(silence).min(slowed.unwrap_or(silence));
        let state = self.shells.shared.state();
        let next = if state.input_waits(self.id) { next.min(self.remind_at) } else { next };
        let greeted = state.clients.get(&self.id).is_some_and(Client::is_greeted);
        if greeted { next } else { next.min(self.opened + self.timing.hello) }
    }

    fn interest(&mut self) -> Option<Interest> {
        match (self.may_read(), !self.rest.is_empty()) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        }
    }

    async fn say_goodbye(&mut self, code: u16, reason: &str) {
        let rest = std::mem::take(&mut self.rest);
        let message = websocket::close(code, reason);
        let mut bytes: Bytes = [rest, message].concat().into();
        let _ = tokio::time::timeout(CLOSE_LIMIT, drain(&self.stream, &mut bytes)).await;
    }
}

/// What of these pieces lies behind the first `written` bytes.
fn behind(pieces: [&[u8]; 4], mut written: usize) -> Bytes {
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut rest = BytesMut::with_capacity(total - written.min(total));
    for piece in pieces {
        let skip = written.min(piece.len());
        rest.extend_from_slice(&piece[skip..]);
        written -= skip;
    }
    rest.freeze()
}

fn would_block(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(error) }
}

async fn ready(stream: &TcpStream, interest: Option<Interest>) -> io::Result<tokio::io::Ready> {
    match interest {
        Some(interest) => stream.ready(interest).await,
        None => std::future::pending().await,
    }
}

/// Writes the last words, and then waits for the other end to close, so that they are not lost with unread input.
async fn drain(stream: &TcpStream, bytes: &mut Bytes) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes.advance(count),
            Err(error) => would_block(error)?,
        }
    }
    rustix::net::shutdown(stream, rustix::net::Shutdown::Write)?;
    let mut scratch = [0; 4096];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut scratch) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) => would_block(error)?,
        }
    }
}
