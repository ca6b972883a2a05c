//! What a terminal's flow does at its edges: full queues, a ring that moved on, gaps, and words of an emulator.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

mod support;

use bytes::Bytes;
use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::{
    Attach, AttachRole, ClientFrame, ErrorCode, Hello, ServerFrame, SnapshotReason,
};
use support::{Client, PATIENCE, Runtime, eventually, hello};
use tokio::time::timeout;

/// What may be on its way to a client, as docs/developer/protocol-kterm.md says.
const WINDOW: u64 = 256 * 1024;

#[tokio::test]
async fn a_typist_whom_we_do_not_listen_to_is_not_silent() {
    let runtime = Runtime::start(&[("FABRICA_SILENCE_MILLISECONDS", "1500")]).await;
    let mut typist = runtime.attach(Role::Control).await;
    let command = "stty -icanon -echo; echo REA''DY; sleep 1000\n";
    typist.type_text(0, command).await;
    typist.read_until("READY").await;
    // More than the program's terminal and our queue hold.
    let piece = "x".repeat(32 * 1024);
    for number in 0..8 {
        typist.type_text((command.len() + number * piece.len()) as u64, &piece).await;
    }
    for _ in 0..2 {
        let (code, _) = runtime.attach(Role::View).await.closed().await;
        assert_eq!(code, 4408, "whoever may speak and does not is gone");
    }
    let mut other = runtime.attach(Role::Control).await;
    other.send(&ClientFrame::Close { terminal: 1, signal: 9 }).await;
    typist.until(|frame| matches!(frame, ServerFrame::Exit { signal: 9, .. }).then_some(())).await;
}

/// Its ping waits unread, so it hears of its input again and again; so does another one, whose key found the program's
/// terminal full.
#[tokio::test]
async fn who_is_not_listened_to_hears_that_we_are_there() {
    let runtime = Runtime::start(&[]).await;
    let mut typist = runtime.attach(Role::Control).await;
    let command = "stty -icanon -echo; echo REA''DY; sleep 1000\n";
    typist.type_text(0, command).await;
    typist.read_until("READY").await;
    let piece = "x".repeat(32 * 1024);
    for number in 0..8 {
        typist.type_text((command.len() + number * piece.len()) as u64, &piece).await;
    }
    is_reminded(&mut typist).await;
    let mut other = runtime.attach(Role::Control).await;
    other.type_text(0, "x").await;
    is_reminded(&mut other).await;
    let (_, welcome) = runtime.greet(Role::Control, hello("page", None, None)).await;
    let term = &welcome.terms[0];
    let waits = term.in_off.unwrap() - term.in_written.unwrap();
    assert!((64 * 1024..128 * 1024).contains(&waits), "{waits} bytes");
}

/// Asks, and is told three times more that no more of its input was written.
async fn is_reminded(client: &mut Client) {
    client.send(&ClientFrame::Ping { visible: true, client_us: 7 }).await;
    let (mut last, mut told) = (None, 0);
    let reminded = client.until(|frame| {
        if let ServerFrame::InputAck { offset, .. } = frame {
            told = if last.replace(offset) == Some(offset) { told + 1 } else { 0 };
        }
        (told == 3).then_some(())
    });
    timeout(PATIENCE, reminded).await.expect("it is told");
}

/// A client that acknowledges nothing is waited for, but not when the program has ended: what is left of it comes before the
/// end is told.
#[tokio::test]
async fn the_end_comes_after_the_last_byte() {
    // A PTY that was just empty takes so much at once. Behind more than that a program may sleep in the kernel until somebody
    // reads, even while there is room.
    for last in [1, 512, 1024, 2048, 4096] {
        let runtime = Runtime::start(&[]).await;
        let mut greeting = hello("page", None, None);
        greeting.caps.window = Some(WINDOW);
        let (mut client, _) = runtime.greet(Role::Control, greeting).await;
        let command = "exec sh -c 'stty -echo; echo RE\"\"ADY; for each in full last; do read count; \
                       head -c $count /dev/zero; done'\n";
        client.type_text(0, command).await;
        client.read_until("READY\r\n").await;
        let full = format!("{WINDOW}\n");
        client.type_text(command.len() as u64, &full).await;
        let mut screen = Screen::default();
        let shown = timeout(PATIENCE, screen.take(&mut client, |screen| screen.zeros == WINDOW));
        shown.await.expect("as much as the window holds");
        let typed = (command.len() + full.len()) as u64;
        client.type_text(typed, &format!("{last}\n")).await;
        let told = timeout(PATIENCE, screen.take(&mut client, |screen| screen.is_told));
        told.await.expect("the end does not wait for the client");
        client.send(&ClientFrame::Ack { terminal: 1, offset: screen.end }).await;
        let shown = timeout(PATIENCE, screen.take(&mut client, |screen| screen.has_exit));
        shown.await.expect("the end");
        assert_eq!(screen.zeros, WINDOW + last);
    }
}

/// What a client has seen that acknowledges nothing.
#[derive(Default)]
struct Screen {
    zeros: u64,
    end: u64,
    /// Everybody is told that the program has ended.
    is_told: bool,
    has_exit: bool,
}

impl Screen {
    async fn take(&mut self, client: &mut Client, is_enough: impl Fn(&Self) -> bool) {
        while !is_enough(self) {
            match client.next().await {
                ServerFrame::Output { offset, bytes, .. } => {
                    self.zeros += bytes.iter().map(|byte| u64::from(*byte == 0)).sum::<u64>();
                    self.end = offset + bytes.len() as u64;
                }
                ServerFrame::Terms(list) => self.is_told |= !list.terms[0].alive,
                ServerFrame::Exit { .. } => self.has_exit = true,
                _ => {}
            }
        }
    }
}

/// What a shell leaves behind may print without end, and nobody waits for that.
#[tokio::test]
async fn a_flood_that_outlives_its_shell_holds_no_end_up() {
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    client.type_text(0, "trap '' HUP; yes & exit 3\n").await;
    client
        .until(|frame| {
            matches!(frame, ServerFrame::Terms(list) if !list.terms[0].alive).then_some(())
        })
        .await;
}

/// Where the machine is slow, the client is behind for so long that it is sent to the end instead.
#[tokio::test]
async fn a_client_that_the_ring_has_left_behind_begins_afresh_with_a_line() {
    for _ in 0..10 {
        if begins_afresh_with_a_line().await {
            return;
        }
    }
    panic!("the ring never left a client behind within two seconds");
}

/// False where the machine was too slow for the ring to decide.
async fn begins_afresh_with_a_line() -> bool {
    let runtime = Runtime::start(&[]).await;
    let mut reader = runtime.attach(Role::Control).await;
    let mut greeting = hello("slow", None, None);
    // Without a word of it every reason is told as one that the first clients knew.
    greeting.caps.commands = Some(false);
    let (mut slow, _) = runtime.greet(Role::Control, greeting).await;
    // The ring holds 1 MiB: a quarter more is on its way to the slow client.
    reader.type_text(0, "seq 1 200000; echo DO''NE\n").await;
    let (mut all, mut start) = (Vec::new(), None);
    while !String::from_utf8_lossy(&all[all.len().saturating_sub(1024)..]).contains("DONE\r\n") {
        if let ServerFrame::Output { terminal, offset, bytes } = reader.next().await {
            start.get_or_insert(offset);
            all.extend_from_slice(&bytes);
            let offset = offset + bytes.len() as u64;
            reader.send(&ClientFrame::Ack { terminal, offset }).await;
        }
    }
    let start = start.unwrap();
    let mut acknowledged = None;
    let (offset, bytes) = loop {
        match slow.next().await {
            ServerFrame::Snapshot { offset, bytes, reason: SnapshotReason::Overrun, .. } => {
                break (offset, bytes);
            }
            ServerFrame::Snapshot { reason: SnapshotReason::Skip, .. } => return false,
            ServerFrame::Output { terminal, offset, bytes } => {
                let end = offset + bytes.len() as u64;
                if end - *acknowledged.get_or_insert(offset) == WINDOW {
                    slow.send(&ClientFrame::Ack { terminal, offset: end }).await;
                    acknowledged = Some(end);
                }
            }
            _ => {}
        }
    };
    let at = usize::try_from(offset - start).unwrap();
    let shown = String::from_utf8_lossy(&bytes);
    let lines = String::from_utf8_lossy(&all[at - 256..at]);
    let above = lines.trim_end().rsplit("\r\n").next().unwrap();
    assert!(shown.starts_with("\x1bc") && shown.contains(above), "{above} in {shown:?}");
    assert_eq!(all[at - 1], b'\n');
    let window = usize::try_from(WINDOW).unwrap();
    // The slack is a line, and a prompt that the reader did not wait for.
    assert!((window - 1024..=window).contains(&(all.len() - at)), "{} bytes left", all.len() - at);
    let mut rest = Vec::new();
    while rest.len() < all.len() - at {
        if let ServerFrame::Output { terminal, offset: from, bytes } = slow.next().await {
            assert_eq!(from, offset + rest.len() as u64);
            rest.extend_from_slice(&bytes);
            let offset = from + bytes.len() as u64;
            slow.send(&ClientFrame::Ack { terminal, offset }).await;
        }
    }
    // Compared by hand: a quarter of a mebibyte helps nobody in a message.
    assert!(rest[..all.len() - at] == all[at..], "the slow client sees what the other one saw");
    true
}

#[tokio::test]
async fn a_gap_in_the_input_is_told_and_nothing_behind_it_is_typed() {
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    client.type_text(5, "echo be''hind\n").await;
    let text = client
        .until(|frame| match frame {
            ServerFrame::Error { terminal: 1, reference: 1, code: ErrorCode::InputGap, text } => {
                Some(text)
            }
            _ => None,
        })
        .await;
    assert!(text.contains("up to 0"), "{text}");
    client.type_text(0, "echo be''fore\n").await;
    let shown = client.read_until("before").await;
    assert!(!shown.contains("be''hind"), "{shown}");
}

/// An emulator that replays old output answers old questions: nobody asks them now.
#[tokio::test]
async fn an_emulators_answer_to_old_output_is_not_typed_and_is_no_activity() {
    let runtime = Runtime::start(&[]).await;
    let mut person = runtime.attach(Role::Control).await;
    person.type_text(0, "echo hel''lo\n").await;
    person.read_until("hello\r\n").await;
    drop(person);
    eventually("the page is gone", async || runtime.idle().await.clients == 0).await;
    let active = runtime.idle().await.last_activity_at;
    let unseen = Hello { visible: false, ..hello("late", None, None) };
    let (mut late, _) = runtime.greet(Role::Control, unseen).await;
    let answer = |offset, text: &'static str| ClientFrame::Input {
        terminal: 1,
        auto: true,
        offset,
        bytes: Bytes::from_static(text.as_bytes()),
    };
    late.send(&answer(0, "stale")).await;
    let (mut confirmed, mut text, mut end) = (false, String::new(), 0);
    while !(confirmed && text.contains("hello\r\n")) {
        match late.next().await {
            ServerFrame::InputAck { offset, .. } => confirmed = offset == 5,
            ServerFrame::Output { offset, bytes, .. } => {
                end = offset + bytes.len() as u64;
                text.push_str(&String::from_utf8_lossy(&bytes));
            }
            _ => {}
        }
    }
    late.send(&ClientFrame::Ack { terminal: 1, offset: end }).await;
    late.send(&answer(5, "echo pre''sent\n")).await;
    let shown = late.read_until("present\r\n").await;
    assert!(!shown.contains("stale"), "{shown}");
    assert_eq!(runtime.idle().await.last_activity_at, active);
    late.type_text(20, "\n").await;
    late.until(|frame| matches!(frame, ServerFrame::InputAck { offset: 21, .. }).then_some(()))
        .await;
    assert!(runtime.idle().await.last_activity_at > active, "a person's key is");
}

/// A program that asks while nobody is attached waits for no page.
#[tokio::test]
async fn a_question_is_answered_while_nobody_is_there() {
    let runtime = Runtime::start(&[]).await;
    let (go, said) = (runtime.folder.path().join("go"), runtime.folder.path().join("said"));
    let mut person = runtime.attach(Role::Control).await;
    let command = format!(
        "stty -icanon -echo; until [ -e {} ]; do sleep 0.05; done; printf '\\033[2J\\033[3;7H\\033[6n'; \
         IFS= read -r -d R answer; echo \"${{answer}}R\" > {}\n",
        go.display(),
        said.display(),
    );
    person.type_text(0, &command).await;
    person.read_until("said").await;
    drop(person);
    eventually("the page is gone", async || runtime.idle().await.clients == 0).await;
    std::fs::write(&go, "").unwrap();
    eventually("the answer has come", async || {
        std::fs::read_to_string(&said).is_ok_and(|text| text == "\x1b[3;7R\n")
    })
    .await;
}

/// Two pages have two emulators, and each answers: the program gets one answer.
#[tokio::test]
async fn only_the_owner_of_the_size_answers() {
    let runtime = Runtime::start(&[]).await;
    let mut first = runtime.attach(Role::Control).await;
    let command = "stty -icanon -echo; echo REA''DY; cat -v\n";
    first.type_text(0, command).await;
    first.read_until("READY\r\n").await;
    let (mut second, _) = runtime.greet(Role::Control, hello("second", None, None)).await;
    second.read_until("READY\r\n").await;
    let auto = |offset, text: &'static str| ClientFrame::Input {
        terminal: 1,
        auto: true,
        offset,
        bytes: Bytes::from_static(text.as_bytes()),
    };
    let typed = command.len() as u64;
    first.send(&auto(typed, "\x1b[2;2R")).await;
    first.send(&auto(typed + 6, "\x1b[<0;1;1M")).await;
    first
        .until(|frame| {
            matches!(frame, ServerFrame::InputAck { offset, .. } if offset == typed + 15)
                .then_some(())
        })
        .await;
    second.send(&auto(0, "\x1b[3;3R\n")).await;
    let shown = second.read_until("^[[3;3R").await;
    assert!(shown.contains("^[[<0;1;1M") && !shown.contains("^[[2;2R"), "{shown}");
}

/// What there is to scroll back to is near the screen for who comes by HELLO; who asks for more by ATTACH gets it.
#[tokio::test]
async fn a_newcomer_gets_the_end_of_a_long_past() {
    let runtime = Runtime::start(&[]).await;
    let mut person = runtime.attach(Role::Control).await;
    person.type_text(0, "seq 1 100000; echo DO''NE\n").await;
    person.read_until("DONE\r\n").await;
    let (mut late, _) = runtime.greet(Role::Control, hello("late", None, None)).await;
    let shown = late.read_until("DONE\r\n").await;
    assert!((100 * 1024..=128 * 1024).contains(&shown.len()), "{} bytes", shown.len());
    let role = AttachRole::Control;
    let attach = Attach { have: None, epoch: 0, history: u32::MAX, cols: 80, rows: 24, role };
    late.send(&ClientFrame::Attach { terminal: 1, attach }).await;
    let shown = late.read_until("DONE\r\n").await;
    assert!(shown.contains("1\r\n2\r\n3\r\n"), "{} bytes", shown.len());
}
