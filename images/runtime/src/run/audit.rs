//! Each call of one of our tools is written down, here where all of them pass: who was called, about what, how it ended and
//! how long it took.

use fabrica_protocol::run::{Audit, CallOutcome, Entry};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, JsonObject, ListToolsResult, PaginatedRequestParams,
    ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use tokio::time::Instant;

use super::ask::CALL_ID;
use super::undone;

/// The arguments that say what a call is about: names, numbers and choices. All others are texts, which may hold anything.
const SUBJECTS: [&str; 23] = [
    "phase",
    "status",
    "outcome",
    "kind",
    "part",
    "name",
    "base",
    "head",
    "number",
    "issue_number",
    "labels",
    "provider",
    "model",
    "type",
    "branch",
    "base_branch",
    "draft",
    "force",
    "state",
    "reason",
    "faber_context",
    "effort",
    "max_tokens",
];

/// Who has a journal.
pub(crate) trait Scribe: Clone + Send + Sync + 'static {
    fn write(&self, entry: Entry) -> impl Future<Output = ()> + Send;
}

/// A server of tools whose calls are written down.
#[derive(Debug, Clone)]
pub(crate) struct Audited<T, S> {
    /// As agents know it.
    pub(crate) name: &'static str,
    pub(crate) tools: T,
    pub(crate) scribe: S,
}

impl<T: ServerHandler, S: Scribe> ServerHandler for Audited<T, S> {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let began = Instant::now();
        let id = context.meta.get(CALL_ID).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (tool, subject) = (request.name.to_string(), subject(request.arguments.as_ref()));
        let answer = self.tools.call_tool(request, context).await;
        let audit = Audit {
            id,
            server: self.name.to_owned(),
            tool,
            outcome: outcome(&answer),
            subject,
            duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        self.scribe.write(Entry::ToolAudited(audit)).await;
        answer
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.tools.list_tools(request, context).await
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.get_tool(name)
    }

    fn get_info(&self) -> ServerConfig {
        self.tools.get_info()
    }
}

fn outcome(answer: &Result<CallToolResponse, ErrorData>) -> CallOutcome {
    match answer {
        Ok(CallToolResponse::Complete(result)) if result.is_error != Some(true) => CallOutcome::Ok,
        Ok(CallToolResponse::Complete(result)) if undone::is_refusal(result) => {
            CallOutcome::Refused
        }
        _ => CallOutcome::Failed,
    }
}

fn subject(arguments: Option<&JsonObject>) -> String {
    let told = SUBJECTS.iter().filter_map(|name| {
        let value = match arguments?.get(*name)? {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(format!("{name} {value}"))
    });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use rmcp::handler::server::tool::IntoCallToolResult;
    use serde_json::json;

    use super::*;
    use crate::run::undone::Undone;

    #[test]
    fn a_subject_is_names_and_choices_and_no_text() {
        let told = |arguments: Value| subject(arguments.as_object());
        let phase = json!({"phase": "build", "status": "started", "message": "The key is k."});
        assert_eq!(told(phase), "phase build, status started");
        let consult = json!({"provider": "openai", "model": "gpt-5", "prompt": "The key is k."});
        assert_eq!(told(consult), "provider openai, model gpt-5");
        assert_eq!(told(json!({"number": 7, "base": null, "body": "b"})), "number 7");
        assert_eq!(subject(None), "");
    }

    #[test]
    fn an_answer_says_how_the_call_ended() {
        let words = || "w".to_owned();
        let ended = |answer: Result<String, Undone>| outcome(&answer.into_call_tool_result());
        assert_eq!(ended(Ok(words())), CallOutcome::Ok);
        assert_eq!(ended(Err(Undone::Refused(words()))), CallOutcome::Refused);
        assert_eq!(ended(Err(Undone::Failed(words()))), CallOutcome::Failed);
        let unknown = ErrorData::invalid_params("no such tool", None);
        assert_eq!(outcome(&Err(unknown)), CallOutcome::Failed);
    }
}
