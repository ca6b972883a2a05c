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

use super::pty;
use super::ring::READ_BYTES;
use super::shared::Shared;
use super::size::Size;
use super::state::Exit;

/// Reads in a row before others get their turn. Reads are never put off to make them larger: that costs throughput.
const READS_IN_A_ROW: usize = 8;

/// Or this time: on a busy machine each read waits for the kernel to bring what the program wrote, and a key elsewhere would
/// wait for all of them.
const TURN: Duration = Duration::from_micros(200);

/// How long a closed terminal's programs have after their signal.
const KILL_AFTER: Duration = Duration::from_secs(5);

/// How long output may still come when the shell is gone but something of it holds the terminal open.
const LINGER: Duration = Duration::from_secs(2);

/// One terminal's PTY and process.
#[derive(Debug)]
pub(super) struct Pump {
    pub(super) id: u16,
    pub(super) master: AsyncFd<Arc<OwnedFd>>,
    pub(super) pid: Pid,
    pub(super) ended: oneshot::Receiver<Exit>,
    pub(super) wake: Arc<Notify>,
    pub(super) shared: Shared,
    pub(super) started: Instant,
}

/// What may be in the PTY still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    More,
    /// The other end is closed, and all of it was read.
    Closed,
}

/// What the state wants of the PTY now.
struct Wishes {
    read: bool,
    write: bool,
    resize: Option<Size>,
    signal: Option<u8>,
}

impl Pump {
    /// Runs until the program has ended and its last byte is in the ring.
    pub(super) async fn run(mut self) {
        let mut kill_at = None;
        let mut give_up_at = None;
        let mut status = None;
        let mut drained = false;
        while !(drained && status.is_some()) {
            let wishes = self.wishes();
            self.obey(&wishes, &mut kill_at);
            let interest = interest(&wishes).filter(|_| !drained);
            let deadline = [kill_at, give_up_at].into_iter().flatten().min();
            tokio::select! {
                ready = ready(&self.master, interest) => match self.exchange(ready) {
                    Left::Nothing => {}
                    Left::More => tokio::task::yield_now().await,
                    Left::Closed => drained = true,
                },
                () = self.wake.notified() => {}
                ended = &mut self.ended, if status.is_none() => {
                    status = Some(ended.unwrap_or_default());
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
        let exit = status.unwrap_or_default();
        let mut state = self.shared.state();
        state.ended(self.id, exit);
        state.events.write(Instant::now());
    }

    fn wishes(&self) -> Wishes {
        let mut state = self.shared.state();
        let read = state.wants_output(self.id);
        state.measures.held(self.id, !read);
        let Some(terminal) = state.terminals.get_mut(&self.id) else {
            return Wishes { read: true, write: false, resize: None, signal: None };
        };
        Wishes {
            read,
            write: terminal.input.front().is_some(),
            resize: terminal.resize_due.take(),
            signal: terminal.signal_due.take(),
        }
    }

    /// A new size comes before any input that was typed into it.
    fn obey(&self, wishes: &Wishes, kill_at: &mut Option<Instant>) {
        if let Some(size) = wishes.resize
            && let Err(error) = pty::resize(self.master.get_ref(), size)
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
        for group in rustix::termios::tcgetpgrp(self.master.get_ref()).into_iter().chain([self.pid])
        {
            // A group that is gone has nothing left to end.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Reads and writes what is possible now.
    fn exchange(&self, ready: Ready) -> Left {
        let readable = ready.is_readable() || ready.is_read_closed();
        let left = if readable { self.read() } else { Left::Nothing };
        if ready.is_writable() && left != Left::Closed {
            self.write();
        }
        left
    }

    fn read(&self) -> Left {
        let began = Instant::now();
        for _ in 0..READS_IN_A_ROW {
            let mut state = self.shared.state();
            if !state.wants_output(self.id) {
                return Left::Nothing;
            }
            let Some(terminal) = state.terminals.get_mut(&self.id) else { return Left::Closed };
            match rustix::io::read(
                self.master.get_ref(),
                terminal.room(READ_BYTES, self.started.elapsed()),
            ) {
                Ok(0) => return Left::Closed,
                Ok(count) => {
                    state.produced(self.id, count);
                    state.measures.shown(self.id, self.started.elapsed());
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

    fn write(&self) {
        let mut state = self.shared.state();
        while let Some(front) =
            state.terminals.get(&self.id).and_then(|terminal| terminal.input.front())
        {
            match rustix::io::write(self.master.get_ref(), front) {
                Ok(count) => {
                    state.consumed(self.id, count);
                    state.measures.typed(self.id, self.started.elapsed());
                }
                Err(Errno::INTR) => {}
                Err(_) => return self.clear(Ready::WRITABLE),
            }
        }
    }

    /// Notes that the PTY has to become ready again.
    fn clear(&self, kind: Ready) {
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        if kind.is_readable() {
            if let std::task::Poll::Ready(Ok(mut guard)) = self.master.poll_read_ready(&mut context)
            {
                guard.clear_ready();
            }
        } else if let std::task::Poll::Ready(Ok(mut guard)) =
            self.master.poll_write_ready(&mut context)
        {
            guard.clear_ready();
        }
    }
}

fn interest(wishes: &Wishes) -> Option<Interest> {
    match (wishes.read, wishes.write) {
        (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
        (true, false) => Some(Interest::READABLE),
        (false, true) => Some(Interest::WRITABLE),
        (false, false) => None,
    }
}

/// What the PTY is ready for, of what is wanted.
async fn ready(master: &AsyncFd<Arc<OwnedFd>>, interest: Option<Interest>) -> Ready {
    match interest {
        Some(interest) => {
            master.ready(interest).await.map_or(Ready::READABLE, |guard| guard.ready())
        }
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
