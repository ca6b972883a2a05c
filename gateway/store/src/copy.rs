//! Rows of messages in PostgreSQL's binary COPY format. No I/O.

use std::borrow::Cow;

use chrono::{DateTime, TimeZone, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::message::{Content, NewMessage, storable, storable_value};

/// What [`encode`] writes, in its order.
pub(crate) const STATEMENT: &str = "COPY messages (uid, attempt, journal_seq, seq, type, content, created_at) \
     FROM STDIN (FORMAT BINARY)";
/// The format's signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
const COLUMNS: i16 = 7;
/// The version of the binary form of `jsonb`.
const JSONB_VERSION: u8 = 1;

/// A message and its place in the archive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) journal_seq: i64,
    pub(crate) seq: i64,
    pub(crate) message: &'a NewMessage,
}

/// A [`Content`] that PostgreSQL can keep.
#[derive(Serialize)]
struct Stored<'a> {
    message: Cow<'a, str>,
    metadata: Cow<'a, Value>,
}

/// The rows of one attempt.
pub(crate) fn encode(uid: Uuid, attempt: i32, rows: &[Row<'_>]) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    for row in rows {
        bytes.extend(COLUMNS.to_be_bytes());
        field(&mut bytes, uid.as_bytes());
        field(&mut bytes, &attempt.to_be_bytes());
        field(&mut bytes, &row.journal_seq.to_be_bytes());
        field(&mut bytes, &row.seq.to_be_bytes());
        field(&mut bytes, row.message.kind.as_str().as_bytes());
        content(&mut bytes, &row.message.content);
        field(&mut bytes, &microseconds(row.message.time).to_be_bytes());
    }
    bytes.extend(TRAILER);
    bytes
}

fn field(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.extend(length(value.len()).to_be_bytes());
    bytes.extend(value);
}

fn content(bytes: &mut Vec<u8>, content: &Content) {
    let stored =
        Stored { message: storable(&content.message), metadata: storable_value(&content.metadata) };
    let json = serde_json::to_vec(&stored).unwrap_or_default();
    bytes.extend(length(json.len() + 1).to_be_bytes());
    bytes.push(JSONB_VERSION);
    bytes.extend(json);
}

/// A field longer than the format can say is cut off by the server with an error, which is then a refusal.
fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

/// Since the year 2000, as PostgreSQL counts.
fn microseconds(time: DateTime<Utc>) -> i64 {
    let epoch = Utc.with_ymd_and_hms(2000, 1, 1, 0, 0, 0).single().unwrap_or_default();
    time.timestamp_micros().saturating_sub(epoch.timestamp_micros())
}
