//! Who was away for so long that the ring has moved on: the screen is the same in every cell, and little was sent.

use std::path::{Path, PathBuf};
use std::process::Command;

use fabrica_protocol::assertion::Role;
use fabrica_protocol::kterm::{
    Attach, AttachRole, ClientFrame, Hello, ServerFrame, SnapshotReason,
};

use super::before;
use super::page::Page;
use crate::support::{Client, Runtime, hello};

/// What a return may send: a screen, and some lines to scroll back to.
const SENT: usize = 64 * 1000;

/// Ten megabytes, between margins, in colours, and then some words elsewhere.
const FLOOD: &str = "stty -echo; clear; printf 'above\\n'; echo be''gin; read line; \
    printf '\\033[3;20r\\033[?25l\\033[1;32m\\033[?1h'; seq 1 1400000; \
    printf '\\033[5;9H\\033[4mhe''re'; printf '\\033[22;3Hflood''ed'; read line\n";

#[tokio::test]
async fn a_screen_is_the_same_after_ten_megabytes_that_were_missed() {
    let runtime = Runtime::start(&[]).await;
    let network = before(&runtime).await;
    let mut stays = Page::open_near(&runtime).await;
    let mut leaves = Page::open(&network).await;
    stays.starts(FLOOD, "begin").await;
    leaves.reads_until(|all| all.ends_with(b"begin\r\n")).await;
    network.set_open(false);
    leaves.forget();
    stays.types("\n");
    stays.reads_until(|all| all.ends_with(b"flooded")).await;
    assert!(stays.shown.len() > 10_000_000, "{} bytes", stays.shown.len());
    let (epoch, have) = leaves.place();
    let greeting = hello("returned", Some(epoch.clone()), Some(have));
    let (client, welcome) = runtime.greet(Role::Control, greeting).await;
    let by_hello = reads(client, welcome.terms[0].head).await;
    let greeting = Hello { terms: Vec::new(), ..hello("attached", Some(epoch.clone()), None) };
    let (mut client, welcome) = runtime.greet(Role::Control, greeting).await;
    let epoch = u64::from_str_radix(&epoch, 16).unwrap();
    let role = AttachRole::Control;
    let attach = Attach { have: Some(have), epoch, history: 0, cols: 80, rows: 24, role };
    client.send(&ClientFrame::Attach { terminal: 1, attach }).await;
    let by_attach = reads(client, welcome.terms[0].head).await;
    let again = [&leaves.shown[..], &by_hello].concat();
    compare(&[&stays.shown, &again, &by_hello, &by_attach]);
    for (way, sent) in [("HELLO", by_hello.len()), ("ATTACH", by_attach.len())] {
        eprintln!("{way}: {sent} bytes sent");
        assert!(sent <= SENT, "{way}: {sent} bytes");
    }
}

/// What comes to a client that had fallen behind the ring, up to an offset.
async fn reads(mut client: Client, head: u64) -> Vec<u8> {
    let (mut shown, mut at) = (Vec::new(), None);
    while at != Some(head) {
        let (end, bytes) = match client.next().await {
            ServerFrame::Snapshot { offset, bytes, reason, .. } => {
                assert_eq!(reason, SnapshotReason::Overrun);
                (offset, bytes)
            }
            ServerFrame::Output { terminal, offset, bytes } => {
                assert_eq!(Some(offset), at, "output goes on where the snapshot ends");
                let offset = offset + bytes.len() as u64;
                client.send(&ClientFrame::Ack { terminal, offset }).await;
                (offset, bytes)
            }
            _ => continue,
        };
        shown.extend_from_slice(&bytes);
        at = Some(end);
    }
    shown
}

/// Holds what several ways lead to against each other, in the emulator of our page.
fn compare(ways: &[&[u8]]) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../gateway/web/node_modules");
    let modules = std::env::var_os("FABRICA_TEST_NODE_MODULES").map_or(page, PathBuf::from);
    if !modules.join("@xterm/headless").is_dir() {
        return eprintln!("left out: this needs `npm ci` in gateway/web");
    }
    let mut cases: Vec<u8> = [80_u32, 24].into_iter().flat_map(u32::to_le_bytes).collect();
    for way in ways {
        cases.extend_from_slice(&u32::try_from(way.len()).unwrap().to_le_bytes());
        cases.extend_from_slice(way);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cases).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/xterm/same.mjs");
    let run = Command::new("node").arg(script).arg(modules).arg(file.path()).output().unwrap();
    let said = [run.stdout, run.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(run.status.success(), "{}", said.concat());
}
