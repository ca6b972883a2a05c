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

#[rstest]
#[case::failed(r#""status":"connected""#, r#""status":"failed""#)]
#[case::hanging(r#""status":"connected""#, r#""status":"pending""#)]
#[case::absent(r#""name":"fractary-faber""#, r#""name":"theirs""#)]
#[case::another(
    r#""mcp_servers":["#,
    r#""mcp_servers":[{"name":"multi-model-router","status":"failed"},"#
)]
fn an_agent_without_our_tools_does_not_begin(#[case] connected: &str, #[case] lost: &str) {
    let (_, recording) = recording!("full");
    assert_eq!(recording.matches(connected).count(), recording.matches("\"init\"").count());
    let steps = steps(&recording.replace(connected, lost));
    assert_eq!(steps, [Step::End(Err(Failure::passing("AgentFailed", NO_TOOLS)))]);
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
fn only_rejections_in_a_row_end_the_agent() {
    let mut conversation = Conversation::default();
    let rejected = || Heard::Retry { attempt: 1, most: 6, delay: 10, status: Some(401) };
    let answers = [
        heard(
            &json!({"type": "assistant", "message": {"id": "m", "content": [{"type": "text", "text": "t"}]}}),
        ),
        started("1", "Bash"),
    ];
    for answer in answers {
        assert!(matches!(&conversation.hear(rejected(), None)[..], [Step::Tell(_)]));
        conversation.hear(answer, None);
    }
    assert!(matches!(&conversation.hear(rejected(), None)[..], [Step::Tell(_)]));
    let steps = conversation.hear(rejected(), None);
    assert!(matches!(&steps[..], [Step::End(Err(failure))] if failure.reason == "AuthRejected"));
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

fn asks(call: &str, input: &Value) -> Heard {
    let input = json!({"tool_use_id": call, "tool_input": input});
    let request = json!({"subtype": "hook_callback", "callback_id": "ask", "input": input});
    heard(&json!({"type": "control_request", "request_id": "r", "request": request}))
}

fn decided(steps: &[Step]) -> &Value {
    let Some(Step::Write(line)) = steps.last() else { panic!("{steps:?}") };
    assert_eq!(line["response"]["request_id"], "r");
    &line["response"]["response"]["hookSpecificOutput"]["permissionDecision"]
}

#[test]
fn a_question_is_held_and_decided_once() {
    let question = json!({"kind": "approval", "question": "May I?"});
    let answer = |id: &str| Answer {
        id: id.to_owned(),
        text: "yes".to_owned(),
        answered_by: "ada".to_owned(),
    };
    let mut conversation = Conversation::default();
    let steps = conversation.hear(asks("c", &question), None);
    assert!(matches!(&steps[..], [Step::Ask(asked)] if asked.id == "c"), "{steps:?}");
    assert_eq!(conversation.waiting(), Waiting::Human);
    assert_eq!(conversation.silent(Duration::ZERO), []);
    assert_eq!(conversation.answered(answer("another")), []);
    let steps = conversation.answered(answer("c"));
    assert!(matches!(&steps[0], Step::Tell(Entry::Answered { id, .. }) if id == "c"));
    assert_eq!(decided(&steps), "allow");
    assert_eq!((conversation.answered(answer("c")), conversation.over("c")), (vec![], vec![]));
    assert_eq!(conversation.waiting(), Waiting::Model);
}

#[test]
fn a_question_that_is_put_off_parks_the_agent() {
    let question = json!({"kind": "approval", "question": "May I?"});
    let mut conversation = Conversation::default();
    conversation.hear(asks("c", &question), None);
    assert_eq!(decided(&conversation.over("c")), "defer");
    let line = json!({"type": "result", "is_error": false, "terminal_reason": "tool_deferred",
        "deferred_tool_use": {"id": "c"}});
    assert_eq!(conversation.hear(heard(&line), None), [Step::Park("c".to_owned())]);
    conversation.resumed();
    assert_eq!(conversation.waiting(), Waiting::Start);
}

#[test]
fn what_is_no_question_is_refused() {
    let odd = [
        json!({}),
        json!({"kind": "approval", "question": ""}),
        json!({"kind": "x", "question": "q"}),
    ];
    for input in odd {
        assert_eq!(decided(&Conversation::default().hear(asks("c", &input), None)), "deny");
    }
}
