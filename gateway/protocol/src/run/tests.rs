use super::*;

fn failed() -> Verdict {
    Verdict {
        outcome: Outcome::Failed,
        reason: "AgentFailed".to_owned(),
        message: "no".to_owned(),
        again: true,
        branch: None,
        commit: None,
        pull_request_url: None,
        usage: None,
        question: None,
    }
}

fn are_lines<const N: usize>(entries: [(Entry, &str); N]) {
    let time = DateTime::from_timestamp(0, 0).unwrap();
    for (entry, line) in entries {
        let record = Record { seq: 1, time, entry };
        assert_eq!(serde_json::to_string(&record).unwrap(), line);
        assert_eq!(serde_json::from_str::<Record>(line).unwrap(), record);
    }
}

#[test]
fn records_are_flat_lines() {
    let verdict = failed();
    let tokens = Tokens { input: 1, output: 2, cache_read: 3, cache_write: 4 };
    let usage = Usage {
        models: [("m".to_owned(), tokens)].into(),
        estimated_cost_usd: "0.5".to_owned(),
        turns: 3,
    };
    let todo = Todo { text: "t".to_owned(), status: TodoStatus::InProgress };
    let entries = [
        (
            Entry::Step {
                step: "clone".to_owned(),
                kind: EventType::Finished,
                text: "done".to_owned(),
                duration_ms: Some(3),
            },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"step","step":"clone","type":"Finished","text":"done","durationMs":3}"#,
        ),
        (
            Entry::Todos { items: vec![todo] },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"todos","items":[{"text":"t","status":"inProgress"}]}"#,
        ),
        (
            Entry::Phase {
                phase: Phase::Build,
                status: PhaseStatus::Started,
                step: String::new(),
                message: String::new(),
                retry: 0,
            },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"phase","phase":"build","status":"started"}"#,
        ),
        (
            Entry::Usage(usage),
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"usage","models":{"m":{"input":1,"output":2,"cacheRead":3,"cacheWrite":4}},"estimatedCostUSD":"0.5","turns":3}"#,
        ),
        (
            Entry::Ended(verdict),
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"ended","outcome":"Failed","reason":"AgentFailed","message":"no","again":true}"#,
        ),
    ];
    are_lines(entries);
}

#[test]
fn what_may_take_days_is_a_flat_line_too() {
    let question = Question {
        id: "toolu_1".to_owned(),
        kind: QuestionKind::ErrorResolution,
        question: "q".to_owned(),
        options: vec!["o".to_owned()],
    };
    let escalated = Verdict {
        outcome: Outcome::Escalated,
        reason: "Escalated".to_owned(),
        again: false,
        question: Some(question.clone()),
        ..failed()
    };
    let checkpoint = Checkpoint {
        commit: Some("c".to_owned()),
        conversation: Some("u".to_owned()),
        bytes: 5,
        sha256: "s".to_owned(),
    };
    let change = Change { path: "p".to_owned(), added: 1, removed: 2, binary: false };
    let changes = Changes { files: vec![change], more: 3, added: 4, removed: 5 };
    let entries = [
        (
            Entry::Question(question),
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"question","id":"toolu_1","questionKind":"errorResolution","question":"q","options":["o"]}"#,
        ),
        (
            Entry::Answered {
                id: "toolu_1".to_owned(),
                text: "t".to_owned(),
                answered_by: "a".to_owned(),
            },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"answered","id":"toolu_1","text":"t","answeredBy":"a"}"#,
        ),
        (
            Entry::Checkpoint(checkpoint),
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"checkpoint","commit":"c","conversation":"u","bytes":5,"sha256":"s"}"#,
        ),
        (
            Entry::Changes(changes),
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"changes","files":[{"path":"p","added":1,"removed":2,"binary":false}],"more":3,"added":4,"removed":5}"#,
        ),
        (
            Entry::Ended(escalated),
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"ended","outcome":"Escalated","reason":"Escalated","message":"no","again":false,"question":{"id":"toolu_1","questionKind":"errorResolution","question":"q","options":["o"]}}"#,
        ),
    ];
    are_lines(entries);
}

#[test]
fn what_is_said_to_people_and_by_them_is_a_flat_line_too() {
    let entries = [
        (
            Entry::Message {
                id: "m-1".to_owned(),
                author: "ada".to_owned(),
                text: "t".to_owned(),
                command: false,
            },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"message","id":"m-1","author":"ada","text":"t"}"#,
        ),
        (
            Entry::Message {
                id: "m-2".to_owned(),
                author: "ada".to_owned(),
                text: "/t".to_owned(),
                command: true,
            },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"message","id":"m-2","author":"ada","text":"/t","command":true}"#,
        ),
        (
            Entry::MessageState { id: "m-1".to_owned(), state: MessageState::Queued },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"messageState","id":"m-1","state":"queued"}"#,
        ),
        (
            Entry::Said { id: Some("msg_1-0".to_owned()), text: "t".to_owned() },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"said","id":"msg_1-0","text":"t"}"#,
        ),
        (
            Entry::Phase {
                phase: Phase::Build,
                status: PhaseStatus::Started,
                step: "implement".to_owned(),
                message: String::new(),
                retry: 2,
            },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"phase","phase":"build","status":"started","step":"implement","retry":2}"#,
        ),
        (
            Entry::Turn {
                state: TurnState::Failed,
                code: Some(Code::AuthRejected),
                message: Some("m".to_owned()),
            },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"turn","state":"failed","code":"auth_rejected","message":"m"}"#,
        ),
    ];
    are_lines(entries);
}

#[test]
fn what_becomes_of_a_tool_is_a_flat_line_too() {
    let entries = [
        (
            Entry::ToolFinished {
                id: "1".to_owned(),
                output: String::new(),
                failed: true,
                duration_ms: None,
            },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"toolFinished","id":"1","output":"","failed":true}"#,
        ),
        (
            Entry::ToolAudited(Audit {
                id: "1".to_owned(),
                server: "fractary-work".to_owned(),
                tool: "issue_close".to_owned(),
                outcome: CallOutcome::Refused,
                subject: "issue_number 1".to_owned(),
                duration_ms: 3,
            }),
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"toolAudited","id":"1","server":"fractary-work","tool":"issue_close","outcome":"refused","subject":"issue_number 1","durationMs":3}"#,
        ),
    ];
    are_lines(entries);
}

#[test]
fn what_becomes_of_a_workflow_is_a_flat_line_too() {
    let entries = [
        (
            Entry::WorkflowStarted {
                work_id: "12".to_owned(),
                autonomy: Autonomy::DryRun,
                author: String::new(),
                id: String::new(),
                plan: None,
            },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"workflowStarted","workId":"12","autonomy":"dryRun"}"#,
        ),
        (
            Entry::WorkflowStarted {
                work_id: "12".to_owned(),
                autonomy: Autonomy::DryRun,
                author: "ada".to_owned(),
                id: "w-1".to_owned(),
                plan: Some("p".to_owned()),
            },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"workflowStarted","workId":"12","autonomy":"dryRun","author":"ada","id":"w-1","plan":"p"}"#,
        ),
        (
            Entry::WorkflowEnded {
                exit_code: 0,
                summary: "s".to_owned(),
                pull_request_url: Some("https://h/1".to_owned()),
                estimated_cost_usd: "0.5".to_owned(),
            },
            r#"{"seq":1,"time":"1970-01-01T00:00:00Z","kind":"workflowEnded","exitCode":0,"summary":"s","pullRequestURL":"https://h/1","estimatedCostUSD":"0.5"}"#,
        ),
    ];
    are_lines(entries);
}
