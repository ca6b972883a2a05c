//! How fast the archive takes records in, against a COPY of the same rows that asks and orders nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::Utc;
use fabrica_protocol::run::{Entry, Record};
use fabrica_store::{Batch, NewMessage, Object};
use fabrica_test_database::Server;
use sqlx::PgPool;
use sqlx::postgres::PgPoolCopyExt;
use uuid::Uuid;

use crate::stats::{describe, median};
use crate::table::{Kind, Row, Table};

/// Batches of each kind, in turns.
const ROUNDS: u64 = 40;
/// Records of a batch: what an agent's busy second tells, many times over.
const BATCH: u64 = 500;
/// Of each record's text.
const TEXT_BYTES: usize = 300;
const COLUMNS: &str = "uid, attempt, journal_seq, seq, type, content, created_at";

pub(crate) async fn measure(table: &Table) -> Result<()> {
    let (server, store) = Server::migrated().await;
    let pool = server.pool().await;
    sqlx::query("CREATE TABLE floor (LIKE messages INCLUDING ALL)").execute(&pool).await?;
    let uid = Uuid::new_v4();
    store.put_object(&object(uid)).await?;
    let (mut ours, mut copies) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let messages = batch(round * BATCH);
        let before = Instant::now();
        store.ingest(Batch { uid, attempt: 1, messages: &messages }).await?;
        ours.push(before.elapsed());
        copies.push(copy(&pool, round * BATCH).await?);
    }
    table.add(Row {
        what: "archive: a batch of 500 records, against a COPY of the same rows",
        measured: median(&ours).as_secs_f64() / median(&copies).as_secs_f64(),
        ceiling: 2.0,
        unit: "×",
        kind: Kind::Ceiling,
        detail: format!("ingested {}; copied {}", describe(&ours), describe(&copies)),
    });
    Ok(())
}

/// The batch that was just taken in once more, into a table with the same indexes.
async fn copy(pool: &PgPool, after: u64) -> Result<Duration> {
    use futures::TryStreamExt as _;
    let rows = format!("SELECT {COLUMNS} FROM messages WHERE seq > {after}");
    let read = pool.copy_out_raw(&format!("COPY ({rows}) TO STDOUT (FORMAT BINARY)")).await?;
    let pieces: Vec<bytes::Bytes> = read.try_collect().await?;
    let bytes = pieces.concat();
    let before = Instant::now();
    let mut writer =
        pool.copy_in_raw(&format!("COPY floor ({COLUMNS}) FROM STDIN (FORMAT BINARY)")).await?;
    writer.send(bytes).await?;
    writer.finish().await.context("the floor's COPY")?;
    Ok(before.elapsed())
}

fn object(uid: Uuid) -> Object {
    Object {
        uid,
        kind: "Run".to_owned(),
        namespace: "bench".to_owned(),
        name: "bench".to_owned(),
        owner: None,
        parent: None,
        phase: "Running".to_owned(),
        branch: None,
        commit: None,
        pull_request_url: None,
        estimated_cost_usd: None,
        status: None,
        created_at: Utc::now(),
        started_at: None,
        finished_at: None,
        deleted_at: None,
    }
}

fn batch(after: u64) -> Vec<NewMessage> {
    let record = |seq| Record {
        seq,
        time: Utc::now(),
        entry: Entry::Said { id: None, text: format!("{seq:>TEXT_BYTES$}") },
    };
    (after + 1..=after + BATCH).map(|seq| NewMessage::from(&record(seq))).collect()
}
