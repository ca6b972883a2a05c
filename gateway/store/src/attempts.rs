//! How far attempts are kept, and which objects are gone: what a recorder that starts asks.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::connection::{Store, bounded};
use crate::error::StoreError;

/// How far an attempt's journal is in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptProgress {
    /// Counts from 1.
    pub number: u32,
    /// The journal's number of the newest record.
    pub last: u64,
    /// Whether its last record, the verdict, is there.
    pub ended: bool,
}

impl Store {
    /// Every attempt of an object that has messages, oldest first.
    pub async fn attempts(&self, uid: Uuid) -> Result<Vec<AttemptProgress>, StoreError> {
        bounded(async {
            let rows: Vec<(i32, i64, bool)> = sqlx::query_as(
                "SELECT attempt, max(journal_seq), coalesce(bool_or(content->'metadata'->>'kind' = 'ended'), false) \
                 FROM messages WHERE uid = $1 GROUP BY attempt ORDER BY attempt",
            )
            .bind(uid)
            .fetch_all(&self.pool)
            .await?;
            let progress = |(number, last, ended): (i32, i64, bool)| AttemptProgress {
                number: number.cast_unsigned(),
                last: last.cast_unsigned(),
                ended,
            };
            Ok(rows.into_iter().map(progress).collect())
        })
        .await
    }

    /// Marks the objects of a kind as deleted that were made before a time and are none of these; says how many. Nothing
    /// goes on from their checkpoints.
    pub async fn mark_deleted(
        &self,
        kind: &str,
        living: &[Uuid],
        made_before: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        bounded(async {
            let gone: i64 = sqlx::query_scalar(
                "WITH gone AS (UPDATE objects SET deleted_at = now() WHERE kind = $1 AND deleted_at IS NULL \
                   AND created_at < $3 AND NOT uid = ANY($2) RETURNING uid), \
                 forgotten AS (DELETE FROM checkpoints USING gone WHERE checkpoints.uid = gone.uid) \
                 SELECT count(*) FROM gone",
            )
            .bind(kind)
            .bind(living)
            .bind(made_before)
            .fetch_one(&self.pool)
            .await?;
            Ok(gone.cast_unsigned())
        })
        .await
    }
}
