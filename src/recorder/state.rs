//! What the recorder knows: which pods live, and how far each attempt is kept. No I/O.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_crds::RunStatus;
use fabrica_protocol::run::Spent;
use tokio::time::Instant;
use uuid::Uuid;

use super::rows::Row;

/// A pod that nobody has seen for so long is gone: the reconciler looks every few seconds.
pub(super) const GONE: Duration = Duration::from_mins(1);
/// Of the database's words, as many characters as a sentence bears.
const WORDS: usize = 300;

/// A pod whose runtime answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePod {
    pub uid: String,
    pub address: String,
    pub attempt: u32,
    /// Whether the status that the API server holds says how this attempt ended. Until then its last record is not
    /// acknowledged: the pod would go, and with it what that status is made of.
    pub closed: bool,
    /// Of a Chat: what it has used up, as far as anybody saw. Its runtime is told.
    pub spent: Option<Spent>,
}

/// How far an attempt's journal is in the archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    pub last: u64,
    /// Whether this was the last record.
    pub ended: bool,
}

/// How a Run or Chat stands in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The archive was not asked yet.
    Unasked,
    /// It goes on, and what it told is kept.
    Keeping,
    All,
    /// Not all of it is kept yet.
    Behind(String),
    /// What is missing will not come any more.
    Lost(String),
}

#[derive(Debug, Default)]
pub(super) struct Known {
    /// What is not written yet.
    pub(super) dirty: Option<Arc<Row>>,
    /// Whether its row stands and `attempts` is what the archive said.
    pub(super) loaded: bool,
    /// Whether the object has ended: nothing goes on from a checkpoint of it.
    pub(super) ended: bool,
    attempts: BTreeMap<u32, Kept>,
    /// When each pod was last seen, by UID.
    pods: HashMap<String, (LivePod, Instant)>,
    /// Pods with a stream, which takes its own off when it ends.
    pub(super) streams: Vec<String>,
    /// Pods in sight that were read to their last record.
    whole: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) objects: HashMap<Uuid, Known>,
    /// What the database does not do.
    away: BTreeMap<Part, Away>,
}

/// What the database is for. One may work without the other: on a full disk, a row has room where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Rows,
    Journals,
}

/// Since when the database fails, and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Away {
    since: DateTime<Utc>,
    words: String,
}

impl State {
    /// A part failed in these words, or works. The first words stay, so that a status is not written for each try.
    pub(super) fn set_away(&mut self, part: Part, words: Option<String>, now: DateTime<Utc>) {
        match words {
            None => {
                self.away.remove(&part);
            }
            Some(words) => {
                let words = words.chars().take(WORDS).collect();
                self.away.entry(part).or_insert(Away { since: now, words });
            }
        }
    }

    /// What has failed for longest.
    pub(super) fn away(&self) -> Option<&Away> {
        self.away.values().min_by_key(|away| away.since)
    }
}

impl Known {
    /// Takes what lives now; whether an attempt is closed that was not before.
    pub(super) fn see(&mut self, pods: impl IntoIterator<Item = LivePod>, now: Instant) -> bool {
        let mut closes = false;
        for pod in pods {
            closes |= pod.closed && !self.is_closed(&pod.uid);
            self.pods.insert(pod.uid.clone(), (pod, now));
        }
        self.forget_gone(now);
        self.whole.retain(|uid| self.pods.contains_key(uid));
        closes
    }

    /// The stream to a pod has ended, perhaps after its last record.
    pub(super) fn left(&mut self, pod: &str, is_whole: bool, now: Instant) {
        self.streams.retain(|uid| uid != pod);
        // One that is out of sight would be read again at once, and again.
        self.forget_gone(now);
        self.whole.extend(is_whole.then(|| pod.to_owned()));
    }

    fn forget_gone(&mut self, now: Instant) {
        self.pods.retain(|_, (_, seen)| is_recent(*seen, now));
    }

    pub(super) fn is_live(&self, pod: &str, now: Instant) -> bool {
        self.pods.get(pod).is_some_and(|(_, seen)| is_recent(*seen, now))
    }

    pub(super) fn is_closed(&self, pod: &str) -> bool {
        self.pods.get(pod).is_some_and(|(pod, _)| pod.closed)
    }

    /// What a pod has used up.
    pub(super) fn spent(&self, pod: &str) -> Option<Spent> {
        self.pods.get(pod).and_then(|(pod, _)| pod.spent.clone())
    }

    /// Whether this pod is read along, or was to its end.
    pub(super) fn follows(&self, pod: &str) -> bool {
        self.streams.iter().chain(&self.whole).any(|uid| uid == pod)
    }

    pub(super) fn kept(&self, attempt: u32) -> Kept {
        self.attempts.get(&attempt).copied().unwrap_or_default()
    }

    pub(super) fn advance(&mut self, attempt: u32, kept: Kept) {
        let known = self.attempts.entry(attempt).or_default();
        *known = Kept { last: known.last.max(kept.last), ended: known.ended || kept.ended };
    }

    /// How a Run that has ended stands. What may still come is said before what will not.
    fn at_the_end(&self, status: &RunStatus, now: Instant) -> Recorded {
        // What never ran has told nothing.
        let begun = status.attempts.iter().filter(|attempt| attempt.started_at.is_some());
        let missing = begun.filter_map(|attempt| {
            let number = u32::try_from(attempt.number).ok()?;
            let kept = self.kept(number);
            (!kept.ended).then(|| {
                let lives = self.lives(number, now);
                let of = format!("Attempt {number}: records after {} are", kept.last);
                (lives, of)
            })
        });
        let missing: Vec<_> = missing.collect();
        match missing.iter().find(|(lives, _)| *lives).or(missing.first()) {
            None => Recorded::All,
            Some((true, of)) => Recorded::Behind(format!("{of} not kept yet.")),
            Some((false, of)) => {
                Recorded::Lost(format!("{of} lost with its pod, if there were any."))
            }
        }
    }

    /// Whether a pod of this attempt was seen lately.
    fn lives(&self, number: u32, now: Instant) -> bool {
        let mut pods = self.pods.values();
        pods.any(|(pod, seen)| pod.attempt == number && is_recent(*seen, now))
    }

    /// Pods that need a stream and have none.
    pub(super) fn unread(&self) -> Vec<LivePod> {
        let pods = self.pods.values().map(|(pod, _)| pod);
        let unread = pods.filter(|pod| self.loaded && !self.follows(&pod.uid));
        unread.cloned().collect()
    }
}

fn is_recent(seen: Instant, now: Instant) -> bool {
    now.duration_since(seen) < GONE
}

/// How a Run stands, by its status and by what is kept.
pub(super) fn recorded(
    known: Option<&Known>,
    away: Option<&Away>,
    status: &RunStatus,
    now: Instant,
) -> Recorded {
    let state = match known.filter(|known| known.loaded) {
        None => Recorded::Unasked,
        Some(_) if !status.phase.is_some_and(fabrica_crds::run::Phase::is_final) => {
            Recorded::Keeping
        }
        Some(known) => known.at_the_end(status, now),
    };
    unless_away(state, away)
}

/// A database that is away may lack what it is said to have, but for what is settled.
fn unless_away(state: Recorded, away: Option<&Away>) -> Recorded {
    match (state, away) {
        (state @ (Recorded::All | Recorded::Lost(_)), _) | (state, None) => state,
        (_, Some(Away { since, words })) => {
            let since = since.format("%Y-%m-%dT%H:%M:%SZ");
            Recorded::Behind(format!(
                "The database keeps nothing since {since} ({words}); records wait in the pod."
            ))
        }
    }
}

/// How far a Chat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatState {
    GoesOn,
    /// It told so much: the number of its journal, and of its last record. Unset: it was stopped before this process led.
    Stopped(Option<(u32, u64)>),
}

/// How a Chat stands.
pub(super) fn chat_recorded(
    known: Option<&Known>,
    away: Option<&Away>,
    chat: ChatState,
    has_volume: bool,
    now: Instant,
) -> Recorded {
    let state = match (known.filter(|known| known.loaded), chat) {
        (None, _) | (_, ChatState::Stopped(None)) => Recorded::Unasked,
        (_, ChatState::GoesOn) => Recorded::Keeping,
        (Some(known), ChatState::Stopped(Some((number, last)))) => {
            let kept = known.kept(number).last;
            let which = format!("Conversation {number}: records after {kept}");
            if kept >= last {
                Recorded::All
            } else if has_volume {
                Recorded::Behind(format!("{which} wait in the volume."))
            } else if known.lives(number, now) {
                Recorded::Behind(format!("{which} are not kept yet."))
            } else {
                Recorded::Lost(format!("{which} are lost with its pod."))
            }
        }
    };
    unless_away(state, away)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabrica_crds::run::{Attempt, Phase};
    use fabrica_crds::time::to_kubernetes;
    use rstest::rstest;

    fn begun(number: i32) -> Attempt {
        let started_at = Some(to_kubernetes(DateTime::UNIX_EPOCH));
        Attempt { number, started_at, ..Attempt::default() }
    }

    #[test]
    fn an_attempt_that_never_started_has_nothing_to_lose() {
        let attempts = vec![begun(1), Attempt { number: 2, ..Attempt::default() }];
        let status = RunStatus { phase: Some(Phase::Cancelled), attempts, ..RunStatus::default() };
        let mut known = Known { loaded: true, ..Known::default() };
        known.advance(1, Kept { last: 9, ended: true });
        assert_eq!(recorded(Some(&known), None, &status, Instant::now()), Recorded::All);
    }

    #[rstest]
    #[case::goes_on(Phase::Running, true, None, Recorded::Keeping)]
    #[case::not_asked(Phase::Completed, false, None, Recorded::Unasked)]
    #[case::whole(Phase::Completed, true, Some(Kept { last: 9, ended: true }), Recorded::All)]
    #[case::torn(Phase::Failed, true, Some(Kept { last: 9, ended: false }), Recorded::Lost(
        "Attempt 1: records after 9 are lost with its pod, if there were any.".to_owned()
    ))]
    fn how_runs_stand(
        #[case] phase: Phase,
        #[case] loaded: bool,
        #[case] kept: Option<Kept>,
        #[case] expected: Recorded,
    ) {
        let attempts = vec![begun(1)];
        let status = RunStatus { phase: Some(phase), attempts, ..RunStatus::default() };
        let mut known = Known { loaded, ..Known::default() };
        if let Some(kept) = kept {
            known.advance(1, kept);
        }
        let now = Instant::now();
        assert_eq!(recorded(Some(&known), None, &status, now), expected);
        let away = Away { since: DateTime::UNIX_EPOCH, words: "No space left".to_owned() };
        let away = recorded(Some(&known), Some(&away), &status, now);
        match expected {
            Recorded::All | Recorded::Lost(_) => assert_eq!(away, expected),
            _ => assert!(
                matches!(away, Recorded::Behind(text) if text.contains("1970-01-01T00:00:00Z (No space left)"))
            ),
        }
    }

    #[test]
    fn a_row_that_finds_room_does_not_hide_that_journals_have_none() {
        let (mut state, later) = (State::default(), DateTime::UNIX_EPOCH + GONE);
        state.set_away(Part::Journals, Some("full".repeat(WORDS)), DateTime::UNIX_EPOCH);
        state.set_away(Part::Rows, None, later);
        state.set_away(Part::Journals, Some("another".to_owned()), later);
        let away = state.away().unwrap();
        assert_eq!((away.since, away.words.len()), (DateTime::UNIX_EPOCH, WORDS));
        state.set_away(Part::Journals, None, later);
        assert_eq!(state.away(), None);
    }

    #[test]
    fn what_may_still_come_is_waited_for_before_something_is_called_lost() {
        let attempts = [1, 2].map(begun).to_vec();
        let status = RunStatus { phase: Some(Phase::Completed), attempts, ..RunStatus::default() };
        let mut known = Known { loaded: true, ..Known::default() };
        let (uid, address) = ("a".to_owned(), String::new());
        let pod = LivePod { uid, address, attempt: 2, closed: true, spent: None };
        let start = Instant::now();
        known.see([pod], start);
        let at = |now| known.at_the_end(&status, now);
        assert!(matches!(at(start), Recorded::Behind(text) if text.starts_with("Attempt 2")));
        // Nobody need have looked at its pods since.
        assert!(matches!(at(start + GONE), Recorded::Lost(text) if text.starts_with("Attempt 1")));
    }

    #[rstest]
    #[case::goes_on(ChatState::GoesOn, false, Recorded::Keeping)]
    #[case::unknown(ChatState::Stopped(None), false, Recorded::Unasked)]
    #[case::whole(ChatState::Stopped(Some((2, 9))), false, Recorded::All)]
    #[case::in_its_volume(ChatState::Stopped(Some((2, 10))), true, Recorded::Behind(
        "Conversation 2: records after 9 wait in the volume.".to_owned()
    ))]
    #[case::lost(ChatState::Stopped(Some((2, 10))), false, Recorded::Lost(
        "Conversation 2: records after 9 are lost with its pod.".to_owned()
    ))]
    fn how_chats_stand(
        #[case] chat: ChatState,
        #[case] has_volume: bool,
        #[case] expected: Recorded,
    ) {
        let mut known = Known { loaded: true, ..Known::default() };
        known.advance(2, Kept { last: 9, ended: false });
        let now = Instant::now();
        assert_eq!(chat_recorded(Some(&known), None, chat, has_volume, now), expected);
        assert_eq!(chat_recorded(None, None, chat, has_volume, now), Recorded::Unasked);
    }
}
