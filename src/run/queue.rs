//! Who goes next, when a namespace has more Runs than may run at once. Pure.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use fabrica_crds::run::Phase;
use fabrica_crds::time::from_kubernetes;
use fabrica_crds::{Run, RunStatus};
use kube::ResourceExt;

use super::{escalation, phase};

/// What a Run is to the queue of its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) uid: String,
    /// Runs without an owner share one turn.
    pub(super) owner: Option<String>,
    pub(super) created: DateTime<Utc>,
    /// When its last pod was asked for.
    pub(super) began: Option<DateTime<Utc>>,
    pub(super) stand: Stand,
}

/// How far a Run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    Waits,
    /// It has left the queue.
    Goes,
    /// It has ended, or its pod was let go until its question is answered.
    Rests,
}

impl Entry {
    pub(super) fn of(run: &Run, admitted: bool, now: DateTime<Utc>) -> Self {
        let nothing = RunStatus::default();
        let status = run.status.as_ref().unwrap_or(&nothing);
        let asks = escalation::is_parked(status)
            && escalation::unanswered(status, &run.spec, now).is_some();
        let stand = if asks || phase(run).is_some_and(Phase::is_final) {
            Stand::Rests
        } else if has_left(status) || admitted {
            Stand::Goes
        } else {
            Stand::Waits
        };
        let last = status.attempts.last();
        Self {
            uid: run.uid().unwrap_or_default(),
            owner: run.spec.owner.clone(),
            created: run.creation_timestamp().as_ref().map(from_kubernetes).unwrap_or_default(),
            began: last.and_then(|last| last.created_at.as_ref()).map(from_kubernetes),
            stand,
        }
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
/// goes first; between equals the one whose last Run began longer ago, for an owner with many old Runs would else go before
/// all others; then the older Run.
pub(super) fn place(entries: &[Entry], uid: &str, limit: usize) -> Place {
    if entries.iter().any(|entry| entry.uid == uid && entry.stand == Stand::Goes) {
        return Place::Goes;
    }
    let mut turns: HashMap<&Option<String>, usize> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.stand == Stand::Goes) {
        *turns.entry(&entry.owner).or_default() += 1;
    }
    let mut begun: HashMap<&Option<String>, DateTime<Utc>> = HashMap::new();
    for (owner, began) in entries.iter().filter_map(|entry| Some((&entry.owner, entry.began?))) {
        let last = begun.entry(owner).or_insert(began);
        *last = began.max(*last);
    }
    let active: usize = turns.values().sum();
    let mut waiting: Vec<_> = entries.iter().filter(|entry| entry.stand == Stand::Waits).collect();
    waiting.sort_by_key(|entry| (entry.created, &entry.uid));
    let mut line: Vec<_> = waiting
        .into_iter()
        .map(|entry| {
            let turn = turns.entry(&entry.owner).or_default();
            *turn += 1;
            // Not the last begin alone: who is always new would else always be before the others.
            let since =
                begun.get(&entry.owner).map_or(entry.created, |last| entry.created.max(*last));
            ((*turn, since), entry)
        })
        .collect();
    // Stable: between equals the older stays in front.
    line.sort_by_key(|(rank, _)| *rank);
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
            began: None,
            stand: if active { Stand::Goes } else { Stand::Waits },
        }
    }

    /// The owners of Runs as they begin, where the Run that began first ends first.
    fn starts(owners: &[usize], limit: usize) -> Vec<usize> {
        let entries = owners.iter().enumerate();
        let mut entries: Vec<_> =
            entries.map(|(number, owner)| entry(number, *owner, false)).collect();
        let (mut order, mut ended) = (Vec::new(), 0);
        while ended < owners.len() {
            let next = entries.iter().position(|each| {
                each.stand == Stand::Waits && place(&entries, &each.uid, limit) == Place::Goes
            });
            if let Some(next) = next {
                let second = i64::try_from(1000 + order.len()).unwrap();
                entries[next].stand = Stand::Goes;
                entries[next].began = DateTime::from_timestamp(second, 0);
                order.push(next);
            } else {
                entries[order[ended]].stand = Stand::Rests;
                ended += 1;
            }
        }
        order.into_iter().map(|number| owners[number]).collect()
    }

    #[rstest]
    #[case::one_at_a_time(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1], 1, &[0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])]
    #[case::two_at_a_time(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1], 2, &[0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])]
    #[case::more_owners_than_go(&[0, 0, 0, 0, 1, 1, 1, 2, 2], 2, &[0, 1, 2, 0, 1, 2, 0, 1, 0])]
    #[case::alone(&[3, 3, 3], 5, &[3, 3, 3])]
    fn an_owner_with_many_runs_keeps_nobody_waiting(
        #[case] owners: &[usize],
        #[case] limit: usize,
        #[case] expected: &[usize],
    ) {
        assert_eq!(starts(owners, limit), expected);
    }

    #[test]
    fn a_run_that_was_made_before_an_owners_last_began_is_not_put_behind_new_owners() {
        let mut entries =
            [entry(0, 0, true), entry(1, 0, false), entry(20, 1, false), entry(5, 2, false)];
        entries[0].began = DateTime::from_timestamp(10, 0);
        entries[0].stand = Stand::Rests;
        let places: Vec<_> =
            entries[1..].iter().map(|each| place(&entries, &each.uid, 1)).collect();
        assert_eq!(places, [Place::Waits(1), Place::Waits(2), Place::Goes]);
    }

    #[test]
    fn owners_take_turns() {
        let owners = [0, 0, 0, 1, 1];
        let mut entries: Vec<_> = owners
            .into_iter()
            .enumerate()
            .map(|(number, owner)| entry(number, owner, false))
            .collect();
        entries[0].stand = Stand::Goes;
        let places: Vec<_> = entries.iter().map(|each| place(&entries, &each.uid, 2)).collect();
        let waits = Place::Waits;
        assert_eq!(places, [Place::Goes, waits(1), waits(3), Place::Goes, waits(2)]);
    }

    #[rstest]
    #[case::never_started(json!({}), json!([]), Stand::Waits)]
    #[case::goes(json!({"startedAt": "2026-01-01T00:00:00Z"}), json!([]), Stand::Goes)]
    #[case::held(json!({"startedAt": "2026-01-01T00:00:00Z", "attempts": [{"number": 1, "podName": "p"}], "escalation": question()}), json!([]), Stand::Goes)]
    #[case::let_go(parked(), json!([]), Stand::Rests)]
    #[case::let_go_and_answered(parked(), json!([{"id": "a", "text": "yes"}]), Stand::Waits)]
    #[case::ended(json!({"startedAt": "2026-01-01T00:00:00Z", "phase": "Completed"}), json!([]), Stand::Rests)]
    fn a_run_without_its_pod_leaves_its_place(
        #[case] status: Value,
        #[case] answers: Value,
        #[case] stand: Stand,
    ) {
        let spec = json!({"plan": "p", "repository": {"url": "https://git.example/a"}, "answers": answers});
        let run = crate::run::tests::run(&spec, &status);
        let found = Entry::of(&run, false, DateTime::UNIX_EPOCH);
        assert_eq!(found.stand, stand);
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
                    let goes = place(&all, &each.uid, limit) == Place::Goes;
                    each.stand = if goes { Stand::Goes } else { Stand::Waits };
                }
                let goes = |each: &Entry| each.stand == Stand::Goes;
                prop_assert_eq!(entries.iter().filter(|each| goes(each)).count(), limit.min(entries.len()));
                let first = entries.iter().position(goes);
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
