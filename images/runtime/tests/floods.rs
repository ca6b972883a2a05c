//! Programs that print without end: nobody waits for them, and memory stays.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

mod support;

use std::time::Duration;

use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::{ClientFrame, ServerFrame, SnapshotReason};
use rstest::rstest;
use support::talk::{echoes, open, read_from, resident, take_output, type_from, type_into};
use support::{Client, PATIENCE, Runtime, hello};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// One flood at a time: what is measured here is not how many processes a machine has.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Enough of the newest output to find the last word in, and a prompt with its marks behind it.
const END: usize = 256;

/// Attempts at an echo that comes in time: a busy machine may spoil some.
const ATTEMPTS: usize = 5;

/// What clients that do not read may cost together.
const STALLED_KIB: u64 = 2 * 1024;

/// A client that read nothing for a while reads on, and is told the screen instead of what it missed.
#[tokio::test]
async fn who_cannot_follow_is_told_the_screen() {
    let _alone = ALONE.lock().await;
    let runtime = Runtime::start(&[]).await;
    let mut reader = runtime.attach(Role::Control).await;
    let mut greeting = hello("slow", None, None);
    greeting.caps.commands = Some(true);
    let (mut slow, _) = runtime.greet(Role::Control, greeting).await;
    let command = "for n in $(seq 12); do seq 10000 30000; sleep 0.5; done; echo DO''NE\n";
    let typed = type_from(&mut reader, 0, command).await;
    reader.read_until("DONE\r\n").await;
    let mut replayed = 0;
    let shown = loop {
        match slow.next().await {
            ServerFrame::Output { terminal, offset, bytes } => {
                replayed += bytes.len();
                let offset = offset + bytes.len() as u64;
                slow.send(&ClientFrame::Ack { terminal, offset }).await;
            }
            ServerFrame::Snapshot { bytes, reason: SnapshotReason::Skip, .. } => break bytes,
            _ => {}
        }
    };
    // What was on its way, and not what came in the seconds since.
    assert!(replayed < 512 * 1024, "{replayed} bytes");
    assert!(String::from_utf8_lossy(&shown).contains("DONE"), "{shown:?}");
    reader.type_text(typed, "echo go''es on\n").await;
    slow.read_until("goes on\r\n").await;
}

/// Eight viewers that never read, beside one who types: the echo comes as before, and memory stays.
#[tokio::test]
async fn stalled_viewers_disturb_nobody() {
    let _alone = ALONE.lock().await;
    let runtime = Runtime::start(&[]).await;
    let mut typist = runtime.attach(Role::Control).await;
    let mut typed = type_from(&mut typist, 0, "stty -echo; echo REA''DY; cat\n").await;
    typist.read_until("READY\r\n").await;
    let alone = echoes(&mut typist, &mut typed).await;
    let mut viewers = Vec::new();
    for _ in 0..8 {
        viewers.push(runtime.attach(Role::View).await);
    }
    typed =
        type_from(&mut typist, typed, "\u{4}head -c 20000000 /dev/zero | tr '\\0' y; cat\n").await;
    let before = resident(&runtime);
    let mut seen = 0;
    while seen < 20_000_000 {
        seen += take_output(&mut typist).await;
    }
    let grown = resident(&runtime).saturating_sub(before);
    // The ring itself was empty before.
    assert!(grown < STALLED_KIB + 1024, "grew by {grown} KiB");
    undisturbed(&mut typist, &mut typed, alone).await;
}

/// One tab floods, and an echo in the other one comes over the same socket.
#[tokio::test]
async fn an_echo_passes_a_flood_on_the_same_socket() {
    let _alone = ALONE.lock().await;
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    let other = open(&mut client, 1).await;
    let mut typed = type_from(&mut client, 0, "stty -echo; echo REA''DY; cat\n").await;
    client.read_until("READY\r\n").await;
    let alone = echoes(&mut client, &mut typed).await;
    type_into(&mut client, other, 0, "yes a line that a program prints without end\n").await;
    let mut flooded = 0;
    while flooded < 2_000_000 {
        flooded += take_output(&mut client).await;
    }
    undisturbed(&mut client, &mut typed, alone).await;
}

/// All of sixteen terminals flood one socket: each gets its share, and one that ends is heard.
#[tokio::test]
async fn sixteen_floods_share_a_socket() {
    const ENOUGH: usize = 300_000;
    let _alone = ALONE.lock().await;
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    let mut terminals = vec![1];
    for key in 1..16 {
        terminals.push(open(&mut client, key).await);
    }
    for terminal in &terminals {
        type_into(&mut client, *terminal, 0, "yes a line that a program prints without end\n")
            .await;
    }
    let before = resident(&runtime);
    let mut seen = std::collections::BTreeMap::<u16, usize>::new();
    while seen.len() < 16 || seen.values().any(|seen| *seen < ENOUGH) {
        if let ServerFrame::Output { terminal, offset, bytes } = client.next().await {
            *seen.entry(terminal).or_default() += bytes.len();
            let offset = offset + bytes.len() as u64;
            client.send(&ClientFrame::Ack { terminal, offset }).await;
        }
    }
    let most = seen.values().max().unwrap();
    assert!(*most < 10 * ENOUGH, "{seen:?}");
    // Their rings, and what the states ahead of them take.
    let grown = resident(&runtime).saturating_sub(before);
    assert!(grown < 16 * 1024 + STALLED_KIB, "grew by {grown} KiB");
}

/// Every byte of a gigabyte comes in order, and memory stays.
#[rstest]
#[case::that_adapts(None, 1_000_000_000)]
#[case::as_large_as_it_may_be(Some(u64::MAX), 20_000_000)]
#[tokio::test]
async fn a_flood_leaves_memory_alone(#[case] window: Option<u64>, #[case] bytes: u64) {
    let _alone = ALONE.lock().await;
    let runtime = Runtime::start(&[]).await;
    let mut greeting = hello("page", None, None);
    greeting.caps.window = window;
    let mut client = runtime.greet(Role::Control, greeting).await.0;
    client.type_text(0, "stty -echo; yes 0123456789abcdef | head -c 3000000; echo REA''DY\n").await;
    client.read_until("READY\r\n").await;
    let before = resident(&runtime);
    let typed = runtime.idle().await.bytes_in;
    client
        .type_text(typed, &format!("head -c {bytes} /dev/zero | tr '\\0' y; echo; echo DO''NE\n"))
        .await;
    let (mut have, mut count, mut tail) = (None, 0_u64, Vec::new());
    while !String::from_utf8_lossy(&tail).contains("DONE\r\n") {
        if let ServerFrame::Output { terminal, offset, bytes } = client.next().await {
            assert_eq!(*have.get_or_insert(offset), offset);
            let end = offset + bytes.len() as u64;
            have = Some(end);
            count += bytes.len() as u64;
            tail.extend_from_slice(&bytes[bytes.len().saturating_sub(END)..]);
            tail.drain(..tail.len().saturating_sub(END));
            client.send(&ClientFrame::Ack { terminal, offset: end }).await;
        }
    }
    assert!((bytes..bytes + 4096).contains(&count), "{count} of {bytes}");
    let grown = resident(&runtime).saturating_sub(before);
    assert!(grown < STALLED_KIB, "grew by {grown} KiB");
}

/// Output that empties the screen with every other byte costs an emulator what it costs a terminal of text, and nobody waits.
#[tokio::test]
async fn output_that_is_dear_to_emulate_holds_nobody_up() {
    let _alone = ALONE.lock().await;
    let runtime = Runtime::start(&[]).await;
    let mut client = runtime.attach(Role::Control).await;
    client
        .send(&ClientFrame::Resize { terminal: 1, cols: 1000, rows: 500, x_pixels: 0, y_pixels: 0 })
        .await;
    let other = open(&mut client, 1).await;
    let mut typed = 0;
    type_into(&mut client, other, 0, "stty -echo; echo REA''DY; cat\n").await;
    typed += "stty -echo; echo REA''DY; cat\n".len() as u64;
    read_from(&mut client, other, "READY\r\n").await;
    type_into(&mut client, 1, 0, "yes $'\\ec\\e[2J\\e#8\\e[ @' | tr -d '\\n'\n").await;
    let mut flooded = 0;
    while flooded < 3_000_000 {
        flooded += take_output(&mut client).await;
    }
    let started = Instant::now();
    for _ in 0..5 {
        type_into(&mut client, other, typed, "x\n").await;
        typed += 2;
        read_from(&mut client, other, "x\r\n").await;
    }
    assert!(started.elapsed() < PATIENCE, "{:?} for five echoes", started.elapsed());
}

/// Echoes come in twice their time and 20 ms at most.
async fn undisturbed(client: &mut Client, typed: &mut u64, alone: Duration) {
    let most = alone * 2 + Duration::from_millis(20);
    let mut times = Vec::new();
    for _ in 0..ATTEMPTS {
        let beside = echoes(client, typed).await;
        if beside <= most {
            return;
        }
        times.push(beside);
    }
    panic!("{times:?} beside, {alone:?} alone");
}
