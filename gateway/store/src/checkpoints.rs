//! The agent's conversation, with which the next pod goes on. Treated as a secret: it is never printed.

use std::fmt;

use uuid::Uuid;

use crate::connection::{Store, bounded};
use crate::error::{StoreError, integer};

/// The longest checkpoint.
pub const CHECKPOINT_BYTES: usize = 16 * 1024 * 1024;

/// The newest checkpoint of an object.
#[derive(Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub attempt: u32,
    /// gzip.
    pub data: Vec<u8>,
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Checkpoint of attempt {}, {} bytes", self.attempt, self.data.len())
    }
}

impl Store {
    /// Keeps a checkpoint in the place of the one before. One of an earlier attempt comes too late and changes nothing.
    pub async fn put_checkpoint(
        &self,
        uid: Uuid,
        attempt: u32,
        data: &[u8],
    ) -> Result<(), StoreError> {
        let attempt = integer(attempt)?;
        if data.len() > CHECKPOINT_BYTES {
            return Err(StoreError::CheckpointTooLarge {
                bytes: data.len(),
                limit: CHECKPOINT_BYTES,
            });
        }
        bounded(async {
            sqlx::query(
                "INSERT INTO checkpoints AS old (uid, attempt, data) VALUES ($1, $2, $3) \
                 ON CONFLICT (uid) DO UPDATE SET attempt = excluded.attempt, data = excluded.data, \
                   created_at = now() WHERE old.attempt <= excluded.attempt",
            )
            .bind(uid)
            .bind(attempt)
            .bind(data)
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }

    pub async fn checkpoint(&self, uid: Uuid) -> Result<Option<Checkpoint>, StoreError> {
        bounded(async {
            let row: Option<(i32, Vec<u8>)> =
                sqlx::query_as("SELECT attempt, data FROM checkpoints WHERE uid = $1")
                    .bind(uid)
                    .fetch_optional(&self.pool)
                    .await?;
            Ok(row.map(|(attempt, data)| Checkpoint { attempt: attempt.cast_unsigned(), data }))
        })
        .await
    }

    /// Forgets the checkpoint of an object that has ended.
    pub async fn delete_checkpoint(&self, uid: Uuid) -> Result<(), StoreError> {
        bounded(async {
            sqlx::query("DELETE FROM checkpoints WHERE uid = $1")
                .bind(uid)
                .execute(&self.pool)
                .await?;
            Ok(())
        })
        .await
    }
}
