//! What every conversation with the CLI says of it and answers it alike. Pure.

use fabrica_protocol::run::Entry;
use fabrica_protocol::runtime::EventType;
use serde_json::{Value, json};

use super::stream::Question;
use crate::run::{ask, faber};

/// The first rejection of a key may be a mistake of the service, the second in a row is none.
pub(crate) const REJECTIONS: u32 = 2;
/// Tools that are agents themselves: what they wait for is the model.
pub(crate) const AGENTS: [&str; 2] = ["Task", "Agent"];
/// The agent's list, which is told as such.
const TODOS: &str = "TodoWrite";
/// The CLI's own tool that asks, which nobody sees.
const UNSEEN: &str = "AskUserQuestion";
const ASK_INSTEAD: &str =
    "Nobody sees this. Call ask_human of fractary-faber where you cannot decide by yourself.";

pub(crate) fn notice(text: String) -> Entry {
    Entry::Step { step: "agent".to_owned(), kind: EventType::Notice, text, duration_ms: None }
}

/// The model's service is asked again after so many milliseconds; without a status it said nothing.
pub(crate) fn asked_again(status: Option<u64>, delay: u64, attempt: u64, most: u64) -> Entry {
    let what = status.map_or_else(|| "nothing".to_owned(), |status| status.to_string());
    let (seconds, tenths) = (delay / 1000, delay % 1000 / 100);
    notice(format!(
        "The model's service answered {what}; it is asked again in {seconds}.{tenths} s (time {attempt} of {most})."
    ))
}

/// Calls that have records of their own.
pub(crate) fn is_told_otherwise(tool: &str) -> bool {
    tool == TODOS || tool == asking()
}

/// The tool that asks a human, as the CLI calls it.
pub(crate) fn asking() -> String {
    format!("mcp__{}__{}", faber::NAME, ask::NAME)
}

/// A command alone is shown as it is, anything else as JSON.
pub(crate) fn shown(input: &Value) -> String {
    input["command"].as_str().map_or_else(|| input.to_string(), str::to_owned)
}

/// A request of ours that needs nothing more than its name.
pub(crate) fn control(subtype: &str) -> Value {
    json!({"type": "control_request", "request_id": subtype, "request": {"subtype": subtype}})
}

/// The answer to a question of the CLI's, where `denial` says why a tool may not be used, if it may not.
pub(crate) fn answer(
    id: &str,
    question: Question,
    denial: impl FnOnce(&str) -> Option<&'static str>,
) -> Value {
    let response = match question {
        Question::MayUse { tool, input } => {
            let denied = if tool == UNSEEN { Some(ASK_INSTEAD) } else { denial(&tool) };
            match denied {
                Some(message) => json!({"behavior": "deny", "message": message}),
                None => json!({"behavior": "allow", "updatedInput": input}),
            }
        }
        Question::Ask { .. } | Question::Hook => json!({}),
        Question::Other => {
            let error = json!({"subtype": "error", "request_id": id, "error": "not supported"});
            return json!({"type": "control_response", "response": error});
        }
    };
    success(id, &response)
}

pub(crate) fn success(id: &str, response: &Value) -> Value {
    json!({"type": "control_response", "response": {"subtype": "success", "request_id": id, "response": response}})
}
