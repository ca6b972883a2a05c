//! Moves bytes between one PTY and the state: output straight into the ring, input straight out of it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use super::flood::{Flood, Gathered, Left};
use super::pty;
use super::ring::READ_BYTES;
use super::shared::Shared;
use super::size::Size;
use super::state::{Exit, State};

/// Reads in a row before others get their turn. Reads are never put off to make them larger: that costs throughput.
const READS_IN_A_ROW: usize = 8;

/// Or this time: on a busy machine each read waits for the kernel to bring what the program wrote, and a key elsewhere would
/// wait for all of them.
const TURN: Duration = Duration::from_micros(200);

/// What the kernel keeps of a PTY's output at least for whoever reads it: a read that brings less has left nothing.
const LEFT_BYTES: usize = 4095;

/// A flood is read so much later while somebody types elsewhere: it comes at 16 MB/s at most, which nobody can tell from more,
/// and the key does not wait for processors that are busy with what nobody reads.
const YIELD: Duration = Duration::from_millis(4);

/// How long a closed terminal's programs have after their signal.
const KILL_AFTER: Duration = Duration::from_secs(5);

/// How long output may still come when the shell is gone but something of it holds the terminal open.
const LINGER: Duration = Duration::from_secs(2);

/// One terminal's PTY and process.
#[derive(Debug)]
pub(super) struct Pump {
    pub(super) id: u16,
    pub(super) master: Arc<OwnedFd>,
    /// The event loop watches the PTY, unless it floods.
    pub(super) watched: Option<AsyncFd<Arc<OwnedFd>>>,
    pub(super) flood: Flood,
    pub(super) pid: Pid,
    pub(super) ended: oneshot::Receiver<Exit>,
    /// How the program ended, once it has.
    pub(super) status: Option<Exit>,
    pub(super) wake: Arc<Notify>,
    pub(super) shared: Shared,
    pub(super) started: Instant,
}

/// What the state wants of the PTY now.
struct Wishes {
    read: usize,
    write: bool,
    resize: Option<Size>,
    signal: Option<u8>,
}

impl Pump {
    /// Runs until the program has ended and its last byte is in the ring.
    pub(super) async fn run(mut self) {
        let mut kill_at = None;
        let mut give_up_at = None;
        let mut drained = false;
        while !(drained && self.status.is_some()) {
            let wishes = self.wishes();
            self.obey(&wishes, &mut kill_at);
            if !drained {
                self.listen(&wishes);
            }
            let interest = self.interest(&wishes).filter(|_| !drained);
            let deadline = [kill_at, give_up_at].into_iter().flatten().min();
            tokio::select! {
                ready = ready(self.watched.as_ref(), interest) => match self.exchange(ready) {
                    Left::Nothing => {}
                    Left::More => tokio::task::yield_now().await,
                    Left::Closed => drained = true,
                },
                gathered = self.flood.gathered() => drained |= self.keep(gathered) == Left::Closed,
                () = self.wake.notified() => {}
                ended = &mut self.ended, if self.status.is_none() => {
                    self.status = Some(ended.unwrap_or_default());
                    give_up_at = Some(Instant::now() + LINGER);
                    kill_at = None;
                }
                () = until(deadline) => {
                    if kill_at.take_if(|at| *at <= Instant::now()).is_some() {
                        self.signal(Signal::KILL);
                    }
                    drained |= give_up_at.is_some_and(|at| at <= Instant::now());
                }
            }
        }
        let exit = self.status.unwrap_or_default();
        let mut state = self.shared.state();
        state.ended(self.id, exit);
        state.events.write(Instant::now());
    }

    fn wishes(&self) -> Wishes {
        let mut state = self.shared.state();
        let read = self.wanted(&state);
        state.measures.held(self.id, read == 0);
        let Some(terminal) = state.terminals.get_mut(&self.id) else {
            return Wishes { read, write: false, resize: None, signal: None };
        };
        Wishes {
            read,
            write: terminal.input.front().is_some(),
            resize: terminal.resize_due.take(),
            signal: terminal.signal_due.take(),
        }
    }

    /// How much may be read. What an ended program has left is little, and no client is waited for: the ring takes it, so
    /// that it comes before EXIT. Something else that holds the PTY open may print on for [`LINGER`].
    fn wanted(&self, state: &State) -> usize {
        if self.status.is_some() { READ_BYTES } else { state.output_wanted(self.id) }
    }

    /// A new size comes before any input that was typed into it.
    fn obey(&self, wishes: &Wishes, kill_at: &mut Option<Instant>) {
        if let Some(size) = wishes.resize
            && let Err(error) = pty::resize(&self.master, size)
        {
            tracing::debug!(terminal = self.id, %error, "a terminal could not be resized");
        }
        if let Some(number) = wishes.signal {
            self.signal(Signal::from_named_raw(number.into()).unwrap_or(Signal::HUP));
            kill_at.get_or_insert_with(|| Instant::now() + KILL_AFTER);
        }
    }

    /// To the shell, and to what it runs in the foreground.
    fn signal(&self, signal: Signal) {
        for group in rustix::termios::tcgetpgrp(&self.master).into_iter().chain([self.pid]) {
            // A group that is gone has nothing left to end.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Has the event loop watch the PTY, or a thread read it.
    fn listen(&mut self, wishes: &Wishes) {
        let loud = self.flood.is_loud();
        let blocked = loud && wishes.write && !self.write();
        if loud && !blocked {
            self.watched = None;
        } else if self.watched.is_none() {
            self.watched = watch(&self.master).ok();
        }
        self.read_apart(wishes.read);
    }

    /// Has a thread read so much at most, when one is to read.
    fn read_apart(&mut self, wanted: usize) {
        if self.is_read_apart() && wanted > 0 && !self.flood.is_reading() {
            let yields = self.shared.state().typing.is_elsewhere(self.id, Instant::now());
            let after = if yields { YIELD } else { Duration::ZERO };
            self.flood.read(&self.master, wanted.clamp(LEFT_BYTES, READ_BYTES), after);
        }
    }

    /// Whether a thread reads the PTY: it floods, or the event loop cannot watch it.
    fn is_read_apart(&self) -> bool {
        self.flood.is_loud() || self.watched.is_none()
    }

    /// Puts what a thread has read into the ring, while it reads on.
    fn keep(&mut self, gathered: Gathered) -> Left {
        let (bytes, left) = (gathered.bytes(), gathered.left);
        self.flood.heard(bytes.len(), Instant::now());
        if self.flood.is_loud() && left != Left::Closed {
            let wanted = self.wanted(&self.shared.state());
            self.read_apart(wanted.saturating_sub(bytes.len()));
        }
        let mut state = self.shared.state();
        state.print(self.id, bytes, self.started.elapsed());
        if !bytes.is_empty() {
            state.measures.shown(self.id, self.started.elapsed());
        }
        drop(state);
        self.flood.done(gathered);
        left
    }

    /// Reads and writes what is possible now.
    fn exchange(&mut self, ready: Ready) -> Left {
        let readable = ready.is_readable() || ready.is_read_closed();
        let left = if readable { self.read() } else { Left::Nothing };
        if ready.is_writable() && left != Left::Closed {
            self.write();
        }
        left
    }

    fn read(&mut self) -> Left {
        let began = Instant::now();
        for _ in 0..READS_IN_A_ROW {
            let mut state = self.shared.state();
            if self.wanted(&state) == 0 {
                return Left::Nothing;
            }
            let Some(terminal) = state.terminals.get_mut(&self.id) else { return Left::Closed };
            let room = terminal.room(READ_BYTES, self.started.elapsed());
            let most = room.len().min(LEFT_BYTES);
            match rustix::io::read(&self.master, room) {
                Ok(0) => return Left::Closed,
                Ok(count) => {
                    state.produced(self.id, count);
                    state.measures.shown(self.id, self.started.elapsed());
                    self.flood.heard(count, Instant::now());
                    if count < most {
                        drop(state);
                        self.clear(Ready::READABLE);
                        return Left::Nothing;
                    }
                    if began.elapsed() >= TURN {
                        break;
                    }
                }
                Err(Errno::AGAIN) => {
                    self.clear(Ready::READABLE);
                    return Left::Nothing;
                }
                Err(Errno::INTR) => {}
                // EIO: nobody holds the other end any more, and all that was written has been read.
                Err(_) => return Left::Closed,
            }
        }
        Left::More
    }

    /// Says whether all of the input was taken.
    fn write(&self) -> bool {
        let mut state = self.shared.state();
        while let Some(front) =
            state.terminals.get(&self.id).and_then(|terminal| terminal.input.front())
        {
            match rustix::io::write(&self.master, front) {
                Ok(count) => {
                    state.consumed(self.id, count);
                    state.typing.typed(self.id, Instant::now());
                    state.measures.typed(self.id, self.started.elapsed());
                }
                Err(Errno::INTR) => {}
                Err(_) => {
                    drop(state);
                    self.clear(Ready::WRITABLE);
                    return false;
                }
            }
        }
        true
    }

    /// Notes that the PTY has to become ready again.
    fn clear(&self, kind: Ready) {
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        let Some(watched) = &self.watched else { return };
        let ready = if kind.is_readable() {
            watched.poll_read_ready(&mut context)
        } else {
            watched.poll_write_ready(&mut context)
        };
        if let std::task::Poll::Ready(Ok(mut guard)) = ready {
            guard.clear_ready();
        }
    }

    fn interest(&self, wishes: &Wishes) -> Option<Interest> {
        let apart = self.is_read_apart() || self.flood.is_reading();
        interest(wishes.read > 0 && !apart, wishes.write)
    }
}

fn interest(read: bool, write: bool) -> Option<Interest> {
    match (read, write) {
        (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
        (true, false) => Some(Interest::READABLE),
        (false, true) => Some(Interest::WRITABLE),
        (false, false) => None,
    }
}

/// What the PTY is ready for, of what is wanted.
async fn ready(watched: Option<&AsyncFd<Arc<OwnedFd>>>, interest: Option<Interest>) -> Ready {
    match (watched, interest) {
        (Some(watched), Some(interest)) => {
            watched.ready(interest).await.map_or(Ready::READABLE, |guard| guard.ready())
        }
        _ => std::future::pending().await,
    }
}

#[expect(
    unsafe_code,
    reason = "tokio asks its caller to promise that the descriptor stays the same"
)]
pub(super) fn watch(master: &Arc<OwnedFd>) -> std::io::Result<AsyncFd<Arc<OwnedFd>>> {
    // SAFETY: the descriptor stays open, and means the same file, for as long as the AsyncFd holds its Arc.
    unsafe { AsyncFd::register(Arc::clone(master)) }.map_err(Into::into)
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
