//! What a push sends, searched for secrets. Git lists the objects that it would send and hands all of them out: files,
//! names and messages, of every new commit, also of what a later one took away.

use std::fmt;
use std::path::Path;

use super::git::{Git, GitError};
use crate::secrets::{Search, Secrets};

/// What git says of each object before its contents. The rest of the list's line is its path.
const BATCH: &str = "--batch=%(objecttype) %(objectname) %(objectsize) %(rest)";
/// Objects that are compared with what the remote has. Whoever has a secret in more files does not get to push.
const HITS: usize = 1000;

/// Where a secret would go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leak {
    commit: String,
    kind: Kind,
    path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Commit,
    Folder,
    File,
}

impl fmt::Display for Leak {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commit, kind, path } = self;
        match kind {
            Kind::Commit => write!(formatter, "the words or the names of the commit {commit}"),
            Kind::Folder => {
                write!(formatter, "a name in the folder /{path} of the commit {commit}")
            }
            Kind::File => write!(formatter, "the file {path} of the commit {commit}"),
        }
    }
}

/// The first place where a commit, or one before it that the remote does not have, holds a secret. What a known commit
/// holds in the same place is out already. The folder's configuration is ours, and so it has no replaced objects either.
pub(crate) async fn leak(
    git: &Git<'_>,
    folder: &Path,
    commit: &str,
    known: &[&str],
) -> Result<Option<Leak>, GitError> {
    let search = Search::new(git.secrets());
    if search.is_idle() {
        return Ok(None);
    }
    // A list of parents that lies beside the objects may be anybody's.
    let mut list = vec!["-c", "core.commitGraph=false", "rev-list", "--objects"];
    list.extend(["--in-commit-order", "--reverse", commit]);
    let without: Vec<String> = known.iter().map(|known| format!("^{known}")).collect();
    list.extend(without.iter().map(String::as_str).chain(["--"]));
    let mut reader = Reader::new(&search);
    git.read_in(folder, &[&list, &["cat-file", "--buffer", BATCH]], |piece| reader.push(piece))
        .await?;
    let hits = reader.end().ok_or_else(|| GitError("git's list has no end".to_owned()))?;
    for (number, hit) in hits.iter().enumerate() {
        if number == HITS || !is_known(git, folder, hit, known, &search).await {
            return Ok(Some(hit.leak(git.secrets())));
        }
    }
    Ok(None)
}

/// Whether the remote has the same secrets in the same place.
async fn is_known(
    git: &Git<'_>,
    folder: &Path,
    hit: &Object<'_>,
    known: &[&str],
    search: &Search<'_>,
) -> bool {
    let kind = match hit.kind {
        Kind::Commit => return false,
        Kind::Folder => "tree",
        Kind::File => "blob",
    };
    for known in known {
        let place = format!("{known}:{}", hit.path);
        let mut there = search.clone();
        there.push(hit.path.as_bytes());
        there.push(b"\n");
        let read =
            git.read_in(folder, &[&["cat-file", kind, &place]], |piece| there.push(piece)).await;
        if read.is_ok() && hit.search.is_within(&there) {
            return true;
        }
    }
    false
}

/// An object, and what was found in it and its path.
struct Object<'a> {
    kind: Kind,
    commit: String,
    path: String,
    search: Search<'a>,
}

impl Object<'_> {
    /// As it can be told.
    fn leak(&self, secrets: &Secrets) -> Leak {
        let path = secrets.redact(&self.path);
        Leak { commit: self.commit.clone(), kind: self.kind, path }
    }
}

/// Takes apart what git says: of each object a line, as many bytes as the line names, and the end of a line.
struct Reader<'a> {
    search: &'a Search<'a>,
    line: Vec<u8>,
    /// Whose bytes these are, and how many come.
    object: Option<(Object<'a>, usize)>,
    /// The newest that was read; its objects follow it.
    commit: String,
    hits: Vec<Object<'a>>,
    is_broken: bool,
}

impl<'a> Reader<'a> {
    const fn new(search: &'a Search<'a>) -> Self {
        Self {
            search,
            line: Vec::new(),
            object: None,
            commit: String::new(),
            hits: Vec::new(),
            is_broken: false,
        }
    }

    fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() && !self.is_broken {
            piece = match self.object.take() {
                Some((object, left)) => self.contents(object, left, piece),
                None => self.heading(piece),
            };
        }
    }

    fn heading<'b>(&mut self, piece: &'b [u8]) -> &'b [u8] {
        let Some(end) = piece.iter().position(|byte| *byte == b'\n') else {
            self.line.extend_from_slice(piece);
            return &[];
        };
        self.line.extend_from_slice(&piece[..end]);
        let line = std::mem::take(&mut self.line);
        self.object = self.begun(&line);
        self.is_broken = self.object.is_none();
        &piece[end + 1..]
    }

    fn begun(&mut self, line: &[u8]) -> Option<(Object<'a>, usize)> {
        let text = String::from_utf8_lossy(line);
        let mut fields = text.splitn(4, ' ');
        let (kind, name, size) = (fields.next()?, fields.next()?, fields.next()?);
        let kind = match kind {
            "commit" => Kind::Commit,
            "tree" => Kind::Folder,
            "blob" => Kind::File,
            _ => return None,
        };
        if kind == Kind::Commit {
            name.clone_into(&mut self.commit);
        }
        let mut search = self.search.clone();
        search.push(line);
        search.push(b"\n");
        let path = fields.next().unwrap_or_default().to_owned();
        let size = size.parse::<usize>().ok()?;
        Some((Object { kind, commit: self.commit.clone(), path, search }, size + 1))
    }

    fn contents<'b>(&mut self, mut object: Object<'a>, left: usize, piece: &'b [u8]) -> &'b [u8] {
        let (ours, rest) = piece.split_at(left.min(piece.len()));
        object.search.push(ours);
        if ours.len() < left {
            self.object = Some((object, left - ours.len()));
        } else if object.search.found() && self.hits.len() <= HITS {
            self.hits.push(object);
        }
        rest
    }

    /// What holds secrets; nothing when git was not heard to the end.
    fn end(self) -> Option<Vec<Object<'a>>> {
        let is_whole = self.line.is_empty() && self.object.is_none() && !self.is_broken;
        is_whole.then_some(self.hits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAID: &[u8] = b"commit c1 7 \nhunter2\ntree t1 3 \n\0a\n\nblob b1 9 a b\nx hunter2\nblob b2 0 hunter2/c\n\n\
                          commit c2 1 \nx\nblob b3 7 d\nhunter1\n";

    fn read(pieces: &[&[u8]]) -> Option<Vec<String>> {
        let secrets = Secrets::new(Some("hunter2"), []);
        let search = Search::new(&secrets);
        let mut reader = Reader::new(&search);
        for piece in pieces {
            reader.push(piece);
        }
        let hits = reader.end()?;
        Some(hits.iter().map(|hit| hit.leak(&secrets).to_string()).collect())
    }

    #[test]
    fn every_object_is_searched_with_its_path() {
        let expected = [
            "the words or the names of the commit c1",
            "the file a b of the commit c1",
            "the file ***/c of the commit c1",
        ];
        assert_eq!(read(&[SAID]).unwrap(), expected);
        assert_eq!(read(&[b"c1 missing\n"]), None);
        assert_eq!(read(&[&SAID[..SAID.len() - 1]]), None);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_git_is_heard(size in 1_usize..80) {
            let pieces: Vec<&[u8]> = SAID.chunks(size).collect();
            prop_assert_eq!(read(&pieces), read(&[SAID]));
        }
    }
}
