//! What clients see of a record. Pure.

use fabrica_protocol::chat::{
    Body, ClaudeKind, MAX_FRAME, ProgressKind, QuestionState, ServerMessage,
};
use fabrica_protocol::run::{Audit, Changes, Code, Entry, MessageState, Record, TurnState};

/// The record as a frame; nothing when it shows nothing.
pub(super) fn frame(record: &Record) -> Option<String> {
    let body = show(&record.entry, record.seq)?;
    Some(text(&ServerMessage { seq: record.seq, timestamp: record.time, body }))
}

/// A frame that is never too long: what nearly fills one is a text of bytes that JSON spells out.
pub(super) fn text(message: &ServerMessage) -> String {
    let text = serde_json::to_string(message).unwrap_or_default();
    if text.len() <= MAX_FRAME {
        return text;
    }
    let mut message = message.clone();
    if let Body::ClaudeMessage { content, input, .. } = &mut message.body {
        for long in [content, input].into_iter().flatten() {
            long.truncate(long.floor_char_boundary(MAX_FRAME / 8));
            long.push_str("… (cut)");
        }
    }
    serde_json::to_string(&message).unwrap_or_default()
}

fn show(entry: &Entry, seq: u64) -> Option<Body> {
    Some(match entry.clone() {
        Entry::Step { step, kind, text, duration_ms } => {
            Body::Progress { step, kind: kind.into(), text, duration_ms }
        }
        Entry::Said { id, text } => {
            claude(ClaudeKind::Text, id.unwrap_or_else(|| format!("said-{seq}")), Some(text))
        }
        Entry::Thought { text } => {
            claude(ClaudeKind::Thinking, format!("thought-{seq}"), Some(text))
        }
        Entry::ToolStarted { id, name, input } => tool(id, name, input),
        Entry::ToolFinished { id, output, failed, duration_ms } => {
            result(id, output, failed, duration_ms)
        }
        Entry::ToolAudited(call) => audit(call),
        Entry::Message { id, author, text, .. } => {
            let (author, content) = (Some(author), Some(text));
            Body::UserMessage { id, author, content, state: MessageState::Queued }
        }
        Entry::MessageState { id, state } => {
            Body::UserMessage { id, author: None, content: None, state }
        }
        Entry::Turn { state: TurnState::Failed, code, message } => Body::Error {
            code: code.unwrap_or(Code::AgentFailed),
            message: message.unwrap_or_default(),
            recoverable: true,
            reference: None,
        },
        Entry::Turn { state: TurnState::Interrupted, .. } => {
            notice("agent", "The agent was interrupted.".to_owned())
        }
        Entry::Todos { items } => Body::TodoUpdate { todos: items },
        Entry::Phase { phase, status, step, message, retry } => {
            let (step, message) = (some(step), some(message));
            Body::PhaseUpdate { phase, status, step, message, retry }
        }
        Entry::Usage(usage) => Body::Usage(usage),
        Entry::Question(asked) => Body::Question {
            question_id: asked.id,
            state: QuestionState::Open,
            kind: Some(asked.kind),
            question: Some(asked.question),
            options: asked.options,
            text: None,
            answered_by: None,
        },
        Entry::Answered { id, text, answered_by } => answered(id, text, answered_by),
        Entry::Changes(changes) => notice("changes", told(&changes)),
        Entry::WorkflowStarted { work_id, autonomy, author, .. } => {
            Body::WorkflowStarted { work_id, autonomy, author: some(author) }
        }
        Entry::WorkflowEnded { exit_code, summary, pull_request_url, estimated_cost_usd } => {
            let (pr_url, cost_usd) = (pull_request_url, estimated_cost_usd);
            Body::WorkflowComplete { exit_code, summary, pr_url, cost_usd }
        }
        // How the agent stands says as much; the others belong to Runs.
        Entry::Turn { state: TurnState::Started | TurnState::Completed, .. }
        | Entry::Checkpoint(_)
        | Entry::Ended(_) => return None,
    })
}

fn audit(Audit { id, server, tool, outcome, subject, duration_ms }: Audit) -> Body {
    let (message_id, subject) = (some(id), some(subject));
    Body::ToolAudit { message_id, server, tool, outcome, subject, duration_ms }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn claude(kind: ClaudeKind, message_id: String, content: Option<String>) -> Body {
    Body::ClaudeMessage {
        kind,
        message_id,
        content,
        delta: None,
        is_final: true,
        name: None,
        input: None,
        is_error: None,
        duration_ms: None,
    }
}

/// The next piece of a text.
pub(super) fn delta(message_id: String, piece: String) -> Body {
    let whole = claude(ClaudeKind::Text, message_id, None);
    let Body::ClaudeMessage { kind, message_id, .. } = whole else { return whole };
    Body::ClaudeMessage {
        kind,
        message_id,
        content: None,
        delta: Some(piece),
        is_final: false,
        name: None,
        input: None,
        is_error: None,
        duration_ms: None,
    }
}

fn tool(message_id: String, tool: String, with: String) -> Body {
    let mut body = claude(ClaudeKind::ToolUse, message_id, None);
    if let Body::ClaudeMessage { name, input, .. } = &mut body {
        (*name, *input) = (Some(tool), Some(with));
    }
    body
}

fn result(message_id: String, output: String, failed: bool, took: Option<u64>) -> Body {
    let mut body = claude(ClaudeKind::ToolResult, message_id, Some(output));
    if let Body::ClaudeMessage { is_error, duration_ms, .. } = &mut body {
        (*is_error, *duration_ms) = (Some(failed), took);
    }
    body
}

fn answered(question_id: String, text: String, answered_by: String) -> Body {
    Body::Question {
        question_id,
        state: QuestionState::Answered,
        kind: None,
        question: None,
        options: Vec::new(),
        text: Some(text),
        answered_by: some(answered_by),
    }
}

fn notice(step: &str, text: String) -> Body {
    Body::Progress { step: step.to_owned(), kind: ProgressKind::Notice, text, duration_ms: None }
}

fn told(changes: &Changes) -> String {
    let files = changes.files.len() as u64 + u64::from(changes.more);
    format!("Changed files: {files}. Lines: +{} -{}.", changes.added, changes.removed)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn every_frame_fits() {
        let entry = Entry::Said { id: None, text: "\u{1}".repeat(64 * 1024) };
        let time = DateTime::from_timestamp(0, 0).unwrap();
        let frame = frame(&Record { seq: 7, time, entry }).unwrap();
        assert!(frame.len() <= MAX_FRAME);
        let message: ServerMessage = serde_json::from_str(&frame).unwrap();
        let Body::ClaudeMessage { message_id, content, .. } = message.body else { panic!() };
        assert!(message_id == "said-7" && content.unwrap().ends_with("… (cut)"));
    }

    #[test]
    fn a_piece_of_a_text_is_live_and_not_final() {
        let Body::ClaudeMessage { delta: piece, content, is_final, .. } =
            delta("m".to_owned(), "p".to_owned())
        else {
            panic!()
        };
        assert_eq!((piece.as_deref(), content, is_final), (Some("p"), None, false));
    }
}
