//! What another pod goes on from: the agent's conversation, and where its files are. Treated as a secret: it is never
//! printed.

use std::fmt;

use fabrica_protocol::run::CONVERSATION_BYTES;
use sqlx::Row;
use uuid::Uuid;

use crate::connection::{Store, bounded};
use crate::error::{StoreError, integer};

/// The newest checkpoint of an object.
#[derive(Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub attempt: u32,
    /// Of the files, on the repository's remote.
    pub commit: Option<String>,
    /// The agent's own id of its conversation.
    pub conversation: Option<String>,
    /// Of `data`, in hexadecimal digits; empty without a conversation.
    pub sha256: String,
    /// gzip; empty without a conversation. At most 16 MiB.
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
        checkpoint: &Checkpoint,
    ) -> Result<(), StoreError> {
        let attempt = integer(checkpoint.attempt)?;
        if checkpoint.data.len() > CONVERSATION_BYTES {
            return Err(StoreError::CheckpointTooLarge {
                bytes: checkpoint.data.len(),
                limit: CONVERSATION_BYTES,
            });
        }
        bounded(async {
            sqlx::query(
                "INSERT INTO checkpoints AS old (uid, attempt, commit, conversation, sha256, data) \
                 VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (uid) DO UPDATE SET (attempt, commit, conversation, sha256, data, created_at) = \
                   (excluded.attempt, excluded.commit, excluded.conversation, excluded.sha256, excluded.data, now()) \
                 WHERE old.attempt <= excluded.attempt",
            )
            .bind(uid)
            .bind(attempt)
            .bind(&checkpoint.commit)
            .bind(&checkpoint.conversation)
            .bind(&checkpoint.sha256)
            .bind(&checkpoint.data)
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }

    /// Whether there is a checkpoint.
    pub async fn has_checkpoint(&self, uid: Uuid) -> Result<bool, StoreError> {
        bounded(async {
            let query = "SELECT EXISTS (SELECT 1 FROM checkpoints WHERE uid = $1)";
            Ok(sqlx::query_scalar(query).bind(uid).fetch_one(&self.pool).await?)
        })
        .await
    }

    pub async fn checkpoint(&self, uid: Uuid) -> Result<Option<Checkpoint>, StoreError> {
        bounded(async {
            let query = "SELECT attempt, commit, conversation, sha256, data FROM checkpoints WHERE uid = $1";
            let Some(row) = sqlx::query(query).bind(uid).fetch_optional(&self.pool).await? else {
                return Ok(None);
            };
            Ok(Some(Checkpoint {
                attempt: row.try_get::<i32, _>(0)?.cast_unsigned(),
                commit: row.try_get(1)?,
                conversation: row.try_get(2)?,
                sha256: row.try_get(3)?,
                data: row.try_get(4)?,
            }))
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
