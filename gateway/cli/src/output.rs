//! What people read.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write as _};

use fabrica_crds::RunStatus;
use fabrica_crds::run::{OpenQuestion, Phase};
use fabrica_crds::time::from_kubernetes;

use crate::gateway::Message;

/// What shells report of a program that SIGPIPE ended: 128 and the signal's number.
const READ_ENOUGH: i32 = 141;

/// One line on standard output.
pub fn say(line: &str) {
    print(&format!("{}\n", plain(line)));
}

/// Text as it is, on standard output. Whoever reads may have read enough, as `head` has: then there is nobody left to tell
/// anything, and the command ends as others do.
#[expect(clippy::exit, reason = "nothing that follows could be told either")]
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        if error.kind() == ErrorKind::BrokenPipe {
            std::process::exit(READ_ENOUGH);
        }
        // A full disk, say: what was asked for is not where it was to go.
        complain(&error);
        std::process::exit(1);
    }
}

/// Says something that is no result.
#[expect(clippy::print_stderr, reason = "standard output is for what was asked for")]
pub fn note(line: &str) {
    eprintln!("{}", plain(line));
}

/// Text without control characters, but for line ends and tabs: agents write much of it, and an emulator obeys what it is
/// sent, down to the clipboard.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| matches!(letter, '\n' | '\t') || !letter.is_control()).collect()
}

/// An error with its causes.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(line, ": {cause}");
        source = cause.source();
    }
    line
}

/// An error with its causes, on standard error.
#[expect(clippy::print_stderr, reason = "errors go to standard error")]
pub fn complain(error: &dyn Error) {
    eprintln!("error: {}", plain(&chain(error)));
}

/// How far something is, in a line that the next one takes the place of; where somebody looks.
#[expect(clippy::print_stderr, reason = "standard output is for what was asked for")]
pub fn progress(words: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r{}\x1b[K", plain(words));
    }
}

/// Takes the line away.
pub fn clear_progress() {
    progress("");
}

/// A message with its time of day.
pub fn message(message: &Message) -> String {
    let step = message.content.metadata.get("type").and_then(|step| step.as_str());
    let mark = match message.kind.as_str() {
        "error" => "!",
        "escalation" => "?",
        "completion" => "+",
        _ if step == Some("Finished") => "+",
        _ => " ",
    };
    format!("{} {mark} {}", message.created_at.format("%H:%M:%S"), message.content.message)
}

/// What a Run waits for, and how it is told.
pub fn question(namespace: &str, name: &str, open: &OpenQuestion) -> String {
    let due = from_kubernetes(&open.due_at).format("%Y-%m-%d %H:%M UTC");
    let mut lines = vec![format!("{name} asks: {}", open.question)];
    lines.extend(open.options.iter().map(|option| format!("  - {option}")));
    lines.push(format!("answer until {due}: kubectl fabrica answer -n {namespace} {name} \"…\""));
    lines.join("\n")
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

    #[test]
    fn a_question_says_how_it_is_answered() {
        let open = json!({"id": "q", "kind": "Selection", "question": "Which?", "options": ["a", "b"],
            "askedAt": "2026-01-01T00:00:00Z", "dueAt": "2026-01-08T09:30:00Z"});
        let expected = "x asks: Which?\n  - a\n  - b\nanswer until 2026-01-08 09:30 UTC: kubectl fabrica answer -n demo x \"…\"";
        assert_eq!(question("demo", "x", &serde_json::from_value(open).unwrap()), expected);
    }

    #[rstest]
    #[case::clipboard("a\x1b]52;c;cm0=\x07b", "a]52;c;cm0=b")]
    #[case::title("\u{9d}0;t\u{9c}x", "0;tx")]
    #[case::over_the_line("safe\r\x08\x7fnot", "safenot")]
    #[case::text("één\tzwei\r\n日本 \u{1f600}\n", "één\tzwei\n日本 \u{1f600}\n")]
    fn no_emulator_obeys_what_is_said(#[case] text: &str, #[case] said: &str) {
        assert_eq!(plain(text), said);
    }

    #[rstest]
    #[case("progress", "Started", "10:20:30   t")]
    #[case("progress", "Finished", "10:20:30 + t")]
    #[case("escalation", "", "10:20:30 ? t")]
    #[case("error", "Failed", "10:20:30 ! t")]
    fn a_message_is_one_line(#[case] kind: &str, #[case] step: &str, #[case] line: &str) {
        let told = json!({"seq": 1, "type": kind, "content": {"message": "t", "metadata": {"type": step}},
            "createdAt": "2026-01-01T10:20:30Z"});
        assert_eq!(message(&serde_json::from_value(told).unwrap()), line);
    }
}
