//! Checkpoints: what another pod needs to go on with the work. The files lie in a ref of the repository; the agent's
//! conversation waits here for the operator.

pub(crate) mod door;
pub(super) mod wip;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::time::Duration;

use fabrica_protocol::run::{Checkpoint, Entry, Outcome, Verdict, work_in_progress};
use fabrica_protocol::runtime::EventType;
use tokio::time::Instant;

use self::wip::State;
use super::git::{Git, GitError};
use super::handle::Run;
use super::journal::Journal;
use super::kept::{self, Conversation};
use super::outgoing::{self, Leak};
use super::shelf::Shelf;
use crate::children;
use crate::config::{Config, RunConfig};
use crate::journal::Journal as Steps;

/// New commits are looked for this often.
const LOOK: Duration = Duration::from_secs(15);
/// Work that was not committed is kept this often.
const PERIOD: Duration = Duration::from_mins(5);
/// An operator that is there keeps a checkpoint within this time.
pub(super) const KEPT: Duration = Duration::from_mins(1);
/// The end of a pod waits no longer.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);

/// The remote forgets work in progress within this time, or keeps it: the verdict is out already, and a pod that is told
/// to end has ten seconds.
const FORGET: Duration = Duration::from_secs(5);

/// Why there is no checkpoint now.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("The work in progress cannot be put together: {0}")]
    Look(GitError),
    #[error("The work in progress cannot be pushed: {0}")]
    Push(GitError),
    #[error("The work in progress holds a secret of this Run, in {0}, so it is not pushed")]
    Secret(Leak),
    #[error("The agent's conversation cannot be kept: {0}")]
    Pack(#[from] kept::PackError),
}

/// Reasons that are the agent's own failure: the operator counts them apart.
const AGENTS: [&str; 2] = ["AgentFailed", "AgentHung"];

/// Reasons that leave work which is nowhere but in its checkpoint: the remote's branch is not ours, or not where it was.
const UNPUSHED: [&str; 2] = ["BranchExists", "PushRejected"];

/// Whether another attempt may follow.
fn may_follow(settings: &RunConfig, verdict: &Verdict) -> bool {
    match verdict.outcome {
        Outcome::Completed | Outcome::Cancelled => false,
        Outcome::Failed => {
            let (of_agent, of_others) = settings.last;
            let is_last = if AGENTS.contains(&&*verdict.reason) { of_agent } else { of_others };
            verdict.again && !is_last
        }
        Outcome::Escalated => true,
    }
}

/// Where the work stays that a verdict leaves, if somebody may still want it.
pub(super) fn left(config: &Config, run: &Run, verdict: &Verdict) -> Option<String> {
    let is_left = UNPUSHED.contains(&&*verdict.reason) && run.shelf.has_work();
    let reference = work_in_progress(&config.session_id);
    (is_left && !may_follow(&run.settings, verdict)).then(|| {
        format!(
            " The work so far stays at {reference} of the repository: git fetch origin {reference}"
        )
    })
}

/// Removes the work in progress from the remote when nobody can need it. Nothing depends on it.
pub(super) async fn forget(config: &Config, run: &Run, verdict: &Verdict) {
    let settings = &run.settings;
    let Some(repository) = &config.repository else { return };
    // Nobody may be left to ask for the login.
    if may_follow(settings, verdict)
        || left(config, run, verdict).is_some()
        || !(settings.checkpoints || settings.resume)
        || !children::end_all(Duration::ZERO).await
    {
        return;
    }
    let Ok(git) = Git::find(config, repository) else { return };
    let removed = tokio::time::timeout(FORGET, wip::remove(&git, &config.session_id)).await;
    if !matches!(removed, Ok(Ok(()))) {
        tracing::warn!(?removed, "the work in progress stays at the remote");
    }
}

/// Makes checkpoints of an attempt.
pub(super) struct Keeper<'a> {
    pub(super) git: Git<'a>,
    pub(super) uid: &'a str,
    pub(super) base: Option<String>,
    pub(super) conversation: Conversation,
    pub(super) shelf: &'a Shelf,
    pub(super) journal: &'a Journal,
    pub(super) steps: &'a Steps,
    pub(super) memory: Memory,
}

/// What was kept last, and whether a failure was told.
#[derive(Debug, Default)]
pub(super) struct Memory {
    last: RefCell<Option<(State, Checkpoint)>>,
    is_told: Cell<bool>,
}

/// What the agent had committed, and when that was looked at.
struct Seen {
    head: Option<String>,
    at: Instant,
}

/// Keeps at each new commit, and when the last time was long ago. What fails is tried again at the next look.
async fn keep_up(
    mut kept: Seen,
    look: impl AsyncFn() -> Seen,
    keep: impl AsyncFn() -> bool,
) -> Infallible {
    loop {
        let now = look().await;
        let is_due = now.head != kept.head || now.at.duration_since(kept.at) >= PERIOD;
        if is_due && keep().await {
            kept = now;
        }
    }
}

impl Keeper<'_> {
    /// Makes them as the work goes on. May be dropped at any time.
    pub(super) async fn watch(&self) -> Infallible {
        let began = Seen { head: self.base.clone(), at: Instant::now() };
        let look = async || {
            tokio::time::sleep(LOOK).await;
            let head = super::branch::head(&self.git).await.unwrap_or_default();
            Seen { head, at: Instant::now() }
        };
        keep_up(began, look, async || self.keep().await.is_some()).await
    }

    /// Makes one, unless nothing has changed; its record's number. What goes wrong is told once.
    pub(super) async fn keep(&self) -> Option<u64> {
        match self.make().await {
            Ok(checkpoint) => self.journal.write(Entry::Checkpoint(checkpoint)),
            Err(error) => {
                if !self.memory.is_told.replace(true) {
                    let text = self.git.secrets().redact(&format!("{error}."));
                    self.steps.tell("checkpoint", EventType::Notice, text);
                }
                None
            }
        }
    }

    async fn make(&self) -> Result<Checkpoint, KeepError> {
        let state = wip::look(&self.git).await.map_err(KeepError::Look)?;
        let known = self.memory.last.borrow().clone();
        let commit = match known {
            Some((last, Checkpoint { commit: Some(commit), .. })) if last == state => commit,
            _ => self.push(&state).await?,
        };
        let packed = kept::pack(&self.conversation).await?;
        let checkpoint = Checkpoint {
            commit: Some(commit),
            conversation: Some(self.conversation.id.to_string()),
            bytes: packed.gzip.len() as u64,
            sha256: packed.sha256.clone(),
        };
        self.shelf.put(packed);
        self.memory.last.replace(Some((state, checkpoint.clone())));
        Ok(checkpoint)
    }

    async fn push(&self, state: &State) -> Result<String, KeepError> {
        let commit = wip::commit(&self.git, state, self.uid).await.map_err(KeepError::Look)?;
        let folder = wip::lend(&self.git).await.map_err(KeepError::Push)?;
        let known: Vec<&str> = self.base.as_deref().into_iter().collect();
        let leak = outgoing::leak(&self.git, &folder, &commit, &known).await;
        if let Some(leak) = leak.map_err(KeepError::Look)? {
            return Err(KeepError::Secret(leak));
        }
        wip::push(&self.git, &folder, &commit, self.uid).await.map_err(KeepError::Push)?;
        Ok(commit)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::at_a_commit(&["a", "b", "b"], &[], &[2])]
    #[case::at_the_next_look_where_that_failed(&["a", "b", "b", "b"], &[2, 3], &[2, 3, 4])]
    #[case::in_time_without_commits(&["a"; 41], &[], &[20, 40])]
    #[case::in_time_after_the_last_commit(&[&["a"; 4][..], &["b"; 20]].concat(), &[], &[5])]
    #[case::in_time_again_where_that_failed(&["a"; 22], &[20], &[20, 21])]
    fn work_is_kept(#[case] heads: &[&str], #[case] failing: &[usize], #[case] expected: &[usize]) {
        let began = Instant::now();
        let seen = |head: &str, at| Seen { head: Some(head.to_owned()), at };
        let (looks, kept) = (Cell::new(0), RefCell::new(Vec::new()));
        let look = async || {
            let number = looks.get() + 1;
            let Some(head) = heads.get(number - 1) else { return std::future::pending().await };
            looks.set(number);
            seen(head, began + LOOK * u32::try_from(number).unwrap())
        };
        let keep = async || {
            kept.borrow_mut().push(looks.get());
            !failing.contains(&looks.get())
        };
        assert!(keep_up(seen("a", began), look, keep).now_or_never().is_none());
        assert_eq!(kept.into_inner(), expected);
    }
}
