//! The condition `Recorded`. Pure.

use chrono::{DateTime, Utc};
use fabrica_crds::Reason;
use fabrica_crds::condition::{Finding, Truth, find, merge};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::state::Recorded;

const KIND: &str = "Recorded";

/// Sets `Recorded` among the conditions of an object whose former ones are these; without a recorder there is no database.
pub(crate) fn condition(
    conditions: &mut Vec<Condition>,
    recorded: Option<Recorded>,
    before: &[Condition],
    generation: i64,
    now: DateTime<Utc>,
) {
    conditions.retain(|condition| condition.type_ != KIND);
    match find(before, KIND) {
        // A leader that has just started knows less than the one before.
        Some(known) if recorded == Some(Recorded::Unasked) => conditions.push(known.clone()),
        _ => conditions.extend(merge(before, vec![finding(recorded)], generation, now)),
    }
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
