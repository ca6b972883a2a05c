//! Journals into messages: each record once, numbered without gaps, one transaction a batch.

use std::collections::HashSet;

use chrono::Utc;
use futures::future::BoxFuture;
use sqlx::{Acquire, PgConnection, PgTransaction};
use uuid::Uuid;

use crate::connection::{Store, bounded};
use crate::copy::{self, Row};
use crate::error::{StoreError, bigint, integer};
use crate::listen::{self, Notice};
use crate::message::NewMessage;

/// Records of one attempt of one object, in the journal's order.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    pub uid: Uuid,
    pub attempt: u32,
    pub messages: &'a [NewMessage],
}

/// What became of a batch. Everything in it is in the archive now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingested {
    /// How many were new.
    pub added: usize,
    /// Of these, how many are there as error records because PostgreSQL refused them.
    pub refused: usize,
    /// The `seq` of the object's newest message.
    pub last_seq: u64,
}

impl Store {
    /// Adds what is not there yet. Done means committed; after an error nothing of the batch is there, and it may be
    /// sent again. Two writers of one object wait for each other.
    pub async fn ingest(&self, batch: Batch<'_>) -> Result<Ingested, StoreError> {
        bounded(async {
            let mut transaction = self.pool.begin().await?;
            let outcome = ingest(&mut transaction, batch).await?;
            transaction.commit().await?;
            Ok(outcome)
        })
        .await
    }

    /// The highest record of an attempt's journal that is in the archive; 0 without any. Read on from there.
    pub async fn last_ingested(&self, uid: Uuid, attempt: u32) -> Result<u64, StoreError> {
        let attempt = integer(attempt)?;
        bounded(async {
            let last: Option<i64> = sqlx::query_scalar(
                "SELECT max(journal_seq) FROM messages WHERE uid = $1 AND attempt = $2",
            )
            .bind(uid)
            .bind(attempt)
            .fetch_one(&self.pool)
            .await?;
            Ok(last.unwrap_or_default().cast_unsigned())
        })
        .await
    }
}

async fn ingest(
    transaction: &mut PgTransaction<'_>,
    batch: Batch<'_>,
) -> Result<Ingested, StoreError> {
    let attempt = integer(batch.attempt)?;
    let last = lock(transaction, batch.uid).await?;
    let rows = fresh(transaction, batch, attempt, last).await?;
    let Some(newest) = rows.last() else {
        return Ok(Ingested { added: 0, refused: 0, last_seq: last.cast_unsigned() });
    };
    let refused = write(transaction, batch.uid, attempt, &rows).await?;
    sqlx::query("UPDATE objects SET last_seq = $2 WHERE uid = $1")
        .bind(batch.uid)
        .bind(newest.seq)
        .execute(&mut **transaction)
        .await?;
    notify(transaction, batch.uid, newest.seq).await?;
    Ok(Ingested { added: rows.len(), refused, last_seq: newest.seq.cast_unsigned() })
}

/// Locks the object against other writers, and says the `seq` of its newest message.
pub(crate) async fn lock(connection: &mut PgConnection, uid: Uuid) -> Result<i64, StoreError> {
    sqlx::query_scalar("SELECT last_seq FROM objects WHERE uid = $1 FOR UPDATE")
        .bind(uid)
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::UnknownObject(uid))
}

/// What is neither in the archive nor earlier in the batch, each with its place.
async fn fresh<'a>(
    connection: &mut PgConnection,
    batch: Batch<'a>,
    attempt: i32,
    last: i64,
) -> Result<Vec<Row<'a>>, StoreError> {
    let numbers: Vec<i64> = batch
        .messages
        .iter()
        .map(|message| bigint(message.journal_seq))
        .collect::<Result<_, _>>()?;
    let (Some(lowest), Some(highest)) = (numbers.iter().min(), numbers.iter().max()) else {
        return Ok(Vec::new());
    };
    let known: Vec<i64> = sqlx::query_scalar(
        "SELECT journal_seq FROM messages WHERE uid = $1 AND attempt = $2 AND journal_seq BETWEEN $3 AND $4",
    )
    .bind(batch.uid)
    .bind(attempt)
    .bind(lowest)
    .bind(highest)
    .fetch_all(connection)
    .await?;
    let mut seen: HashSet<i64> = known.into_iter().collect();
    let new = numbers.iter().zip(batch.messages).filter(|(number, _)| seen.insert(**number));
    Ok(new
        .zip(last + 1..)
        .map(|((number, message), seq)| Row { journal_seq: *number, seq, message })
        .collect())
}

/// Writes rows, and error records for those that PostgreSQL refuses; says how many these are. Halves find them, so
/// that a hundred good rows cost a few attempts and not a hundred.
fn write<'a>(
    connection: &'a mut PgConnection,
    uid: Uuid,
    attempt: i32,
    rows: &'a [Row<'a>],
) -> BoxFuture<'a, Result<usize, StoreError>> {
    Box::pin(async move {
        let error = match write_all(connection, uid, attempt, rows).await {
            Ok(()) => return Ok(0),
            Err(StoreError::Refused(error)) => error,
            Err(error) => return Err(error),
        };
        if let [row] = rows {
            let message = row.message.refused(&error.to_string(), Utc::now());
            write_all(connection, uid, attempt, &[Row { message: &message, ..*row }]).await?;
            return Ok(1);
        }
        let (left, right) = rows.split_at(rows.len() / 2);
        let refused = write(connection, uid, attempt, left).await?;
        Ok(refused + write(connection, uid, attempt, right).await?)
    })
}

/// All of them or, with an error, none: a savepoint keeps the transaction usable.
async fn write_all(
    connection: &mut PgConnection,
    uid: Uuid,
    attempt: i32,
    rows: &[Row<'_>],
) -> Result<(), StoreError> {
    let mut savepoint = connection.begin().await?;
    let mut sink = savepoint.copy_in_raw(copy::STATEMENT).await?;
    sink.send(copy::encode(uid, attempt, rows)).await?;
    match sink.finish().await {
        Ok(_) => Ok(savepoint.commit().await?),
        Err(error) => {
            savepoint.rollback().await?;
            Err(error.into())
        }
    }
}

async fn notify(connection: &mut PgConnection, uid: Uuid, seq: i64) -> Result<(), StoreError> {
    let (id, kind): (i64, String) =
        sqlx::query_as("SELECT id, type FROM messages WHERE uid = $1 AND seq = $2")
            .bind(uid)
            .bind(seq)
            .fetch_one(&mut *connection)
            .await?;
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(listen::CHANNEL)
        .bind(Notice::payload(id, uid, &kind))
        .execute(connection)
        .await?;
    Ok(())
}
