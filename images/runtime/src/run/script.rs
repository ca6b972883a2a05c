//! The driver without a mind: runs the blocks of the plan in order, until one fails.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fabrica_protocol::run::{Entry, Usage};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::driver::{Completion, Driver, DriverError, Event, Place};
use super::kept::Conversation;
use super::output::Output;
use super::plan::{self, PlanError};
use super::shelf::Former;
use crate::children::{self, Owned};
use crate::terminal::pty::Shell;

/// A block's last words are in the pipe when it ends; only somebody it left behind keeps the pipe open after that.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// A block that is told to stop gets this long.
const GRACE: Duration = Duration::from_secs(2);
/// Of the last line of a failed block, as much as a sentence bears.
const LINE_CHARACTERS: usize = 300;

/// The blocks that are still to run, and the one that runs.
#[derive(Debug)]
pub(super) struct Script {
    blocks: VecDeque<String>,
    started: usize,
    running: Option<Running>,
    failed: Option<DriverError>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Keeps the child from being reaped as an orphan.
    _owned: Owned,
    output: Arc<Mutex<Output>>,
    reading: JoinHandle<()>,
}

impl Script {
    pub(super) fn new(plan: Option<&str>) -> Result<Self, PlanError> {
        let plan = plan.ok_or(PlanError::WorkItemAlone)?;
        let blocks: VecDeque<String> = plan::blocks(plan).into();
        if blocks.is_empty() {
            return Err(PlanError::NoBlocks);
        }
        Ok(Self { blocks, started: 0, running: None, failed: None })
    }

    fn finished(&mut self, status: ExitStatus, output: String) -> Entry {
        self.running = None;
        let failed = !status.success();
        if failed {
            let last = output.lines().rev().find(|line| !line.trim().is_empty());
            let last = last.unwrap_or("it said nothing").chars().take(LINE_CHARACTERS).collect();
            let status = status.to_string();
            self.failed = Some(DriverError::Block { number: self.started, status, last });
        }
        Entry::ToolFinished { id: self.started.to_string(), output, failed, duration_ms: None }
    }
}

impl Driver for Script {
    async fn start(
        &mut self,
        _: &Place<'_>,
        _: &str,
        _: Option<&Former>,
    ) -> Result<(), DriverError> {
        Ok(())
    }

    async fn next(&mut self, place: &Place<'_>) -> Option<Result<Event, DriverError>> {
        let number = self.started.max(1);
        if let Some(running) = &mut self.running {
            let ended = running.ended().await;
            let output = running.said(place);
            let finished = ended.map(|status| Event::Told(self.finished(status, output)));
            return Some(finished.map_err(|source| DriverError::Start { number, source }));
        }
        if let Some(error) = self.failed.take() {
            self.blocks.clear();
            return Some(Err(error));
        }
        let block = self.blocks.pop_front()?;
        self.started += 1;
        let number = self.started;
        match run(place, &block) {
            Ok(running) => self.running = Some(running),
            Err(source) => return Some(Err(DriverError::Start { number, source })),
        }
        let (id, name) = (number.to_string(), "sh".to_owned());
        Some(Ok(Event::Told(Entry::ToolStarted { id, name, input: block })))
    }

    /// It asks nothing, so it is never parked.
    async fn resume(&mut self, _: &Place<'_>) -> Result<(), DriverError> {
        Ok(())
    }

    async fn stop(&mut self, place: &Place<'_>) -> Vec<Entry> {
        self.blocks.clear();
        let Some(mut running) = self.running.take() else { return Vec::new() };
        let group = running.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            // A group that is gone needs no signal.
            let _ = kill_process_group(group, Signal::TERM);
        }
        // Whoever does not listen is killed by the caller; what was said until now counts anyway.
        let _ = tokio::time::timeout(GRACE, running.ended()).await;
        let (id, output) = (self.started.to_string(), running.said(place));
        vec![Entry::ToolFinished { id, output, failed: true, duration_ms: None }]
    }

    /// Blocks are run again from the first one.
    fn conversation(&self, _: &Place<'_>) -> Option<Conversation> {
        None
    }

    fn completion(&self) -> Option<Completion> {
        None
    }

    fn usage(&self) -> Option<Usage> {
        None
    }
}

impl Running {
    async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        // Who still reads goes on, so that a server left behind can go on speaking.
        let _ = tokio::time::timeout(LAST_WORDS, &mut self.reading).await;
        Ok(status)
    }

    fn said(&self, place: &Place<'_>) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).text(&place.config.secrets)
    }
}

fn run(place: &Place<'_>, block: &str) -> std::io::Result<Running> {
    let config = place.config;
    let (reader, writer) = std::io::pipe()?;
    let shell = Shell::find(config.shell.clone());
    let mut command = Command::new(&shell.program);
    command
        .args(["-e", "-c", block])
        .env_clear()
        .envs(&shell.environment)
        .envs(place.git.iter().map(|(name, value)| (name, value)))
        .env("SHELL", &shell.program)
        // Nobody is there to be asked.
        .env("GIT_TERMINAL_PROMPT", "0")
        .current_dir(config.workspace.join("repo"))
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    let (child, owned) = children::spawn(|| command.spawn(), Child::id)?;
    let output = Arc::new(Mutex::new(Output::default()));
    let receiver = Receiver::from_owned_fd(OwnedFd::from(reader))?;
    let reading = tokio::spawn(read(receiver, output.clone()));
    Ok(Running { child, _owned: owned, output, reading })
}

async fn read(mut receiver: Receiver, output: Arc<Mutex<Output>>) {
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = receiver.read(&mut buffer).await {
        output.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..count]);
    }
}
