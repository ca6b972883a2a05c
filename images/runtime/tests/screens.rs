//! A snapshot leads an emulator to the very state that the whole output leads it to, wherever the output is cut.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use fabrica_runtime::terminal::screen::Screen;
use fabrica_runtime::terminal::size::Size;
use proptest::prelude::*;
use rstest::rstest;

/// What a frame leaves for a snapshot.
const LIMIT: usize = 64 * 1024;

/// Real programs in 80 columns and 24 rows: tests/screens/README.md says how they were recorded.
#[rstest]
fn a_snapshot_is_the_state_in_xterm(
    #[values("log", "shell", "wide", "vim", "less", "htop", "top", "tmux", "escapes")] name: &str,
) {
    let Some(modules) = xterm() else { return };
    let stream = recording(name);
    let size = Size::default();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cases(size, &stream)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/xterm/compare.mjs");
    let run = Command::new("node").arg(script).arg(modules).arg(file.path()).output().unwrap();
    let (said, errors) =
        (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}{errors}");
}

/// The stream, and a snapshot for each of its offsets.
fn cases(size: Size, stream: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |piece: &[u8]| {
        bytes.extend_from_slice(&u32::try_from(piece.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(piece);
    };
    let mut screen = Screen::new(size);
    put(stream);
    put(&screen.snapshot(LIMIT));
    for byte in stream {
        screen.feed(&[*byte]);
        put(&screen.snapshot(LIMIT));
    }
    let (columns, rows) = size.cells();
    let head = [columns, rows].map(|count| u32::try_from(count).unwrap().to_le_bytes());
    [head.concat(), bytes].concat()
}

/// Where the emulator of our page is installed; without it a test says so and proves nothing.
fn xterm() -> Option<PathBuf> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../gateway/web/node_modules");
    let modules = std::env::var_os("FABRICA_TEST_NODE_MODULES").map_or(page, PathBuf::from);
    let found = modules.join("@xterm/headless").is_dir();
    if !found {
        eprintln!("left out: this needs `npm ci` in gateway/web");
    }
    found.then_some(modules)
}

fn recording(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    std::fs::read(folder.join(name).with_extension("raw")).unwrap()
}

fn restored(size: Size, bytes: &[u8]) -> Screen {
    let mut screen = Screen::new(size);
    screen.feed(bytes);
    screen
}

/// Pieces that programs send, and some that none does.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![0..30_u32, Just(1000), Just(2004), Just(1049), Just(u32::MAX)];
    let finals = prop::sample::select(b"@ABCDEFGHIJKLMPSTXZ`abdefghlmprsuq".to_vec());
    let prefix = prop::sample::select(vec!["", "", "", "?", ">", "!", " "]);
    prop_oneof![
        3 => "[a-z ]{1,30}|[漢字かな]{1,5}|e\u{301}|😀".prop_map(String::into_bytes),
        2 => prop::sample::select(vec!["\r\n", "\t", "\x08", "\x0e", "\x0f", "\x1b(0", "\x1b7", "\x1b8", "\x1bM", "\x1bD",
            "\x1b[?1049h", "\x1b[?1049l", "\x1b[?6h", "\x1b[4h", "\x1b[5;10r", "\x1b#8", "\x1b]8;;x\x07", "\x1bH", "\x1b[3g"])
            .prop_map(|text| text.as_bytes().to_vec()),
        3 => (prefix, prop::collection::vec(number, 0..4), finals).prop_map(|(prefix, numbers, last)| {
            let numbers = numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(";");
            [format!("\x1b[{prefix}{numbers}").into_bytes(), vec![last]].concat()
        }),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    /// Whatever comes, nothing breaks, a snapshot keeps to its limit, and a snapshot of what it makes is the same.
    #[test]
    fn snapshots_of_snapshots_stay_the_same(
        pieces in prop::collection::vec(piece(), 0..60),
        cols in 2..30_u16,
        rows in 1..12_u16,
    ) {
        let size = Size::new(cols, rows).unwrap();
        let screen = restored(size, &pieces.concat());
        let first = screen.snapshot(LIMIT);
        prop_assert!(first.len() <= LIMIT);
        // What no snapshot can tell (a place behind the last column that was saved) is gone after the first.
        let second = restored(size, &first).snapshot(LIMIT);
        let third = restored(size, &second).snapshot(LIMIT);
        prop_assert_eq!(String::from_utf8_lossy(&second), String::from_utf8_lossy(&third));
    }

    #[test]
    fn any_size_can_become_any_other(
        pieces in prop::collection::vec((piece(), 1..40_u16, 1..20_u16), 0..30),
    ) {
        let mut screen = Screen::new(Size::default());
        for (piece, cols, rows) in pieces {
            screen.feed(&piece);
            screen.resize(Size::new(cols, rows).unwrap());
            screen.skim(&piece);
        }
        prop_assert!(screen.snapshot(LIMIT).len() <= LIMIT);
    }
}
