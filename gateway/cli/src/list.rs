//! Sessions and Runs in a few words each.

use fabrica_crds::run::Phase as RunPhase;
use fabrica_crds::session::{CHAT_READY, Phase, TERMINAL_READY};

use crate::gateway::{RunView, SessionView};

/// What every list begins with.
const HEAD: [&str; 3] = ["NAME", "STATE", "WHY"];

/// The lines of a table.
pub fn table(sessions: &[SessionView], runs: &[RunView]) -> Vec<String> {
    let rows: Vec<[String; 3]> = sessions.iter().map(session).chain(runs.iter().map(run)).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEAD[column].len()]).max().unwrap_or_default()
    };
    let (name, state) = (width(0), width(1));
    let head = HEAD.map(str::to_owned);
    std::iter::once(&head)
        .chain(&rows)
        .map(|row| format!("{:name$}  {:state$}  {}", row[0], row[1], row[2]).trim_end().to_owned())
        .collect()
}

fn session(view: &SessionView) -> [String; 3] {
    let ready = view.status.conditions.iter().find(|condition| condition.type_ == "Ready");
    let is_ready = ready.is_some_and(|ready| ready.status == "True");
    let state = match view.status.phase {
        _ if view.deletion_timestamp.is_some() => "Deleting",
        Some(Phase::Stopped) => "Stopped",
        Some(Phase::Failed) => "Failed",
        _ if is_ready => "Ready",
        _ => "Starting",
    };
    let why = ready.filter(|ready| ![TERMINAL_READY, CHAT_READY].contains(&&*ready.message));
    let why = why.map(|ready| ready.message.replace('\n', " "));
    [format!("session/{}", view.name), state.to_owned(), why.unwrap_or_default()]
}

fn run(view: &RunView) -> [String; 3] {
    let phase = view.status.phase.unwrap_or(RunPhase::Pending);
    let asks = view.status.escalation.as_ref().map(|open| format!("asks: {}", open.question));
    let succeeded = view.status.conditions.iter().find(|condition| condition.type_ == "Succeeded");
    let why = asks.or_else(|| succeeded.map(|succeeded| succeeded.message.clone()));
    let why = why.unwrap_or_default().replace('\n', " ");
    let state = match view.status.queue_position {
        Some(position) if phase == RunPhase::Queued => format!("Queued ({position})"),
        _ => format!("{phase:?}"),
    };
    [format!("run/{}", view.name), state, why]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_object_has_a_line() {
        let condition = |kind: &str, status: &str, message: &str| {
            json!({"type": kind, "status": status, "reason": "R", "message": message,
                "lastTransitionTime": "2026-01-01T00:00:00Z"})
        };
        let sessions = json!([
            {"name": "first", "status": {"phase": "Running", "conditions": [condition("Ready", "True", "A terminal can be used.")]}},
            {"name": "talk", "status": {"phase": "Running", "conditions": [condition("Ready", "True", "The chat is open.")]}},
            {"name": "asks", "status": {"phase": "Running", "conditions": [condition("Ready", "True", "Waits for an answer: Which oil?")]}},
            {"name": "slow", "status": {"phase": "Pending", "conditions": [condition("Ready", "False", "No node.")]}},
            {"name": "old", "deletionTimestamp": "2026-01-01T00:00:00Z", "status": {"conditions": []}},
            {"name": "new"},
        ]);
        let runs = json!([
            {"name": "tidy", "status": {"phase": "Escalated", "escalation": {"id": "q", "kind": "Approval",
                "question": "May\nI?", "askedAt": "2026-01-01T00:00:00Z", "dueAt": "2026-01-08T00:00:00Z"}}},
            {"name": "next", "status": {"phase": "Queued", "queuePosition": 12,
                "conditions": [condition("Succeeded", "Unknown", "At most 5 go at once.")]}},
            {"name": "done", "status": {"phase": "Completed", "conditions": [condition("Succeeded", "True", "It is.")]}},
        ]);
        let sessions: Vec<SessionView> = serde_json::from_value(sessions).unwrap();
        let runs: Vec<RunView> = serde_json::from_value(runs).unwrap();
        assert_eq!(
            table(&sessions, &runs),
            [
                "NAME           STATE        WHY",
                "session/first  Ready",
                "session/talk   Ready",
                "session/asks   Ready        Waits for an answer: Which oil?",
                "session/slow   Starting     No node.",
                "session/old    Deleting",
                "session/new    Starting",
                "run/tidy       Escalated    asks: May I?",
                "run/next       Queued (12)  At most 5 go at once.",
                "run/done       Completed    It is.",
            ]
        );
    }
}
