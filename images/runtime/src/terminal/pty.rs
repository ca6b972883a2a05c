//! A pseudo terminal with a shell on its other end.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use rustix::process::Pid;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{InputModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use super::integration;
use super::size::Size;
use tokio::process::{Child, Command};

use crate::children::{self, Owned};

/// What people are given to type into.
#[derive(Debug, Clone)]
pub struct Shell {
    pub program: PathBuf,
    /// All of its environment.
    pub environment: BTreeMap<OsString, OsString>,
}

impl Shell {
    /// bash when the image has it, else sh.
    pub fn find(environment: BTreeMap<OsString, OsString>) -> Self {
        let path = environment.get(OsStr::new("PATH")).cloned().unwrap_or_default();
        let found = ["bash", "sh"].iter().find_map(|name| find(&path, name));
        Self { program: found.unwrap_or_else(|| PathBuf::from("/bin/sh")), environment }
    }

    /// Whether it tells when a command has ended.
    pub fn tells_commands(&self) -> bool {
        integration::is_known(&self.program)
    }

    /// Its name, as a title.
    pub fn title(&self) -> String {
        self.program.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The first program of this name in a PATH.
fn find(path: &OsStr, name: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|candidate| {
        rustix::fs::access(candidate, rustix::fs::Access::EXEC_OK).is_ok() && candidate.is_file()
    })
}

/// Why a shell could not be started.
#[derive(Debug, thiserror::Error)]
pub enum PtyError {
    #[error("open a pseudo terminal; the node may have none left")]
    Open(#[source] io::Error),
    #[error("start {program}")]
    Start {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Our end, and the process on the other one.
#[derive(Debug)]
pub struct Pty {
    pub master: Arc<OwnedFd>,
    pub pid: Pid,
    pub child: Child,
    /// Keeps the child from being reaped as an orphan.
    pub owned: Owned,
}

/// Starts a shell on a new PTY.
pub fn open(shell: &Shell, cwd: &Path, size: Size) -> Result<Pty, PtyError> {
    let (master, terminal) = pair(size).map_err(|error| PtyError::Open(error.into()))?;
    let program = &shell.program;
    let start = |source| PtyError::Start { program: program.clone(), source };
    let stdio = || terminal.try_clone().map(Stdio::from);
    let mut command = Command::new(program);
    command
        .args(integration::arguments(program))
        .env_clear()
        .envs(&shell.environment)
        .env("SHELL", program)
        .env("TERM", "xterm-256color")
        .env("COLORTERM", "truecolor")
        .current_dir(cwd)
        .stdin(stdio().map_err(start)?)
        .stdout(stdio().map_err(start)?)
        .stderr(stdio().map_err(start)?);
    on_own_terminal(&mut command);
    let (child, owned) = children::spawn(|| command.spawn(), Child::id).map_err(start)?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| start(io::Error::other("the shell has no process id")))?;
    Ok(Pty { master: Arc::new(master), pid, child, owned })
}

fn pair(size: Size) -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    // Asked of the master itself: /dev/pts may belong to another namespace.
    let terminal = ioctl_tiocgptpeer(&master, flags)?;
    let mut modes = tcgetattr(&terminal)?;
    // Erasing a character erases all of its bytes.
    modes.input_modes |= InputModes::IUTF8;
    tcsetattr(&terminal, OptionalActions::Now, &modes)?;
    resize(&master, size)?;
    rustix::io::ioctl_fionbio(&master, true)?;
    Ok((master, terminal))
}

/// Tells the PTY its size; programs get SIGWINCH.
pub fn resize(master: impl AsFd, size: Size) -> rustix::io::Result<()> {
    let size = Winsize { ws_col: size.cols, ws_row: size.rows, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size)
}

#[expect(unsafe_code, reason = "a session of one's own can only be made between fork and exec")]
fn on_own_terminal(command: &mut Command) {
    // SAFETY: both calls are plain system calls, which are safe between fork and exec.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
            Ok(())
        });
    }
}
