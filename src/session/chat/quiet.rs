//! What of a Chat's status can wait. Pure.

use fabrica_crds::SessionStatus;
use fabrica_crds::session::{Faber, Phase};

/// Whether two statuses of a Chat that runs differ in nothing but what its agent says and uses.
pub(in crate::session) fn only_talk(before: &SessionStatus, after: &SessionStatus) -> bool {
    let quiet = |status: &SessionStatus| {
        let faber = status.faber.clone().unwrap_or_default();
        SessionStatus {
            messages: Vec::new(),
            last_activity_at: None,
            usage: None,
            conversation: None,
            faber: Some(Faber { step: None, todos: Vec::new(), ..faber }),
            ..status.clone()
        }
    };
    after.phase == Some(Phase::Running) && quiet(before) == quiet(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::todos(json!({"phase": "Running", "faber": {"todos": [{"text": "a", "status": "Pending"}]}}), true)]
    #[case::phase(json!({"phase": "Running", "faber": {"phase": "build"}}), false)]
    #[case::question(json!({"phase": "Running", "faber": {"pendingApprovals": [{"id": "a", "kind": "Approval", "question": "b",
        "askedAt": "2026-01-01T00:00:00Z"}]}}), false)]
    #[case::pull_request(json!({"phase": "Running", "pullRequestURL": "http://a"}), false)]
    fn what_is_written_at_once(#[case] after: serde_json::Value, #[case] talk: bool) {
        let before: SessionStatus = serde_json::from_value(json!({"phase": "Running"})).unwrap();
        assert_eq!(only_talk(&before, &serde_json::from_value(after).unwrap()), talk);
    }
}
