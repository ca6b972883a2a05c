//! What the doors and the attempt share.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::clean;
use super::journal::{Journal, JournalError, UNACKNOWLEDGED_BYTES};
use super::questions::Questions;
use super::shelf::Shelf;
use crate::children;
use crate::config::{Config, RunConfig};
use crate::journal::Journal as Steps;

/// Why an attempt ends before its work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    Cancelled,
    DeadlineExceeded,
    /// The kubelet ends the pod.
    Evicted,
}

/// A running attempt.
#[derive(Debug)]
pub struct Run {
    pub settings: RunConfig,
    pub journal: Arc<Journal>,
    pub questions: Arc<Questions>,
    pub shelf: Shelf,
    interrupt: watch::Sender<Option<Interrupt>>,
    started: Instant,
}

impl Run {
    /// The attempt that a Run's pod is for; nothing in another pod.
    pub fn open(config: &Config) -> Result<Option<Arc<Self>>, JournalError> {
        let Some(settings) = config.run.clone() else { return Ok(None) };
        if settings.used_volume {
            clean::empty(&config.workspace).map_err(JournalError::Empty)?;
        }
        children::adopt_orphans().map_err(JournalError::Adopt)?;
        let name = format!(".fabrica/journal-{}.ndjson", settings.attempt);
        let journal = Journal::open(
            &config.workspace.join(name),
            config.secrets.clone(),
            UNACKNOWLEDGED_BYTES,
        )?;
        Ok(Some(Arc::new(Self {
            settings,
            journal: Arc::new(journal),
            questions: Arc::default(),
            shelf: Shelf::default(),
            interrupt: watch::Sender::new(None),
            started: Instant::now(),
        })))
    }

    /// Start steps that become records.
    pub fn steps(&self) -> Steps {
        Steps::passing_to(self.journal.clone())
    }

    /// Ends the attempt. The first reason stays.
    pub fn interrupt(&self, reason: Interrupt) {
        self.interrupt.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(reason);
            first
        });
    }

    /// Waits until the attempt must end.
    pub async fn interrupted(&self) -> Interrupt {
        let mut interrupt = self.interrupt.subscribe();
        let told = async {
            let told = interrupt.wait_for(Option::is_some).await;
            told.ok().and_then(|told| *told).unwrap_or(Interrupt::Evicted)
        };
        tokio::select! {
            biased;
            reason = told => reason,
            () = self.questions.passed(self.started, self.settings.deadline) => Interrupt::DeadlineExceeded,
        }
    }
}
