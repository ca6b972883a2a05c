//! One terminal over whatever socket there is: what the screen has of its output, what the shell has of the input, and the
//! size. Offsets and the epoch make a resume exact; nothing here knows how a socket is made or lost.

mod resume;
mod shown;

use std::time::Duration;

use bytes::Bytes;
use fabrica_protocol::kterm::{
    Capabilities, ClientFrame, ErrorCode, Hello, HelloTerminal, ServerFrame, TerminalInfo, Welcome,
};

use super::answers::is_answer;
use super::input::{Frame, InputQueue};
use super::link::Loss;
use super::words::count;

const RESIZE_DEBOUNCE: Duration = Duration::from_millis(50);
const ACK_STEP: u64 = 32 * 1024;
const ACK_DELAY: Duration = Duration::from_millis(50);
/// Typed while there is no connection; beyond it keys are refused, and that is said.
const OFFLINE_CAP: usize = 64 * 1024;
/// Pasted while connected.
const PASTE_CAP: usize = 16 * 1024 * 1024;
/// What snapshots may begin with, for emulators that are ours alone.
const FULL_RESET: &[u8] = b"\x1bc";

/// Cells of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) cols: u16,
    pub(super) rows: u16,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Send(ClientFrame),
    /// Output up to `end`, of the stream of this generation. `silent`: it was shown to others before.
    Write {
        bytes: Bytes,
        end: u64,
        generation: u32,
        silent: bool,
    },
    /// The screen begins anew.
    Clear,
    Notice(String),
    /// How the terminal is called now.
    Title(String),
    /// The program ended, and the screen has all that it printed.
    Exit {
        code: i32,
        signal: u8,
    },
    /// There is nothing to attach to.
    Fail(String),
    /// The runtime lacks input that was sent: its next WELCOME tells what it has.
    Reconnect,
}

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// A terminal by its number; none: the first one that lives, or a new one.
    pub terminal: Option<u16>,
    pub view: bool,
    /// To end another client's sole control, once.
    pub take_over: bool,
}

/// One attachment's stream.
#[derive(Debug)]
pub(super) struct Stream {
    client_id: String,
    wish: Wish,
    view: bool,
    live: bool,
    epoch: Option<u64>,
    connection: u32,
    terminal: Option<u16>,
    /// Names the shell behind the number: a number is used again when its shell has ended.
    key: Option<String>,
    title: Option<String>,
    opening: Option<u128>,
    have: Option<u64>,
    written: u64,
    acked: u64,
    replay_until: u64,
    /// Counts the streams the screen has seen, so that late news of an old one are not taken for the new one's.
    generation: u32,
    input: InputQueue,
    size: Size,
    foreign_size: bool,
    ack_at: Option<Duration>,
    resize_at: Option<Duration>,
    /// How the program ended: its code and signal.
    ended: Option<(i32, u8)>,
    effects: Vec<Effect>,
}

impl Stream {
    pub(super) fn new(client_id: String, wish: Wish, size: Size) -> Self {
        Self {
            client_id,
            view: wish.view,
            wish,
            live: false,
            epoch: None,
            connection: 0,
            terminal: None,
            key: None,
            title: None,
            opening: None,
            have: None,
            written: 0,
            acked: 0,
            replay_until: 0,
            generation: 0,
            input: InputQueue::default(),
            size,
            foreign_size: false,
            ack_at: None,
            resize_at: None,
            ended: None,
            effects: Vec::new(),
        }
    }

    /// What is to be done since it was last asked.
    pub(super) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        [self.ack_at, self.resize_at].into_iter().flatten().min()
    }

    /// Bytes that wait for a connection.
    pub(super) fn waiting(&self) -> usize {
        if self.live { 0 } else { self.input.pending() }
    }

    /// Whether nothing typed here reaches the shell.
    pub(super) const fn is_view(&self) -> bool {
        self.view
    }

    /// The first frame of a socket. A terminal that is known comes back without another round trip.
    pub(super) fn hello(&self, loss: Option<&Loss>) -> Hello {
        let known = self.terminal.filter(|_| !self.view).zip(self.have);
        let Size { cols, rows } = self.size;
        Hello {
            client_id: self.client_id.clone(),
            epoch: self.epoch.map(|epoch| format!("{epoch:x}")),
            visible: true,
            cause: loss.map(|loss| loss.cause.clone()),
            attempts: loss.map_or(0, |loss| loss.attempts),
            down_ms: loss
                .map_or(0, |loss| u64::try_from(loss.down.as_millis()).unwrap_or(u64::MAX)),
            terms: known
                .map(|(id, have)| HelloTerminal { id, have_off: Some(have), cols, rows })
                .into_iter()
                .collect(),
            caps: Capabilities { activity: Some(false), ..Capabilities::default() },
        }
    }

    /// The socket is gone.
    pub(super) const fn lost(&mut self) {
        self.live = false;
        self.ack_at = None;
        self.resize_at = None;
    }

    pub(super) fn tick(&mut self, now: Duration) {
        if self.ack_at.is_some_and(|at| at <= now) {
            self.ack();
        }
        if self.resize_at.is_some_and(|at| at <= now) {
            self.send_size();
        }
    }

    /// The answer to HELLO.
    pub(super) fn welcome(&mut self, welcome: Welcome) {
        // All of it is here, and only the screen is behind.
        if self.has_ended() {
            return;
        }
        self.live = true;
        self.connection = welcome.conn_id;
        if welcome.role == "view" && !self.view {
            self.view = true;
            self.notice("you may only watch: typing needs the right to create sessions/terminal");
        }
        let epoch = u64::from_str_radix(&welcome.epoch, 16).unwrap_or_default();
        let restarted = self.epoch.is_some_and(|before| before != epoch);
        self.epoch = Some(epoch);
        if restarted {
            self.forget();
        }
        let terms = welcome.terms.clone();
        match self.terminal {
            Some(id) => self.resume(id, welcome.terms),
            None => self.choose(&welcome.terms),
        }
        self.call(&terms);
    }

    pub(super) fn frame(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Output { terminal, offset, bytes } if self.is_ours(terminal) => {
                self.output(offset, &bytes);
            }
            ServerFrame::Snapshot { terminal, offset, cols, rows, bytes, .. }
                if self.is_ours(terminal) =>
            {
                self.generation += 1;
                self.have = Some(offset);
                self.replay_until = self.replay_until.max(offset);
                self.effects.push(Effect::Clear);
                // The emulator is the user's own: a full reset would take its scrollback too.
                let skipped = if bytes.starts_with(FULL_RESET) { FULL_RESET.len() } else { 0 };
                let bytes = bytes.slice(skipped..);
                let begin = offset.saturating_sub(bytes.len() as u64);
                (self.written, self.acked) = (begin, begin);
                self.resized(Size { cols, rows }, None);
                self.write(bytes, offset, true);
            }
            ServerFrame::InputAck { terminal, offset } if self.is_ours(terminal) => {
                self.input.ack(offset);
                self.pump();
            }
            ServerFrame::Resized { terminal, cols, rows, owner, .. } if self.is_ours(terminal) => {
                self.resized(Size { cols, rows }, Some(owner));
            }
            ServerFrame::Exit { terminal, code, signal, .. } if self.is_ours(terminal) => {
                self.ended = Some((code, signal));
                self.end();
            }
            ServerFrame::Terms(list) => {
                self.call(&list.terms);
                self.terms(list.terms);
            }
            ServerFrame::Error { code, text, .. } => self.error(code, &text),
            _ => {}
        }
    }

    pub(super) fn typed(&mut self, bytes: &[u8]) {
        if self.view {
            return;
        }
        let cap = if self.live { PASTE_CAP } else { OFFLINE_CAP };
        if self.input.pending() + bytes.len() > cap {
            return self.notice(if self.live {
                "that is too much to paste at once; copy it with `kubectl fabrica cp`"
            } else {
                "64 KiB wait already: what you type now is not kept"
            });
        }
        if is_answer(bytes) {
            // It counts by what was written before it. Nobody typed it, so the size stays whose it is.
            if self.live && self.acked < self.written {
                self.ack();
            }
            self.input.push_answer(bytes);
            return self.pump();
        }
        if self.foreign_size && self.live {
            self.foreign_size = false;
            self.send_size();
        }
        self.input.push(bytes);
        self.pump();
    }

    /// Forgets what waits, as the user asked.
    pub(super) fn discard(&mut self) {
        let gone = self.input.discard_unsent();
        self.notice(&format!("{} discarded", count(gone)));
    }

    pub(super) fn resize(&mut self, size: Size, now: Duration) {
        self.size = size;
        self.foreign_size = false;
        if self.live {
            self.resize_at = Some(now + RESIZE_DEBOUNCE);
        }
    }

    /// Shows how the terminal is called, when that has changed.
    pub(super) fn call(&mut self, terms: &[TerminalInfo]) {
        let ours = terms.iter().find(|term| self.is_ours(term.id));
        if let Some(title) = ours.map(|term| &term.title)
            && self.title.as_ref() != Some(title)
        {
            self.title = Some(title.clone());
            self.effects.push(Effect::Title(title.clone()));
        }
    }

    fn is_ours(&self, terminal: u16) -> bool {
        self.terminal == Some(terminal)
    }

    fn error(&mut self, code: ErrorCode, text: &str) {
        match code {
            // The EXIT that says more is on its way.
            ErrorCode::Ended => {}
            ErrorCode::InputGap => self.effects.push(Effect::Reconnect),
            ErrorCode::NoSuchTerminal | ErrorCode::TooManyTerminals | ErrorCode::CannotOpen => {
                self.effects.push(Effect::Fail(text.to_owned()));
            }
            ErrorCode::ReadOnly => {
                self.view = true;
                self.notice(text);
            }
            ErrorCode::TakenOver => {
                self.view = true;
                self.notice(&format!("{text} To take it back, attach with --take-over."));
            }
            _ => self.notice(text),
        }
    }

    fn pump(&mut self) {
        let Some(terminal) = self.terminal.filter(|_| self.live && !self.view) else { return };
        while let Some(Frame { offset, bytes, auto }) = self.input.next() {
            self.send(ClientFrame::Input { terminal, auto, offset, bytes });
        }
    }

    fn send_size(&mut self) {
        self.resize_at = None;
        let Some(terminal) = self.terminal.filter(|_| !self.view) else { return };
        let Size { cols, rows } = self.size;
        self.send(ClientFrame::Resize { terminal, cols, rows, x_pixels: 0, y_pixels: 0 });
    }

    /// Another window owns the size, until somebody types here.
    fn resized(&mut self, size: Size, owner: Option<u32>) {
        self.foreign_size = owner != Some(self.connection) && size != self.size;
    }

    fn send(&mut self, frame: ClientFrame) {
        self.effects.push(Effect::Send(frame));
    }

    fn notice(&mut self, words: &str) {
        self.effects.push(Effect::Notice(words.to_owned()));
    }
}

#[cfg(test)]
mod tests;
