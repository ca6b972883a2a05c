//! The archive: what Runs were and said. News of messages come by one LISTEN of the process, whoever waits for them.

use std::pin::pin;
use std::time::Duration;

use fabrica_store::{Notice, Store, StoreError};
use futures::StreamExt;
use tokio::sync::broadcast;

use crate::flags::DatabaseUrl;
use crate::problem::Problem;

/// How long the database may take for one answer: somebody waits for it, and it may be away without a word.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Notices a slow reader may lag behind; then it reads again, whatever they said.
const NOTICE_QUEUE: usize = 256;

/// The archive, while there is a database.
#[derive(Debug)]
pub struct Archive {
    store: Store,
    news: broadcast::Sender<Notice>,
}

impl Archive {
    /// One that connects when it is first asked. Must be called within a tokio runtime.
    pub fn connect(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let (news, _) = broadcast::channel(NOTICE_QUEUE);
        Ok(Self { store: Store::connect(url.as_str())?, news })
    }

    /// Passes on what the database tells, for ever.
    pub async fn listen(&self) {
        let mut notices = pin!(self.store.listen());
        while let Some(notice) = notices.next().await {
            // Nobody listening is fine.
            let _ = self.news.send(notice);
        }
    }

    /// What the database tells from now on.
    pub fn news(&self) -> broadcast::Receiver<Notice> {
        self.news.subscribe()
    }

    /// Where the questions for [`Self::answer`] come from.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Waits for an answer, but not for ever. A database that gives none is 503: history waits, nothing else does.
    pub async fn answer<T>(
        &self,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Problem> {
        match tokio::time::timeout(ANSWER_TIMEOUT, question).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => {
                tracing::warn!(error = crate::chain(&error), "the archive does not answer");
            }
            Err(_) => tracing::warn!("the archive does not answer in time"),
        }
        Err(Problem::unavailable(
            "The database does not answer, so history cannot be read; try again in a moment.",
        ))
    }
}
