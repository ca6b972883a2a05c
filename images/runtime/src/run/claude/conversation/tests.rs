use rstest::rstest;

use super::super::stream;
use super::*;

fn steps(recording: &str) -> Vec<Step> {
    let (mut conversation, mut all) = (Conversation::default(), Vec::new());
    for line in recording.lines() {
        all.extend(conversation.hear(stream::parse(line.as_bytes()), None));
        if let Some(Step::End(_)) = all.last() {
            return all;
        }
    }
    all.push(Step::End(conversation.gone("exit status: 1", "", None)));
    all
}

macro_rules! recording {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../tests/recordings/", $name, ".jsonl")))
    };
}

#[rstest]
#[case(recording!("full"))]
#[case(recording!("subagent"))]
#[case(recording!("unauthorized"))]
#[case(recording!("limited"))]
#[case(recording!("limited_once"))]
#[case(recording!("cut"))]
#[case(recording!("hang"))]
#[case(recording!("credit"))]
#[case(recording!("interrupted"))]
#[case(recording!("stream_error"))]
#[case(recording!("too_long"))]
#[case(recording!("terminated"))]
fn recorded_runs_are_understood(#[case] (name, recording): (&str, &str)) {
    insta::assert_debug_snapshot!(name, steps(recording));
}

fn heard(line: &Value) -> Heard {
    stream::parse(line.to_string().as_bytes())
}

fn started(id: &str, name: &str) -> Heard {
    let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
    heard(&json!({"type": "assistant", "message": {"id": "m", "content": [block]}}))
}

#[test]
fn a_tool_may_be_silent_and_the_model_may_not() {
    let mut conversation = Conversation::default();
    assert_eq!(conversation.waiting(), Waiting::Start);
    conversation.hear(started("1", "Task"), None);
    assert_eq!(conversation.waiting(), Waiting::Model);
    conversation.hear(started("2", "Bash"), None);
    assert_eq!(conversation.waiting(), Waiting::Tool);
    assert_eq!(conversation.unfinished().count(), 2);
    let next = json!({"type": "text", "text": "t"});
    conversation.hear(
        heard(&json!({"type": "assistant", "message": {"id": "n", "content": [next]}})),
        None,
    );
    assert_eq!(conversation.waiting(), Waiting::Model);
}

#[test]
fn a_dead_stream_is_interrupted_then_ended() {
    let silence = Duration::from_secs(9);
    let mut conversation = Conversation::default();
    conversation.hear(started("1", "Task"), None);
    let steps = conversation.silent(silence);
    assert!(matches!(&steps[1], Step::Write(line) if line["request"]["subtype"] == "interrupt"));
    assert_eq!(conversation.hear(Heard::Idle, None), []);
    let expected = [Step::End(Err(hung()))];
    assert_eq!(conversation.silent(silence), expected);
    assert_eq!(conversation.hear(Heard::Result(Box::default()), None), expected);
}

#[test]
fn an_agent_that_forgets_to_say_so_is_done() {
    let mut conversation = Conversation::default();
    conversation.hear(Heard::Result(Box::default()), None);
    assert_eq!(conversation.waiting(), Waiting::Settle);
    conversation.hear(Heard::Other, None);
    assert_eq!(conversation.silent(Duration::ZERO), [Step::End(Ok(()))]);
}

#[test]
fn what_the_broker_refused_ends_the_agent_at_once() {
    let refusal = Refusal::TurnsExceeded { turns: 1 };
    let retry = Heard::Retry { attempt: 1, most: 6, delay: 10, status: Some(403) };
    let steps = Conversation::default().hear(retry, Some(&refusal));
    assert!(matches!(&steps[..], [Step::End(Err(failure))] if failure.reason == "MaxTurns"));
}

#[test]
fn tools_are_allowed_and_questions_are_not() {
    let ask = |tool: &str| {
        let request = json!({"subtype": "can_use_tool", "tool_name": tool, "input": {"a": 1}});
        let line = json!({"type": "control_request", "request_id": "r", "request": request});
        let steps = Conversation::default().hear(heard(&line), None);
        let [Step::Write(answer)] = &steps[..] else { panic!("{steps:?}") };
        answer["response"]["response"].clone()
    };
    assert_eq!(ask("Write"), json!({"behavior": "allow", "updatedInput": {"a": 1}}));
    assert_eq!(ask("AskUserQuestion")["behavior"], "deny");
}

#[test]
fn a_stranger_is_not_listened_to_for_long() {
    let mut conversation = Conversation::default();
    let ended = (1..=2 * MALFORMED).find(|_| !conversation.hear(Heard::Malformed, None).is_empty());
    assert_eq!(ended, Some(MALFORMED));
}
