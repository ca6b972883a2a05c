//! What a conversation's single words become: records, codes, answers to the program. Pure.

use fabrica_protocol::run::{Autonomy, Code, Entry, TurnState};
use fabrica_protocol::runtime::EventType;
use serde_json::{Value, json};

use super::known::Said;
use crate::run::claude::conversation::success;
use crate::run::claude::stream::Question;
use crate::run::driver::Failure;

/// The agent's list, which is told as such.
const TODOS: &str = "TodoWrite";
/// The tool that asks a human, which is told as a question.
const ASK: &str = "mcp__fractary-faber__ask_human";
/// Begin the names of our tools: they know by themselves how far they may go, or change nothing.
const OURS: [&str; 2] = ["mcp__fractary-", "mcp__multi-model-router__"];
/// How the CLI says that its answer broke off.
const CUT: [&str; 5] = ["stream", "terminated", "connection", "socket", "cut"];

pub(super) fn turn(state: TurnState, cause: Option<(Code, String)>) -> Entry {
    let (code, message) = cause.unzip();
    Entry::Turn { state, code, message }
}

pub(super) fn notice(text: String) -> Entry {
    Entry::Step { step: "agent".to_owned(), kind: EventType::Notice, text, duration_ms: None }
}

/// By its name, what went wrong.
pub(super) fn code(failure: &Failure) -> Code {
    let words = failure.message.to_lowercase();
    match failure.reason {
        "AuthRejected" | "CredentialsMissing" => Code::AuthRejected,
        "BudgetExceeded" | "MaxTurns" | "CreditExhausted" | "ModelUnpriced" => Code::BudgetExceeded,
        "RateLimited" => Code::RateLimited,
        "ModelUnavailable" if words.contains("overloaded") => Code::Overloaded,
        "ModelUnavailable" if CUT.iter().any(|sign| words.contains(sign)) => Code::StreamCut,
        "ModelUnavailable" => Code::Overloaded,
        _ => Code::AgentFailed,
    }
}

/// Calls that have records of their own.
pub(super) fn is_told_otherwise(tool: &str) -> bool {
    tool == TODOS || tool == ASK
}

/// What a person says, as the program is to read it: unless a command is meant, it is none.
pub(super) fn plain(said: &Said) -> String {
    if said.text.starts_with('/') && !said.command {
        return format!(" {}", said.text);
    }
    said.text.clone()
}

pub(super) fn answer(id: &str, question: Question, autonomy: Autonomy) -> Value {
    let deny = |message: &str| json!({"behavior": "deny", "message": message});
    let response = match question {
        Question::MayUse { tool, .. } if tool == "AskUserQuestion" => {
            deny("Nobody sees this. Call ask_human of fractary-faber.")
        }
        Question::MayUse { tool, .. }
            if autonomy == Autonomy::DryRun
                && !OURS.iter().any(|start| tool.starts_with(start)) =>
        {
            deny("This is a dry run: read and plan, and change nothing.")
        }
        Question::MayUse { input, .. } => json!({"behavior": "allow", "updatedInput": input}),
        Question::Ask { .. } | Question::Hook => json!({}),
        Question::Other => {
            let error = json!({"subtype": "error", "request_id": id, "error": "not supported"});
            return json!({"type": "control_response", "response": error});
        }
    };
    success(id, &response)
}
