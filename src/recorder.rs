//! The recorder: journals of pods, and what their Runs and Chats were, into the archive. The leader has one, when there is a database.
//!
//! The reconciler says what it sees ([`Recorder::see`]); everything else happens beside it, so that a database which is
//! away holds no Run up. A record is acknowledged when it is committed, and each stream goes on where the archive ends:
//! a restart, another leader or a second recorder loses and doubles nothing.

mod backoff;
mod checkpoint;
mod condition;
mod door;
mod lines;
mod rows;
mod state;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_crds::{Run, RunStatus, Session};
use fabrica_protocol::run::Spent;
use fabrica_store::{Checkpoint, Store, StoreError};
use futures::future::BoxFuture;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use backoff::Backoff;
pub use door::{Chunks, Door};
pub use rows::{Journaled, Row};
pub use state::{ChatState, Kept, LivePod, Recorded};
use state::{Known, Part, State};

pub(crate) use condition::{condition, is_settled};

use crate::controller::{cause, error_chain};

/// Streams at once: far more than Runs that a cluster's chart lets go. What is beyond waits in its pod for its turn.
const STREAMS: usize = 1000;
/// Transactions at once: half of the store's connections, so that rows and retention get theirs.
const WRITERS: usize = 4;
/// Between two looks for Runs that are gone, and for pods that wait for a stream.
const SWEEP: Duration = Duration::from_mins(1);
/// A Run this young may not be in everybody's cache yet: it is not called deleted.
const YOUNG: chrono::Duration = chrono::Duration::minutes(5);
/// Between two looks for history that is too old.
const RETENTION: Duration = Duration::from_hours(24);

/// Hears the UID of an object that has told something which its status is to show at once.
pub type Wake = mpsc::Sender<Uuid>;

/// Says which objects of each kind exist, by their UIDs; `None` while nobody knows.
pub type Living = Box<dyn Fn() -> BoxFuture<'static, Option<Lists>> + Send + Sync>;

/// The UIDs of all objects of a kind, for each kind.
pub type Lists = Vec<(&'static str, Vec<String>)>;

/// Writes what it is shown into the archive.
pub struct Recorder {
    store: Store,
    door: Box<dyn Door>,
    wakes: Vec<Wake>,
    state: Mutex<State>,
    news: Notify,
    closings: Notify,
    writers: Semaphore,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    /// `wakes`: one for each kind. Whoever hears of an object that it does not know lets it be.
    pub fn new(store: Store, door: impl Door, wakes: impl IntoIterator<Item = Wake>) -> Self {
        Self {
            store,
            door: Box::new(door),
            wakes: wakes.into_iter().collect(),
            state: Mutex::default(),
            news: Notify::new(),
            closings: Notify::new(),
            writers: Semaphore::new(WRITERS),
        }
    }

    /// An object as it stands, and its pods that answer.
    pub fn see(
        &self,
        object: &impl Journaled,
        pods: impl IntoIterator<Item = LivePod>,
        changed: bool,
    ) {
        let Some(uid) = object.id() else { return };
        let mut state = self.state();
        let known = state.objects.entry(uid).or_default();
        known.ended = object.has_ended();
        if changed || !known.loaded {
            known.dirty = object.row().map(Arc::new);
        }
        if known.see(pods, Instant::now()) {
            self.closings.notify_waiters();
        }
        if known.dirty.is_some() || !known.unread().is_empty() {
            self.news.notify_one();
        }
    }

    /// Whether what this pod tells comes here at once, so that nobody need look for it.
    pub fn follows(&self, object: &impl Journaled, pod: &str) -> bool {
        let state = self.state();
        let known = object.id().and_then(|uid| state.objects.get(&uid));
        state.away().is_none() && known.is_some_and(|known| known.follows(pod))
    }

    /// How a Run with this status stands in the archive.
    pub fn recorded(&self, run: &Run, status: &RunStatus) -> Recorded {
        let state = self.state();
        let known = run.id().and_then(|uid| state.objects.get(&uid));
        state::recorded(known, state.away(), status, Instant::now())
    }

    /// How a Chat stands in the archive.
    pub fn chat_recorded(&self, chat: &Session, state: ChatState) -> Recorded {
        let all = self.state();
        let known = chat.id().and_then(|uid| all.objects.get(&uid));
        let has_volume = chat.spec.workspace.is_some();
        state::chat_recorded(known, all.away(), state, has_volume, Instant::now())
    }

    /// Whether there is something that a Run's next pod can go on from.
    pub async fn has_checkpoint(&self, run: &Run) -> Result<bool, StoreError> {
        let Some(uid) = run.id() else { return Ok(false) };
        self.store.has_checkpoint(uid).await
    }

    /// What a Run's next pod goes on from.
    pub async fn checkpoint(&self, run: &Run) -> Result<Option<Checkpoint>, StoreError> {
        let Some(uid) = run.id() else { return Ok(None) };
        self.store.checkpoint(uid).await
    }

    /// Records until told to stop; history older than so many days is deleted.
    pub async fn run(self: Arc<Self>, living: Living, days: Option<u32>, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work(living, days) => {}
        }
    }

    async fn work(self: Arc<Self>, living: Living, days: Option<u32>) {
        let mut backoff = Backoff::default();
        while let Err(error) = self.store.migrate().await {
            self.failed(&error, "the archive's schema cannot be brought up to date yet");
            backoff.wait().await;
        }
        self.works(Part::Rows);
        tokio::join!(self.record(), self.sweep(living), self.retain(days));
    }

    /// Writes rows as they change, and starts a stream to each pod.
    async fn record(self: &Arc<Self>) {
        let mut streams = JoinSet::new();
        let mut backoff = Backoff::default();
        loop {
            while streams.try_join_next().is_some() {}
            let dirty = self
                .state()
                .objects
                .iter()
                .find_map(|(uid, known)| Some((*uid, known.dirty.clone()?)));
            if let Some((uid, row)) = dirty {
                match self.write(uid, &row).await {
                    Ok(()) => backoff.succeeded(),
                    Err(error) if error.is_refused() => {
                        tracing::error!(%uid, error = error_chain(&error), "the archive refuses a row");
                        self.written(uid, &row);
                    }
                    Err(error) => {
                        self.failed(&error, "a row cannot be written yet");
                        backoff.wait().await;
                    }
                }
                continue;
            }
            for (uid, pod) in self.next_streams(STREAMS.saturating_sub(streams.len())) {
                streams.spawn(stream::follow(self.clone(), uid, pod));
            }
            tokio::select! {
                () = self.news.notified() => {}
                Some(_) = streams.join_next() => {}
                () = tokio::time::sleep(SWEEP) => {}
            }
        }
    }

    async fn write(&self, uid: Uuid, row: &Arc<Row>) -> Result<(), StoreError> {
        self.store.put_object(&row.object).await?;
        self.store.put_spec(uid, &row.spec).await?;
        for (attempt, usage) in &row.usage {
            self.store.put_usage(uid, *attempt, usage).await?;
        }
        if self.has_ended(uid) {
            self.store.delete_checkpoint(uid).await?;
        }
        let loaded = self.state().objects.get(&uid).is_some_and(|known| known.loaded);
        if !loaded {
            for attempt in self.store.attempts(uid).await? {
                let kept = Kept { last: attempt.last, ended: attempt.ended };
                self.advance(uid, attempt.number, kept);
            }
        }
        self.works(Part::Rows);
        self.written(uid, row);
        Ok(())
    }

    /// What was written is not dirty any more, unless something newer is.
    fn written(&self, uid: Uuid, row: &Arc<Row>) {
        if let Some(known) = self.state().objects.get_mut(&uid) {
            known.loaded = true;
            if known.dirty.as_ref().is_some_and(|dirty| Arc::ptr_eq(dirty, row)) {
                known.dirty = None;
            }
        }
    }

    fn next_streams(&self, most: usize) -> Vec<(Uuid, LivePod)> {
        let mut state = self.state();
        let mut next = Vec::new();
        for (uid, known) in &mut state.objects {
            for pod in known.unread() {
                if next.len() < most {
                    known.streams.push(pod.uid.clone());
                    next.push((*uid, pod));
                }
            }
        }
        next
    }

    /// Marks objects that are gone.
    async fn sweep(&self, living: Living) {
        loop {
            tokio::time::sleep(SWEEP).await;
            let before = Utc::now() - YOUNG;
            let Some(lists) = living().await else { continue };
            match self.mark(&lists, before).await {
                Ok(uids) => {
                    let is_live =
                        |known: &Known| !known.streams.is_empty() || known.dirty.is_some();
                    self.state().objects.retain(|uid, known| uids.contains(uid) || is_live(known));
                }
                Err(error) => postponed(&error, "objects that are gone cannot be marked yet"),
            }
        }
    }

    /// Marks those that are not in the lists of their kinds; says which are.
    async fn mark(
        &self,
        lists: &Lists,
        before: DateTime<Utc>,
    ) -> Result<HashSet<Uuid>, StoreError> {
        let mut all = HashSet::new();
        for (kind, names) in lists {
            let listed: Vec<Uuid> =
                names.iter().filter_map(|uid| Uuid::parse_str(uid).ok()).collect();
            self.store.mark_deleted(kind, &listed, before).await?;
            all.extend(listed);
        }
        Ok(all)
    }

    async fn retain(&self, days: Option<u32>) {
        let Some(days) = days else { return };
        let mut backoff = Backoff::default();
        loop {
            match self.store.delete_older_than(days).await {
                Ok(deleted) => {
                    tracing::info!(deleted, days, "history that is too old was deleted");
                    backoff.succeeded();
                    tokio::time::sleep(RETENTION).await;
                }
                Err(error) => {
                    postponed(&error, "history that is too old cannot be deleted yet");
                    backoff.wait().await;
                }
            }
        }
    }

    fn failed(&self, error: &StoreError, what: &'static str) {
        self.away(Part::Rows, error);
        postponed(error, what);
    }

    /// The database does not do its part.
    fn away(&self, part: Part, error: &dyn Error) {
        self.state().set_away(part, Some(cause(error)), Utc::now());
    }

    fn works(&self, part: Part) {
        self.state().set_away(part, None, Utc::now());
    }

    /// Has the object looked at now. Where so many are woken that there is no room, all are looked at soon.
    fn wake(&self, uid: Uuid) {
        for wake in &self.wakes {
            let _ = wake.try_send(uid);
        }
    }

    fn is_live(&self, uid: Uuid, pod: &str) -> bool {
        self.state().objects.get(&uid).is_some_and(|known| known.is_live(pod, Instant::now()))
    }

    /// Waits until the status says how a pod's attempt ended, or the pod is gone.
    async fn closed(&self, uid: Uuid, pod: &str) {
        loop {
            let closing = self.closings.notified();
            let is_closed = self.state().objects.get(&uid).is_none_or(|known| known.is_closed(pod));
            if is_closed || !self.is_live(uid, pod) {
                return;
            }
            // A pod that is gone is told by nobody.
            let _ = tokio::time::timeout(SWEEP, closing).await;
        }
    }

    /// A stream has ended, which wakes [`Self::record`]: a pod that is in sight again gets another.
    fn left(&self, uid: Uuid, pod: &str, is_whole: bool) {
        if let Some(known) = self.state().objects.get_mut(&uid) {
            known.left(pod, is_whole, Instant::now());
        }
    }

    fn has_ended(&self, uid: Uuid) -> bool {
        self.state().objects.get(&uid).is_some_and(|known| known.ended)
    }

    fn spent(&self, uid: Uuid, pod: &str) -> Option<Spent> {
        self.state().objects.get(&uid).and_then(|known| known.spent(pod))
    }

    fn kept(&self, uid: Uuid, attempt: u32) -> Kept {
        self.state().objects.get(&uid).map(|known| known.kept(attempt)).unwrap_or_default()
    }

    fn advance(&self, uid: Uuid, attempt: u32, kept: Kept) {
        if let Some(known) = self.state().objects.get_mut(&uid) {
            known.advance(attempt, kept);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something is tried again later. Nothing is lost by that alone, so no status tells it.
fn postponed(error: &StoreError, what: &'static str) {
    tracing::warn!(error = error_chain(error), "{what}");
}
