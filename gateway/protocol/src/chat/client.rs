//! What a client says.

use serde::{Deserialize, Serialize};

use super::{CONTENT_BYTES, ID_BYTES, NONCE_BYTES, WORK_ID_BYTES};
use crate::run::{ANSWER_BYTES, Autonomy, QUESTION_ID_BYTES};

/// One frame of a client. Fields that it has more are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum ClientMessage {
    /// The first of all: where this client was when it was last here.
    Hello {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        journal_id: Option<String>,
        /// The newest number it saw; unset: nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        /// Whether somebody sees the page: as long as one does, the Session is not idle.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        visible: bool,
    },
    /// A person speaks.
    UserMessage {
        id: String,
        content: String,
        /// Whether a leading `/` is meant as a command of the agent's program.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        command: bool,
    },
    /// The agent shall work a work item through the phases.
    StartWorkflow {
        id: String,
        work_id: String,
        /// What is to be done, where the item does not say it all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<String>,
        /// At most the Session's own, which is meant when it is unset.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        autonomy: Option<Autonomy>,
    },
    /// The agent's turn shall end.
    Interrupt {},
    /// The answer to a question.
    Answer { question_id: String, text: String },
    Ping {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<String>,
        /// As in the hello; unset: as before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        visible: Option<bool>,
    },
}

/// Why a frame is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Whoever sends this speaks another language: the socket closes.
    #[error("this is not JSON: {0}")]
    Json(String),
    #[error("this is no message of fabrica.chat.v1: {0}")]
    Message(String),
    #[error("{field} must be 1 to {most} letters, digits, _ and -")]
    Id { field: &'static str, most: usize },
    #[error("{field} must be at most {most} bytes long")]
    TooLong { field: &'static str, most: usize },
    #[error("{0} must not be empty")]
    Empty(&'static str),
}

impl ClientMessage {
    /// Reads a frame.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| ClientError::Json(error.to_string()))?;
        let message: Self = serde_json::from_value(value)
            .map_err(|error| ClientError::Message(error.to_string()))?;
        message.check()?;
        Ok(message)
    }

    fn check(&self) -> Result<(), ClientError> {
        match self {
            Self::Hello { .. } | Self::Interrupt {} => Ok(()),
            Self::UserMessage { id, content, .. } => {
                is_id("id", id, ID_BYTES)?;
                is_text("content", content, CONTENT_BYTES)
            }
            Self::StartWorkflow { id, work_id, plan, .. } => {
                is_id("id", id, ID_BYTES)?;
                is_text("workId", work_id, WORK_ID_BYTES)?;
                plan.as_deref().map_or(Ok(()), |plan| fits("plan", plan, CONTENT_BYTES))
            }
            Self::Answer { question_id, text } => {
                is_id("questionId", question_id, QUESTION_ID_BYTES)?;
                is_text("text", text, ANSWER_BYTES)
            }
            Self::Ping { nonce, .. } => {
                nonce.as_deref().map_or(Ok(()), |nonce| fits("nonce", nonce, NONCE_BYTES))
            }
        }
    }
}

fn is_id(field: &'static str, id: &str, most: usize) -> Result<(), ClientError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if id.is_empty() || id.len() > most || !id.bytes().all(is_plain) {
        return Err(ClientError::Id { field, most });
    }
    Ok(())
}

fn is_text(field: &'static str, text: &str, most: usize) -> Result<(), ClientError> {
    if text.trim().is_empty() {
        return Err(ClientError::Empty(field));
    }
    fits(field, text, most)
}

const fn fits(field: &'static str, text: &str, most: usize) -> Result<(), ClientError> {
    if text.len() > most {
        return Err(ClientError::TooLong { field, most });
    }
    Ok(())
}
