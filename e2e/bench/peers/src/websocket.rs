//! A blocking WebSocket client (RFC 6455) that shares no code with any server here: one thread may read while another writes.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// The largest message that is understood, and what one read may bring.
const BUFFER: usize = 1 << 20;

/// The longest anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Servers must not trust in its being random here: the traffic is ours.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
const CLOSE: u8 = 8;

/// The half that reads.
#[derive(Debug)]
pub(crate) struct Reader {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// The half that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    stream: TcpStream,
    frame: Vec<u8>,
}

/// Connects and shakes hands.
pub(crate) fn connect(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(Reader, Writer)> {
    let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    handshake(stream, address, path, headers)
}

/// Shakes hands over a connection that stands.
pub(crate) fn handshake(
    mut stream: TcpStream,
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(Reader, Writer)> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n")?;
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    let writer = Writer { stream: stream.try_clone()?, frame: Vec::new() };
    let mut reader = Reader { stream, buffer: vec![0; BUFFER], start: 0, end: 0 };
    reader.head()?;
    Ok((reader, writer))
}

impl Reader {
    /// Reads the answer's head.
    fn head(&mut self) -> Result<()> {
        let end = loop {
            ensure!(self.fill()?, "the server closed during the handshake");
            let seen = &self.buffer[..self.end];
            if let Some(at) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        ensure!(head.starts_with("HTTP/1.1 101"), "no upgrade: {head}");
        self.start = end;
        Ok(())
    }

    /// The next message of data; `None` at the end. Pings stay unanswered: no row lasts as long as a server's patience.
    pub(crate) fn message(&mut self) -> Result<Option<(u8, &[u8])>> {
        loop {
            let Some((kind, at, length)) = self.frame()? else { return Ok(None) };
            self.start = at + length;
            match kind {
                TEXT | BINARY => return Ok(Some((kind, &self.buffer[at..at + length]))),
                CLOSE => return Ok(None),
                CONTINUATION => anyhow::bail!("a fragmented message"),
                _ => {}
            }
        }
    }

    /// Kind, place and length of the next frame.
    fn frame(&mut self) -> Result<Option<(u8, usize, usize)>> {
        loop {
            let seen = &self.buffer[self.start..self.end];
            if let Some((head, length)) = frame_size(seen) {
                ensure!(head + length <= self.buffer.len(), "a frame of {length} bytes");
                if seen.len() >= head + length {
                    return Ok(Some((seen[0] & 15, self.start + head, length)));
                }
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads once; `false` at the end.
    fn fill(&mut self) -> Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        match self.stream.read(&mut self.buffer[self.end..]) {
            Ok(count) => {
                self.end += count;
                Ok(count > 0)
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// How long the next read may wait.
    pub(crate) fn set_patience(&self, patience: Duration) -> Result<()> {
        Ok(self.stream.set_read_timeout(Some(patience))?)
    }

    /// The socket itself, for its options.
    pub(crate) const fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

/// Lengths of a frame's head and body, as soon as they can be told.
fn frame_size(seen: &[u8]) -> Option<(usize, usize)> {
    match seen.get(1)? & 127 {
        126 => Some((4, usize::from(u16::from_be_bytes(seen.get(2..4)?.try_into().ok()?)))),
        127 => Some((10, u64::from_be_bytes(seen.get(2..10)?.try_into().ok()?) as usize)),
        length => Some((2, usize::from(length))),
    }
}

impl Writer {
    /// Sends one message.
    pub(crate) fn send(&mut self, kind: u8, parts: &[&[u8]]) -> Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.frame.clear();
        self.frame.push(0x80 | kind);
        match length {
            0..=125 => self.frame.push(0x80 | length as u8),
            126..=0xffff => {
                self.frame.push(0xfe);
                self.frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                self.frame.push(0xff);
                self.frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        self.frame.extend_from_slice(&MASK);
        let body = parts.iter().flat_map(|part| part.iter());
        self.frame.extend(body.zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        Ok(self.stream.write_all(&self.frame)?)
    }

    /// Ends the connection, which wakes whoever reads.
    pub(crate) fn cut(&self) {
        // It may have ended already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
