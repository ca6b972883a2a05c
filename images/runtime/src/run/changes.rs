//! What is about to be pushed, file by file.

use fabrica_protocol::run::{CHANGES, Change, Changes, Entry};

use super::branch::Begun;
use super::git::{Git, GitError};
use super::journal::Journal;

/// Tells what lies between where the work began and a commit. Without it nothing is lost but the telling.
pub(crate) async fn tell(git: &Git<'_>, begun: &Begun, commit: &str, journal: &Journal) {
    match look(git, begun.base.as_deref(), commit).await {
        Ok(changes) => {
            journal.write(Entry::Changes(changes));
        }
        Err(error) => tracing::warn!(%error, "what has changed cannot be told"),
    }
}

async fn look(git: &Git<'_>, base: Option<&str>, commit: &str) -> Result<Changes, GitError> {
    let base = match base {
        Some(base) => base.to_owned(),
        None => git.told(&["hash-object", "-t", "tree", "/dev/null"]).await?,
    };
    let words = [
        "diff",
        "--numstat",
        "-z",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        &base,
        commit,
    ];
    let mut tally = Tally::default();
    git.read(&words, |piece| tally.push(piece)).await?;
    Ok(tally.changes)
}

/// Counts while git speaks.
#[derive(Debug, Default)]
struct Tally {
    rest: Vec<u8>,
    changes: Changes,
}

impl Tally {
    fn push(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
        while let Some(end) = self.rest.iter().position(|byte| *byte == 0) {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.count(&String::from_utf8_lossy(&line[..end]));
        }
    }

    fn count(&mut self, line: &str) {
        let mut fields = line.splitn(3, '\t');
        let (Some(added), Some(removed), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            return;
        };
        let binary = added == "-";
        let lines = |text: &str| text.parse::<u32>().unwrap_or_default();
        let (added, removed) = (lines(added), lines(removed));
        self.changes.added += u64::from(added);
        self.changes.removed += u64::from(removed);
        if self.changes.files.len() < CHANGES {
            self.changes.files.push(Change { path: path.to_owned(), added, removed, binary });
        } else {
            self.changes.more += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_and_few_are_named() {
        let mut tally = Tally::default();
        let text = b"1\t2\ta\tb\n\0-\t-\tpicture\0".to_vec();
        text.chunks(3).for_each(|piece| tally.push(piece));
        (0..CHANGES).for_each(|_| tally.push(b"3\t0\tc\0"));
        let Changes { files, more, added, removed } = tally.changes;
        assert_eq!((files.len(), more, added, removed), (CHANGES, 2, 301, 2));
        assert_eq!((&*files[0].path, files[0].added, files[0].binary), ("a\tb\n", 1, false));
        assert!(files[1].binary);
    }
}
