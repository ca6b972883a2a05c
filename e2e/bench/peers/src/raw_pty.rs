//! The floor: a PTY whose output somebody reads and throws away.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

use crate::machine;

/// What one read may bring.
const BUFFER: usize = 64 * 1024;

/// What reading took.
pub(crate) struct Passed {
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
    /// Processor time of whoever read, in seconds.
    pub(crate) processor: f64,
}

/// Runs a command there, until its last byte.
pub(crate) fn read(command: &str) -> Result<Passed> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let terminal = ioctl_tiocgptpeer(&master, flags)?;
    let started = Instant::now();
    let before = machine::cpu_seconds_of_thread()?;
    let mut child = start(command, terminal)?;
    let mut buffer = vec![0; BUFFER];
    let mut total = 0;
    // Nobody holds the other end any more: EIO.
    while let Ok(count) = rustix::io::read(&master, &mut buffer) {
        total += count;
    }
    let time = started.elapsed();
    let processor = machine::cpu_seconds_of_thread()? - before;
    child.wait()?;
    Ok(Passed { time, bytes: total, processor })
}

fn start(command: &str, terminal: OwnedFd) -> Result<std::process::Child> {
    let child = Command::new("bash")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(terminal)
        .stderr(Stdio::null())
        .spawn();
    child.context("start bash")
}
