use std::path::Path;

use serde_json::json;

use super::*;
use crate::chat::words::plain;
use crate::run::claude::stream;
use crate::run::claude::stream::Question;

/// What a real CLI said in earlier runs.
fn replay(name: &str) -> Vec<Step> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(name);
    let mut conversation = Conversation::new(Autonomy::Guarded);
    let now = Instant::now();
    let text = std::fs::read_to_string(file).unwrap();
    let heard = text.lines().map(|line| stream::parse(line.as_bytes()));
    heard.flat_map(|heard| conversation.hear(heard, None, now)).collect()
}

fn turns(steps: &[Step]) -> Vec<(TurnState, Option<Code>)> {
    let turn = |step: &Step| match step {
        Step::Tell(Entry::Turn { state, code, .. }) => Some((*state, *code)),
        _ => None,
    };
    steps.iter().filter_map(turn).collect()
}

#[test]
fn a_turn_begins_and_ends_and_its_tools_are_told() {
    let steps = replay("full.jsonl");
    assert_eq!(turns(&steps), [(TurnState::Started, None), (TurnState::Completed, None)]);
    let told = |wanted: fn(&Entry) -> bool| {
        steps.iter().filter(|step| matches!(step, Step::Tell(entry) if wanted(entry))).count()
    };
    let started = told(|entry| matches!(entry, Entry::ToolStarted { .. }));
    assert_eq!(started, told(|entry| matches!(entry, Entry::ToolFinished { .. })));
    assert!(started > 0 && told(|entry| matches!(entry, Entry::Todos { .. })) > 0);
    assert!(told(|entry| matches!(entry, Entry::Said { id: Some(_), .. })) > 0);
}

#[test]
fn what_ends_a_turn_badly_has_a_name() {
    let last = |name: &str| turns(&replay(name)).last().copied().unwrap();
    assert_eq!(last("limited.jsonl"), (TurnState::Failed, Some(Code::RateLimited)));
    assert_eq!(last("credit.jsonl"), (TurnState::Failed, Some(Code::BudgetExceeded)));
    let aborted = r#"{"type":"result","is_error":true,"terminal_reason":"aborted_tools"}"#;
    let steps = hear(&mut Conversation::new(Autonomy::Guarded), aborted);
    assert_eq!(turns(&steps), [(TurnState::Interrupted, None)]);
}

#[test]
fn a_program_that_lost_our_tools_is_of_no_use() {
    let init = |status| {
        let servers = json!([{"name": "fractary-faber", "status": "connected"},
            {"name": "fractary-repo", "status": status}]);
        json!({"type": "system", "subtype": "init", "mcp_servers": servers}).to_string()
    };
    for status in ["failed", "pending"] {
        let steps = hear(&mut Conversation::new(Autonomy::Guarded), &init(status));
        assert!(
            matches!(&steps[..], [Step::Broken(why)] if why.contains("our tools")),
            "{steps:?}"
        );
    }
    let steps = hear(&mut Conversation::new(Autonomy::Guarded), &init("connected"));
    assert_eq!(turns(&steps), [(TurnState::Started, None)]);
}

#[test]
fn who_is_rejected_twice_stops_asking() {
    let mut conversation = Conversation::new(Autonomy::Guarded);
    let retry = r#"{"type":"system","subtype":"api_retry","attempt":1,"max_retries":6,"retry_delay_ms":500,"error_status":401}"#;
    assert!(matches!(hear(&mut conversation, retry)[..], [Step::Tell(_)]));
    assert!(matches!(hear(&mut conversation, retry)[..], [Step::Write(_)]));
    let result = r#"{"type":"result","is_error":true,"terminal_reason":"aborted_streaming"}"#;
    let steps = hear(&mut conversation, result);
    assert_eq!(turns(&steps), [(TurnState::Failed, Some(Code::AuthRejected))]);
}

fn hear(conversation: &mut Conversation, line: &str) -> Vec<Step> {
    conversation.hear(stream::parse(line.as_bytes()), None, Instant::now())
}

#[test]
fn pieces_of_a_text_bear_the_name_of_the_whole() {
    let mut conversation = Conversation::new(Autonomy::Guarded);
    let begins = r#"{"type":"stream_event","event":{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}},"parent_tool_use_id":null,"api_message_id":"m"}"#;
    let piece = r#"{"type":"stream_event","event":{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a "}},"parent_tool_use_id":null,"api_message_id":"m"}"#;
    let whole = r#"{"type":"assistant","message":{"id":"m","content":[{"type":"text","text":"a b"}]},"parent_tool_use_id":null}"#;
    for number in 0..2 {
        assert_eq!(hear(&mut conversation, begins), []);
        let id = format!("m-{number}");
        let text = "a ".to_owned();
        assert_eq!(hear(&mut conversation, piece), [Step::Piece { id: id.clone(), text }]);
        let said = Entry::Said { id: Some(id), text: "a b".to_owned() };
        assert_eq!(hear(&mut conversation, whole), [Step::Tell(said)]);
    }
}

#[test]
fn what_was_not_read_is_said_again_to_the_next_process() {
    let mut conversation = Conversation::new(Autonomy::Guarded);
    let said = |id: &str| Said { id: id.to_owned(), text: "t".to_owned(), command: false };
    let first = conversation.say("t", Some(said("one")));
    conversation.say("t", Some(said("two")));
    conversation.say("ours", None);
    conversation.say("t", Some(said("three")));
    let uuid = first["uuid"].as_str().unwrap();
    let line = |state: &str| {
        format!(r#"{{"type":"command_lifecycle","command_uuid":"{uuid}","state":"{state}"}}"#)
    };
    let state = |state| Step::Tell(Entry::MessageState { id: "one".to_owned(), state });
    assert_eq!(hear(&mut conversation, &line("started")), [state(MessageState::Started)]);
    let left = conversation.gone();
    let unread = |id: &str| ("t".to_owned(), Some(said(id)));
    assert_eq!(left.unread, [unread("two"), ("ours".to_owned(), None), unread("three")]);
    assert_eq!(left.heard, ["t"]);
    let id = "one".to_owned();
    assert_eq!(left.told, [Entry::MessageState { id, state: MessageState::Completed }]);
}

#[test]
fn what_the_program_takes_back_is_cancelled_and_not_said_again() {
    let mut conversation = Conversation::new(Autonomy::Guarded);
    hear(&mut conversation, r#"{"type":"control_response"}"#);
    let said = Said { id: "one".to_owned(), text: "t".to_owned(), command: false };
    let line = conversation.say("t", Some(said));
    assert!(conversation.is_busy());
    let cancelled =
        json!({"type": "command_lifecycle", "command_uuid": line["uuid"], "state": "cancelled"});
    let (id, state) = ("one".to_owned(), MessageState::Cancelled);
    let told = [Step::Tell(Entry::MessageState { id, state })];
    assert_eq!(hear(&mut conversation, &cancelled.to_string()), told);
    assert_eq!(hear(&mut conversation, &cancelled.to_string()), [], "it is told once");
    assert!(!conversation.is_busy());
    let left = conversation.gone();
    assert!(left.unread.is_empty() && left.heard.is_empty() && left.told.is_empty(), "{left:?}");
}

#[test]
fn a_slash_is_a_command_only_where_one_is_meant() {
    let said = |command| Said { id: "m".to_owned(), text: "/clear".to_owned(), command };
    assert_eq!((plain(&said(false)).as_str(), plain(&said(true)).as_str()), (" /clear", "/clear"));
}

#[test]
fn a_dry_run_may_use_our_tools_alone() {
    let may = |tool: &str, autonomy| {
        let question = Question::MayUse { tool: tool.to_owned(), input: Value::Null };
        answer("r", question, |tool| denial(tool, autonomy))["response"]["response"]["behavior"]
            == "allow"
    };
    assert!(!may("Write", Autonomy::DryRun) && may("Write", Autonomy::Guarded));
    assert!(may("mcp__fractary-faber__set_phase", Autonomy::DryRun));
}

#[test]
fn silence_is_patience_with_people_and_none_with_a_model() {
    let silence = Duration::from_secs(5);
    let mut conversation = Conversation::new(Autonomy::Guarded);
    assert!(conversation.patience(silence).is_some());
    hear(&mut conversation, r#"{"type":"control_response"}"#);
    assert_eq!(conversation.patience(silence), None);
    conversation.say("t", None);
    assert_eq!(conversation.patience(silence), Some(silence));
    assert!(matches!(conversation.silent(silence)[..], [Step::Tell(_), Step::Write(_)]));
    assert!(matches!(conversation.silent(silence)[..], [Step::Broken(_)]));
}

#[test]
fn a_turn_that_is_about_to_begin_is_stopped_when_it_has() {
    let mut conversation = Conversation::new(Autonomy::Guarded);
    assert_eq!(conversation.interrupt(), None);
    conversation.say("Go on.", None);
    assert!(conversation.interrupt().is_none() && conversation.is_about_to_begin());
    let servers = json!([{"name": "fractary-faber", "status": "connected"}]);
    let init = json!({"type": "system", "subtype": "init", "mcp_servers": servers}).to_string();
    let steps = hear(&mut conversation, &init);
    assert_eq!(turns(&steps), [(TurnState::Started, None)]);
    assert_eq!(steps.last(), Some(&Step::Write(control("interrupt"))));
    assert_eq!(conversation.interrupt(), None, "it was told once");
}
