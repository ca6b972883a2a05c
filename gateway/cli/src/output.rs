//! What people read.
#![expect(clippy::print_stdout, reason = "a command speaks on its standard output")]

use std::error::Error;
use std::fmt::Write as _;

use fabrica_crds::parts::{Message, MessageType};
use fabrica_crds::run::Phase;
use fabrica_crds::{RunStatus, time};

/// One line on standard output.
pub fn say(line: &str) {
    println!("{line}");
}

/// An error with its causes, on standard error.
#[expect(clippy::print_stderr, reason = "errors go to standard error")]
pub fn complain(error: &dyn Error) {
    let mut line = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(line, ": {cause}");
        source = cause.source();
    }
    eprintln!("{line}");
}

/// A message with its time of day.
pub fn message(message: &Message) -> String {
    let mark = match message.kind {
        MessageType::Failed => "!",
        MessageType::Finished => "+",
        MessageType::Started | MessageType::Progress | MessageType::Notice => " ",
    };
    format!("{} {mark} {}", time::from_kubernetes(&message.time).format("%H:%M:%S"), message.text)
}

/// How a Run ended.
pub fn verdict(name: &str, status: &RunStatus) -> String {
    let condition = status.conditions.iter().find(|condition| condition.type_ == "Succeeded");
    let (reason, sentence) = condition
        .map(|condition| (condition.reason.as_str(), condition.message.as_str()))
        .unwrap_or_default();
    let phase = match status.phase {
        Some(Phase::Completed) => "completed",
        Some(Phase::Cancelled) => "cancelled",
        _ => "failed",
    };
    let mut lines = vec![format!("{name} {phase} ({reason}): {sentence}")];
    if let Some(url) = &status.pull_request_url {
        lines.push(format!("pull request: {url}"));
    } else if let Some(branch) = status.commit.as_ref().and(status.branch.as_ref()) {
        lines.push(format!("branch: {branch}"));
    }
    if let Some(usage) = &status.usage {
        lines.push(format!("cost: about ${}", usage.estimated_cost_usd));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::branch(
        json!({"phase": "Completed", "branch": "fabrica/1", "commit": "abc"}),
        "x completed (R): S.\nbranch: fabrica/1"
    )]
    #[case::pull_request(
        json!({"phase": "Completed", "branch": "b", "commit": "c", "pullRequestURL": "https://f/1",
            "usage": {"inputTokens": 1, "outputTokens": 1, "cacheReadTokens": 0, "cacheWriteTokens": 0, "estimatedCostUSD": "0.02"}}),
        "x completed (R): S.\npull request: https://f/1\ncost: about $0.02"
    )]
    #[case::nothing(json!({"phase": "Failed", "branch": "b"}), "x failed (R): S.")]
    fn a_verdict_says_what_came_of_it(#[case] mut status: Value, #[case] text: &str) {
        status["conditions"] = json!([{"type": "Succeeded", "status": "True", "reason": "R", "message": "S.",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        assert_eq!(verdict("x", &serde_json::from_value(status).unwrap()), text);
    }
}
