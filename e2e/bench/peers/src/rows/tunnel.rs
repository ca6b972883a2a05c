//! 6l: what the gateway's way costs: for bytes, for connections in which nothing happens, and for many at work.

use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

use super::Plan;
use crate::api_server::ApiServer;
use crate::client::{Protocol, Way};
use crate::gateway::Gateway;
use crate::report::{Limit, Row, Table};
use crate::samples::{figure, median, ratios};
use crate::stand_in::{Output, StandIn};
use crate::{SHAPE, machine, tools, websocket};

/// Bytes in a frame, and megabytes of such frames in a round.
const FRAMES: [(usize, usize, Limit); 3] =
    [(256, 32, Limit::None), (4096, 384, Limit::AtMost(0.5)), (32 * 1024, 512, Limit::None)];

/// Idle connections in each of two batches: the first also pays for what is there once.
const IDLE: usize = 400;

/// Connections at work, what each gets at once, how often, and for how long.
const MANY: usize = 2000;
const PIECE: usize = 8 * 1024;
const EVERY: Duration = Duration::from_millis(200);
const SECONDS: u64 = 10;

/// One user may have 64.
const OF_A_USER: usize = 50;

/// After this long without work a process counts as idle.
const REST: Duration = Duration::from_secs(2);

/// A program between client and pod.
trait Relay {
    fn process(&self) -> u32;
    fn way(&self, name: &str, pod: IpAddr, user: usize) -> Way;
}

impl Relay for Gateway {
    fn process(&self) -> u32 {
        self.process.id()
    }

    fn way(&self, name: &str, _: IpAddr, user: usize) -> Way {
        Self::way(self, name, &format!("user-{user}"))
    }
}

/// The other shape's process.
#[derive(Debug)]
struct Shape {
    process: Child,
    address: SocketAddr,
}

impl Shape {
    fn start() -> Result<Self> {
        let address = tools::free_address()?;
        let process = Command::new(std::env::current_exe()?)
            .args([SHAPE, &address.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let shape = Self { process, address };
        tools::eventually("the shape is ready", || tools::answers(address, "/healthz"))?;
        Ok(shape)
    }
}

impl Relay for Shape {
    fn process(&self) -> u32 {
        self.process.id()
    }

    fn way(&self, _: &str, pod: IpAddr, _: usize) -> Way {
        let path = format!("/{pod}");
        Way { address: self.address, path, token: None, protocol: Protocol::Kterm }
    }
}

impl Drop for Shape {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn measure(plan: &Plan, table: &Table) -> Result<()> {
    let pods =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    for (frame, megabytes, limit) in FRAMES {
        bytes(plan, table, &pods, (frame, plan.share(megabytes)), limit)?;
    }
    idle(plan, table, &pods)?;
    many(plan, table, &pods)
}

fn headers(bearer: Option<&String>) -> Vec<(&'static str, &str)> {
    let mut headers = vec![("Sec-WebSocket-Protocol", "kterm.v1")];
    headers.extend(bearer.map(|bearer| ("Authorization", bearer.as_str())));
    headers
}

fn bytes(
    plan: &Plan,
    table: &Table,
    pods: &Runtime,
    (frame, megabytes): (usize, usize),
    limit: Limit,
) -> Result<()> {
    let frames = megabytes * 1_000_000 / frame;
    let pod = StandIn::start(pods, Output { frame, frames, every: None })?;
    let api = ApiServer::start(&[("flood".to_owned(), pod.ip)])?;
    let (mut ours, mut theirs, mut speeds) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        let (gateway, shape) = (Gateway::start(&api)?, Shape::start()?);
        let (own, speed) = cost(&gateway, pod.ip, frames, frame)?;
        let (other, other_speed) = cost(&shape, pod.ip, frames, frame)?;
        eprintln!("  round {round}/{}: {frame} B: {own:.2} to {other:.2} CPU-s/GB", plan.rounds);
        ours.push(own);
        theirs.push(other);
        speeds.push((speed, other_speed));
    }
    let speed = |which: fn(&(f64, f64)) -> f64| {
        figure(median(&speeds.iter().map(which).collect::<Vec<_>>()))
    };
    table.add(Row {
        id: "6l",
        what: format!("gateway's processor time at frames of {frame} B, to the axum shape"),
        values: ratios(&ours, &theirs),
        unit: "×",
        limit,
        figures: format!(
            "gateway {} CPU-s/GB at {} MB/s, axum shape {} at {} MB/s",
            figure(median(&ours)),
            speed(|it| it.0),
            figure(median(&theirs)),
            speed(|it| it.1)
        ),
    });
    Ok(())
}

/// Processor seconds a gigabyte, and MB/s.
fn cost(gateway: &dyn Relay, pod: IpAddr, frames: usize, frame: usize) -> Result<(f64, f64)> {
    let way = gateway.way("flood", pod, 0);
    let bearer = way.token.as_ref().map(|token| format!("Bearer {token}"));
    let before = machine::cpu_seconds(gateway.process())?;
    let started = Instant::now();
    let (mut reader, _writer) =
        websocket::connect(way.address, &way.path, &headers(bearer.as_ref()))?;
    for _ in 0..frames {
        let (_, body) = reader.message()?.context("the tunnel ended early")?;
        ensure!(body.len() == frame, "a frame of {} bytes", body.len());
    }
    let taken = started.elapsed().as_secs_f64();
    let used = machine::cpu_seconds(gateway.process())? - before;
    let gigabytes = (frames * frame) as f64 / 1e9;
    Ok((used / gigabytes, gigabytes * 1e3 / taken))
}

/// KiB that one more connection holds, of which nothing is heard.
fn idle(plan: &Plan, table: &Table, pods: &Runtime) -> Result<()> {
    let pod = StandIn::start(pods, Output { frame: 16, frames: 1, every: None })?;
    let api = ApiServer::start(&[("idle".to_owned(), pod.ip)])?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds.min(3) {
        ours.push(held(plan, &Gateway::start(&api)?, pod.ip)?);
        theirs.push(held(plan, &Shape::start()?, pod.ip)?);
    }
    table.add(Row {
        id: "6l",
        what: "gateway's memory for an idle connection".to_owned(),
        values: ours,
        unit: "KiB",
        limit: Limit::AtMost(16.0),
        figures: format!(
            "growth of RssAnon over {IDLE} more connections; axum shape {} KiB",
            figure(median(&theirs))
        ),
    });
    Ok(())
}

fn held(plan: &Plan, gateway: &dyn Relay, pod: IpAddr) -> Result<f64> {
    let (batch, mut open, mut sizes) = (plan.share(IDLE), Vec::new(), Vec::new());
    for number in 0..2 * batch {
        if number == batch {
            std::thread::sleep(REST);
            sizes.push(machine::memory(gateway.process(), "RssAnon")?);
        }
        let way = gateway.way("idle", pod, number / OF_A_USER);
        let bearer = way.token.as_ref().map(|token| format!("Bearer {token}"));
        // Without the client's buffers: only its socket is needed.
        let (mut reader, writer) =
            websocket::connect(way.address, &way.path, &headers(bearer.as_ref()))?;
        reader.message()?.context("nothing came")?;
        open.push((reader.stream().try_clone()?, writer));
    }
    std::thread::sleep(REST);
    sizes.push(machine::memory(gateway.process(), "RssAnon")?);
    Ok((sizes[1] - sizes[0]) / batch as f64)
}

/// Whether one process carries many that all get 40 KB/s.
fn many(plan: &Plan, table: &Table, pods: &Runtime) -> Result<()> {
    let count = plan.share(MANY);
    // They are served while the others still connect.
    let pod = StandIn::start(pods, Output { frame: PIECE, frames: 100_000, every: Some(EVERY) })?;
    let api = ApiServer::start(&[("many".to_owned(), pod.ip)])?;
    let gateway = Gateway::start(&api)?;
    let clients =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (received, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for number in 0..count {
        let way = gateway.way("many", &format!("user-{}", number / OF_A_USER));
        let mut stream = clients.block_on(shake(&way))?;
        let (received, ended) = (Arc::clone(&received), Arc::clone(&ended));
        clients.spawn(async move {
            let mut buffer = vec![0; PIECE];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                received.fetch_add(count as u64, Ordering::Relaxed);
            }
            ended.fetch_add(1, Ordering::Relaxed);
        });
    }
    let (before, used) =
        (received.load(Ordering::Relaxed), machine::cpu_seconds(gateway.process.id())?);
    let started = Instant::now();
    std::thread::sleep(Duration::from_secs(SECONDS));
    let taken = started.elapsed().as_secs_f64();
    let bytes = (received.load(Ordering::Relaxed) - before) as f64;
    let used = (machine::cpu_seconds(gateway.process.id())? - used) / taken;
    let wanted = (count * PIECE) as f64 / EVERY.as_secs_f64() * taken;
    let ended = ended.load(Ordering::Relaxed);
    table.add(Row {
        id: "6l",
        what: format!("{count} connections at 41 KB/s each through one gateway: delivered in time"),
        values: vec![if ended > 0 { 0.0 } else { 100.0 * bytes / wanted }],
        unit: "%",
        limit: Limit::AtLeast(98.0),
        figures: format!(
            "{} MB/s, {} of a core, RSS {} MiB, {ended} connections lost",
            figure(bytes / 1e6 / taken),
            figure(used),
            figure(machine::memory(gateway.process.id(), "VmRSS")? / 1024.0)
        ),
    });
    Ok(())
}

/// A connection whose handshake is over.
async fn shake(way: &Way) -> Result<tokio::net::TcpStream> {
    let mut stream = tokio::net::TcpStream::connect(way.address).await?;
    let token = way.token.as_deref().unwrap_or_default();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer {token}\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: kterm.v1\r\n\r\n",
        way.path, way.address
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    ensure!(head.ends_with(b"101"), "{}", String::from_utf8_lossy(&head));
    Ok(stream)
}
