//! What must hold for any bytes that reach the runtime. The fuzzer calls these with bytes of its own, and
//! `tests/corpus.rs` with those that are kept.
#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]
#![allow(unreachable_pub, reason = "as a module of the test, all of this is private")]

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use chrono::Utc;
use fabrica_protocol::assertion::{Claims, Role, Signer};
use fabrica_protocol::kterm::MAX_FRAME;
use fabrica_runtime::config::Config;
use fabrica_runtime::http::router;
use fabrica_runtime::pod::Pod;
use fabrica_runtime::secrets::Secrets;
use fabrica_runtime::terminal::marks::{Found, Mark, Scanner};
use fabrica_runtime::terminal::screen::Screen;
use fabrica_runtime::terminal::size::Size;
use fabrica_runtime::terminal::websocket::{Decoder, Message, Violation};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// An Ed25519 key made for tests (RFC 8032, test 1); it guards nothing.
const PKCS8: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const KEYS: &str = r#"{"keys":[{"kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const UID: &str = "uid-1";

/// The longest head of a frame, its mask included.
const HEAD_BYTES: usize = 14;

/// More than any screen of the sizes that a byte names takes.
const SNAPSHOT_BYTES: usize = 16 * 1024 * 1024;

/// Long enough for any answer; a request that was cut short gets none.
const ANSWER: Duration = Duration::from_millis(500);

/// What lies beside the workspace and must neither be shown nor changed.
const OUTSIDE: &str = "nobody reads this through the runtime";

/// However bytes are cut on their way, they mean the same, and no more than a frame is held. The first byte says how
/// they are cut.
pub fn websocket(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let whole = decode(&[bytes]);
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*cut).max(1)).collect();
    assert_eq!(decode(&pieces), whole);
}

fn decode(pieces: &[&[u8]]) -> (Vec<Message>, Option<Violation>) {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.buffer().extend_from_slice(piece);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(violation) => return (messages, Some(violation)),
            }
        }
        assert!(decoder.buffer().len() < MAX_FRAME + HEAD_BYTES);
    }
    (messages, None)
}

/// However output is cut, it says the same of titles, bells and commands. The first byte says how it is cut.
pub fn marks(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let whole = said(&[bytes]);
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*cut).max(1)).collect();
    assert_eq!(said(&pieces), whole);
}

fn said(pieces: &[&[u8]]) -> Found {
    let mut scanner = Scanner::default();
    let mut all = Found::default();
    for piece in pieces {
        let Found { bell, marks } = scanner.read(piece);
        all.bell |= bell;
        for mark in marks {
            // Of titles in a row a piece tells the last one.
            if matches!(mark, Mark::Title(_)) {
                all.marks.pop_if(|last| matches!(last, Mark::Title(_)));
            }
            all.marks.push(mark);
        }
    }
    all
}

/// Any output gives a screen, however it is cut; its snapshot fits and leads a fresh emulator to a screen that tells
/// itself the same way. The first bytes say how large the screen is, and how the output is cut.
pub fn screen(data: &[u8]) {
    let [columns, rows, cut, bytes @ ..] = data else { return };
    let Some(size) = Size::new((*columns).into(), (*rows).into()) else { return };
    let whole = told(size, &[bytes]);
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*cut).max(1)).collect();
    assert_eq!(told(size, &pieces), whole);
    assert!(whole.len() <= SNAPSHOT_BYTES);
    let again = told(size, &[&whole]);
    assert_eq!(told(size, &[&again]), again);
}

fn told(size: Size, pieces: &[&[u8]]) -> Vec<u8> {
    let mut screen = Screen::new(size);
    for piece in pieces {
        screen.feed(piece);
    }
    screen.snapshot(SNAPSHOT_BYTES)
}

/// A password, in the first line, is nowhere in the redacted rest: neither as it is nor encoded.
pub fn redaction(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some((password, text)) = text.split_once('\n') else { return };
    let redacted = Secrets::new(Some(password), []).redact(text);
    // What stands in a password's place is no password.
    if !password.is_empty() && !password.contains('*') {
        let encoded: Vec<String> = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert!(!redacted.contains(password), "{redacted}");
        assert!(!redacted.contains(&encoded.concat()), "{redacted}");
    }
}

/// One request by somebody who may type: a line of method and path, lines of headers, an empty line, the body. Whatever
/// it is, it stays in the workspace and meets no fault of the runtime.
pub fn request(data: &[u8]) {
    let place = tempfile::tempdir().unwrap();
    let workspace = place.path().join("workspace");
    std::fs::create_dir_all(workspace.join("folder")).unwrap();
    std::fs::write(workspace.join("file"), "content").unwrap();
    std::os::unix::fs::symlink("..", workspace.join("link")).unwrap();
    std::fs::write(place.path().join("outside"), OUTSIDE).unwrap();
    std::fs::write(place.path().join("keys"), KEYS).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(answer(place.path(), data));
    let text = String::from_utf8_lossy(&answer);
    assert!(!text.starts_with("HTTP/1.1 500"), "{text}");
    assert!(!text.contains(OUTSIDE), "{text}");
    assert_eq!(std::fs::read_to_string(place.path().join("outside")).unwrap(), OUTSIDE);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 3, "something was made outside");
}

async fn answer(place: &Path, data: &[u8]) -> Vec<u8> {
    let variables = [
        ("SESSION_ID", OsString::from(UID)),
        ("FABRICA_WORKSPACE", place.join("workspace").into()),
        ("FABRICA_TRUST_KEYS", place.join("keys").into()),
    ];
    let config = Config::from_environment(variables.map(|(name, value)| (name.into(), value)));
    let (mut client, server) = tokio::io::duplex(MAX_FRAME);
    let serving = tokio::spawn(
        axum::serve(Once(Some(server)), router(Arc::new(Pod::new(config, None, None))))
            .into_future(),
    );
    let asking = async {
        let _ = client.write_all(&bytes_of(data)).await;
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        // Read piece by piece: what came before the time was over counts.
        while let Ok(Ok(count @ 1..)) = tokio::time::timeout(ANSWER, client.read(&mut buffer)).await
        {
            answer.extend_from_slice(&buffer[..count]);
        }
        answer
    };
    let answer = asking.await;
    serving.abort();
    answer
}

fn bytes_of(data: &[u8]) -> Vec<u8> {
    let (head, body) = split(data, b"\n\n");
    let (line, more) = split(head, b"\n");
    let claims =
        Claims::new("fabrica-gateway", UID, "ada", Role::Control, "connection", Utc::now());
    let assertion = Signer::new("one", PKCS8).sign(&claims).unwrap();
    let ours = format!(
        " HTTP/1.1\r\nhost: pod\r\nconnection: close\r\nauthorization: Bearer {assertion}\r\ncontent-length: {}\r\n",
        body.len()
    );
    let end: &[u8] = if more.is_empty() { b"\r\n" } else { b"\r\n\r\n" };
    [line, ours.as_bytes(), more, end, body].concat()
}

/// What lies before a mark, and what behind it.
fn split<'data>(data: &'data [u8], mark: &[u8]) -> (&'data [u8], &'data [u8]) {
    let at = data.windows(mark.len()).position(|window| window == mark);
    at.map_or((data, &[]), |at| (&data[..at], &data[at + mark.len()..]))
}

/// Hands out one connection.
struct Once(Option<DuplexStream>);

impl Listener for Once {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.take() {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}
