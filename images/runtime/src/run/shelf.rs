//! What the operator takes from here of a checkpoint, and what it hands in of a former pod's.

use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use flate2::read::GzDecoder;
use tokio::sync::watch;
use uuid::Uuid;

/// The longest conversation, as the agent's own file: what is longer is no conversation.
const FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Why a checkpoint is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum HandError {
    #[error("the conversation is not what its digest says")]
    Digest,
    #[error("the conversation cannot be unpacked")]
    Unpack(#[source] std::io::Error),
    #[error("the conversation is longer than {FILE_BYTES} bytes")]
    TooLong,
    #[error("a checkpoint was handed in already")]
    Twice,
}

/// A conversation as it is kept: compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    pub gzip: Bytes,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// A former pod's checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handed {
    pub commit: Option<String>,
    pub conversation: Option<Former>,
}

/// A former pod's conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// The agent's own id of it.
    pub id: Uuid,
    pub file: Bytes,
}

/// The place where both are.
#[derive(Debug, Default)]
pub struct Shelf {
    newest: Mutex<Option<Packed>>,
    handed: watch::Sender<Option<Handed>>,
}

impl Shelf {
    pub(super) fn put(&self, packed: Packed) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(packed);
    }

    /// The newest checkpoint's conversation.
    pub fn newest(&self) -> Option<Packed> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether files of this attempt, or of the one before, lie at the remote as work in progress.
    pub(super) fn has_work(&self) -> bool {
        let former = self.handed.borrow();
        self.newest().is_some() || former.as_ref().is_some_and(|former| former.commit.is_some())
    }

    /// Takes a former pod's checkpoint in, once.
    pub fn hand(
        &self,
        commit: Option<String>,
        conversation: Option<(Uuid, Packed)>,
    ) -> Result<(), HandError> {
        let unpacked =
            conversation.map(|(id, packed)| unpack(&packed).map(|file| Former { id, file }));
        let handed = Handed { commit, conversation: unpacked.transpose()? };
        let is_first = self.handed.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(handed);
            is_first
        });
        if is_first { Ok(()) } else { Err(HandError::Twice) }
    }

    /// Waits for a former pod's checkpoint.
    pub(super) async fn handed(&self, patience: Duration) -> Option<Handed> {
        let mut handed = self.handed.subscribe();
        let waiting = handed.wait_for(Option::is_some);
        tokio::time::timeout(patience, waiting).await.ok()?.ok()?.clone()
    }
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing to a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unpack(packed: &Packed) -> Result<Bytes, HandError> {
    if digest(&packed.gzip) != packed.sha256.to_lowercase() {
        return Err(HandError::Digest);
    }
    let mut file = Vec::new();
    let mut reader = GzDecoder::new(&packed.gzip[..]).take(FILE_BYTES + 1);
    reader.read_to_end(&mut file).map_err(HandError::Unpack)?;
    if file.len() as u64 > FILE_BYTES {
        return Err(HandError::TooLong);
    }
    Ok(file.into())
}
