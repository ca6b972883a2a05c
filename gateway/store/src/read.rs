//! Messages, as people and tools read them.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use crate::connection::{Store, bounded};
use crate::error::{StoreError, bigint};
use crate::message::{Content, MessageType};

/// The longest page: with records of 64 KiB it is what a gateway can hold for many readers.
pub const PAGE: u32 = 500;

/// A message of the archive.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Unique in the database. It says nothing about order: objects are written side by side.
    pub id: i64,
    pub uid: Uuid,
    pub attempt: u32,
    /// Counts from 1 within the object, without gaps, in the order in which readers see messages appear.
    pub seq: u64,
    pub kind: MessageType,
    pub content: Content,
    pub created_at: DateTime<Utc>,
    pub read_at: Option<DateTime<Utc>>,
}

/// What is read of a message, in the order of the queries.
pub(crate) type Columns =
    (i64, i32, i64, String, Json<Content>, DateTime<Utc>, Option<DateTime<Utc>>);

impl Store {
    /// The messages of an object after `after`, at most [`PAGE`]; with `unread` those alone that nobody has read.
    pub async fn messages(
        &self,
        uid: Uuid,
        after: u64,
        limit: u32,
        unread: bool,
    ) -> Result<Vec<Message>, StoreError> {
        let after = bigint(after)?;
        bounded(async {
            let rows: Vec<Columns> = sqlx::query_as(
                "SELECT id, attempt, seq, type, content, created_at, read_at FROM messages \
                 WHERE uid = $1 AND seq > $2 AND NOT ($4 AND read_at IS NOT NULL) ORDER BY seq LIMIT $3",
            )
            .bind(uid)
            .bind(after)
            .bind(i64::from(limit.min(PAGE)))
            .bind(unread)
            .fetch_all(&self.pool)
            .await?;
            Ok(rows.into_iter().map(|row| message(uid, row)).collect())
        })
        .await
    }

    /// Marks messages up to and with `seq` as read; says how many were not.
    pub async fn mark_read(&self, uid: Uuid, seq: u64) -> Result<u64, StoreError> {
        let seq = bigint(seq)?;
        bounded(async {
            let done = sqlx::query(
                "UPDATE messages SET read_at = now() WHERE uid = $1 AND seq <= $2 AND read_at IS NULL",
            )
            .bind(uid)
            .bind(seq)
            .execute(&self.pool)
            .await?;
            Ok(done.rows_affected())
        })
        .await
    }
}

pub(crate) fn message(uid: Uuid, row: Columns) -> Message {
    let (id, attempt, seq, kind, Json(content), created_at, read_at) = row;
    Message {
        id,
        uid,
        attempt: attempt.cast_unsigned(),
        seq: seq.cast_unsigned(),
        kind: MessageType::parse(&kind),
        content,
        created_at,
        read_at,
    }
}
