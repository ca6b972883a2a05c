//! In the place of a pod: it shakes hands and sends output that was made before, so that only the way to it is measured.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use fabrica_protocol::runtime::PORT;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::tools;

/// What every server appends to a key.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Frames that are written at once, in bytes.
const BATCH: usize = 256 * 1024;

/// What each connection gets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Bytes in a frame.
    pub(crate) frame: usize,
    /// Frames in all; then there is silence.
    pub(crate) frames: usize,
    /// Between two frames; without it they come as fast as they are taken.
    pub(crate) every: Option<Duration>,
}

/// Ends when its runtime does.
#[derive(Debug)]
pub(crate) struct StandIn {
    pub(crate) ip: IpAddr,
}

impl StandIn {
    pub(crate) fn start(runtime: &Runtime, output: Output) -> Result<Self> {
        let ip = tools::own_ip();
        let listener = runtime.block_on(TcpListener::bind(SocketAddr::new(ip, PORT)))?;
        let frame = frame(output.frame);
        let batch: Bytes = frame.repeat((BATCH / frame.len()).clamp(1, output.frames)).into();
        let (frame, batch) = (Arc::new(Bytes::from(frame)), Arc::new(batch));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (frame, batch) = (Arc::clone(&frame), Arc::clone(&batch));
                // Whoever reads notices an error by itself.
                tokio::spawn(async move { serve(stream, output, &frame, &batch).await });
            }
        });
        Ok(Self { ip })
    }
}

fn frame(length: usize) -> Vec<u8> {
    let mut frame = vec![0x82];
    match u16::try_from(length) {
        Ok(short @ 0..126) => frame.push(short as u8),
        Ok(medium) => {
            frame.push(126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.resize(frame.len() + length, b'x');
    frame
}

async fn serve(mut stream: TcpStream, output: Output, frame: &Bytes, batch: &Bytes) -> Result<()> {
    stream.set_nodelay(true)?;
    accept(&mut stream).await?;
    if let Some(every) = output.every {
        let mut ticks = tokio::time::interval(every);
        for _ in 0..output.frames {
            ticks.tick().await;
            stream.write_all(frame).await?;
        }
    } else {
        let mut left = output.frames * frame.len();
        while left > 0 {
            let piece = left.min(batch.len());
            stream.write_all(&batch[..piece]).await?;
            left -= piece;
        }
    }
    // Until the other side goes.
    let mut rest = [0; 512];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

async fn accept(stream: &mut TcpStream) -> Result<()> {
    let mut head = BytesMut::new();
    while !head.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(stream.read_buf(&mut head).await? > 0, "the client closed");
    }
    let text = String::from_utf8_lossy(&head);
    let key = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    });
    let key = key.context("no key")?;
    let digest = Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: kterm.v1\r\n\r\n",
        STANDARD.encode(digest)
    );
    Ok(stream.write_all(answer.as_bytes()).await?)
}
