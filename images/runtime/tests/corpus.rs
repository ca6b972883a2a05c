//! The fuzzer's kept inputs, on any compiler: what holds for random bytes holds for these first.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use rstest::rstest;

#[path = "../fuzz/src/lib.rs"]
mod targets;

#[rstest]
#[case("websocket", targets::websocket)]
#[case("marks", targets::marks)]
#[case("screen", targets::screen)]
#[case("redaction", targets::redaction)]
#[case("request", targets::request)]
fn kept_inputs_hold(#[case] target: &str, #[case] run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        eprintln!("{}", file.display());
        run(&std::fs::read(file).unwrap());
    }
}
