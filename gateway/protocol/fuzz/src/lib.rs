//! What must hold for any bytes from a wire. The fuzzer calls these with bytes of its own, and `tests/corpus.rs` with
//! those that are kept.
#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]
#![allow(unreachable_pub, reason = "as a module of the test, all of this is private")]

use bytes::Bytes;
use chrono::DateTime;
use fabrica_protocol::assertion::{LIFETIME_SECONDS, PublicKeys};
use fabrica_protocol::kterm::{ClientFrame, FrameError, ServerFrame};

/// The public half of RFC 8032, test 1. Tokens of the corpus are signed with the other half.
const KEYS: &str = r#"{"keys":[{"kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const AUDIENCE: &str = "uid-1";
/// 2026-01-01 12:00 UTC, when the tokens of the corpus were signed.
const NOW: i64 = 1_767_268_800;

/// What can be read as a client's frame means the same when written again.
pub fn client_frame(data: &[u8]) {
    let Ok(frame) = ClientFrame::decode(Bytes::copy_from_slice(data)) else { return };
    same(&ClientFrame::decode(frame.encode()), &frame);
}

/// The same for frames of the runtime.
pub fn server_frame(data: &[u8]) {
    let Ok(frame) = ServerFrame::decode(Bytes::copy_from_slice(data)) else { return };
    same(&ServerFrame::decode(frame.encode()), &frame);
}

fn same<T: std::fmt::Debug + PartialEq>(again: &Result<T, FrameError>, frame: &T) {
    // JSON that left fields out may pass the limit when they are written.
    if !matches!(again, Err(FrameError::TooBig(_))) {
        assert_eq!(again.as_ref(), Ok(frame));
    }
}

/// A token that is believed is for us and does not live long.
pub fn assertion(data: &[u8]) {
    let keys = PublicKeys::parse(KEYS).unwrap();
    let now = DateTime::from_timestamp(NOW, 0).unwrap();
    if let Ok(claims) = keys.verify(&String::from_utf8_lossy(data), AUDIENCE, now) {
        assert_eq!(claims.aud, AUDIENCE);
        assert!(claims.exp - claims.iat <= LIFETIME_SECONDS);
    }
}

/// Any annotation is read or refused.
pub fn public_keys(data: &[u8]) {
    let _ = PublicKeys::parse(&String::from_utf8_lossy(data));
}
