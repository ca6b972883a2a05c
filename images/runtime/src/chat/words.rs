//! What a conversation's single words become: records, codes, refusals. Pure.

use fabrica_protocol::run::{Autonomy, Code, Entry, TurnState};

use super::known::Said;
use crate::run::driver::Failure;

/// Begin the names of our tools: they know by themselves how far they may go, or change nothing.
const OURS: [&str; 2] = ["mcp__fractary-", "mcp__multi-model-router__"];
const DRY: &str = "This is a dry run: read and plan, and change nothing.";
/// How the CLI says that its answer broke off.
const CUT: [&str; 5] = ["stream", "terminated", "connection", "socket", "cut"];

pub(super) fn turn(state: TurnState, cause: Option<(Code, String)>) -> Entry {
    let (code, message) = cause.unzip();
    Entry::Turn { state, code, message }
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

/// What a person says, as the program is to read it: unless a command is meant, it is none.
pub(super) fn plain(said: &Said) -> String {
    if said.text.starts_with('/') && !said.command {
        return format!(" {}", said.text);
    }
    said.text.clone()
}

/// Why a tool may not be used, if it may not.
pub(super) fn denial(tool: &str, autonomy: Autonomy) -> Option<&'static str> {
    let is_ours = OURS.iter().any(|start| tool.starts_with(start));
    (autonomy == Autonomy::DryRun && !is_ours).then_some(DRY)
}
