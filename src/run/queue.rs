//! Who goes next, when a namespace has more Runs than may run at once. Pure.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use fabrica_crds::time::from_kubernetes;
use fabrica_crds::{Run, RunStatus};
use kube::ResourceExt;

use super::escalation;

/// A Run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) uid: String,
    /// Runs without an owner share one turn.
    pub(super) owner: Option<String>,
    pub(super) created: DateTime<Utc>,
    /// Whether it has left the queue.
    pub(super) active: bool,
}

impl Entry {
    /// One whose pod was let go has left, until its question is answered.
    pub(super) fn of(run: &Run, admitted: bool, now: DateTime<Utc>) -> Option<Self> {
        let status = run.status.clone().unwrap_or_default();
        let parked = escalation::is_parked(&status);
        if parked && escalation::unanswered(&status, &run.spec, now).is_some() {
            return None;
        }
        Some(Self {
            uid: run.uid().unwrap_or_default(),
            owner: run.spec.owner.clone(),
            created: run.creation_timestamp().as_ref().map(from_kubernetes).unwrap_or_default(),
            active: has_left(&status) || admitted,
        })
    }
}

/// Whether a Run with this status goes already.
pub(super) fn has_left(status: &RunStatus) -> bool {
    status.started_at.is_some() && !escalation::is_parked(status)
}

/// Where a Run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Place {
    #[default]
    Goes,
    /// Counts from 1.
    Waits(usize),
}

/// The place of one Run among all of its namespace. Owners take turns: whoever has fewer Runs going, or waiting in front,
/// goes first; between equals the older Run.
pub(super) fn place(entries: &[Entry], uid: &str, limit: usize) -> Place {
    if entries.iter().any(|entry| entry.uid == uid && entry.active) {
        return Place::Goes;
    }
    let mut turns: HashMap<&Option<String>, usize> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.active) {
        *turns.entry(&entry.owner).or_default() += 1;
    }
    let active: usize = turns.values().sum();
    let mut waiting: Vec<_> = entries.iter().filter(|entry| !entry.active).collect();
    waiting.sort_by_key(|entry| (entry.created, &entry.uid));
    let mut line: Vec<_> = waiting
        .into_iter()
        .map(|entry| {
            let turn = turns.entry(&entry.owner).or_default();
            *turn += 1;
            (*turn, entry)
        })
        .collect();
    // Stable: within one turn the older stays in front.
    line.sort_by_key(|(turn, _)| *turn);
    let before = line.iter().position(|(_, entry)| entry.uid == uid);
    let free = limit.saturating_sub(active);
    match before {
        Some(position) if position < free => Place::Goes,
        Some(position) => Place::Waits(position - free + 1),
        // The cache has not seen it yet.
        None if line.len() < free => Place::Goes,
        None => Place::Waits(line.len() - free + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn entry(number: usize, owner: usize, active: bool) -> Entry {
        Entry {
            uid: format!("uid-{number:03}"),
            owner: Some(format!("owner-{owner}")),
            created: DateTime::from_timestamp(i64::try_from(number).unwrap(), 0).unwrap(),
            active,
        }
    }

    #[test]
    fn owners_take_turns() {
        let owners = [0, 0, 0, 1, 1];
        let mut entries: Vec<_> = owners
            .into_iter()
            .enumerate()
            .map(|(number, owner)| entry(number, owner, false))
            .collect();
        entries[0].active = true;
        let places: Vec<_> = entries.iter().map(|each| place(&entries, &each.uid, 2)).collect();
        let waits = Place::Waits;
        assert_eq!(places, [Place::Goes, waits(1), waits(3), Place::Goes, waits(2)]);
    }

    #[rstest]
    #[case::never_started(json!({}), json!([]), Some(false))]
    #[case::goes(json!({"startedAt": "2026-01-01T00:00:00Z"}), json!([]), Some(true))]
    #[case::held(json!({"startedAt": "2026-01-01T00:00:00Z", "attempts": [{"number": 1, "podName": "p"}], "escalation": question()}), json!([]), Some(true))]
    #[case::let_go(parked(), json!([]), None)]
    #[case::let_go_and_answered(parked(), json!([{"id": "a", "text": "yes"}]), Some(false))]
    fn a_run_without_its_pod_leaves_its_place(
        #[case] status: Value,
        #[case] answers: Value,
        #[case] active: Option<bool>,
    ) {
        let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}, "answers": answers});
        let run = crate::run::tests::run(&spec, &status);
        let found = Entry::of(&run, false, DateTime::UNIX_EPOCH);
        assert_eq!(found.map(|entry| entry.active), active);
    }

    fn question() -> Value {
        json!({"id": "a", "kind": "Approval", "question": "May I?", "askedAt": "2026-01-01T00:00:00Z",
            "dueAt": "2026-01-02T00:00:00Z"})
    }

    fn parked() -> Value {
        json!({"startedAt": "2026-01-01T00:00:00Z", "phase": "Escalated", "escalation": question(), "attempts": [
            {"number": 1, "podName": "p", "finishedAt": "2026-01-01T00:00:00Z", "cause": "Escalated"}]})
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_go_and_everybody_does_at_last(
            owners in prop::collection::vec(0..4_usize, 1..24),
            limit in 1..6_usize,
        ) {
            let mut entries: Vec<_> =
                owners.iter().enumerate().map(|(number, owner)| entry(number, *owner, false)).collect();
            let mut rounds = 0;
            while !entries.is_empty() {
                let all = entries.clone();
                for each in &mut entries {
                    each.active = place(&all, &each.uid, limit) == Place::Goes;
                }
                let active = entries.iter().filter(|each| each.active).count();
                prop_assert_eq!(active, limit.min(entries.len()));
                let first = entries.iter().position(|each| each.active);
                entries.remove(first.unwrap());
                rounds += 1;
            }
            prop_assert_eq!(rounds, owners.len());
        }

        #[test]
        fn an_owner_with_nothing_going_is_before_one_with_something(
            owners in prop::collection::vec(0..4_usize, 2..24),
        ) {
            let entries: Vec<_> = owners
                .iter()
                .enumerate()
                .map(|(number, owner)| entry(number, *owner, *owner == 0))
                .chain([entry(100, 0, false), entry(101, 9, false)])
                .collect();
            let going = owners.iter().filter(|owner| **owner == 0).count();
            let rank = |uid| match place(&entries, uid, going) {
                Place::Goes => 0,
                Place::Waits(position) => position,
            };
            prop_assert!(going == 0 || rank("uid-101") < rank("uid-100"));
        }
    }
}
