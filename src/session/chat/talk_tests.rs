use super::*;
use serde_json::json;

/// A conversation of these entries, one a minute.
fn talk(entries: &[serde_json::Value]) -> Talk {
    let mut talk = Talk::default();
    for (entry, seq) in entries.iter().zip(1_u64..) {
        let mut record = entry.clone();
        record["seq"] = json!(seq);
        record["time"] = json!(format!("2026-01-01T{:02}:{:02}:00Z", seq / 60, seq % 60));
        talk.add(&serde_json::from_value(record).unwrap());
    }
    talk
}

fn phase(name: &str, status: &str, step: &str, retry: u32) -> serde_json::Value {
    json!({"kind": "phase", "phase": name, "status": status, "step": step, "retry": retry})
}

fn question(id: &str) -> serde_json::Value {
    json!({"kind": "question", "id": id, "questionKind": "approval", "question": "Publish?", "options": ["approve", "reject"]})
}

#[test]
fn phases_are_told_with_their_times_and_retries() {
    let told = talk(&[
        json!({"kind": "workflowStarted", "workId": "12", "autonomy": "guarded"}),
        phase("frame", "started", "", 0),
        phase("frame", "completed", "", 0),
        phase("build", "started", "compile", 0),
        phase("build", "started", "test", 0),
        phase("build", "completed", "", 0),
        phase("evaluate", "failed", "", 0),
        phase("build", "started", "again", 1),
        json!({"kind": "todos", "items": [{"text": "a", "status": "inProgress"}]}),
        question("q-1"),
    ]);
    insta::assert_yaml_snapshot!(told.faber());
}

#[test]
fn an_answered_question_is_open_no_more_and_is_asked_once() {
    let mut told = talk(&[question("a"), question("a"), question("b"), question("not an id")]);
    assert_eq!(told.open().iter().map(|asked| &*asked.id).collect::<Vec<_>>(), ["a", "b"]);
    let answered = json!({"seq": 5, "time": "2026-01-01T00:05:00Z", "kind": "answered", "id": "a", "text": "approve"});
    told.add(&serde_json::from_value(answered).unwrap());
    assert_eq!(told.open().len(), 1);
    assert_eq!(told.answered().map(|answer| &*answer.id).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn another_workflow_begins_anew() {
    let ended = json!({"kind": "workflowEnded", "exitCode": 0, "summary": "Done.",
        "pullRequestURL": "https://git.example/pulls/1", "estimatedCostUSD": "0.10"});
    let mut entries = vec![phase("release", "completed", "", 0), ended];
    assert!(talk(&entries).pull_request_url.is_some());
    let faber = talk(&entries).faber().unwrap();
    assert_eq!(faber.outcome, Some(WorkflowOutcome::Completed));
    assert_eq!(faber.summary.as_deref(), Some("Done."));
    entries[1]["exitCode"] = json!(3);
    assert_eq!(talk(&entries).faber().unwrap().outcome, Some(WorkflowOutcome::Ended));
    entries.push(json!({"kind": "workflowStarted", "workId": "13", "autonomy": "assist"}));
    let told = talk(&entries);
    assert_eq!((told.faber(), told.pull_request_url), (None, None));
}

#[test]
fn of_a_long_conversation_little_is_kept() {
    let mut entries: Vec<_> = (0..50).map(|number| question(&format!("q{number}"))).collect();
    let answered = |number| json!({"kind": "answered", "id": format!("a{number}"), "text": "yes"});
    entries.extend((0..100).map(answered));
    entries.extend((0..9).map(|_| json!({"kind": "said", "text": "word"})));
    let told = talk(&entries);
    assert_eq!(told.faber().unwrap().pending_approvals.len(), faber::APPROVALS);
    assert_eq!(told.lines.len(), messages::KEPT);
    assert_eq!((told.answered().count(), &*told.answered().last().unwrap().id), (ANSWERED, "a99"));
}

#[test]
fn what_keeps_the_agent_from_working_is_known_until_it_works() {
    let failed =
        json!({"kind": "turn", "state": "failed", "code": "auth_rejected", "message": "No key."});
    let refused = json!({"kind": "workflowEnded", "exitCode": 4, "summary": "No such item.", "estimatedCostUSD": "0.00"});
    let given_up = json!({"kind": "workflowEnded", "exitCode": 1, "summary": "It cannot be.", "estimatedCostUSD": "0.00"});
    let began = chrono::DateTime::UNIX_EPOCH;
    let trouble = |entries: &[serde_json::Value]| talk(entries).trouble(began).map(str::to_owned);
    assert_eq!(trouble(std::slice::from_ref(&failed)).as_deref(), Some("No key."));
    assert_eq!(trouble(&[failed.clone(), refused]).as_deref(), Some("No such item."));
    assert_eq!(trouble(&[given_up]), None, "the agent worked, and may go on");
    let turn = json!({"kind": "turn", "state": "started"});
    assert_eq!(trouble(&[failed.clone(), turn]).as_deref(), Some("No key."));
    let works = json!({"kind": "toolStarted", "id": "t", "name": "Read", "input": "a"});
    assert_eq!(trouble(&[failed.clone(), works]), None);
    let later = "2026-01-01T00:02:00Z".parse().unwrap();
    assert_eq!(talk(&[failed]).trouble(later), None, "another runtime may have a key");
}
