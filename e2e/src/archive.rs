//! What stands in the archive, asked of the database itself, which `make up` installs.

use std::io::Read;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fabrica_crds::Run;
use flate2::read::GzDecoder;
use kube::ResourceExt;
use serde::Deserialize;

use crate::cluster::{SYSTEM_NAMESPACE, eventually};
use crate::helm::text;
use crate::run::condition;

/// A message as a row.
#[derive(Debug, Clone, Deserialize)]
pub struct Row {
    pub attempt: i32,
    pub journal_seq: i64,
    pub seq: i64,
    pub r#type: String,
    pub content: serde_json::Value,
}

/// The rows that a statement selects, each as JSON.
pub async fn select(statement: &str) -> Result<Vec<serde_json::Value>> {
    let statement = format!("SELECT row_to_json(found) FROM ({statement}) AS found");
    let output = tokio::process::Command::new("kubectl")
        .args(["--namespace", SYSTEM_NAMESPACE, "exec", "statefulset/fabrica-database"])
        .args(["--container", "database", "--", "psql", "-XAtqc", &statement])
        .output()
        .await
        .context("kubectl is the one that `make up` built: eval \"$(make -s env)\"")?;
    ensure!(output.status.success(), "psql: {}", text(&output.stderr));
    let rows = text(&output.stdout);
    rows.lines().map(|row| serde_json::from_str(row).context("a row")).collect()
}

/// What is kept of a Run or Session, in order.
pub async fn messages(object: &impl ResourceExt) -> Result<Vec<Row>> {
    let uid = object.uid().context("a UID")?;
    let columns = "attempt, journal_seq, seq, type, content";
    let statement = format!("SELECT {columns} FROM messages WHERE uid = '{uid}' ORDER BY seq");
    let rows = select(&statement).await?;
    rows.into_iter().map(|row| Ok(serde_json::from_value(row)?)).collect()
}

/// The conversation in the checkpoint of a Run, once there is one.
pub async fn conversation(run: &Run) -> Result<Option<String>> {
    let uid = run.uid().context("a UID")?;
    let column = "encode(data, 'base64') AS data";
    let rows = select(&format!("SELECT {column} FROM checkpoints WHERE uid = '{uid}'")).await?;
    let Some(data) = rows.first().and_then(|row| row["data"].as_str()) else { return Ok(None) };
    let lines: String = data.lines().collect();
    let packed = BASE64_STANDARD.decode(lines)?;
    let mut text = String::new();
    GzDecoder::new(&*packed).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Holds rows to what the archive promises: numbered without a gap, and each attempt's records once and in their order.
pub fn check_numbers(rows: &[Row]) -> Result<()> {
    ensure!(rows.iter().map(|row| row.seq).eq((1..).take(rows.len())), "a gap: {rows:?}");
    for attempt in rows.iter().map(|row| row.attempt) {
        let own = rows.iter().filter(|row| row.attempt == attempt);
        let numbers: Vec<_> = own.map(|row| row.journal_seq).collect();
        let whole = numbers.iter().copied().eq((1..).take(numbers.len()));
        ensure!(whole, "attempt {attempt} is kept as {numbers:?}");
    }
    Ok(())
}

/// Waits until `Recorded` of a Run is what the caller asks.
pub async fn await_recorded(namespace: &crate::Namespace, name: &str, wanted: &str) -> Result<Run> {
    let what = format!("Recorded={wanted}");
    eventually(&what, || async {
        let run = namespace.api::<Run>().get(name).await?;
        let is_so = condition(&run, "Recorded").is_some_and(|found| found.status == wanted);
        Ok(is_so.then_some(run))
    })
    .await
}
