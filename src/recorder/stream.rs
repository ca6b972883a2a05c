//! One pod's journal into the archive, from where it stopped to its last record.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fabrica_protocol::run::{Checkpoint, Entry, Record};
use fabrica_store::{Batch, NewMessage, StoreError};
use futures::{FutureExt, StreamExt};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::Recorder;
use super::backoff::Backoff;
use super::checkpoint::{self, CheckpointError};
use super::door::Chunks;
use super::lines::Lines;
use super::state::{Kept, LivePod, Part};
use crate::controller::{Panicked, error_chain};
use crate::runtime_client::RuntimeError;

/// Records of one transaction: beyond so many a commit costs little beside its rows.
const BATCH_RECORDS: usize = 500;
/// Bytes of one transaction, and about what a stream holds: the runtime answers in pieces of this size too.
const BATCH_BYTES: usize = 1024 * 1024;
/// How long the first record of a batch waits for others: nobody who reads along notices.
const BATCH_TIME: Duration = Duration::from_millis(200);
/// How long the runtime may wait to hear what is kept, where nothing waits for it there: each acknowledgement is a request.
const DEBT_TIME: Duration = Duration::from_secs(5);
/// What the runtime holds for us until then at most: little beside the 256 MiB at which it pauses its agent.
const DEBT_BYTES: usize = 4 * BATCH_BYTES;

/// Why a stream is opened again.
#[derive(Debug, thiserror::Error)]
enum StreamError {
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("record {found} came where {expected} belongs")]
    Gap { expected: u64, found: u64 },
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// Records that are not in the archive yet.
#[derive(Debug, Default)]
struct Pending {
    messages: Vec<NewMessage>,
    bytes: usize,
    /// The newest.
    checkpoint: Option<Checkpoint>,
    ended: bool,
    /// Whether the status is to show some of it at once.
    urgent: bool,
}

/// Reads a pod until its last record is kept and acknowledged, or until the pod has been gone for a while.
pub(super) async fn follow(recorder: Arc<Recorder>, uid: Uuid, pod: LivePod) {
    let is_whole = read_on(&recorder, uid, &pod).await;
    recorder.left(uid, &pod.uid, is_whole);
}

/// One connection after the other; whether that was all there is.
async fn read_on(recorder: &Recorder, uid: Uuid, pod: &LivePod) -> bool {
    let mut backoff = Backoff::default();
    while recorder.is_live(uid, &pod.uid) {
        let before = recorder.kept(uid, pod.attempt);
        // A defect that one journal has found must not end its archive in silence.
        let reading = AssertUnwindSafe(read(recorder, uid, pod)).catch_unwind();
        match reading.await.unwrap_or_else(|words| Err(Panicked::new(words.as_ref()).into())) {
            Ok(()) if recorder.kept(uid, pod.attempt).ended => return true,
            Ok(()) => {}
            Err(error) => {
                if let StreamError::Store(error)
                | StreamError::Checkpoint(CheckpointError::Keep(error)) = &error
                {
                    recorder.away(Part::Journals, error);
                }
                tracing::debug!(error = error_chain(&error), "a stream is opened again");
            }
        }
        if recorder.kept(uid, pod.attempt) != before {
            backoff.succeeded();
        }
        backoff.wait().await;
    }
    false
}

/// One connection. Ends without an error when the runtime closes it, or after the last record.
async fn read(recorder: &Recorder, uid: Uuid, pod: &LivePod) -> Result<(), StreamError> {
    let name = uid.to_string();
    let kept = recorder.kept(uid, pod.attempt);
    // Whoever was here before may have ended between commit and acknowledgement.
    if acknowledge(recorder, uid, pod, kept).await? {
        return Ok(());
    }
    let mut chunks = recorder.door.follow(&pod.address, &name, kept.last).await?;
    let mut lines = Lines::default();
    let mut debt = Debt::default();
    loop {
        let last = recorder.kept(uid, pod.attempt).last;
        let (pending, open) = gather(&mut chunks, &mut lines, last, debt.due).await?;
        if pending.urgent {
            recorder.wake(uid);
        }
        if !pending.messages.is_empty() {
            if let Some(told) = &pending.checkpoint {
                checkpoint::keep(recorder, uid, pod, told).await?;
            }
            keep(recorder, uid, pod.attempt, &pending).await?;
            debt.add(&pending, Instant::now());
        }
        if debt.is_due(Instant::now()) {
            if acknowledge(recorder, uid, pod, recorder.kept(uid, pod.attempt)).await? {
                return Ok(());
            }
            debt = Debt::default();
        }
        // The next connection begins with what is owed.
        if !open {
            return Ok(());
        }
    }
}

/// What is kept and was not acknowledged yet.
#[derive(Debug, Default)]
struct Debt {
    due: Option<Instant>,
    bytes: usize,
}

impl Debt {
    fn add(&mut self, pending: &Pending, now: Instant) {
        self.bytes += pending.bytes;
        let is_awaited = pending.urgent || pending.ended || pending.checkpoint.is_some();
        let due = if is_awaited || self.bytes >= DEBT_BYTES { now } else { now + DEBT_TIME };
        self.due = Some(self.due.map_or(due, |known| known.min(due)));
    }

    fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }
}

/// Tells the runtime what is kept, of the last record only once the Run's status holds the verdict; whether it was the last.
async fn acknowledge(
    recorder: &Recorder,
    uid: Uuid,
    pod: &LivePod,
    kept: Kept,
) -> Result<bool, RuntimeError> {
    let name = uid.to_string();
    let spent = || recorder.spent(uid, &pod.uid);
    let tell = |seq| recorder.door.acknowledge(&pod.address, &name, seq, spent());
    let before = kept.last.saturating_sub(u64::from(kept.ended));
    if before > 0 {
        tell(before).await?;
    }
    if kept.ended {
        recorder.closed(uid, &pod.uid).await;
        tell(kept.last).await?;
    }
    Ok(kept.ended)
}

/// Waits for a record, and a little for what follows it, but not beyond this moment; whether the stream is still open.
async fn gather(
    chunks: &mut Chunks,
    lines: &mut Lines,
    last: u64,
    mut until: Option<Instant>,
) -> Result<(Pending, bool), StreamError> {
    let mut pending = Pending::default();
    let mut full = None;
    loop {
        let chunk = match until {
            None => chunks.next().await,
            Some(until) => match timeout_at(until, chunks.next()).await {
                Ok(chunk) => chunk,
                Err(_) => return Ok((pending, true)),
            },
        };
        match chunk {
            None => return Ok((pending, false)),
            // What came before a broken connection is kept all the same.
            Some(Err(_)) if !pending.messages.is_empty() => return Ok((pending, false)),
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(chunk)) => {
                for line in lines.take(&chunk) {
                    pending.add(&line, last)?;
                }
            }
        }
        if pending.urgent || pending.messages.len() >= BATCH_RECORDS || pending.bytes >= BATCH_BYTES
        {
            return Ok((pending, true));
        }
        if !pending.messages.is_empty() {
            let full = *full.get_or_insert_with(|| Instant::now() + BATCH_TIME);
            until = Some(until.map_or(full, |due| due.min(full)));
        }
    }
}

impl Pending {
    fn add(&mut self, line: &[u8], last: u64) -> Result<(), StreamError> {
        let expected = last + 1 + self.messages.len() as u64;
        if let Ok(record) = serde_json::from_slice::<Record>(line) {
            if record.seq < expected {
                return Ok(());
            }
            if record.seq > expected {
                return Err(StreamError::Gap { expected, found: record.seq });
            }
            self.ended = matches!(record.entry, Entry::Ended(_));
            self.urgent |= is_urgent(&record.entry);
            if let Entry::Checkpoint(told) = record.entry {
                self.checkpoint = Some(told);
            }
        }
        self.bytes += line.len();
        self.messages.push(NewMessage::from_line(line, expected, Utc::now()));
        Ok(())
    }
}

/// Whether a person waits for it, or its object does: all else may be told seconds later.
const fn is_urgent(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::Question(_)
            | Entry::Answered { .. }
            | Entry::Phase { .. }
            | Entry::WorkflowEnded { .. }
            | Entry::Ended(_)
    )
}

/// Into the archive; done means committed.
async fn keep(
    recorder: &Recorder,
    uid: Uuid,
    attempt: u32,
    pending: &Pending,
) -> Result<(), StreamError> {
    let mut last = recorder.kept(uid, attempt).last;
    for messages in pending.messages.chunks(BATCH_RECORDS) {
        let _writer = recorder.writers.acquire().await;
        let ingested = recorder.store.ingest(Batch { uid, attempt, messages }).await?;
        if ingested.refused > 0 {
            tracing::warn!(%uid, refused = ingested.refused, "records are kept as error records");
        }
        last = messages.last().map_or(last, |message| message.journal_seq);
        recorder.advance(uid, attempt, Kept { last, ended: false });
    }
    recorder.works(Part::Journals);
    recorder.advance(uid, attempt, Kept { last, ended: pending.ended });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn said(seq: u64) -> Vec<u8> {
        format!(r#"{{"seq":{seq},"time":"1970-01-01T00:00:00Z","kind":"said","text":"x"}}"#).into()
    }

    #[rstest]
    #[case::in_order(&[4, 5], Some(2))]
    #[case::told_twice(&[3, 4, 4, 5], Some(2))]
    #[case::a_gap(&[4, 6], None)]
    fn records_come_one_after_another(#[case] told: &[u64], #[case] expected: Option<usize>) {
        let mut pending = Pending::default();
        let outcome: Result<(), _> = told.iter().try_for_each(|seq| pending.add(&said(*seq), 3));
        assert_eq!(outcome.is_ok().then_some(pending.messages.len()), expected);
    }

    #[rstest]
    #[case::steps(Pending::default(), DEBT_TIME)]
    #[case::a_question(Pending { urgent: true, ..Pending::default() }, Duration::ZERO)]
    #[case::a_checkpoint(Pending { checkpoint: Some(Checkpoint::default()), ..Pending::default() }, Duration::ZERO)]
    #[case::the_end(Pending { ended: true, ..Pending::default() }, Duration::ZERO)]
    #[case::a_lot(Pending { bytes: DEBT_BYTES, ..Pending::default() }, Duration::ZERO)]
    fn what_somebody_waits_for_is_acknowledged_at_once(
        #[case] pending: Pending,
        #[case] patience: Duration,
    ) {
        let now = Instant::now();
        let mut debt = Debt::default();
        assert!(!debt.is_due(now + DEBT_TIME), "nothing is owed");
        debt.add(&Pending::default(), now);
        debt.add(&pending, now);
        assert_eq!(debt.due, Some(now + patience));
    }

    #[test]
    fn what_is_no_record_takes_the_place_of_one() {
        let mut pending = Pending::default();
        pending.add(b"{", 0).unwrap();
        pending.add(&said(2), 0).unwrap();
        let numbers: Vec<_> = pending.messages.iter().map(|message| message.journal_seq).collect();
        assert_eq!(numbers, [1, 2]);
    }
}
