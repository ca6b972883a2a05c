//! The CLI's lines. It changes with every release, so only what we understand is taken from a line, and whatever else
//! stands there is left alone.

use fabrica_protocol::run::{Todo, TodoStatus};
use serde::Deserialize;
use serde_json::Value;

/// A list longer than this is no list that a person reads.
const TODOS: usize = 100;

/// Under this name we are asked about calls of `ask_human`.
pub(crate) const ASK_CALLBACK: &str = "ask";

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    /// Begins a turn: our tools are connected, or are not.
    Ready {
        tools_failed: bool,
    },
    /// The agent's own words; blocks of one answer share its id.
    Said {
        answer: String,
        text: String,
    },
    /// A text of an answer begins.
    TextBegins {
        answer: String,
    },
    /// The next piece of that text.
    Delta {
        text: String,
    },
    Thought {
        text: String,
    },
    /// How far a message of ours is: `queued`, `started`, `completed` or `cancelled`.
    Message {
        id: String,
        state: String,
    },
    ToolStarted {
        answer: String,
        id: String,
        name: String,
        input: Value,
        is_own: bool,
    },
    /// What tools answered, and the list of things to do when it was changed.
    Answered {
        results: Vec<ToolResult>,
        todos: Option<Vec<Todo>>,
    },
    /// The model's service did not answer as it should; asked again.
    Retry {
        attempt: u64,
        most: u64,
        delay: u64,
        status: Option<u64>,
    },
    /// Subagents that work on while the agent itself has ended its turn.
    Background {
        agents: usize,
    },
    Idle,
    /// The agent wants something from us.
    Question {
        id: String,
        question: Question,
    },
    Result(Box<TurnResult>),
    /// A line that means nothing to us.
    Other,
    /// No line of the protocol at all.
    Malformed,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ToolResult {
    pub(crate) id: String,
    pub(crate) output: String,
    pub(crate) failed: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Question {
    MayUse {
        tool: String,
        input: Value,
    },
    /// A call of `ask_human`, which only goes on when it may.
    Ask {
        call: String,
        input: Value,
    },
    Hook,
    Other,
}

/// The end of a turn.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct TurnResult {
    pub(crate) is_error: bool,
    pub(crate) terminal_reason: Option<String>,
    pub(crate) api_error_status: Option<u64>,
    #[serde(rename = "result")]
    pub(crate) text: Option<String>,
    pub(crate) errors: Vec<Value>,
    pub(crate) deferred_tool_use: Option<Deferred>,
}

/// A call that was put off.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Deferred {
    pub(crate) id: String,
}

/// Understands a line.
pub(crate) fn parse(line: &[u8]) -> Heard {
    let Ok(Value::Object(line)) = serde_json::from_slice(line) else { return Heard::Malformed };
    let line = Value::Object(line);
    match text(&line["type"]) {
        "system" => system(&line),
        "assistant" => assistant(&line),
        "user" => user(&line),
        "stream_event" if line["parent_tool_use_id"].is_null() => event(&line),
        "command_lifecycle" => Heard::Message {
            id: text(&line["command_uuid"]).to_owned(),
            state: text(&line["state"]).to_owned(),
        },
        "control_request" => question(&line),
        "result" => serde_json::from_value(line).map_or_else(
            |_| {
                // A result in another shape still ends the turn, and nobody knows how.
                let errors = vec![Value::from("The agent's result cannot be understood")];
                Heard::Result(Box::new(TurnResult {
                    is_error: true,
                    errors,
                    ..TurnResult::default()
                }))
            },
            |result| Heard::Result(Box::new(result)),
        ),
        _ => Heard::Other,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn system(line: &Value) -> Heard {
    match text(&line["subtype"]) {
        "init" => {
            let servers = list(&line["mcp_servers"]);
            let is_missing =
                servers.iter().all(|server| text(&server["name"]) != crate::run::faber::NAME);
            // One that hangs is `pending`, and the agent goes on without it as it does without one that failed.
            let is_lost = servers.iter().any(|server| text(&server["status"]) != "connected");
            Heard::Ready { tools_failed: is_missing || is_lost }
        }
        "api_retry" => Heard::Retry {
            attempt: line["attempt"].as_u64().unwrap_or_default(),
            most: line["max_retries"].as_u64().unwrap_or_default(),
            delay: line["retry_delay_ms"].as_u64().unwrap_or_default(),
            status: line["error_status"].as_u64(),
        },
        "background_tasks_changed" => {
            // Shells that are left behind are ended: nobody waits for a server.
            let is_agent = |task: &&Value| text(&task["task_type"]) == "local_agent";
            Heard::Background { agents: list(&line["tasks"]).iter().filter(is_agent).count() }
        }
        "session_state_changed" if line["state"] == "idle" => Heard::Idle,
        _ => Heard::Other,
    }
}

/// One block a line.
fn assistant(line: &Value) -> Heard {
    let message = &line["message"];
    let is_own = line["parent_tool_use_id"].is_null();
    let answer = text(&message["id"]).to_owned();
    let Some(block) = list(&message["content"]).first() else { return Heard::Other };
    match text(&block["type"]) {
        "text" if is_own => Heard::Said { answer, text: text(&block["text"]).to_owned() },
        "thinking" if is_own => Heard::Thought { text: text(&block["thinking"]).to_owned() },
        "tool_use" => Heard::ToolStarted {
            answer,
            id: text(&block["id"]).to_owned(),
            name: text(&block["name"]).to_owned(),
            input: block["input"].clone(),
            is_own,
        },
        _ => Heard::Other,
    }
}

/// A piece of an answer that is still being made.
fn event(line: &Value) -> Heard {
    let event = &line["event"];
    match (text(&event["type"]), text(&event["content_block"]["type"]), &event["delta"]["text"]) {
        ("content_block_start", "text", _) => {
            Heard::TextBegins { answer: text(&line["api_message_id"]).to_owned() }
        }
        ("content_block_delta", _, Value::String(text)) => Heard::Delta { text: text.clone() },
        _ => Heard::Other,
    }
}

fn user(line: &Value) -> Heard {
    let blocks = list(&line["message"]["content"]);
    let is_result = |block: &&Value| text(&block["type"]) == "tool_result";
    let results: Vec<ToolResult> = blocks.iter().filter(is_result).map(result).collect();
    if results.is_empty() {
        return Heard::Other;
    }
    // A subagent has a list of its own.
    let is_own = line["parent_tool_use_id"].is_null();
    let todos = line["tool_use_result"]["newTodos"].as_array().filter(|_| is_own);
    Heard::Answered { results, todos: todos.map(|all| all.iter().take(TODOS).map(todo).collect()) }
}

fn result(block: &Value) -> ToolResult {
    let output = match &block["content"] {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().map(words).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    };
    let failed = block["is_error"].as_bool().unwrap_or_default();
    ToolResult { id: text(&block["tool_use_id"]).to_owned(), output, failed }
}

fn words(block: &Value) -> String {
    match (text(&block["type"]), block["text"].as_str()) {
        (_, Some(text)) => text.to_owned(),
        (kind, None) => format!("[{kind}]"),
    }
}

fn todo(value: &Value) -> Todo {
    let status = match text(&value["status"]) {
        "completed" => TodoStatus::Completed,
        "in_progress" => TodoStatus::InProgress,
        _ => TodoStatus::Pending,
    };
    Todo { text: text(&value["content"]).to_owned(), status }
}

fn question(line: &Value) -> Heard {
    let request = &line["request"];
    let question = match text(&request["subtype"]) {
        "can_use_tool" => Question::MayUse {
            tool: text(&request["tool_name"]).to_owned(),
            input: request["input"].clone(),
        },
        "hook_callback" if text(&request["callback_id"]) == ASK_CALLBACK => Question::Ask {
            call: text(&request["input"]["tool_use_id"]).to_owned(),
            input: request["input"]["tool_input"].clone(),
        },
        "hook_callback" => Question::Hook,
        _ => Question::Other,
    };
    Heard::Question { id: text(&line["request_id"]).to_owned(), question }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::words("Error: something", Heard::Malformed)]
    #[case::not_an_object("[1]", Heard::Malformed)]
    #[case::not_utf8("{\"type\":\"", Heard::Malformed)]
    #[case::new_type(r#"{"type":"of tomorrow","x":1}"#, Heard::Other)]
    #[case::new_subtype(r#"{"type":"system","subtype":"of tomorrow"}"#, Heard::Other)]
    #[case::type_is_no_text(r#"{"type":7}"#, Heard::Other)]
    #[case::empty_answer(r#"{"type":"assistant","message":{"content":[]}}"#, Heard::Other)]
    #[case::odd_content(r#"{"type":"user","message":{"content":{"a":1}}}"#, Heard::Other)]
    #[case::running(
        r#"{"type":"system","subtype":"session_state_changed","state":"running"}"#,
        Heard::Other
    )]
    fn what_is_not_understood_does_no_harm(#[case] line: &str, #[case] expected: Heard) {
        assert_eq!(parse(line.as_bytes()), expected);
    }

    #[test]
    fn a_result_of_another_shape_is_a_failure() {
        let Heard::Result(result) = parse(br#"{"type":"result","is_error":"maybe"}"#) else {
            panic!()
        };
        assert!(result.is_error);
    }

    proptest! {
        #[test]
        fn anything_is_parsed(kind in "system|assistant|user|result|control_request", key in "subtype|message|request|tasks|errors|result", value in any::<i64>()) {
            parse(format!("{{\"type\":\"{kind}\",\"{key}\":{value}}}").as_bytes());
            parse(format!("{{\"type\":\"{kind}\",\"{key}\":[{{\"{key}\":{value}}}]}}").as_bytes());
        }
    }
}
