//! Conditions: one of each type, and a transition time that moves only with the status.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::reason::Reason;
use crate::time::to_kubernetes;

/// The longest message of a condition, in bytes: enough for git's words, far below the API server's 32 KiB.
pub const MESSAGE_BYTES: usize = 1024;

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    /// As the API spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// A condition as a pass found it; [`merge`] gives it its transition time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The condition's type.
    pub kind: &'static str,
    pub truth: Truth,
    pub reason: Reason,
    /// One sentence.
    pub message: String,
}

/// Findings as conditions of this generation. A condition whose status is what it was keeps its transition time.
pub fn merge(
    before: &[Condition],
    findings: Vec<Finding>,
    generation: i64,
    now: DateTime<Utc>,
) -> Vec<Condition> {
    findings
        .into_iter()
        .map(|finding| {
            let same = before
                .iter()
                .find(|old| old.type_ == finding.kind && old.status == finding.truth.as_str());
            Condition {
                type_: finding.kind.to_owned(),
                status: finding.truth.as_str().to_owned(),
                reason: finding.reason.to_string(),
                message: shorten(finding.message, MESSAGE_BYTES),
                observed_generation: Some(generation),
                last_transition_time: same
                    .map_or_else(|| to_kubernetes(now), |old| old.last_transition_time.clone()),
            }
        })
        .collect()
}

/// The condition of this type.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// A text cut to so many bytes, at the end of a character.
pub fn shorten(mut text: String, bytes: usize) -> String {
    const MARK: &str = "…";
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes - MARK.len()));
        text.push_str(MARK);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(truth: Truth) -> Finding {
        Finding { kind: "Ready", truth, reason: Reason::Starting, message: "so".to_owned() }
    }

    #[test]
    fn the_transition_time_moves_with_the_status_alone() {
        let (early, late) =
            (DateTime::from_timestamp(1, 0).unwrap(), DateTime::from_timestamp(2, 0).unwrap());
        let first = merge(&[], vec![finding(Truth::False)], 1, early);
        let second = merge(&first, vec![finding(Truth::False)], 2, late);
        assert_eq!(second[0].last_transition_time, to_kubernetes(early));
        assert_eq!(second[0].observed_generation, Some(2));
        let third = merge(&second, vec![finding(Truth::True)], 2, late);
        assert_eq!(third[0].last_transition_time, to_kubernetes(late));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = shorten("ä".repeat(10), 8);
        assert!(text.len() <= 8 && text.ends_with('…'), "{text}");
        assert_eq!(shorten("short".to_owned(), 8), "short");
    }
}
