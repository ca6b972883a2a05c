//! The raw tunnel: bytes both ways between a client and its pod, never looked at.
//!
//! Buffers exist only while bytes move. An idle tunnel is two sockets and a small task.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio_util::sync::CancellationToken;

/// Bytes taken from a client at a time, at first: keystrokes.
const CLIENT_CHUNK: usize = 4 * 1024;

/// Bytes taken from a pod at a time, at first.
const POD_CHUNK: usize = 16 * 1024;

/// Bytes taken at a time from a side that has always more: a turn costs little more for many bytes than for few, and the
/// kernel holds several times as many of such a connection.
const LARGEST_CHUNK: usize = 256 * 1024;

/// How long a tunnel may be silent. The pod pings every 20 s, so silence means that a side is gone.
const IDLE: Duration = Duration::from_secs(150);

/// How long one side may go on after the other has ended.
const LINGER: Duration = Duration::from_secs(10);

/// Idle time before the kernel asks whether the peer is there, and between its questions.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How long sent bytes may stay unacknowledged before the kernel gives a connection up, in milliseconds.
const USER_TIMEOUT_MILLISECONDS: u32 = 20_000;

/// Why a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client closed or vanished.
    Client,
    /// The pod closed or vanished.
    Pod,
    /// Nothing moved for too long.
    Idle,
    /// The gateway cut it.
    Cut,
}

/// One side: a socket, and what had been read from it before the tunnel began.
#[derive(Debug)]
pub struct Side {
    pub stream: TcpStream,
    pub early: bytes::Bytes,
}

/// Where moved bytes are counted.
#[derive(Debug, Clone)]
pub struct Meters {
    pub to_pod: Counter,
    pub to_client: Counter,
}

/// Makes a socket of a tunnel answer fast and notice a dead peer.
pub fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    rustix::net::sockopt::set_socket_keepalive(stream, true)?;
    rustix::net::sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
    rustix::net::sockopt::set_tcp_keepintvl(stream, KEEPALIVE)?;
    rustix::net::sockopt::set_tcp_user_timeout(stream, USER_TIMEOUT_MILLISECONDS)?;
    Ok(())
}

/// Carries bytes until a side ends, nothing moves, or `cut` is cancelled.
pub async fn carry(
    mut client: Side,
    mut pod: Side,
    meters: Meters,
    cut: &CancellationToken,
) -> End {
    let activity = Activity::default();
    let (client_read, mut client_write) = client.stream.split();
    let (pod_read, mut pod_write) = pod.stream.split();
    let early_to_pod = std::mem::take(&mut client.early);
    let early_to_client = std::mem::take(&mut pod.early);
    let to_pod = async {
        let direction =
            Direction { chunk: CLIENT_CHUNK, moved: &meters.to_pod, activity: &activity };
        direction.carry(early_to_pod, client_read, &mut pod_write).await
    };
    let to_client = async {
        let direction =
            Direction { chunk: POD_CHUNK, moved: &meters.to_client, activity: &activity };
        direction.carry(early_to_client, pod_read, &mut client_write).await
    };
    tokio::select! {
        end = until_both_end(to_pod, to_client) => end,
        () = activity.silence() => End::Idle,
        () = cut.cancelled() => End::Cut,
    }
}

/// Waits for the first direction to end, then a little for the other.
async fn until_both_end(
    to_pod: impl Future<Output = io::Result<()>>,
    to_client: impl Future<Output = io::Result<()>>,
) -> End {
    tokio::pin!(to_pod, to_client);
    tokio::select! {
        result = &mut to_pod => {
            if result.is_ok() {
                let _ = tokio::time::timeout(LINGER, to_client).await;
            }
            End::Client
        }
        result = &mut to_client => {
            if result.is_ok() {
                let _ = tokio::time::timeout(LINGER, to_pod).await;
            }
            End::Pod
        }
    }
}

struct Direction<'a> {
    chunk: usize,
    moved: &'a Counter,
    activity: &'a Activity,
}

impl Direction<'_> {
    async fn carry(
        &self,
        early: bytes::Bytes,
        mut from: ReadHalf<'_>,
        to: &mut WriteHalf<'_>,
    ) -> io::Result<()> {
        if !early.is_empty() {
            self.forward(&early, to).await?;
        }
        drop(early);
        loop {
            from.readable().await?;
            if !self.forward_all(&mut from, to).await? {
                return to.shutdown().await;
            }
        }
    }

    /// Carries what is there, in pieces that grow while each is full; whether more may come.
    async fn forward_all(
        &self,
        from: &mut ReadHalf<'_>,
        to: &mut WriteHalf<'_>,
    ) -> io::Result<bool> {
        let mut buffer = Vec::with_capacity(self.chunk);
        loop {
            // Unlike `try_read_buf`, this takes a short read for the last one and need not be told so by another.
            match from.read_buf(&mut buffer).now_or_never().transpose()? {
                // Nothing is left, or it is the turn of others, which waiting for readiness would not give them.
                None => {
                    tokio::task::yield_now().await;
                    return Ok(true);
                }
                Some(0) => return Ok(false),
                Some(_) => self.forward(&buffer, to).await?,
            }
            let size = buffer.capacity();
            if buffer.len() < size {
                return Ok(true);
            }
            buffer.clear();
            if size < LARGEST_CHUNK {
                buffer = Vec::with_capacity(2 * size);
            }
        }
    }

    async fn forward(&self, bytes: &[u8], to: &mut WriteHalf<'_>) -> io::Result<()> {
        to.write_all(bytes).await?;
        self.moved.inc_by(bytes.len() as u64);
        self.activity.note();
        Ok(())
    }
}

/// When bytes last moved, for both directions of one tunnel.
struct Activity {
    start: Instant,
    last: AtomicU64,
}

impl Default for Activity {
    fn default() -> Self {
        Self { start: Instant::now(), last: AtomicU64::new(0) }
    }
}

impl Activity {
    fn note(&self) {
        self.last.store(self.start.elapsed().as_secs(), Ordering::Relaxed);
    }

    async fn silence(&self) {
        loop {
            let last = Duration::from_secs(self.last.load(Ordering::Relaxed));
            let silent = self.start.elapsed().saturating_sub(last);
            let Some(left) = IDLE.checked_sub(silent).filter(|left| !left.is_zero()) else {
                return;
            };
            tokio::time::sleep(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialing = TcpStream::connect(listener.local_addr().unwrap());
        let (dialed, accepted) = tokio::join!(dialing, listener.accept());
        (dialed.unwrap(), accepted.unwrap().0)
    }

    async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        bytes
    }

    fn meters() -> Meters {
        Meters { to_pod: Counter::default(), to_client: Counter::default() }
    }

    #[tokio::test]
    async fn early_bytes_come_first_and_ends_are_passed_on() {
        let (mut browser, client) = pair().await;
        let (pod, mut runtime) = pair().await;
        tune(&client).unwrap();
        let counted = meters();
        let client = Side { stream: client, early: Bytes::from_static(b"HEL") };
        let pod = Side { stream: pod, early: Bytes::from_static(b"WEL") };
        let cut = CancellationToken::new();
        let tunnel = carry(client, pod, counted.clone(), &cut);
        let large: Vec<u8> =
            (0..300_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
        let peers = async {
            browser.write_all(b"LO").await.unwrap();
            browser.shutdown().await.unwrap();
            assert_eq!(read_all(&mut runtime).await, b"HELLO");
            runtime.write_all(b"COME").await.unwrap();
            let (written, read) = tokio::join!(
                async {
                    runtime.write_all(&large).await.unwrap();
                    runtime.shutdown().await.unwrap();
                },
                read_all(&mut browser)
            );
            let () = written;
            assert_eq!(&read[..7], b"WELCOME");
            assert_eq!(read[7..], large);
        };
        let (end, ()) = tokio::join!(tunnel, peers);
        assert_eq!(end, End::Client);
        assert_eq!(counted.to_pod.get(), 5);
        assert_eq!(counted.to_client.get(), 300_007);
    }

    /// Without a yield the task would ask its sockets for ever, in a turn that is over.
    #[tokio::test]
    async fn a_turn_may_end_at_any_byte() {
        /// What tokio lets a task do in one turn.
        const TURN: usize = 128;
        for left in 1..16 {
            let (mut browser, client) = pair().await;
            let (pod, mut runtime) = pair().await;
            runtime.write_all(&vec![7; 100_000]).await.unwrap();
            runtime.shutdown().await.unwrap();
            browser.shutdown().await.unwrap();
            let side = |stream| Side { stream, early: Bytes::new() };
            let tunnel = async {
                tokio::task::yield_now().await;
                for _ in left..TURN {
                    tokio::task::consume_budget().await;
                }
                carry(side(client), side(pod), meters(), &CancellationToken::new()).await
            };
            let (_, read) = tokio::join!(tunnel, read_all(&mut browser));
            assert_eq!(read.len(), 100_000);
        }
    }

    #[tokio::test]
    async fn a_cut_ends_it_at_once() {
        let (mut browser, client) = pair().await;
        let (pod, _runtime) = pair().await;
        let cut = CancellationToken::new();
        let side = |stream| Side { stream, early: Bytes::new() };
        let tunnel = async {
            let end = carry(side(client), side(pod), meters(), &cut).await;
            assert_eq!(end, End::Cut);
        };
        cut.cancel();
        tunnel.await;
        assert!(read_all(&mut browser).await.is_empty());
    }
}
