//! What a tool of ours answers that has not done what it was called for.

use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, MetaObject};
use serde_json::Value;

use super::git::GitError;
use crate::forge::ForgeError;

/// Of an answer: whether it is a refusal. Agents leave it alone.
const REFUSED: &str = "fabrica.dev/refused";

/// Why a tool has not done what it was called for, in words that tell the agent what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undone {
    /// It may not be done, or not now.
    Refused(String),
    /// It was tried in vain, or could not be understood.
    Failed(String),
}

impl From<String> for Undone {
    fn from(words: String) -> Self {
        Self::Failed(words)
    }
}

impl From<GitError> for Undone {
    fn from(GitError(words): GitError) -> Self {
        Self::Failed(words)
    }
}

impl From<ForgeError> for Undone {
    fn from(error: ForgeError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl IntoCallToolResult for Undone {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        let (words, is_refused) = match self {
            Self::Refused(words) => (words, true),
            Self::Failed(words) => (words, false),
        };
        let mark = is_refused.then(|| (REFUSED.to_owned(), Value::Bool(true)));
        let meta = mark.map(|mark| MetaObject([mark].into_iter().collect()));
        Ok(CallToolResult::error(vec![ContentBlock::text(words)]).with_meta(meta).into())
    }
}

/// Whether it says that something may not be done.
pub(crate) fn is_refusal(result: &CallToolResult) -> bool {
    result.meta.as_ref().is_some_and(|meta| meta.0.contains_key(REFUSED))
}
