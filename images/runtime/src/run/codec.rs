//! Records as lines, and what of a file still counts as such.

use std::io::{BufRead, Read};

use fabrica_protocol::run::{
    AUDIT_CHARACTERS, Audit, Change, Changes, Entry, Question, Record, TEXT_BYTES, Todo,
};

use super::ask;
use crate::secrets::Secrets;

/// The longest text of one of many in a record, in characters: a hundred of them, each escaped, still make a line that
/// every reader takes.
const LISTED_CHARACTERS: usize = 500;
/// What is longer is no record of ours: one has three texts at most, each of whose bytes JSON may write as six.
pub(super) const LINE_BYTES: u64 = 24 * TEXT_BYTES as u64;

/// A record as its line.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    let mut line = serde_json::to_vec(record).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Hands on the lines at the start of a journal that are whole and in order: a killed process leaves the last one torn, and
/// something else may have written anything. Holds one line at a time.
pub(super) fn whole_lines(
    mut journal: impl BufRead,
    mut each: impl FnMut(&[u8]),
) -> std::io::Result<()> {
    let mut line = Vec::new();
    for seq in 1.. {
        line.clear();
        journal.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)?;
        let is_next = |record: Record| record.seq == seq;
        if !line.ends_with(b"\n") || !serde_json::from_slice(&line).is_ok_and(is_next) {
            break;
        }
        each(&line);
    }
    Ok(())
}

/// An entry without secrets, none of its texts longer than allowed.
pub(super) fn clean(entry: Entry, secrets: &Secrets) -> Entry {
    let text = |text: String| cut(secrets.redact(&text));
    let listed = |text: String| ask::cut(&secrets.redact(&text), LISTED_CHARACTERS);
    match entry {
        Entry::Step { step, kind, text: told, duration_ms } => {
            Entry::Step { step, kind, text: text(told), duration_ms }
        }
        Entry::Said { id, text: said } => Entry::Said { id, text: text(said) },
        Entry::ToolStarted { id, name, input } => {
            Entry::ToolStarted { id: text(id), name: text(name), input: text(input) }
        }
        Entry::ToolFinished { id, output, failed, duration_ms } => {
            Entry::ToolFinished { id: text(id), output: text(output), failed, duration_ms }
        }
        Entry::ToolAudited(audit) => {
            let short = |text: String| ask::cut(&secrets.redact(&text), AUDIT_CHARACTERS);
            let Audit { id, server, tool, subject, .. } = audit;
            let (id, tool, subject) = (short(id), short(tool), short(subject));
            Entry::ToolAudited(Audit { id, server, tool, subject, ..audit })
        }
        Entry::Todos { items } => {
            let todo = |todo: Todo| Todo { text: listed(todo.text), ..todo };
            Entry::Todos { items: items.into_iter().map(todo).collect() }
        }
        Entry::Phase { phase, status, step, message, retry } => {
            Entry::Phase { phase, status, step: text(step), message: text(message), retry }
        }
        Entry::Question(asked) => Entry::Question(Question {
            question: text(asked.question),
            options: asked.options.into_iter().map(listed).collect(),
            ..asked
        }),
        Entry::Answered { id, text: told, answered_by } => {
            Entry::Answered { id, text: text(told), answered_by: text(answered_by) }
        }
        Entry::Changes(changes) => {
            let file = |file: Change| Change { path: listed(file.path), ..file };
            Entry::Changes(Changes {
                files: changes.files.into_iter().map(file).collect(),
                ..changes
            })
        }
        Entry::Message { id, author, text: told, command } => {
            Entry::Message { id, author, text: text(told), command }
        }
        Entry::Thought { text: thought } => Entry::Thought { text: text(thought) },
        Entry::Turn { state, code, message } => {
            Entry::Turn { state, code, message: message.map(text) }
        }
        Entry::WorkflowEnded { exit_code, summary, pull_request_url, estimated_cost_usd } => {
            let summary = text(summary);
            Entry::WorkflowEnded { exit_code, summary, pull_request_url, estimated_cost_usd }
        }
        Entry::WorkflowStarted { work_id, autonomy, author, id, plan } => {
            Entry::WorkflowStarted { work_id, autonomy, author, id, plan: plan.map(text) }
        }
        // An id and a state.
        Entry::MessageState { .. } => entry,
        // Ids that are git's, the agent's and ours.
        Entry::Checkpoint(checkpoint) => Entry::Checkpoint(checkpoint),
        // Numbers, and names that the price table knows.
        Entry::Usage(usage) => Entry::Usage(usage),
        // Its message is redacted and fits a termination message.
        Entry::Ended(verdict) => Entry::Ended(verdict),
    }
}

/// At most [`TEXT_BYTES`], saying so when some are missing.
fn cut(mut text: String) -> String {
    const NOTE: &str = "… (cut)";
    if text.len() > TEXT_BYTES {
        text.truncate(text.floor_char_boundary(TEXT_BYTES - NOTE.len()));
        text.push_str(NOTE);
    }
    text
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use fabrica_protocol::run::{CHANGES, TodoStatus};
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn said(seq: u64, text: &str) -> Record {
        let time = DateTime::from_timestamp(0, 0).unwrap();
        Record { seq, time, entry: Entry::Said { id: None, text: text.to_owned() } }
    }

    fn whole_lines(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        super::whole_lines(bytes, |line| lines.push(line.to_vec())).unwrap();
        lines
    }

    proptest! {
        #[test]
        fn what_is_torn_loses_its_last_record_only(texts in prop::collection::vec(".*", 1..6), torn in 0_usize..10_000) {
            let lines: Vec<Vec<u8>> =
                texts.iter().zip(1..).map(|(text, seq)| encode(&said(seq, text))).collect();
            let all = lines.concat();
            prop_assert_eq!(whole_lines(&all), lines.clone());
            let torn = torn % all.len();
            let mut whole = 0;
            let expected = lines.iter().take_while(|line| { whole += line.len(); whole <= torn }).count();
            prop_assert_eq!(whole_lines(&all[..torn]).len(), expected);
        }

        #[test]
        fn texts_are_bounded(text in ".{0,20}", times in 0_usize..20_000) {
            let login = Secrets::default();
            let Entry::Said { text, .. } = clean(Entry::Said { id: None, text: text.repeat(times) }, &login) else { panic!() };
            prop_assert!(text.len() <= TEXT_BYTES);
        }
    }

    /// The operator's reader takes no longer line.
    const TAKEN_BYTES: usize = 512 * 1024;

    #[rstest]
    #[case::ascii("x")]
    #[case::wide("é")]
    #[case::escaped("\u{1}")]
    fn the_longest_lists_make_a_line_that_is_read(#[case] character: &str) {
        let text = character.repeat(TEXT_BYTES);
        let items = vec![Todo { text: text.clone(), status: TodoStatus::Pending }; 100];
        let file = Change { path: text.clone(), added: 1, removed: 1, binary: false };
        let files = Changes { files: vec![file; CHANGES], ..Changes::default() };
        for entry in [Entry::Todos { items }, Entry::Changes(files)] {
            let entry = clean(entry, &Secrets::default());
            if let Entry::Todos { items } = &entry {
                assert_eq!(items[0].text.chars().count(), LISTED_CHARACTERS);
                assert!(items[0].text.ends_with(&format!("{character}…")));
            }
            assert!(encode(&Record { entry, ..said(1, "") }).len() < TAKEN_BYTES);
        }
    }

    #[test]
    fn a_gap_ends_a_journal() {
        let all = [encode(&said(1, "a")), encode(&said(3, "c"))].concat();
        assert_eq!(whole_lines(&all).len(), 1);
    }

    #[test]
    fn nothing_longer_than_a_record_is_read() {
        let text = "\u{1}".repeat(TEXT_BYTES);
        let [id, name, input] = [text.clone(), text.clone(), text];
        let longest = Record { entry: Entry::ToolStarted { id, name, input }, ..said(1, "") };
        let line = encode(&longest);
        let endless = std::io::BufReader::new(line.as_slice().chain(std::io::repeat(b'x')));
        let mut count = 0;
        super::whole_lines(endless, |_| count += 1).unwrap();
        assert_eq!(count, 1);
    }

    #[test]
    fn logins_are_cut_out() {
        let login = Secrets::new(Some("s3cret"), []);
        let entry = Entry::ToolFinished {
            id: "1".to_owned(),
            output: "it is s3cret".to_owned(),
            failed: false,
            duration_ms: None,
        };
        let Entry::ToolFinished { output, .. } = clean(entry, &login) else { panic!() };
        assert_eq!(output, "it is ***");
    }
}
