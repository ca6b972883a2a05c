//! What another pod goes on from, out of the pod into the archive: before its record is acknowledged, for then the pod may
//! go.

use aws_lc_rs::digest::{SHA256, digest};
use fabrica_protocol::run::Checkpoint as Told;
use fabrica_store::{Checkpoint, StoreError};
use uuid::Uuid;

use super::Recorder;
use super::state::LivePod;
use crate::controller::error_chain;
use crate::runtime_client::{Conversation, RuntimeError};

/// Why a checkpoint is not kept yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckpointError {
    #[error("fetch the conversation")]
    Fetch(#[from] RuntimeError),
    #[error("the conversation is not what its digest says")]
    Torn,
    #[error("keep the checkpoint")]
    Keep(#[from] StoreError),
}

/// Keeps the checkpoint that a record tells of. After an error its record must not be acknowledged.
pub(super) async fn keep(
    recorder: &Recorder,
    uid: Uuid,
    pod: &LivePod,
    told: &Told,
) -> Result<(), CheckpointError> {
    // Nobody would delete it any more.
    if recorder.has_ended(uid) {
        return Ok(());
    }
    if ![&told.commit, &told.conversation].into_iter().flatten().all(|name| is_plain(name)) {
        tracing::warn!(%uid, "a checkpoint with names that are none is left out");
        return Ok(());
    }
    let data = if told.conversation.is_some() {
        let found = recorder.door.conversation(&pod.address, &uid.to_string()).await?;
        match chosen(told, found)? {
            Some(data) => data,
            None => return Ok(()),
        }
    } else {
        Vec::new()
    };
    let checkpoint = Checkpoint {
        attempt: pod.attempt,
        commit: told.commit.clone(),
        conversation: told.conversation.clone(),
        sha256: told.sha256.clone(),
        data,
    };
    match recorder.store.put_checkpoint(uid, &checkpoint).await {
        Err(error) if error.is_refused() => {
            tracing::error!(%uid, error = error_chain(&error), "the archive refuses a checkpoint");
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}

/// The bytes that the record means; none when the runtime has gone on to a newer checkpoint, whose record follows.
fn chosen(told: &Told, found: Option<Conversation>) -> Result<Option<Vec<u8>>, CheckpointError> {
    let Some(Conversation { sha256, data }) = found else { return Ok(None) };
    let is = hexadecimal(digest(&SHA256, &data).as_ref());
    if is != sha256 {
        return Err(CheckpointError::Torn);
    }
    Ok((is == told.sha256).then_some(data))
}

/// Ids of commits and conversations go into an address later; what pods tell is not believed.
fn is_plain(name: &str) -> bool {
    /// A commit's is 64 at most.
    const BYTES: usize = 128;
    name.len() <= BYTES && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::this_one("a", "a", Some(true))]
    #[case::a_newer_one("a", "b", Some(false))]
    #[case::torn_on_the_way("a", "", None)]
    fn what_is_kept_is_what_the_record_means(
        #[case] told: &str,
        #[case] handed: &str,
        #[case] kept: Option<bool>,
    ) {
        let of = |text: &str| hexadecimal(digest(&SHA256, text.as_bytes()).as_ref());
        let told = Told { sha256: of(told), ..Told::default() };
        let found = Conversation {
            sha256: of(handed),
            data: if handed.is_empty() { vec![0] } else { handed.into() },
        };
        let chosen = chosen(&told, Some(found)).ok();
        assert_eq!(chosen.map(|data| data.is_some()), kept);
    }

    #[test]
    fn a_runtime_that_has_none_is_not_waited_for() {
        assert!(matches!(chosen(&Told::default(), None), Ok(None)));
    }
}
