//! What clients may ask of terminals besides bytes, with a real runtime and real shells: titles, signals, a clean start, sole
//! control, and the news of terminals that nobody watches.

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
    Attach, AttachRole, Capabilities, ClientFrame, ErrorCode, Hello, OpenRequest, ServerFrame,
    SnapshotReason, TerminalInfo, TerminalType,
};
use support::{Client, Runtime, eventually, hello};
use tokio::time::Instant;

/// A client of today.
fn current(name: &str, activity: bool) -> Hello {
    let caps = Capabilities { activity: Some(activity), commands: Some(true), window: None };
    Hello { caps, ..hello(name, None, None) }
}

/// One that watches nothing.
fn unattached(name: &str, caps: Capabilities) -> Hello {
    Hello { client_id: name.to_owned(), visible: true, caps, ..Hello::default() }
}

async fn join(runtime: &Runtime, name: &str) -> Client {
    runtime.greet(Role::Control, current(name, false)).await.0
}

fn attach(role: AttachRole) -> ClientFrame {
    let attach = Attach { have: None, epoch: 0, history: 0, cols: 80, rows: 24, role };
    ClientFrame::Attach { terminal: 1, attach }
}

async fn refusal(client: &mut Client) -> (u32, ErrorCode) {
    client
        .until(|frame| match frame {
            ServerFrame::Error { reference, code, .. } => Some((reference, code)),
            _ => None,
        })
        .await
}

async fn terms(client: &mut Client) -> Vec<TerminalInfo> {
    let list = |frame| if let ServerFrame::Terms(list) = frame { Some(list.terms) } else { None };
    client.until(list).await
}

async fn titled(client: &mut Client, title: &str) {
    while terms(client).await[0].title != title {}
}

/// What comes before the answer to a PING.
async fn said_now(client: &mut Client) -> Vec<ServerFrame> {
    client.send(&ClientFrame::Ping { visible: true, client_us: 77 }).await;
    let mut said = Vec::new();
    loop {
        match client.next().await {
            ServerFrame::Pong { client_us: 77, .. } => return said,
            frame => said.push(frame),
        }
    }
}

fn title(title: &str) -> ClientFrame {
    ClientFrame::Title { terminal: 1, title: title.to_owned() }
}

#[tokio::test]
async fn a_title_is_the_programs_until_a_person_gives_one() {
    let runtime = Runtime::start(&[]).await;
    let mut client = join(&runtime, "page").await;
    client.type_text(0, "printf '\\033]0;vi\\tm\\007'\n").await;
    titled(&mut client, "vim").await;
    client.send(&title("notes")).await;
    titled(&mut client, "notes").await;
    client.send(&title("notes")).await;
    let said = said_now(&mut client).await;
    assert!(!said.iter().any(|frame| matches!(frame, ServerFrame::Terms(_))), "{said:?}");
    client.send(&title(&"x".repeat(129))).await;
    assert_eq!(refusal(&mut client).await, (0x0D, ErrorCode::Invalid));
    client.send(&title("a\u{1b}]0;b\u{7}")).await;
    assert_eq!(refusal(&mut client).await, (0x0D, ErrorCode::Invalid));
    client.send(&ClientFrame::Title { terminal: 99, title: "x".to_owned() }).await;
    assert_eq!(refusal(&mut client).await, (0x0D, ErrorCode::NoSuchTerminal));
    client.send(&title("")).await;
    titled(&mut client, "vim").await;
}

/// A program that changes its title all the time costs no more than four lists a second.
#[tokio::test]
async fn titles_are_told_four_times_a_second() {
    let runtime = Runtime::start(&[]).await;
    let mut client = join(&runtime, "page").await;
    client
        .type_text(0, "for i in $(seq 20000); do printf '\\033]2;%s\\007' $i; done; echo DO''NE\n")
        .await;
    let (started, mut lists) = (Instant::now(), 0_u32);
    loop {
        match client.next().await {
            ServerFrame::Output { terminal, offset, bytes } => {
                let offset = offset + bytes.len() as u64;
                client.send(&ClientFrame::Ack { terminal, offset }).await;
            }
            ServerFrame::Terms(list) => {
                lists += 1;
                if list.terms[0].title == "20000" {
                    break;
                }
            }
            _ => {}
        }
    }
    let most = started.elapsed().as_millis() / 250 + 2;
    assert!(u128::from(lists) <= most, "{lists} lists in {:?}", started.elapsed());
}

#[tokio::test]
async fn nobody_opens_the_agents_terminal() {
    let runtime = Runtime::start(&[]).await;
    let mut client = join(&runtime, "page").await;
    let request = OpenRequest { terminal_type: TerminalType::Agent, ..OpenRequest::default() };
    client.send(&ClientFrame::Open { key: 1, request }).await;
    assert_eq!(refusal(&mut client).await, (0x04, ErrorCode::CannotOpen));
}

#[tokio::test]
async fn viewers_may_do_none_of_it() {
    let runtime = Runtime::start(&[]).await;
    let mut viewer = runtime.attach(Role::View).await;
    let mut watcher = join(&runtime, "watcher").await;
    watcher.send(&attach(AttachRole::View)).await;
    for client in [&mut viewer, &mut watcher] {
        for (frame, reference) in [
            (ClientFrame::Clear { terminal: 1 }, 0x09),
            (ClientFrame::Signal { terminal: 1, signal: 9 }, 0x0A),
            (ClientFrame::Command { terminal: 1, id: 1, line: "exit".to_owned() }, 0x0B),
            (title("mine"), 0x0D),
        ] {
            client.send(&frame).await;
            assert_eq!(refusal(client).await, (reference, ErrorCode::ReadOnly));
        }
    }
    viewer.send(&attach(AttachRole::Alone)).await;
    let said = said_now(&mut watcher).await;
    let errors = said.iter().filter(|frame| matches!(frame, ServerFrame::Error { .. }));
    assert_eq!(errors.count(), 0, "a viewer takes nothing over");
    assert_eq!(runtime.idle().await.terminals, 1);
}

#[tokio::test]
async fn signals_reach_the_foreground() {
    let runtime = Runtime::start(&[]).await;
    let mut client = join(&runtime, "page").await;
    client.type_text(0, "trap 'echo caught' USR1; sh -c 'trap \"echo he''ard\" USR1; echo re''ady; while :; do sleep 0.05; done'\n").await;
    client.read_until("ready").await;
    for (signal, expected) in [(0, 0x0A), (11, 0x0A), (19, 0x0A), (64, 0x0A), (255, 0x0A)] {
        client.send(&ClientFrame::Signal { terminal: 1, signal }).await;
        assert_eq!(refusal(&mut client).await, (expected, ErrorCode::Invalid), "{signal}");
    }
    client.send(&ClientFrame::Signal { terminal: 9, signal: 2 }).await;
    assert_eq!(refusal(&mut client).await, (0x0A, ErrorCode::NoSuchTerminal));
    client.send(&ClientFrame::Signal { terminal: 1, signal: 10 }).await;
    client.read_until("heard").await;
    client.send(&ClientFrame::Signal { terminal: 1, signal: 15 }).await;
    eventually("the foreground is the shell again", async || !runtime.idle().await.busy).await;
    // Nothing else is in front, so it is the shell's own.
    client.send(&ClientFrame::Signal { terminal: 1, signal: 9 }).await;
    client.until(|frame| matches!(frame, ServerFrame::Exit { signal: 9, .. }).then_some(())).await;
    client.send(&ClientFrame::Signal { terminal: 1, signal: 9 }).await;
    assert_eq!(refusal(&mut client).await, (0x0A, ErrorCode::Ended));
}

async fn snapshot(client: &mut Client) -> (SnapshotReason, u64, String) {
    client
        .until(|frame| match frame {
            ServerFrame::Snapshot { reason, offset, bytes, .. } => {
                Some((reason, offset, String::from_utf8_lossy(&bytes).into_owned()))
            }
            _ => None,
        })
        .await
}

#[tokio::test]
async fn what_is_cleared_is_gone_and_the_screen_stays() {
    let runtime = Runtime::start(&[]).await;
    let (mut client, welcome) = runtime.greet(Role::Control, current("clears", false)).await;
    let mut before = runtime.attach(Role::View).await;
    client.type_text(0, "echo SEC''RET; seq 200; echo LA''ST\n").await;
    client.read_until("LAST").await;
    eventually("the shell waits", async || !runtime.idle().await.busy).await;
    for watcher in [&mut client, &mut before] {
        assert_eq!(snapshot_or_none(&said_now(watcher).await), 0);
    }
    client.send(&ClientFrame::Clear { terminal: 1 }).await;
    let (reason, offset, screen) = snapshot(&mut client).await;
    assert_eq!(reason, SnapshotReason::Clear);
    assert!(screen.contains("LAST") && screen.contains("200") && !screen.contains("SECRET"));
    // It knows no such reason.
    assert_eq!(after_first(&mut before).await, (SnapshotReason::Overrun, offset));
    // Not even who had it all before gets it again.
    let again =
        Hello { client_id: "again".to_owned(), ..hello("page", Some(welcome.epoch), Some(5)) };
    let (mut again, welcome) = runtime.greet(Role::Control, again).await;
    assert!(welcome.terms[0].tail >= offset);
    let (reason, from, screen) = snapshot(&mut again).await;
    assert!(from >= offset && !screen.contains("SECRET"), "{reason:?} {from} {screen}");
    client.send(&ClientFrame::Clear { terminal: 5 }).await;
    assert_eq!(refusal(&mut client).await, (0x09, ErrorCode::NoSuchTerminal));
}

fn snapshot_or_none(frames: &[ServerFrame]) -> usize {
    let is = |frame: &&ServerFrame| {
        matches!(frame, ServerFrame::Snapshot { reason: SnapshotReason::Clear, .. })
    };
    frames.iter().filter(is).count()
}

/// The next snapshot that is not the one of coming.
async fn after_first(client: &mut Client) -> (SnapshotReason, u64) {
    loop {
        let (reason, offset, _) = snapshot(client).await;
        if reason != SnapshotReason::Attach {
            return (reason, offset);
        }
    }
}

#[tokio::test]
async fn sole_control_is_taken_kept_and_taken_back() {
    let runtime = Runtime::start(&[]).await;
    let mut first = join(&runtime, "first").await;
    let mut old = runtime.attach(Role::Control).await;
    let mut second = join(&runtime, "second").await;
    second.send(&attach(AttachRole::Alone)).await;
    assert_eq!(refusal(&mut first).await, (0x05, ErrorCode::TakenOver));
    assert_eq!(refusal(&mut old).await, (0x05, ErrorCode::ReadOnly), "a code that it knows");
    // What is typed now is counted and dropped, so that it does not come later.
    first.type_text(0, "touch stolen\n").await;
    assert_eq!(refusal(&mut first).await, (0x01, ErrorCode::TakenOver));
    let counted = |frame| matches!(frame, ServerFrame::InputAck { offset: 13, .. }).then_some(());
    first.until(counted).await;
    for frame in [
        ClientFrame::Clear { terminal: 1 },
        ClientFrame::Close { terminal: 1, signal: 9 },
        ClientFrame::Resize { terminal: 1, cols: 9, rows: 9, x_pixels: 0, y_pixels: 0 },
    ] {
        first.send(&frame).await;
        assert_eq!(refusal(&mut first).await.1, ErrorCode::TakenOver);
    }
    // It outlives the connection of the one, and does not fall to others that come.
    let mut second = join(&runtime, "second").await;
    let mut third = join(&runtime, "third").await;
    assert_eq!(refusal(&mut third).await, (0x05, ErrorCode::TakenOver));
    second.type_text(0, "echo mi''ne\n").await;
    second.read_until("mine").await;
    // Who only looks again takes nothing away.
    first.send(&attach(AttachRole::Control)).await;
    assert_eq!(refusal(&mut first).await, (0x05, ErrorCode::TakenOver));
    first.send(&attach(AttachRole::Alone)).await;
    assert_eq!(refusal(&mut second).await, (0x05, ErrorCode::TakenOver));
    first.send(&attach(AttachRole::Control)).await;
    // Given up before the other asks.
    first.send(&ClientFrame::Ping { visible: true, client_us: 0 }).await;
    first.until(|frame| matches!(frame, ServerFrame::Pong { .. }).then_some(())).await;
    second.send(&attach(AttachRole::Control)).await;
    first.type_text(13, "echo ba''ck\n").await;
    first.read_until("back").await;
    second.type_text(12, "echo bo''th\n").await;
    second.read_until("both").await;
    // Who was made a viewer is one until it asks.
    third.type_text(0, "x").await;
    assert_eq!(refusal(&mut third).await, (0x01, ErrorCode::ReadOnly));
    assert!(!runtime.workspace().join("stolen").exists());
}

/// A duplicated tab of a browser has the same name: the older connection gives way, and is not to come back by itself.
#[tokio::test]
async fn the_same_client_twice_is_the_newer_one() {
    let runtime = Runtime::start(&[]).await;
    let mut older = join(&runtime, "page").await;
    older.type_text(0, "echo on''e\n").await;
    older.read_until("one").await;
    let (mut newer, welcome) = runtime.greet(Role::Control, current("page", false)).await;
    assert_eq!(welcome.terms[0].in_off, Some(11));
    let (code, reason) = older.closed().await;
    assert_eq!((code, reason.is_empty()), (4409, false));
    newer.type_text(11, "echo tw''o\n").await;
    newer.read_until("two").await;
}

async fn opened(client: &mut Client, key: u128) -> u16 {
    client.send(&ClientFrame::Open { key, request: OpenRequest::default() }).await;
    let name = format!("{key:032x}");
    loop {
        let list = terms(client).await;
        if let Some(term) = list.iter().find(|term| term.key.as_deref() == Some(&name)) {
            return term.id;
        }
    }
}

async fn type_into(client: &mut Client, terminal: u16, text: &str) {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    client.send(&ClientFrame::Input { terminal, auto: false, offset: 0, bytes }).await;
}

#[tokio::test]
async fn activity_and_bells_of_hidden_terminals_are_told() {
    let runtime = Runtime::start(&[]).await;
    let mut typist = join(&runtime, "typist").await;
    let hidden = opened(&mut typist, 1).await;
    let caps = Capabilities { activity: Some(true), ..Capabilities::default() };
    let (mut listener, _) = runtime.greet(Role::View, unattached("listener", caps)).await;
    let (mut deaf, _) =
        runtime.greet(Role::View, unattached("deaf", Capabilities::default())).await;
    // A title ends with the byte of a bell.
    type_into(&mut typist, hidden, "for i in 1 2 3; do printf '\\033]0;t\\007'; done; sleep 0.6; printf '\\a'; sleep 0.6; for i in $(seq 3000); do echo $i; done; echo; exit\n").await;
    let (mut frames, mut rung) = (Vec::new(), Vec::new());
    let gone = async {
        eventually("the shell ended", async || runtime.idle().await.terminals == 1).await;
    };
    gone.await;
    for frame in said_now(&mut listener).await {
        if let ServerFrame::Activity { terminal, bell, head } = frame {
            assert!(terminal == hidden || terminal == 1);
            frames.push((terminal, head));
            rung.push(bell);
        }
    }
    assert!(frames.iter().filter(|(id, _)| *id == hidden).is_sorted_by_key(|(_, head)| *head));
    assert_eq!(rung.iter().filter(|bell| **bell).count(), 1, "{frames:?} {rung:?}");
    let said = said_now(&mut deaf).await;
    assert!(!said.iter().any(|frame| matches!(frame, ServerFrame::Activity { .. })), "{said:?}");
    let said = said_now(&mut typist).await;
    assert!(!said.iter().any(|frame| matches!(frame, ServerFrame::Activity { .. })), "{said:?}");
}

#[tokio::test]
async fn activity_is_told_four_times_a_second() {
    let runtime = Runtime::start(&[]).await;
    let mut typist = runtime.attach(Role::Control).await;
    typist.send(&ClientFrame::Detach { terminal: 1 }).await;
    let caps = Capabilities { activity: Some(true), ..Capabilities::default() };
    let (mut listener, _) = runtime.greet(Role::View, unattached("listener", caps)).await;
    typist.type_text(0, "while :; do printf '\\a'; sleep 0.01; done\n").await;
    let rings = |frame| matches!(frame, ServerFrame::Activity { bell: true, .. }).then_some(());
    listener.until(rings).await;
    let started = Instant::now();
    for _ in 0..6 {
        listener.until(rings).await;
    }
    assert!(started.elapsed() >= Duration::from_millis(1250), "{:?}", started.elapsed());
    // Who watches it again hears no more of it than its output.
    let attach =
        Attach { have: None, epoch: 0, history: 0, cols: 0, rows: 0, role: AttachRole::View };
    listener.send(&ClientFrame::Attach { terminal: 1, attach }).await;
    listener.until(|frame| matches!(frame, ServerFrame::Output { .. }).then_some(())).await;
    let said = said_now(&mut listener).await;
    assert!(!said.iter().any(|frame| matches!(frame, ServerFrame::Activity { .. })), "{said:?}");
}

/// Whoever shows another terminal hears that this one has ended, and one that is closed goes for everybody.
#[tokio::test]
async fn everybody_hears_of_an_end() {
    let runtime = Runtime::start(&[]).await;
    let caps = Capabilities::default();
    let (mut other, _) = runtime.greet(Role::Control, unattached("other", caps)).await;
    let mut page = join(&runtime, "page").await;
    page.type_text(0, "exit\n").await;
    while terms(&mut other).await[0].alive {}
    other.send(&ClientFrame::Close { terminal: 1, signal: 0 }).await;
    while !terms(&mut other).await.is_empty() {}
}
