//! The journal of an attempt: a file in the workspace, of which only what lies safely on the disk is shown.
//!
//! The agent can write the file too. So we remember where each line ends and a keyed digest of it, and what somebody
//! changed is shown as that.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::Utc;
use fabrica_protocol::run::{Entry, Record};
use fabrica_protocol::runtime::{Event, EventType};
use tokio::sync::watch;

use super::codec;
use crate::journal::Sink;
use crate::regular;
use crate::secrets::Secrets;

/// What may lie here without being kept elsewhere: far more than an operator falls behind, and little for a disk.
pub const UNACKNOWLEDGED_BYTES: u64 = 256 * 1024 * 1024;
/// As much of a file is read: a conversation of months, and of the shortest lines as many as a pod's memory bears the places of.
const FILE_BYTES: u64 = 1024 * 1024 * 1024;
/// One answer holds about this much, so that no reader makes us hold a whole journal in memory.
const ANSWER_BYTES: usize = 1024 * 1024;

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("empty the workspace of what was in it")]
    Empty(#[source] std::io::Error),
    #[error("open the journal in the workspace")]
    Open(#[source] std::io::Error),
    #[error("become the parent of orphans")]
    Adopt(#[source] std::io::Error),
}

/// A journal of records.
#[derive(Debug)]
pub struct Journal {
    file: File,
    secrets: Secrets,
    limit: u64,
    lines: Mutex<Vec<Line>>,
    digests: RandomState,
    newest: watch::Sender<u64>,
    acknowledged: watch::Sender<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    end: u64,
    digest: u64,
}

impl Journal {
    /// Opens a journal, after what an earlier process wrote whole. What stands behind that is cut off, and told unless it can be
    /// a torn record.
    pub fn open(path: &Path, secrets: Secrets, limit: u64) -> Result<Self, JournalError> {
        let file = open_file(path).map_err(JournalError::Open)?;
        let digests = RandomState::new();
        let (mut lines, mut end) = (Vec::new(), 0);
        let reader = BufReader::new((&file).take(FILE_BYTES));
        codec::whole_lines(reader, |line| {
            end += line.len() as u64;
            lines.push(Line { end, digest: digests.hash_one(line) });
        })
        .map_err(JournalError::Open)?;
        let left = file.metadata().map_err(JournalError::Open)?.len().saturating_sub(end);
        file.set_len(end).map_err(JournalError::Open)?;
        let newest = watch::Sender::new(lines.len() as u64);
        let acknowledged = watch::Sender::new(0);
        let lines = Mutex::new(lines);
        let journal = Self { file, secrets, limit, lines, digests, newest, acknowledged };
        if left > codec::LINE_BYTES {
            let text = format!(
                "The last {left} bytes of the file were cut off: they are no records, or lie beyond {FILE_BYTES} bytes."
            );
            journal.write(about(EventType::Failed, &text));
        }
        Ok(journal)
    }

    /// One whose disk takes nothing.
    #[cfg(test)]
    pub(crate) fn full() -> Self {
        Self {
            file: OpenOptions::new().write(true).open("/dev/full").unwrap(),
            secrets: Secrets::default(),
            limit: 1,
            lines: Mutex::default(),
            digests: RandomState::new(),
            newest: watch::Sender::default(),
            acknowledged: watch::Sender::default(),
        }
    }

    /// Writes a record to the disk; its number, unless the disk refuses. This waits for the disk, as no record may be
    /// shown before it lies there.
    pub fn write(&self, entry: Entry) -> Option<u64> {
        let entry = codec::clean(entry, &self.secrets);
        let mut lines = self.lock();
        let seq = lines.len() as u64 + 1;
        let line = codec::encode(&Record { seq, time: Utc::now(), entry });
        let start = end_of(&lines, seq - 1);
        let written = self.file.write_all_at(&line, start).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            tracing::error!(%error, "a record cannot be written");
            return None;
        }
        let digest = self.digests.hash_one(&line[..]);
        lines.push(Line { end: start + line.len() as u64, digest });
        drop(lines);
        self.newest.send_replace(seq);
        Some(seq)
    }

    /// Puts something in the places of records that are not here any more, so that those to come have numbers of their own.
    pub fn fill(&self, last: u64) {
        let mut lines = self.lock();
        let mut written = Ok(());
        while written.is_ok() && (lines.len() as u64) < last {
            let (start, mut text) = (end_of(&lines, lines.len() as u64), Vec::new());
            while text.len() < ANSWER_BYTES && (lines.len() as u64) < last {
                let line = removed(lines.len() as u64 + 1);
                text.extend_from_slice(&line);
                let end = start + text.len() as u64;
                lines.push(Line { end, digest: self.digests.hash_one(&line[..]) });
            }
            written = self.file.write_all_at(&text, start);
        }
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            tracing::error!(%error, "a journal cannot be filled");
        }
        let newest = lines.len() as u64;
        drop(lines);
        self.newest.send_replace(newest);
    }

    /// The lines of some of the records after a number, and the number of the last of them.
    pub fn lines(&self, after: u64) -> (u64, Vec<u8>) {
        let known = self.lock();
        let (mut last, mut text) = (after, Vec::new());
        while last < known.len() as u64 && text.len() < ANSWER_BYTES {
            let start = end_of(&known, last);
            last += 1;
            let Some(Line { end, digest }) = line(&known, last) else { break };
            text.extend(self.read(start, end, digest).unwrap_or_else(|| changed(last)));
        }
        (last, text)
    }

    fn read(&self, start: u64, end: u64, digest: u64) -> Option<Vec<u8>> {
        let mut line = vec![0; usize::try_from(end - start).ok()?];
        self.file.read_exact_at(&mut line, start).ok()?;
        (self.digests.hash_one(&line[..]) == digest).then_some(line)
    }

    /// Tells when something new was written.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Everything up to a record is kept elsewhere.
    pub fn acknowledge(&self, seq: u64) {
        let seq = seq.min(*self.newest.borrow());
        self.acknowledged.send_if_modified(|known| {
            let more = seq > *known;
            *known = seq.max(*known);
            more
        });
    }

    /// Waits until a record is kept elsewhere.
    pub async fn acknowledged(&self, seq: u64) {
        // The sender lives as long as we do.
        let _ = self.acknowledged.subscribe().wait_for(|known| *known >= seq).await;
    }

    /// Waits while too much is not yet kept elsewhere.
    pub async fn room(&self) {
        let has_room = |acknowledged: &u64| {
            let lines = self.lock();
            let all = end_of(&lines, lines.len() as u64);
            all - end_of(&lines, *acknowledged) < self.limit
        };
        let _ = self.acknowledged.subscribe().wait_for(has_room).await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Journal {
    fn take(&self, event: &Event) {
        self.write(Entry::Step {
            step: event.step.clone(),
            kind: event.kind,
            text: event.text.clone(),
            duration_ms: event.duration_ms,
        });
    }
}

fn open_file(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // With something else in its place no pod would start, and nobody could enter one to take it away. The name is one that
    // nothing has: a folder in the way could not be replaced.
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        let aside = format!("{}.aside", uuid::Uuid::new_v4().simple());
        std::fs::rename(path, path.with_extension(aside))?;
    }
    regular::open(OpenOptions::new().read(true).write(true).create(true).truncate(false), path)
}

/// The line of a record.
fn line(lines: &[Line], seq: u64) -> Option<Line> {
    let index = usize::try_from(seq).ok()?.checked_sub(1)?;
    lines.get(index).copied()
}

/// Where the line of a record ends; that of record 0 ends at the beginning.
fn end_of(lines: &[Line], seq: u64) -> u64 {
    line(lines, seq).map_or(0, |line| line.end)
}

/// What stands for a record that is no longer what we wrote.
fn changed(seq: u64) -> Vec<u8> {
    let text = "This record was changed in the file by something in the pod.";
    instead(seq, EventType::Failed, text)
}

/// What stands for a record that is gone. There may be many: of progress, the newest is shown.
fn removed(seq: u64) -> Vec<u8> {
    let text = "This record was removed from the file by something in the pod.";
    instead(seq, EventType::Progress, text)
}

fn instead(seq: u64, kind: EventType, text: &str) -> Vec<u8> {
    codec::encode(&Record { seq, time: Utc::now(), entry: about(kind, text) })
}

/// What is told of the journal itself.
pub(crate) fn about(kind: EventType, text: &str) -> Entry {
    let (step, text) = ("journal".to_owned(), text.to_owned());
    Entry::Step { step, kind, text, duration_ms: None }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn journal(folder: &tempfile::TempDir, limit: u64) -> Journal {
        Journal::open(&folder.path().join("a/journal"), Secrets::default(), limit).unwrap()
    }

    fn said(text: &str) -> Entry {
        Entry::Said { id: None, text: text.to_owned() }
    }

    fn read(journal: &Journal, after: u64) -> Vec<Record> {
        let lines = String::from_utf8(journal.lines(after).1).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_journal_goes_on_after_what_was_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(journal(&folder, 1).write(said("one")), Some(1));
        let path = folder.path().join("a/journal");
        let torn = [std::fs::read(&path).unwrap(), b"{\"seq\":2,\"ti".to_vec()].concat();
        std::fs::write(&path, torn).unwrap();
        let journal = journal(&folder, 1);
        assert_eq!(journal.write(said("two")), Some(2));
        let texts: Vec<Entry> = read(&journal, 0).into_iter().map(|record| record.entry).collect();
        assert_eq!(texts, [said("one"), said("two")]);
        assert_eq!(journal.lines(2), (2, Vec::new()));
    }

    #[test]
    fn what_can_be_no_record_is_cut_off_and_told() {
        let folder = tempfile::tempdir().unwrap();
        journal(&folder, 1).write(said("one"));
        let path = folder.path().join("a/journal");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        // Nothing of it is on the disk: who reads it all needs as much memory.
        file.set_len(64 * FILE_BYTES).unwrap();
        let journal = journal(&folder, 1);
        assert!(file.metadata().unwrap().len() < codec::LINE_BYTES);
        let told = &read(&journal, 0)[1].entry;
        assert!(
            matches!(told, Entry::Step { step, text, .. } if step == "journal" && text.contains("cut off")),
            "{told:?}"
        );
    }

    #[test]
    fn what_is_no_file_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let (other, place) = (folder.path().join("other"), folder.path().join("a/journal"));
        std::fs::write(&other, "words").unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::os::unix::fs::symlink(&other, &place).unwrap();
        assert_eq!(journal(&folder, 1).write(said("one")), Some(1));
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "words");
        for _ in 0..2 {
            std::fs::remove_file(&place).unwrap();
            std::fs::create_dir_all(place.join("full")).unwrap();
            assert_eq!(journal(&folder, 1).write(said("one")), Some(1));
        }
        let aside = std::fs::read_dir(folder.path().join("a")).unwrap().count() - 1;
        assert_eq!(aside, 3, "the link and both folders");
    }

    #[test]
    fn what_somebody_changed_is_shown_as_that() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(&folder, 1);
        journal.write(said("one"));
        let path = folder.path().join("a/journal");
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace("one", "two"))
            .unwrap();
        journal.write(said("three"));
        let records = read(&journal, 0);
        assert!(matches!(&records[0].entry, Entry::Step { step, .. } if step == "journal"));
        assert_eq!(records[1].entry, said("three"));
    }

    #[test]
    fn places_of_records_that_are_gone_are_filled() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(&folder, 1);
        journal.write(said("one"));
        journal.fill(20_000);
        journal.fill(3);
        assert_eq!(journal.write(said("two")), Some(20_001));
        let mut last = 0;
        while last < 20_001 {
            let records = read(&journal, last);
            assert!(records.iter().zip(last + 1..).all(|(record, seq)| record.seq == seq));
            last += records.len() as u64;
        }
        let again = Journal::open(&folder.path().join("a/journal"), Secrets::default(), 1).unwrap();
        assert_eq!(*again.watch().borrow(), 20_001);
    }

    #[test]
    fn too_much_that_nobody_keeps_makes_writers_wait() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(&folder, 10);
        assert!(journal.room().now_or_never().is_some());
        journal.write(said("longer than ten bytes"));
        assert!(journal.room().now_or_never().is_none());
        journal.acknowledge(7);
        assert!(journal.room().now_or_never().is_some());
        assert!(journal.acknowledged(1).now_or_never().is_some());
        assert!(journal.acknowledged(2).now_or_never().is_none());
    }
}
