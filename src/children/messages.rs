//! The newest messages of a status: a bounded list that reading a journal twice does not change.

use chrono::{DateTime, Utc};
use fabrica_crds::parts::{Message, MessageType, messages};
use fabrica_crds::time::to_kubernetes;
use fabrica_protocol::runtime::EventType;

/// Something that a runtime tells.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) time: DateTime<Utc>,
    pub(crate) kind: MessageType,
    pub(crate) text: String,
}

/// The newest messages: what was told, and what the runtime says since.
pub(crate) fn told(before: &[Message], lines: impl Iterator<Item = Line>) -> Vec<Message> {
    let mut all = before.to_vec();
    let mut last = 0;
    for line in lines {
        // The sequence is the time in milliseconds: it grows over restarts of pod and operator, and reading a journal
        // twice gives the same numbers.
        let seq = line.time.timestamp_millis().max(last + 1);
        last = seq;
        if before.last().is_none_or(|newest| seq > newest.seq) {
            all.push(message(seq, &line));
        }
    }
    bound(&mut all);
    all
}

/// What the operator itself has to tell stands among what the runtime told.
pub(crate) fn push(all: &mut Vec<Message>, kind: MessageType, text: &str, now: DateTime<Utc>) {
    let seq = all.last().map_or(0, |last| last.seq + 1).max(now.timestamp_millis());
    all.push(message(seq, &Line { time: now, kind, text: text.to_owned() }));
    bound(all);
}

/// What a runtime's event is as a message.
pub(crate) const fn kind(kind: EventType) -> MessageType {
    match kind {
        EventType::Started => MessageType::Started,
        EventType::Progress => MessageType::Progress,
        EventType::Finished => MessageType::Finished,
        EventType::Failed => MessageType::Failed,
        EventType::Notice => MessageType::Notice,
    }
}

/// How far a step was is of no interest once something newer is known; of the rest the newest are kept.
fn bound(all: &mut Vec<Message>) {
    let newest = all.last().map(|message| message.seq);
    all.retain(|message| message.kind != MessageType::Progress || Some(message.seq) == newest);
    all.drain(..all.len().saturating_sub(messages::KEPT));
}

fn message(seq: i64, line: &Line) -> Message {
    let text = line.text.chars().take(messages::TEXT).collect();
    Message { seq, time: to_kubernetes(line.time), kind: line.kind, text }
}
