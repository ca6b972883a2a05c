//! The agent's own file of its conversation, packed.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use fabrica_protocol::run::CONVERSATION_BYTES;
use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use uuid::Uuid;

use super::shelf::{Packed, digest};

/// Where an agent keeps its conversation.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    /// The agent's own id.
    pub(super) id: Uuid,
    /// A folder that only we name, and the file's path in it. The agent may have put anything there.
    pub(super) folder: PathBuf,
    pub(super) file: PathBuf,
}

impl Conversation {
    /// Whether the agent has begun it.
    pub(crate) fn is_begun(&self) -> bool {
        self.folder.join(&self.file).exists()
    }
}

/// Why a conversation cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum PackError {
    #[error("its file cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("it is longer than {CONVERSATION_BYTES} bytes, compressed")]
    TooLong,
}

/// The file as it is now, compressed. It is read through no link, as one could lead to what is ours alone.
pub(super) async fn pack(conversation: &Conversation) -> Result<Packed, PackError> {
    let Conversation { folder, file, .. } = conversation.clone();
    let packing = tokio::task::spawn_blocking(move || compress(open(&folder, &file)?));
    packing.await.map_err(std::io::Error::other)?
}

fn open(folder: &Path, file: &Path) -> std::io::Result<std::fs::File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let folder = openat(CWD, folder, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = std::fs::File::from(openat2(folder, file, flags, Mode::empty(), inside)?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("it is no file")) }
}

fn compress(mut file: std::fs::File) -> Result<Packed, PackError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        encoder.write_all(&buffer[..count])?;
        if encoder.get_ref().len() > CONVERSATION_BYTES {
            return Err(PackError::TooLong);
        }
    }
    let gzip = encoder.finish()?;
    if gzip.len() > CONVERSATION_BYTES {
        return Err(PackError::TooLong);
    }
    Ok(Packed { sha256: digest(&gzip), gzip: gzip.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::shelf::Shelf;

    fn conversation(folder: &Path) -> Conversation {
        Conversation { id: Uuid::nil(), folder: folder.to_owned(), file: "c.jsonl".into() }
    }

    #[tokio::test]
    async fn what_is_packed_can_be_handed_in_once() {
        let folder = tempfile::tempdir().unwrap();
        let conversation = conversation(folder.path());
        assert!(matches!(pack(&conversation).await, Err(PackError::Read(_))));
        std::fs::write(folder.path().join("c.jsonl"), "words\n").unwrap();
        let packed = pack(&conversation).await.unwrap();
        let shelf = Shelf::default();
        let wrong = Packed { sha256: String::new(), ..packed.clone() };
        assert!(shelf.hand(None, Some((Uuid::nil(), wrong))).is_err());
        shelf.hand(Some("c".to_owned()), Some((Uuid::nil(), packed.clone()))).unwrap();
        assert!(shelf.hand(None, None).is_err());
        let handed = shelf.handed(std::time::Duration::ZERO).await.unwrap();
        assert_eq!(&handed.conversation.unwrap().file[..], b"words\n");
    }

    #[tokio::test]
    async fn a_link_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/proc/self/environ", folder.path().join("c.jsonl")).unwrap();
        assert!(matches!(pack(&conversation(folder.path())).await, Err(PackError::Read(_))));
    }
}
