//! Terminals as their users meet them: a real runtime, real sockets, real shells.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

mod support;

use std::time::Duration;

use bytes::Bytes;
use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::{
    Attach, AttachRole, ClientFrame, ErrorCode, OpenRequest, ServerFrame,
};
use support::{Client, PATIENCE, Runtime, eventually, hello};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_shell_answers_and_resizes() {
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    client
        .type_text(0, "echo $((6 * 7)); stty size; echo $TERM $MODE-${FABRICA_WORKSPACE:-none}\n")
        .await;
    client.read_until("xterm-256color terminal-none").await;
    client
        .send(&ClientFrame::Resize { terminal: 1, cols: 100, rows: 30, x_pixels: 0, y_pixels: 0 })
        .await;
    client
        .until(|frame| {
            matches!(frame, ServerFrame::Resized { cols: 100, rows: 30, .. }).then_some(())
        })
        .await;
    let typed = runtime.idle().await.bytes_in;
    client.type_text(typed, "stty size\n").await;
    client.read_until("30 100").await;
}

/// 20,000 bytes and an exit: the code comes after the last of them. Then there is a new shell.
#[tokio::test]
async fn exit_comes_after_the_last_byte_and_a_new_shell_opens_once() {
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    client.type_text(0, "head -c 20000 /dev/zero | tr '\\0' x; echo END; exit 3\n").await;
    let (mut end, mut text) = (0, Vec::new());
    let (offset, code) = client
        .until(|frame| match frame {
            ServerFrame::Output { offset, bytes, .. } => {
                end = offset + bytes.len() as u64;
                text.extend_from_slice(&bytes);
                None
            }
            ServerFrame::Exit { offset, code, .. } => Some((offset, code)),
            _ => None,
        })
        .await;
    assert_eq!((offset, code), (end, 3));
    let shown = String::from_utf8_lossy(&text);
    assert!(shown.contains(&"x".repeat(20_000)) && shown.contains("END\r\n"));
    for _ in 0..2 {
        client.send(&ClientFrame::Open { key: 7, request: OpenRequest::default() }).await;
        let terms = client
            .until(
                |frame| {
                    if let ServerFrame::Terms(terms) = frame { Some(terms.terms) } else { None }
                },
            )
            .await;
        assert_eq!(terms.iter().filter(|term| term.alive).count(), 1);
    }
    client.type_text(60, "x").await;
    client
        .until(|frame| {
            matches!(frame, ServerFrame::Error { code: ErrorCode::Ended, .. }).then_some(())
        })
        .await;
}

/// Output is cut off a hundred times, and every byte arrives once.
#[tokio::test]
async fn output_resumes_exactly() {
    const CUTS: usize = 100;
    const KEPT: usize = 1_000;
    let runtime = Runtime::start(&[]).await;
    let (mut client, _) = runtime.greet(Role::Control, hello("page", None, None)).await;
    client
        .type_text(
            0,
            "stty -echo; echo; seq 1 40000 | while read n; do echo $n; done; echo DO''NE\n",
        )
        .await;
    let (mut have, mut all, mut epoch, mut cuts) = (0, Vec::new(), None, 0);
    loop {
        match client.next().await {
            ServerFrame::Output { terminal, offset, bytes } => {
                assert_eq!(offset, have, "after {cuts} cuts");
                // A cut loses the end of its frame: there is enough for all cuts however much comes at once.
                let bytes = if cuts < CUTS { bytes.slice(..bytes.len().min(KEPT)) } else { bytes };
                have += bytes.len() as u64;
                all.extend_from_slice(&bytes);
                client.send(&ClientFrame::Ack { terminal, offset: have }).await;
                // A prompt and its marks may be behind it in the same frame.
                if String::from_utf8_lossy(&all[all.len().saturating_sub(256)..])
                    .contains("DONE\r\n")
                {
                    break;
                }
                if cuts < CUTS {
                    cuts += 1;
                    drop(client);
                    let again =
                        runtime.greet(Role::Control, hello("page", epoch.clone(), Some(have)));
                    let (next, welcome) = again.await;
                    client = next;
                    if epoch.is_none() {
                        // Without the epoch offsets are void: the first return begins afresh.
                        have = 0;
                        all.clear();
                    }
                    epoch = Some(welcome.epoch);
                }
            }
            ServerFrame::Snapshot { offset, .. } => assert_eq!(offset, have),
            _ => {}
        }
    }
    let text = String::from_utf8_lossy(&all);
    let numbers: Vec<u32> = text.lines().filter_map(|line| line.trim().parse().ok()).collect();
    // Compared by hand: forty thousand numbers help nobody in a message.
    assert!(numbers.iter().copied().eq(1..=40_000), "{} numbers of 40000", numbers.len());
    assert_eq!(cuts, CUTS);
}

/// Input is sent again after every cut, from where WELCOME says, and the program reads each byte once.
#[tokio::test]
async fn input_arrives_once() {
    let runtime = Runtime::start(&[]).await;
    let mut source = String::from("stty -echo; cat > typed\n");
    for number in 0..2_000 {
        source.extend(["line ", &number.to_string(), "\n"]);
    }
    source.push('\u{4}');
    let mut epoch = None;
    let (mut sent, mut cuts) = (0_usize, 0);
    let started = Instant::now();
    while sent < source.len() {
        let (mut client, welcome) =
            runtime.greet(Role::Control, hello("page", epoch.take(), None)).await;
        epoch = Some(welcome.epoch);
        sent = usize::try_from(welcome.terms[0].in_off.unwrap()).unwrap();
        for piece in source.as_bytes()[sent..].chunks(97).take(3) {
            let (offset, bytes) = (sent as u64, Bytes::copy_from_slice(piece));
            client.send(&ClientFrame::Input { terminal: 1, auto: false, offset, bytes }).await;
            sent += piece.len();
        }
        // Gone without a word; what was on its way may be lost.
        drop(client);
        cuts += 1;
        assert!(started.elapsed() < PATIENCE, "{sent} bytes arrived in {cuts} attempts");
        let (_, welcome) = runtime.greet(Role::Control, hello("page", epoch.clone(), None)).await;
        sent = usize::try_from(welcome.terms[0].in_off.unwrap()).unwrap();
    }
    let expected: String = (0..2_000)
        .flat_map(|number| ["line ".to_owned(), number.to_string(), "\n".to_owned()])
        .collect();
    let file = runtime.workspace().join("typed");
    eventually("all lines are typed", async || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.len() >= expected.len())
    })
    .await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
    assert!(cuts >= 50, "only {cuts} cuts");
}

/// A client that never reads costs no memory and disturbs nobody.
#[tokio::test]
async fn a_client_that_never_reads_is_harmless() {
    let runtime = Runtime::start(&[]).await;
    let mut reader = runtime.attach(Role::Control).await;
    let (stalled, _) = runtime.greet(Role::Control, hello("stalled", None, None)).await;
    reader.type_text(0, "head -c 30000000 /dev/zero | tr '\\0' y; echo; echo DO''NE\n").await;
    let before = resident(&runtime);
    reader.read_until("DONE").await;
    let grown = resident(&runtime).saturating_sub(before);
    assert!(grown < 4 * 1024, "grew by {grown} KiB");
    drop(stalled);
}

/// ^C works at once although much is on its way: the window holds the program back.
#[tokio::test]
async fn a_slow_reader_holds_the_program_back() {
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    client.type_text(0, "yes\n").await;
    let mut received = 0;
    let silence = Duration::from_millis(300);
    while let Ok(frame) = tokio::time::timeout(silence, client.next()).await {
        if let ServerFrame::Output { bytes, .. } = frame {
            received += bytes.len();
        }
    }
    assert!((200_000..=262_144).contains(&received), "{received} bytes without an acknowledgement");
    client.type_text(4, "\u{3}").await;
    client
        .until(|frame| matches!(frame, ServerFrame::InputAck { offset: 5, .. }).then_some(()))
        .await;
    // What the program wrote in its last moment may stand in the shell's way.
    client.send(&ClientFrame::Ack { terminal: 1, offset: received as u64 }).await;
    eventually("the foreground is the shell again", async || !runtime.idle().await.busy).await;
}

#[tokio::test]
async fn viewers_watch_only() {
    let runtime = Runtime::start(&[]).await;
    let mut viewer = runtime.attach(Role::View).await;
    let frames = [
        ClientFrame::Input {
            terminal: 1,
            auto: false,
            offset: 0,
            bytes: Bytes::from_static(b"exit\n"),
        },
        ClientFrame::Resize { terminal: 1, cols: 1, rows: 1, x_pixels: 0, y_pixels: 0 },
        ClientFrame::Open { key: 1, request: OpenRequest::default() },
        ClientFrame::Close { terminal: 1, signal: 0 },
    ];
    for frame in frames {
        viewer.send(&frame).await;
        viewer
            .until(|frame| {
                matches!(frame, ServerFrame::Error { code: ErrorCode::ReadOnly, .. }).then_some(())
            })
            .await;
    }
    assert_eq!(runtime.idle().await.terminals, 1);
}

#[tokio::test]
async fn terminals_and_clients_are_limited() {
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    for key in 1..=16 {
        client.send(&ClientFrame::Open { key, request: OpenRequest::default() }).await;
    }
    client
        .until(|frame| {
            matches!(frame, ServerFrame::Error { code: ErrorCode::TooManyTerminals, .. })
                .then_some(())
        })
        .await;
    assert_eq!(runtime.idle().await.terminals, 16);
    let mut others = Vec::new();
    for _ in 1..16 {
        others.push(runtime.attach(Role::View).await);
    }
    let mut last = runtime.connect(Role::Control).await;
    last.send(&ClientFrame::Hello(hello("last", None, None))).await;
    let (code, reason) = last.closed().await;
    assert_eq!(code, 4429);
    assert!(reason.contains("ra="), "{reason}");
}

#[tokio::test]
async fn a_missing_terminal_is_an_error_and_nothing_else() {
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    let role = AttachRole::Control;
    let attach = Attach { have: None, epoch: 0, history: 0, cols: 80, rows: 24, role };
    client.send(&ClientFrame::Attach { terminal: 99, attach }).await;
    client
        .until(|frame| {
            matches!(
                frame,
                ServerFrame::Error { terminal: 99, code: ErrorCode::NoSuchTerminal, .. }
            )
            .then_some(())
        })
        .await;
    client.send(&ClientFrame::Ping { visible: true, client_us: 5 }).await;
    client
        .until(|frame| matches!(frame, ServerFrame::Pong { client_us: 5, .. }).then_some(()))
        .await;
}

#[tokio::test]
async fn breaches_close_with_their_codes() {
    let runtime = Runtime::start(&[("FABRICA_HELLO_MILLISECONDS", "300")]).await;
    let hello_with = |text: &str| [&[0x0C, 0, 0, 0], text.as_bytes()].concat();
    let cases: Vec<(&str, Message, u16)> = vec![
        ("text", Message::text("hello"), 1003),
        ("oversized", Message::binary(vec![1; 65_537]), 1009),
        ("unknown type", Message::binary(vec![0x7F, 0, 0, 0]), 4400),
        ("short", Message::binary(vec![0x01, 0]), 4400),
        ("malformed JSON", Message::binary(hello_with("{\"client_id\":")), 4400),
        (
            "unknown field",
            Message::binary(hello_with("{\"client_id\":\"x\",\"admin\":true}")),
            4400,
        ),
        ("malformed id", Message::binary(hello_with("{\"client_id\":\"../x\"}")), 4400),
    ];
    let mut watcher = runtime.attach(Role::View).await;
    for (what, message, expected) in cases {
        let mut client: Client = runtime.connect(Role::Control).await;
        client.send_raw(message).await;
        let (code, reason) = client.closed().await;
        assert_eq!(code, expected, "{what}: {reason}");
        assert!(!reason.is_empty(), "{what}");
    }
    let started = Instant::now();
    assert_eq!(runtime.connect(Role::Control).await.closed().await.0, 4408);
    assert!(started.elapsed() >= Duration::from_millis(250));
    watcher.send(&ClientFrame::Ping { visible: true, client_us: 5 }).await;
    watcher.until(|frame| matches!(frame, ServerFrame::Pong { .. }).then_some(())).await;
}

/// Resident memory that is nobody else's, in KiB.
fn resident(runtime: &Runtime) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", runtime.process.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
