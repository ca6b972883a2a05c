//! Where programs are, and how one waits for them.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// The longest a program may take to start.
const START: Duration = Duration::from_secs(30);

/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// The longest a request for a state may take.
const ANSWER: Duration = Duration::from_secs(2);

/// A program that was built beside this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.is_file(), "{} is not built", path.display());
    Ok(path)
}

/// The folder of this package: what the peers run lies there.
pub(crate) fn sources() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python of the peers' own environment.
pub(crate) fn python() -> Result<PathBuf> {
    let folder = std::env::var_os("FABRICA_PEERS_VENV").context("FABRICA_PEERS_VENV is not set")?;
    Ok(Path::new(&folder).join("bin/python"))
}

static ADDRESSES: AtomicU8 = AtomicU8::new(1);

/// A loopback address that nobody else has: pods have one each, and their port is always the same.
pub(crate) fn own_ip() -> IpAddr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high | 1, low, ADDRESSES.fetch_add(1, Ordering::Relaxed)).into()
}

/// A port that nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Waits until something is true.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + START;
    while !condition() {
        ensure!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Whether a GET is answered with 200.
pub(crate) fn answers(address: SocketAddr, path: &str) -> bool {
    status(address, path).is_ok_and(|status| status.starts_with("HTTP/1.1 200"))
}

fn status(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(String::from_utf8_lossy(&head).into_owned())
}
