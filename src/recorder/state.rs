//! What the recorder knows: which pods live, and how far each attempt is kept. No I/O.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_crds::{Run, RunStatus};
use tokio::time::Instant;
use uuid::Uuid;

/// A pod that nobody has seen for so long is gone: the reconciler looks every few seconds.
const GONE: Duration = Duration::from_mins(1);

/// A pod whose runtime answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePod {
    pub uid: String,
    pub address: String,
    pub attempt: u32,
    /// Whether the status that the API server holds says how this attempt ended. Until then its last record is not
    /// acknowledged: the pod would go, and with it what that status is made of.
    pub closed: bool,
}

/// How far an attempt's journal is in the archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    pub last: u64,
    /// Whether this was the last record.
    pub ended: bool,
}

/// How a Run stands in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The archive was not asked yet.
    Unasked,
    /// The Run goes on, and what it told is kept.
    Keeping,
    All,
    Behind(String),
}

#[derive(Debug, Default)]
pub(super) struct Known {
    /// What is not written yet.
    pub(super) dirty: Option<Arc<Run>>,
    /// Whether its row stands and `attempts` is what the archive said.
    pub(super) loaded: bool,
    /// Whether the Run has ended: nothing goes on from a checkpoint of it.
    pub(super) ended: bool,
    attempts: BTreeMap<u32, Kept>,
    /// When each pod was last seen, by UID.
    pods: HashMap<String, (LivePod, Instant)>,
    /// Pods with a stream.
    pub(super) streams: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) runs: HashMap<Uuid, Known>,
    /// Since when the database does not answer.
    pub(super) away: Option<DateTime<Utc>>,
}

impl Known {
    /// Takes what lives now; whether an attempt is closed that was not before.
    pub(super) fn see(&mut self, pods: impl IntoIterator<Item = LivePod>, now: Instant) -> bool {
        let mut closes = false;
        for pod in pods {
            closes |= pod.closed && !self.is_closed(&pod.uid);
            self.pods.insert(pod.uid.clone(), (pod, now));
        }
        self.pods.retain(|_, (_, seen)| now.duration_since(*seen) < GONE);
        self.streams.retain(|uid| self.pods.contains_key(uid));
        closes
    }

    pub(super) fn is_live(&self, pod: &str, now: Instant) -> bool {
        self.pods.get(pod).is_some_and(|(_, seen)| now.duration_since(*seen) < GONE)
    }

    pub(super) fn is_closed(&self, pod: &str) -> bool {
        self.pods.get(pod).is_some_and(|(pod, _)| pod.closed)
    }

    /// Whether this pod is read along.
    pub(super) fn follows(&self, pod: &str) -> bool {
        self.streams.iter().any(|uid| uid == pod)
    }

    pub(super) fn kept(&self, attempt: u32) -> Kept {
        self.attempts.get(&attempt).copied().unwrap_or_default()
    }

    pub(super) fn advance(&mut self, attempt: u32, kept: Kept) {
        let known = self.attempts.entry(attempt).or_default();
        *known = Kept { last: known.last.max(kept.last), ended: known.ended || kept.ended };
    }

    /// Pods that need a stream and have none.
    pub(super) fn unread(&self) -> Vec<LivePod> {
        let pods = self.pods.values().map(|(pod, _)| pod);
        let unread = pods.filter(|pod| self.loaded && !self.follows(&pod.uid));
        unread.cloned().collect()
    }
}

/// How a Run stands, by its status and by what is kept.
pub(super) fn recorded(
    known: Option<&Known>,
    away: Option<DateTime<Utc>>,
    status: &RunStatus,
) -> Recorded {
    if let Some(since) = away {
        let since = since.format("%Y-%m-%dT%H:%M:%SZ");
        return Recorded::Behind(format!(
            "The database does not answer since {since}; records wait in the pod."
        ));
    }
    let Some(known) = known.filter(|known| known.loaded) else { return Recorded::Unasked };
    if !status.phase.is_some_and(fabrica_crds::run::Phase::is_final) {
        return Recorded::Keeping;
    }
    let missing = status.attempts.iter().find_map(|attempt| {
        let number = u32::try_from(attempt.number).ok()?;
        let kept = known.kept(number);
        (!kept.ended).then(|| {
            let lives = known.pods.values().any(|(pod, _)| pod.attempt == number);
            let why = if lives { "not kept yet" } else { "lost with its pod, if there were any" };
            format!("Attempt {number}: records after {} are {why}.", kept.last)
        })
    });
    missing.map_or(Recorded::All, Recorded::Behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabrica_crds::run::{Attempt, Phase};
    use rstest::rstest;

    #[rstest]
    #[case::goes_on(Phase::Running, true, None, Recorded::Keeping)]
    #[case::not_asked(Phase::Completed, false, None, Recorded::Unasked)]
    #[case::whole(Phase::Completed, true, Some(Kept { last: 9, ended: true }), Recorded::All)]
    #[case::torn(Phase::Failed, true, Some(Kept { last: 9, ended: false }), Recorded::Behind(
        "Attempt 1: records after 9 are lost with its pod, if there were any.".to_owned()
    ))]
    fn how_runs_stand(
        #[case] phase: Phase,
        #[case] loaded: bool,
        #[case] kept: Option<Kept>,
        #[case] expected: Recorded,
    ) {
        let attempts = vec![Attempt { number: 1, ..Attempt::default() }];
        let status = RunStatus { phase: Some(phase), attempts, ..RunStatus::default() };
        let mut known = Known { loaded, ..Known::default() };
        if let Some(kept) = kept {
            known.advance(1, kept);
        }
        assert_eq!(recorded(Some(&known), None, &status), expected);
        let away = recorded(Some(&known), Some(DateTime::UNIX_EPOCH), &status);
        assert!(
            matches!(away, Recorded::Behind(message) if message.contains("1970-01-01T00:00:00Z"))
        );
    }
}
