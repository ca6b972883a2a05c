//! The condition `Recorded`. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fabrica_crds::Reason;
use fabrica_crds::condition::{Finding, Truth, find, merge};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::state::Recorded;
use crate::controller::{LONGEST, MARGIN, SHORTEST};

const KIND: &str = "Recorded";

/// Sets `Recorded` among the conditions of an object whose former ones are these; without a recorder there is no database.
/// How soon another look is needed to know more, if one is.
pub(crate) fn condition(
    conditions: &mut Vec<Condition>,
    recorded: Option<Recorded>,
    before: &[Condition],
    generation: i64,
    now: DateTime<Utc>,
) -> Option<Duration> {
    let look = match &recorded {
        Some(Recorded::Unasked) => Some(SHORTEST),
        // Whether its pod is gone, or the archive is back, is told by nobody once it has ended.
        Some(Recorded::Behind(_)) => Some(LONGEST + MARGIN),
        _ => None,
    };
    conditions.retain(|condition| condition.type_ != KIND);
    match find(before, KIND) {
        // A leader that has just started knows less than the one before.
        Some(known) if recorded == Some(Recorded::Unasked) => conditions.push(known.clone()),
        // What was archived whole is not lost when history of its age is deleted.
        Some(known) if known.status == "True" && matches!(recorded, Some(Recorded::Lost(_))) => {
            conditions.push(known.clone());
        }
        _ => conditions.extend(merge(before, vec![finding(recorded)], generation, now)),
    }
    look
}

/// Whether what `Recorded` says is final: all is archived, or lost, or nobody archives anything.
pub(crate) fn is_settled(conditions: &[Condition]) -> bool {
    let last = [Reason::AllRecorded, Reason::RecordsLost, Reason::NoDatabase];
    find(conditions, KIND)
        .is_some_and(|found| last.iter().any(|reason| found.reason == reason.as_str()))
}

fn finding(recorded: Option<Recorded>) -> Finding {
    let (truth, reason, message) = match recorded {
        None => (Truth::Unknown, Reason::NoDatabase, "There is no database.".to_owned()),
        Some(Recorded::Unasked) => {
            (Truth::Unknown, Reason::Recording, "The archive was not asked yet.".to_owned())
        }
        Some(Recorded::Keeping) => {
            (Truth::Unknown, Reason::Recording, "What it tells is archived.".to_owned())
        }
        Some(Recorded::All) => {
            (Truth::True, Reason::AllRecorded, "Everything it told is archived.".to_owned())
        }
        Some(Recorded::Behind(message)) => (Truth::False, Reason::Behind, message),
        Some(Recorded::Lost(message)) => (Truth::False, Reason::RecordsLost, message),
    };
    Finding { kind: KIND, truth, reason, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::archived(Recorded::Behind(String::new()), Recorded::All, Reason::AllRecorded)]
    #[case::a_leader_that_has_just_started(Recorded::All, Recorded::Unasked, Reason::AllRecorded)]
    #[case::too_old_for_the_archive(Recorded::All, lost(), Reason::AllRecorded)]
    #[case::lost_for_good(lost(), lost(), Reason::RecordsLost)]
    #[case::lost_at_last(Recorded::Behind(String::new()), lost(), Reason::RecordsLost)]
    #[case::a_chat_goes_on(Recorded::All, Recorded::Keeping, Reason::Recording)]
    fn what_was_archived_whole_stays_so(
        #[case] before: Recorded,
        #[case] after: Recorded,
        #[case] expected: Reason,
    ) {
        let (mut known, mut conditions) = (Vec::new(), Vec::new());
        let now = DateTime::UNIX_EPOCH;
        condition(&mut known, Some(before), &[], 1, now);
        condition(&mut conditions, Some(after), &known, 1, now);
        assert_eq!(conditions[0].reason, expected.as_str());
    }

    fn lost() -> Recorded {
        Recorded::Lost(String::new())
    }
}
