//! Whose size a terminal has that several clients show, with a real runtime and real shells.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

mod support;

use bytes::Bytes;
use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::{ClientFrame, Hello, ServerFrame, Welcome};
use rstest::rstest;
use support::{Client, Runtime, hello};

async fn resized(client: &mut Client, wanted: (u16, u16)) {
    let is = |frame| match frame {
        ServerFrame::Resized { cols, rows, .. } => ((cols, rows) == wanted).then_some(()),
        _ => None,
    };
    client.until(is).await;
}

fn sized(name: &str, cols: u16, rows: u16) -> Hello {
    let mut hello = hello(name, None, None);
    (hello.terms[0].cols, hello.terms[0].rows) = (cols, rows);
    hello
}

#[tokio::test]
async fn the_size_is_that_of_who_typed_last() {
    let runtime = Runtime::start(&[]).await;
    let (mut wide, _) = runtime.greet(Role::Control, sized("wide", 200, 20)).await;
    let (mut tall, _) = runtime.greet(Role::Control, sized("tall", 90, 60)).await;
    resized(&mut wide, (90, 60)).await;
    wide.type_text(0, "stty size\n").await;
    wide.read_until("20 200").await;
    tall.type_text(0, "stty size\n").await;
    tall.read_until("60 90").await;
    // What an emulator says by itself is nobody's typing.
    let bytes = Bytes::from_static(b"\x1b[I");
    wide.send(&ClientFrame::Input { terminal: 1, auto: true, offset: 10, bytes }).await;
    let (_, welcome): (Client, Welcome) = runtime.greet(Role::View, sized("viewer", 10, 10)).await;
    assert_eq!((welcome.terms[0].cols, welcome.terms[0].rows), (90, 60));
}

#[tokio::test]
async fn the_size_can_be_the_smallest() {
    let runtime = Runtime::start(&[("FABRICA_TERMINAL_SIZE", "smallest")]).await;
    let (mut wide, _) = runtime.greet(Role::Control, sized("wide", 200, 20)).await;
    let (tall, _) = runtime.greet(Role::Control, sized("tall", 90, 60)).await;
    resized(&mut wide, (90, 20)).await;
    let (viewer, _) = runtime.greet(Role::View, sized("viewer", 10, 10)).await;
    wide.type_text(0, "stty size\n").await;
    wide.read_until("20 90").await;
    drop((tall, viewer));
    resized(&mut wide, (200, 20)).await;
    wide.type_text(10, "stty size\n").await;
    wide.read_until("20 200").await;
}

#[rstest]
#[case::nonsense("largest", (90, 60))]
#[case::named("latest", (90, 60))]
#[tokio::test]
async fn any_other_policy_is_the_latest(#[case] policy: &str, #[case] expected: (u16, u16)) {
    let runtime = Runtime::start(&[("FABRICA_TERMINAL_SIZE", policy)]).await;
    let (mut wide, _) = runtime.greet(Role::Control, sized("wide", 200, 20)).await;
    let (_tall, _) = runtime.greet(Role::Control, sized("tall", 90, 60)).await;
    resized(&mut wide, expected).await;
}
