//! Messages by what they say.

use uuid::Uuid;

use crate::connection::{Store, bounded};
use crate::error::{StoreError, bigint};
use crate::message::storable;
use crate::read::{Columns, Message, PAGE, message};

/// How many messages one answer looks through: with records of 64 KiB each it stays below the time of an answer.
pub const LOOKED_THROUGH: u32 = 5_000;

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub messages: Vec<Message>,
    /// Behind which message to look on; nowhere when all were looked through.
    pub next: Option<u64>,
}

impl Store {
    /// The messages of an object after `after` in whose text these words stand, in any case of their letters, at most
    /// [`PAGE`]; of at most [`LOOKED_THROUGH`] that are looked at.
    pub async fn find_messages(
        &self,
        uid: Uuid,
        words: &str,
        after: u64,
        limit: u32,
    ) -> Result<Found, StoreError> {
        let limit = limit.min(PAGE);
        let from = bigint(after)?;
        let to = from.saturating_add(i64::from(LOOKED_THROUGH));
        bounded(async {
            let rows: Vec<Columns> = sqlx::query_as(
                "SELECT id, attempt, seq, type, content, created_at, read_at FROM messages \
                 WHERE uid = $1 AND seq > $2 AND seq <= $3 \
                 AND strpos(lower(content->>'message'), lower($4)) > 0 ORDER BY seq LIMIT $5",
            )
            .bind(uid)
            .bind(from)
            .bind(to)
            .bind(storable(words))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
            let newest: Option<i64> =
                sqlx::query_scalar("SELECT last_seq FROM objects WHERE uid = $1")
                    .bind(uid)
                    .fetch_optional(&self.pool)
                    .await?;
            let messages: Vec<_> = rows.into_iter().map(|row| message(uid, row)).collect();
            let is_full = messages.len() >= limit as usize;
            let through =
                messages.last().filter(|_| is_full).map_or(to.unsigned_abs(), |found| found.seq);
            let newest = newest.unwrap_or_default().unsigned_abs();
            Ok(Found { messages, next: (through < newest).then_some(through) })
        })
        .await
    }
}
