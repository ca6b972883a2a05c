//! A message of a Run or Session as callers see it, whether the archive keeps it or the status alone.

use chrono::{DateTime, Utc};
use fabrica_crds::parts::{Message as StatusMessage, MessageType as StatusType};
use fabrica_crds::time::from_kubernetes;
use fabrica_store::{Message as KeptMessage, MessageType as KeptType};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunMessageType {
    Progress,
    /// The end, whether reached or cancelled.
    Completion,
    /// A question that waits for a human.
    Escalation,
    Error,
}

/// One message of a Run or a Session.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunMessage {
    /// Unique among all messages. It says nothing about order.
    id: String,
    /// The UID of the Run or Session.
    session_id: String,
    /// Grows within the Run or Session. In the archive it counts from 1 without gaps.
    pub seq: i64,
    #[serde(rename = "type")]
    kind: RunMessageType,
    content: RunMessageContent,
    created_at: DateTime<Utc>,
    /// When somebody marked it as read; absent while nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    read_at: Option<DateTime<Utc>>,
}

/// Messages, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageList {
    pub items: Vec<RunMessage>,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RunMessageContent {
    /// A sentence, or what the agent or a tool said.
    message: String,
    /// In the archive `attempt`, `kind` and the other fields of the journal's record; else `type` alone, as the status
    /// has it.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    metadata: Value,
}

impl From<KeptMessage> for RunMessage {
    fn from(message: KeptMessage) -> Self {
        let KeptMessage { id, uid, attempt, seq, kind, content, created_at, read_at } = message;
        let mut metadata = content.metadata;
        if let Some(fields) = metadata.as_object_mut() {
            fields.insert("attempt".to_owned(), json!(attempt));
        }
        Self {
            id: id.to_string(),
            session_id: uid.to_string(),
            seq: i64::try_from(seq).unwrap_or(i64::MAX),
            kind: match kind {
                KeptType::Progress => RunMessageType::Progress,
                KeptType::Completion => RunMessageType::Completion,
                KeptType::Escalation => RunMessageType::Escalation,
                KeptType::Error => RunMessageType::Error,
            },
            content: RunMessageContent { message: content.message, metadata },
            created_at,
            read_at,
        }
    }
}

impl RunMessage {
    /// A message of the status of the object of this UID.
    pub fn of_status(uid: &str, message: &StatusMessage) -> Self {
        Self {
            id: format!("{uid}/{}", message.seq),
            session_id: uid.to_owned(),
            seq: message.seq,
            kind: match message.kind {
                StatusType::Failed => RunMessageType::Error,
                StatusType::Started
                | StatusType::Progress
                | StatusType::Finished
                | StatusType::Notice => RunMessageType::Progress,
            },
            content: RunMessageContent {
                message: message.text.clone(),
                metadata: json!({"type": message.kind}),
            },
            created_at: from_kubernetes(&message.time),
            read_at: None,
        }
    }
}
