//! The floors: a PTY whose output somebody reads and throws away, or hands on and does nothing else.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
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

/// Runs a command there, until its last byte; what comes is thrown away.
pub(crate) fn read(command: &str) -> Result<Passed> {
    pass(command, |_| Ok(()))
}

/// The same, but all is sent to somebody on loopback, as much at once as a buffer holds: what any server has to do at least.
pub(crate) fn send_on(command: &str) -> Result<Passed> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut stream = TcpStream::connect(listener.local_addr()?)?;
    let (mut client, _) = listener.accept()?;
    let draining = std::thread::spawn(move || {
        let mut buffer = vec![0; BUFFER];
        while matches!(client.read(&mut buffer), Ok(1..)) {}
    });
    let mut gathered = Vec::with_capacity(2 * BUFFER);
    let passed = pass(command, |bytes| {
        gathered.extend_from_slice(bytes);
        if gathered.len() >= BUFFER {
            stream.write_all(&gathered)?;
            gathered.clear();
        }
        Ok(())
    })?;
    drop(stream);
    draining.join().map_err(|_| anyhow!("whoever reads what is sent on has panicked"))?;
    Ok(passed)
}

fn pass(command: &str, mut onward: impl FnMut(&[u8]) -> Result<()>) -> Result<Passed> {
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
        onward(&buffer[..count])?;
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
