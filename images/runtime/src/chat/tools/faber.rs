//! `fractary-faber`: where the work is, what people are asked, and that it is done.

use std::sync::Arc;

use fabrica_protocol::chat::Body;
use fabrica_protocol::run::{Code, Entry, PhaseStatus};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::chat::approval;
use crate::chat::desk::{Asked, Desk, UNWRITTEN};
use crate::chat::engine::Ending;
use crate::chat::release;
use crate::run::ask::{self, AskHuman};
use crate::run::driver::Completion;
use crate::run::faber::{NamedPhase, NamedStatus};
use crate::run::told::{Artifact, ReportProgress, with_artifacts};
use crate::run::undone::Undone;

const ENDED: &str = "Noted: the workflow has ended. End your turn.";
const WITHDRAWN: &str = "The question was withdrawn. Ask again if you still need the answer.";

#[derive(Debug, Clone)]
pub(super) struct Faber(pub(super) Arc<Desk>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetPhase {
    phase: NamedPhase,
    status: NamedStatus,
    /// What is being done within the phase, in a few words.
    #[serde(default)]
    step: String,
    /// One sentence, if there is something to say.
    #[serde(default)]
    message: String,
    /// What came of it.
    #[serde(default)]
    artifacts: Vec<Artifact>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    #[default]
    Success,
    Failed,
    NothingToDo,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Complete {
    /// `failed` when the work cannot be done, `nothing_to_do` when nothing had to be changed.
    #[serde(default)]
    outcome: Outcome,
    /// The title of the pull request: one line.
    #[serde(default)]
    title: String,
    /// The text of the pull request, in markdown: what was changed, why, and how it was proven.
    #[serde(default)]
    body: String,
    /// What was done, or why it was not, in one sentence.
    summary: String,
}

#[tool_router(server_handler)]
impl Faber {
    #[tool(description = "Say how far you are, for people who follow your work.")]
    async fn report_progress(
        &self,
        Parameters(told): Parameters<ReportProgress>,
    ) -> Result<String, Undone> {
        self.0.chat.tell(Entry::Said { id: None, text: told.words()? });
        Ok(self.0.onward("Noted."))
    }

    #[tool(
        description = "Ask a human and get the answer, however long it takes: ask only what you cannot find out or decide by yourself."
    )]
    async fn ask_human(
        &self,
        Parameters(asked): Parameters<AskHuman>,
        call: RequestContext<RoleServer>,
    ) -> Result<String, Undone> {
        let id = call.meta.get(ask::CALL_ID).and_then(Value::as_str).unwrap_or_default();
        // Whoever calls us by itself names its call as it likes.
        let id = if approval::is_ours(id) { "" } else { id };
        match self.0.ask(asked.question(id).map_err(str::to_owned)?).await {
            // Somebody else's words may end anyhow.
            Asked::Answered(answer) => Ok([Some(ask::words(&answer)), self.0.expected()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join("\n\n")),
            Asked::Withdrawn => Err(WITHDRAWN.to_owned().into()),
            Asked::Unwritten => Err(UNWRITTEN.to_owned().into()),
        }
    }

    #[tool(
        description = "Say that a phase of the workflow begins or ends, or which step of it you are at. The answer says what comes next."
    )]
    async fn set_phase(&self, told: Parameters<SetPhase>) -> Result<String, Undone> {
        let SetPhase { phase, status, step, message, artifacts } = told.0;
        let message = with_artifacts(message, &artifacts);
        self.0.set_phase(phase.into(), status.into(), step, message).await
    }

    #[tool(
        description = "Say that the workflow's work is done: what is left is committed and pushed, and the pull request opened. Call it once, last of all."
    )]
    async fn complete(&self, told: Parameters<Complete>) -> Result<String, Undone> {
        let Complete { outcome, title, body, summary } = told.0;
        match outcome {
            Outcome::Success => {}
            Outcome::Failed => {
                self.0.end_workflow(1, &summary, None);
                return Ok(ENDED.to_owned());
            }
            Outcome::NothingToDo => return self.end_unchanged(&summary).await,
        }
        match self.0.completion()? {
            Ending::Unpublished => {
                self.0.end_workflow(0, &summary, None);
                let told =
                    "Noted: the workflow has ended, and nothing is published. End your turn.";
                Ok(told.to_owned())
            }
            Ending::Release => self.release(&title, body, &summary).await,
        }
    }

    #[tool(description = "Where the workflow is, and what comes next.")]
    async fn get_state(&self) -> String {
        self.0.state()
    }
}

impl Faber {
    /// Ends a workflow whose work was done before it began.
    async fn end_unchanged(&self, summary: &str) -> Result<String, Undone> {
        if release::has_changed(&self.0).await? {
            let told = "Something has changed, so there was something to do: call complete with the outcome success, or undo it first.";
            return Err(told.to_owned().into());
        }
        self.0.end_workflow(0, summary, None);
        Ok(ENDED.to_owned())
    }

    async fn release(&self, title: &str, body: String, summary: &str) -> Result<String, Undone> {
        let title = title.lines().next().unwrap_or_default().trim().to_owned();
        if title.is_empty() {
            return Err("The title is empty: call complete again with one.".to_owned().into());
        }
        self.0.approve_release().await?;
        match release::release(&self.0, &Completion { title, body }).await {
            Ok(url) => {
                if let Some(phase) = self.0.publishing() {
                    let (status, step, message) =
                        (PhaseStatus::Completed, String::new(), String::new());
                    // The agent may have said so before.
                    let _ = self.0.set_phase(phase, status, step, message).await;
                }
                let told = url.as_deref().unwrap_or("the branch alone, without a pull request");
                let told = format!("Released: {told}. End your turn.");
                self.0.end_workflow(0, summary, url);
                Ok(told)
            }
            Err(words) => {
                let message = format!("The release failed: {words}");
                let told = format!(
                    "{message} Mend it and call complete again, or with the outcome failed."
                );
                let (code, recoverable, reference) = (Code::ForgeFailed, true, None);
                self.0.chat.show(Body::Error { code, message, recoverable, reference });
                Err(told.into())
            }
        }
    }
}
