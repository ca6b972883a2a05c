//! The terminals of a Session with the processes behind them.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use chrono::{DateTime, Utc};
use fabrica_protocol::kterm::{ErrorCode, OpenRequest, TerminalType};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::flood::Flood;
use super::opening::{Opening, Wanted};
use super::pty::{self, Pty, PtyError, Shell};
use super::pump::{Pump, watch};
use super::shared::Shared;
use super::size::{Size, SizePolicy};
use super::state::{Exit, State};
use super::telling;
use super::title::{Title, clean};

/// A program and our end of its terminal.
#[derive(Debug)]
struct Running {
    master: Arc<OwnedFd>,
    pid: Pid,
}

/// Opens terminals, and knows what runs in them.
#[derive(Debug, Clone)]
pub struct Shells {
    pub shared: Shared,
    shell: Arc<Mutex<Arc<Shell>>>,
    home: Arc<Path>,
    running: Arc<Mutex<BTreeMap<u16, Running>>>,
    pumps: TaskTracker,
    /// Somebody tells the news.
    telling: Arc<Once>,
    pub(super) started: Instant,
}

impl Shells {
    /// Without a terminal yet. `home` is where they begin.
    pub fn new(epoch: u64, shell: Shell, home: PathBuf, now: DateTime<Utc>) -> Self {
        let mut state = State::new(epoch, now);
        state.tells_commands = shell.tells_commands();
        Self {
            shared: Shared::new(state),
            shell: Arc::new(Mutex::new(Arc::new(shell))),
            home: home.into(),
            running: Arc::default(),
            pumps: TaskTracker::new(),
            telling: Arc::new(Once::new()),
            started: Instant::now(),
        }
    }

    /// With this policy for terminals that several clients show.
    #[must_use]
    pub fn sized(self, policy: SizePolicy) -> Self {
        self.shared.state().size_policy = policy;
        self
    }

    /// What is opened from now on is this; what is open stays as it is.
    pub fn change(&self, shell: Shell) {
        self.shared.state().tells_commands = shell.tells_commands();
        *self.shell.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(shell);
    }

    fn shell(&self) -> Arc<Shell> {
        self.shell.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens the terminal that is there before anybody asks.
    pub fn open_first(&self) -> Result<u16, PtyError> {
        let Opening::New(id) = self.shared.state().opening(None) else { return Ok(1) };
        let title = Title::new(self.shell().title(), String::new());
        let kind = TerminalType::System;
        let wanted = Wanted { key: None, kind, title, size: Size::default() };
        self.start(id, wanted, &self.directory())?;
        let mut state = self.shared.state();
        state.created(0, id);
        state.events.write(Instant::now());
        Ok(id)
    }

    /// Opens one for a client, or tells it why not. A repeated key finds the terminal it made.
    pub fn open(&self, connection: u32, key: u128, request: &OpenRequest) {
        let kind = request.terminal_type;
        if kind == TerminalType::Agent {
            let text = "The agent's terminal opens by itself when the agent runs something.";
            return self.shared.state().open_failed(connection, ErrorCode::CannotOpen, text);
        }
        let opening = self.shared.state().opening(Some(key));
        let id = match opening {
            Opening::New(id) => id,
            Opening::Exists(_) => return self.shared.state().tell_terms(connection),
            Opening::Full => {
                let text = "A session has at most 16 terminals; close one first.";
                return self.shared.state().open_failed(
                    connection,
                    ErrorCode::TooManyTerminals,
                    text,
                );
            }
        };
        let cwd = request.cwd.as_ref().map_or_else(|| self.directory(), PathBuf::from);
        let program = self.shell().title();
        let title = Title::new(program, clean(request.title.as_deref().unwrap_or_default()));
        let size = Size::new(request.cols, request.rows).unwrap_or_default();
        let wanted = Wanted { key: Some(key), kind, title, size };
        let started = self.start(id, wanted, &cwd);
        let mut state = self.shared.state();
        match started {
            Ok(()) => state.created(connection, id),
            Err(error) => {
                let (place, cause) = (cwd.display(), crate::chain(&error));
                let text = format!("The shell could not be started in {place}: {cause}");
                state.measures.counted.open_failures += 1;
                state.open_failed(connection, open_code(&error), &text);
            }
        }
    }

    /// Programs that run.
    pub fn alive(&self) -> usize {
        self.running().len()
    }

    /// Whether a terminal's foreground is something else than its shell.
    pub fn is_busy(&self) -> bool {
        self.running().values().any(|running| {
            rustix::termios::tcgetpgrp(&running.master)
                .is_ok_and(|foreground| foreground != running.pid)
        })
    }

    /// Sends a signal to what runs in a terminal's foreground.
    pub fn signal_foreground(&self, id: u16, signal: u8) {
        let running = self.running();
        let Some(running) = running.get(&id) else { return };
        if let Ok(foreground) = rustix::termios::tcgetpgrp(&running.master)
            && let Some(signal) = Signal::from_named_raw(signal.into())
        {
            // A group that is gone has nothing left to hear.
            let _ = kill_process_group(foreground, signal);
        }
    }

    /// Has a shell run a line for a client, or tells it why not.
    pub fn command(&self, connection: u32, id: u16, command: u64, line: &str) {
        let in_front = self.running().get(&id).is_some_and(|running| {
            rustix::termios::tcgetpgrp(&running.master)
                .is_ok_and(|foreground| foreground == running.pid)
        });
        self.shared.state().command(connection, id, command, line, in_front);
    }

    /// Sends a signal to every shell and to what runs in its foreground.
    pub fn signal(&self, signal: Signal) {
        for running in self.running().values() {
            let foreground = rustix::termios::tcgetpgrp(&running.master);
            for group in foreground.into_iter().chain([running.pid]) {
                // A group that is gone has nothing left to end.
                let _ = kill_process_group(group, signal);
            }
        }
    }

    /// Waits until every program has ended.
    pub async fn ended(&self) {
        self.pumps.close();
        self.pumps.wait().await;
    }

    fn start(&self, id: u16, wanted: Wanted, cwd: &Path) -> Result<(), PtyError> {
        let Pty { master, pid, mut child, owned } = pty::open(&self.shell(), cwd, wanted.size)?;
        let watched = Some(watch(&master).map_err(PtyError::Open)?);
        let cwd = cwd.display().to_string();
        let wake = self.list(id, wanted, cwd);
        self.running().insert(id, Running { master: Arc::clone(&master), pid });
        let (sender, ended) = oneshot::channel();
        self.pumps.spawn(async move {
            let status = child.wait().await.unwrap_or_default();
            drop(owned);
            let signal = status.signal().and_then(|signal| u8::try_from(signal).ok()).unwrap_or(0);
            // The pump listens until it hears this.
            let _ = sender.send(Exit { code: status.code().unwrap_or(0), signal });
        });
        let shared = self.shared.clone();
        let started = Instant::now();
        let flood = Flood::new(started);
        let status = None;
        let pump = Pump { id, master, watched, flood, pid, ended, status, wake, shared, started };
        let running = Arc::clone(&self.running);
        self.pumps.spawn(async move {
            pump.run().await;
            running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        });
        Ok(())
    }

    /// Adds a terminal to those that there are.
    pub(super) fn list(&self, id: u16, wanted: Wanted, cwd: String) -> Arc<Notify> {
        let wake = self.shared.state().opened(id, wanted, cwd);
        self.telling.call_once(|| {
            tokio::spawn(telling::tell(self.shared.clone()));
        });
        wake
    }

    /// The repository when it is there, else the workspace.
    fn directory(&self) -> PathBuf {
        let repository = self.home.join("repo");
        if repository.is_dir() { repository } else { self.home.to_path_buf() }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u16, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client is told: to wait for another terminal to end may help, or it does not.
const fn open_code(error: &PtyError) -> ErrorCode {
    match error {
        PtyError::Open(_) => ErrorCode::Exhausted,
        PtyError::Start { .. } => ErrorCode::CannotOpen,
    }
}
