//! Clients that do what none should: the runtime goes on, and so does everybody else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

mod support;

use std::time::Duration;

use bytes::Bytes;
use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::{ClientFrame, ServerFrame};
use futures::SinkExt;
use support::talk::{attach, resident, type_from};
use support::{Runtime, assertion, eventually, hello};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

/// What clients that do not read may cost together.
const STALLED_KIB: u64 = 2 * 1024;

#[tokio::test]
async fn what_was_never_sent_cannot_be_acknowledged() {
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    client.type_text(0, "echo he''re\n").await;
    client.read_until("here\r\n").await;
    client.send(&ClientFrame::Ack { terminal: 1, offset: 1_000_000 }).await;
    let (code, reason) = client.closed().await;
    assert_eq!((code, reason.as_str()), (4400, "ACK of output that was never sent"));
    // Who begins again may have acknowledgements on their way.
    let mut client = runtime.attach(Role::Control).await;
    client.read_until("here\r\n").await;
    attach(&mut client, 1).await;
    client.send(&ClientFrame::Ack { terminal: 1, offset: 10 }).await;
    client.read_until("here\r\n").await;
}

/// Ten thousand sizes: the last one counts, and the connection stays.
#[tokio::test]
async fn ten_thousand_sizes_end_in_one() {
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    for number in 0..10_000_u16 {
        let (cols, rows) = (20 + number % 200, 10 + number % 50);
        let frame = ClientFrame::Resize { terminal: 1, cols, rows, x_pixels: 0, y_pixels: 0 };
        client.send(&frame).await;
    }
    let last = ClientFrame::Resize { terminal: 1, cols: 101, rows: 41, x_pixels: 0, y_pixels: 0 };
    client.send(&last).await;
    client
        .until(|frame| {
            matches!(frame, ServerFrame::Resized { cols: 101, rows: 41, .. }).then_some(())
        })
        .await;
    client.type_text(0, "stty size\n").await;
    client.read_until("41 101\r\n").await;
}

/// Hundreds of questions a second are more than any page asks.
#[tokio::test]
async fn a_flood_of_control_frames_ends_the_connection() {
    let runtime = Runtime::start(&[]).await;
    let mut other = runtime.attach(Role::Control).await;
    let mut client = runtime.attach(Role::Control).await;
    let detach = ClientFrame::Detach { terminal: 9 };
    for _ in 0..100 {
        client.send(&detach).await;
    }
    client.send(&ClientFrame::Ping { visible: true, client_us: 7 }).await;
    client
        .until(|frame| matches!(frame, ServerFrame::Pong { client_us: 7, .. }).then_some(()))
        .await;
    for _ in 0..1_000 {
        if client.socket.send(Message::Binary(detach.encode())).await.is_err() {
            break;
        }
    }
    let (code, reason) = client.closed().await;
    assert_eq!(code, 4429);
    assert!(reason.contains("control frames") && reason.contains("ra="), "{reason}");
    other.type_text(0, "echo st''ill\n").await;
    other.read_until("still\r\n").await;
}

/// More than a mebibyte a second is taken more slowly, and nothing of it is lost.
#[tokio::test]
async fn fast_input_is_slowed_and_complete() {
    const PIECES: u64 = 96;
    const PIECE: usize = 32 * 1024;
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    let command = format!(
        "stty raw -echo; echo REA''DY; head -c {} | md5sum; stty sane\n",
        PIECES * PIECE as u64
    );
    let typed = type_from(&mut client, 0, &command).await;
    client.read_until("READY").await;
    let started = Instant::now();
    for number in 0..PIECES {
        let bytes = Bytes::from(vec![b'a' + u8::try_from(number % 26).unwrap(); PIECE]);
        let offset = typed + number * PIECE as u64;
        client.send(&ClientFrame::Input { terminal: 1, auto: false, offset, bytes }).await;
    }
    let mut all = std::process::Command::new("md5sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut into = all.stdin.take().unwrap();
    for number in 0..PIECES {
        let piece = vec![b'a' + u8::try_from(number % 26).unwrap(); PIECE];
        std::io::Write::write_all(&mut into, &piece).unwrap();
    }
    drop(into);
    let sum = String::from_utf8(all.wait_with_output().unwrap().stdout).unwrap();
    client.read_until(&sum[..32]).await;
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(1500), "{took:?} for 3 MiB");
}

/// A program that never reads: what is typed is held back at the sender, and the program can still be ended.
#[tokio::test]
async fn input_to_a_program_that_never_reads_stays_with_the_sender() {
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    let command = "stty -icanon -echo; echo REA''DY; sleep 1000\n";
    let typed = type_from(&mut client, 0, command).await;
    client.read_until("READY").await;
    let before = resident(&runtime);
    let piece = Bytes::from(vec![b'x'; 32 * 1024]);
    let mut offset = typed;
    let quiet = Duration::from_millis(500);
    for _ in 0..1024 {
        let bytes = piece.clone();
        let message = ClientFrame::Input { terminal: 1, auto: false, offset, bytes }.encode();
        offset += piece.len() as u64;
        let sent = client.socket.send(Message::Binary(message));
        if tokio::time::timeout(quiet, sent).await.is_err() {
            break;
        }
    }
    assert!(offset < 1024 * piece.len() as u64, "all was taken");
    let grown = resident(&runtime).saturating_sub(before);
    assert!(grown < STALLED_KIB, "grew by {grown} KiB");
    let mut other = runtime.attach(Role::Control).await;
    other.send(&ClientFrame::Close { terminal: 1, signal: 9 }).await;
    other.until(|frame| matches!(frame, ServerFrame::Exit { signal: 9, .. }).then_some(())).await;
}

/// Half a frame and then nothing: the connection ends as one that is silent does.
#[tokio::test]
async fn half_a_frame_and_silence_end_the_connection() {
    let runtime = Runtime::start(&[("FABRICA_SILENCE_MILLISECONDS", "500")]).await;
    let mut stream = upgrade(&runtime).await;
    let greeting = masked(&ClientFrame::Hello(hello("half", None, None)).encode());
    stream.write_all(&greeting).await.unwrap();
    let frame = masked(&ClientFrame::Ack { terminal: 1, offset: 0 }.encode());
    stream.write_all(&frame[..frame.len() / 2]).await.unwrap();
    let mut all = Vec::new();
    let read = tokio::time::timeout(support::PATIENCE, stream.read_to_end(&mut all));
    read.await.expect("an end").unwrap();
    let reason = b"nothing was heard for too long";
    let close = all.len() - reason.len() - 2;
    assert_eq!(&all[close..close + 2], &4408_u16.to_be_bytes());
    assert_eq!(&all[close + 2..], reason);
}

/// One byte at a time is slow, and right.
#[tokio::test]
async fn one_byte_at_a_time_is_understood() {
    let runtime = Runtime::start(&[]).await;
    let mut stream = upgrade(&runtime).await;
    stream.set_nodelay(true).unwrap();
    let bytes = Bytes::from_static(b"echo o''ne > said\n");
    let frames = [
        ClientFrame::Hello(hello("slow", None, None)),
        ClientFrame::Input { terminal: 1, auto: false, offset: 0, bytes },
    ];
    for byte in frames.iter().flat_map(|frame| masked(&frame.encode())) {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let file = runtime.workspace().join("said");
    eventually("the line was typed", async || {
        std::fs::read_to_string(&file).is_ok_and(|text| text == "one\n")
    })
    .await;
}

/// A socket after the upgrade, without a WebSocket library.
async fn upgrade(runtime: &Runtime) -> TcpStream {
    let mut stream = TcpStream::connect(runtime.address).await.unwrap();
    let request = format!(
        "GET /v1/terminal HTTP/1.1\r\nHost: pod\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: kterm.v1\r\nAuthorization: Bearer {}\r\n\r\n",
        assertion(Role::Control)
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// A binary message as clients send it; the mask changes nothing.
fn masked(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[0x82, 0xFE, length[0], length[1], 0, 0, 0, 0], body].concat()
}
