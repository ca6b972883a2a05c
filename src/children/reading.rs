//! Reads the journal of a pod with an agent.

use std::time::Duration;

use fabrica_protocol::run::Record;

use crate::controller::error_chain;
use crate::runtime_client::RuntimeClient;

/// How many answers of a runtime one pass reads at most; the next pass goes on from there.
pub(crate) const ANSWERS: usize = 16;
/// A runtime that is only just starting must not hold the pass up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads the journal of the runtime at this address behind a record, as far as a pass may, and hands each answer on; whether
/// that is all there is. A runtime that cannot be reached is no error: the pod's state says why.
pub(crate) async fn read(
    runtimes: &RuntimeClient,
    address: &str,
    uid: &str,
    mut after: u64,
    mut keep: impl FnMut(Vec<Record>),
) -> bool {
    for _ in 0..ANSWERS {
        match tokio::time::timeout(PATIENCE, runtimes.records(address, uid, after)).await {
            Ok(Ok(answer)) => {
                after = answer.records.last().map_or(after, |last| last.seq);
                keep(answer.records);
                if !answer.more {
                    return true;
                }
            }
            Ok(Err(error)) => {
                tracing::debug!(error = error_chain(&error), "the runtime cannot be asked");
                return false;
            }
            Err(_) => return false,
        }
    }
    false
}
