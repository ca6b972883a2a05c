//! What was read of a runtime's journal and is not acknowledged yet: what a status can be made of, no more. Pure.

use chrono::{DateTime, Utc};
use fabrica_crds::parts::messages;
use fabrica_protocol::run::{Entry, Record};

/// What is known of one pod's journal. Whoever forgets it reads the journal again.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The last record that was read.
    pub(super) read: u64,
    /// The last record that was acknowledged.
    pub(super) told: u64,
    /// The newest of what was read since then, questions with their answers, and the verdict.
    pub(super) records: Vec<Record>,
    /// Whether its runtime has what it was to go on from.
    pub(super) handed: bool,
    /// When an acknowledgement was last tried and not heard.
    pub(super) refused: Option<DateTime<Utc>>,
}

impl Journal {
    /// Adds what was read, and lets go what no status would show.
    pub(super) fn add(&mut self, records: Vec<Record>) {
        self.read = records.last().map_or(self.read, |last| last.seq);
        self.records.extend(records);
        let newest = self.records.len().saturating_sub(messages::KEPT);
        let mut position = 0;
        let last = |of: fn(&Entry) -> bool| {
            self.records.iter().rev().find(|record| of(&record.entry)).map(|record| record.seq)
        };
        let kept = [
            last(|entry| matches!(entry, Entry::Todos { .. })),
            last(|entry| matches!(entry, Entry::Phase { .. })),
            last(|entry| matches!(entry, Entry::Usage(_))),
            last(|entry| matches!(entry, Entry::Step { .. })),
            last(|entry| matches!(entry, Entry::Ended(_))),
        ];
        self.records.retain(|record| {
            position += 1;
            position > newest || kept.contains(&Some(record.seq)) || asks(record)
        });
    }

    /// What stands in the status need not be remembered, but for what a pass that sees the status as it was must know.
    pub(super) fn forget(&mut self, seq: u64) {
        let is_verdict = |record: &Record| matches!(record.entry, Entry::Ended(_));
        self.records.retain(|record| record.seq > seq || is_verdict(record) || asks(record));
    }
}

/// Whether a record is of a question: an agent that waits for people asks seldom.
fn asks(record: &Record) -> bool {
    matches!(record.entry, Entry::Question(_) | Entry::Answered { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabrica_protocol::run::Usage;

    fn record(seq: u64, entry: Entry) -> Record {
        Record { seq, time: DateTime::from_timestamp(0, 0).unwrap(), entry }
    }

    fn said(seq: u64) -> Record {
        record(seq, Entry::Said { id: None, text: "word".to_owned() })
    }

    #[test]
    fn a_long_journal_is_kept_short_and_what_is_shown_once_stays() {
        let mut journal = Journal::default();
        let usage = |seq| record(seq, Entry::Usage(Usage::default()));
        journal.add(vec![usage(1), usage(2)]);
        for start in (3..1000).step_by(10) {
            journal.add((start..start + 10).map(said).collect());
        }
        assert_eq!(journal.read, 1002);
        assert_eq!(journal.records.len(), messages::KEPT + 1);
        assert_eq!(journal.records[0].seq, 2, "the last use is known still");
        journal.add(Vec::new());
        assert_eq!(journal.read, 1002);
    }

    #[test]
    fn questions_stay_until_their_pod_goes() {
        let mut journal = Journal::default();
        let answered = |id: &str| Entry::Answered {
            id: id.to_owned(),
            text: "yes".to_owned(),
            answered_by: String::new(),
        };
        journal.add(vec![record(1, answered("a")), record(2, answered("b"))]);
        journal.add((3..100).map(said).collect());
        journal.forget(99);
        assert_eq!(journal.records.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2]);
    }
}
