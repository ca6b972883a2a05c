//! Who keeps what a Run tells, and the condition that says how far. Pure but for the recorder's memory.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_crds::run::Driver;
use fabrica_crds::{Run, RunStatus};
use fabrica_store::{Checkpoint, StoreError};
use kube::ResourceExt;

use super::observe::{Kept, Observed, number};
use super::usage::driver;
use crate::config::RunDefaults;
use crate::controller::error_chain;
use crate::recorder::{LivePod, Recorder, condition};

/// Who acknowledges records, chosen at the start.
#[derive(Debug, Clone)]
pub enum Acknowledgement {
    /// The status is all that is kept: what stands in it is acknowledged.
    Status,
    /// The recorder does, when a record is committed.
    Archive(Arc<Recorder>),
}

impl Acknowledgement {
    /// Shows the recorder a Run with the status of this pass.
    pub(super) fn see(&self, observed: &Observed, status: &RunStatus) {
        let Self::Archive(recorder) = self else { return };
        let mut run = observed.run.clone();
        let changed = run.status.as_ref() != Some(status);
        let present = observed.pod.as_ref().and_then(ResourceExt::uid);
        let newest = number(&observed.status());
        run.status = Some(status.clone());
        let before = observed.status();
        let pods = observed.asked.iter().filter_map(|asked| {
            let former = usize::from(Some(&asked.pod) != present.as_ref());
            let number = newest.checked_sub(former)?;
            let attempt = number.checked_sub(1).and_then(|index| before.attempts.get(index));
            Some(LivePod {
                uid: asked.pod.clone(),
                address: asked.address.clone(),
                attempt: u32::try_from(number).ok()?,
                closed: attempt.is_some_and(|attempt| attempt.finished_at.is_some()),
                spent: None,
            })
        });
        recorder.see(&run, pods, changed);
    }

    /// Whether what the present runtime tells wakes the reconciler.
    pub(super) fn follows(&self, observed: &Observed) -> bool {
        let Self::Archive(recorder) = self else { return false };
        observed.present().is_some_and(|asked| recorder.follows(&observed.run, &asked.pod))
    }

    /// Whether a Run's next attempt has something to go on from.
    pub(super) async fn kept(&self, run: &Run, defaults: &RunDefaults) -> Kept {
        let Self::Archive(recorder) = self else { return Kept::Nothing };
        if driver(&run.spec, &defaults.agent) != Driver::Claude {
            return Kept::Nothing;
        }
        match recorder.has_checkpoint(run).await {
            Ok(true) => Kept::There,
            Ok(false) => Kept::Nothing,
            Err(error) => {
                tracing::debug!(error = error_chain(&error), "the archive cannot be asked");
                Kept::Unknown
            }
        }
    }

    /// What a Run's next attempt goes on from.
    pub(super) async fn checkpoint(&self, run: &Run) -> Result<Option<Checkpoint>, StoreError> {
        match self {
            Self::Status => Ok(None),
            Self::Archive(recorder) => recorder.checkpoint(run).await,
        }
    }

    /// Sets `Recorded`; how soon another look is needed to know more, if one is.
    pub(super) fn report(
        &self,
        run: &Run,
        status: &mut RunStatus,
        now: DateTime<Utc>,
    ) -> Option<Duration> {
        let recorded = match self {
            Self::Status => None,
            Self::Archive(recorder) => Some(recorder.recorded(run, status)),
        };
        let before = run.status.as_ref().map(|status| &*status.conditions).unwrap_or_default();
        let generation = run.metadata.generation.unwrap_or_default();
        condition(&mut status.conditions, recorded, before, generation, now)
    }
}
