//! The end of history.

use uuid::Uuid;

use crate::connection::{Store, bounded};
use crate::error::StoreError;

/// Objects in one transaction: short enough that nobody waits for it.
const OBJECTS: i64 = 20;

impl Store {
    /// Deletes objects that ended, or went from the cluster, more than so many days ago, with all that belongs to
    /// them; says how many. What others delete at the same time is left to them.
    pub async fn delete_older_than(&self, days: u32) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let some = bounded(self.delete_some(days)).await?;
            deleted += some;
            if some == 0 {
                return Ok(deleted);
            }
        }
    }

    async fn delete_some(&self, days: u32) -> Result<u64, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let old: Vec<Uuid> = sqlx::query_scalar(
            "SELECT uid FROM objects WHERE coalesce(deleted_at, finished_at) < now() - make_interval(days => $1) \
             ORDER BY uid LIMIT $2 FOR UPDATE SKIP LOCKED",
        )
        .bind(i32::try_from(days).unwrap_or(i32::MAX))
        .bind(OBJECTS)
        .fetch_all(&mut *transaction)
        .await?;
        // The other tables follow by their foreign keys.
        for table in
            ["DELETE FROM messages WHERE uid = ANY($1)", "DELETE FROM objects WHERE uid = ANY($1)"]
        {
            sqlx::query(table).bind(&old).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(old.len() as u64)
    }
}
