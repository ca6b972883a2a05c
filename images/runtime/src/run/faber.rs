//! The tools that an agent has of us: the plan, and ways to say where it is and what it has done; and beside them another
//! model to ask. Servers of the Model Context Protocol behind one door on loopback, for whoever has its key.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::middleware::from_fn_with_state;
use fabrica_protocol::run::{Answer, Entry, Phase, PhaseStatus, Question};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::ask::{self, AskHuman};
use super::audit::Scribe;
use super::consult::{self, Router};
use super::driver::Completion;
use super::mcp::{only_the_agent, serve};
use super::plan;
use super::questions::Questions;
use super::told::{Artifact, ReportProgress, with_artifacts};
use super::undone::Undone;

/// Under this name agents know the tools.
pub(crate) const NAME: &str = "fractary-faber";
/// Records that wait to be written; who tells more has to wait.
const ENTRIES: usize = 16;

/// The server at work, until dropped.
#[derive(Debug)]
pub(super) struct Faber {
    address: SocketAddr,
    key: String,
    work: Arc<Work>,
    entries: mpsc::Receiver<Entry>,
    serving: JoinHandle<()>,
}

/// What the tools know.
#[derive(Debug)]
struct Work {
    plan: String,
    questions: Arc<Questions>,
    entries: mpsc::Sender<Entry>,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    phases: BTreeMap<Phase, PhaseStatus>,
    completion: Option<Completion>,
}

impl Work {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer. It is there already, unless the CLI calls without asking whether it may: one that goes on with a
    /// call of its past may do so before it hears that we want to be asked.
    async fn ask(&self, question: Question) -> String {
        let id = question.id.clone();
        if !self.questions.is_closed(&id) && self.questions.ask(&question, Instant::now()) {
            self.tell(Entry::Question(question)).await;
        }
        let answer = self.questions.answered(&[&id]).await;
        let words = ask::words(&answer);
        if self.questions.close(&id, Instant::now()) {
            let Answer { id, text, answered_by } = answer;
            self.tell(Entry::Answered { id, text, answered_by }).await;
        }
        words
    }

    async fn tell(&self, entry: Entry) {
        // Nobody listens any more when the attempt ends.
        let _ = self.entries.send(entry).await;
    }
}

impl Scribe for Arc<Work> {
    async fn write(&self, entry: Entry) {
        self.tell(entry).await;
    }
}

impl Faber {
    /// Opens the door on a free port of loopback.
    pub(super) async fn start(
        plan: String,
        questions: Arc<Questions>,
        router: Router,
    ) -> std::io::Result<Self> {
        let (sender, entries) = mpsc::channel(ENTRIES);
        let work = Arc::new(Work { plan, questions, entries: sender, progress: Mutex::default() });
        let key = uuid::Uuid::new_v4().to_string();
        let faber = serve(NAME, Tools(work.clone()), work.clone());
        let router = axum::Router::new()
            .nest_service("/mcp/fractary-faber", faber)
            .nest_service("/mcp/multi-model-router", serve(consult::NAME, router, work.clone()))
            .layer(from_fn_with_state(Arc::new(format!("Bearer {key}")), only_the_agent));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the door of the agent's tools closed");
            }
        });
        Ok(Self { address, key, work, entries, serving })
    }

    /// Under which name each server is known, and where it is.
    pub(super) fn servers(&self) -> Vec<(&'static str, String)> {
        [NAME, consult::NAME]
            .map(|name| (name, format!("http://{}/mcp/{name}", self.address)))
            .into()
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// What a tool tells next. May be dropped and asked again.
    pub(super) async fn entry(&mut self) -> Option<Entry> {
        self.entries.recv().await
    }

    /// What tools told and nobody asked for yet.
    pub(super) fn told(&mut self) -> Vec<Entry> {
        std::iter::from_fn(|| self.entries.try_recv().ok()).collect()
    }

    pub(super) fn completion(&self) -> Option<Completion> {
        self.work.progress().completion.clone()
    }
}

impl Drop for Faber {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The tools themselves; all of them know the same.
#[derive(Debug, Clone)]
struct Tools(Arc<Work>);

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NamedPhase {
    Frame,
    Architect,
    Build,
    Evaluate,
    Release,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NamedStatus {
    Started,
    Completed,
    Failed,
    Skipped,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetPhase {
    phase: NamedPhase,
    status: NamedStatus,
    /// One sentence, if there is something to say.
    #[serde(default)]
    message: String,
    /// What came of it.
    #[serde(default)]
    artifacts: Vec<Artifact>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetPlan {
    /// Of a long plan, which part: 1 is the first, and what you get when you name none.
    #[serde(default)]
    part: Option<usize>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Complete {
    /// The title of the pull request: one line.
    title: String,
    /// The text of the pull request, in markdown: what was changed, why, and how it was proven.
    body: String,
    /// What was done, in one sentence.
    summary: String,
}

#[tool_router(server_handler)]
impl Tools {
    #[tool(description = "The plan that you work on: all of it, or a part of one that is long.")]
    async fn get_plan(&self, Parameters(asked): Parameters<GetPlan>) -> Result<String, Undone> {
        part(&self.0.plan, asked.part)
    }

    #[tool(description = "Say how far you are, for people who follow your work.")]
    async fn report_progress(
        &self,
        Parameters(told): Parameters<ReportProgress>,
    ) -> Result<String, Undone> {
        self.0.tell(Entry::Said { id: None, text: told.words()? }).await;
        Ok("Noted.".to_owned())
    }

    #[tool(
        description = "Ask a human and get the answer. It may take days: ask only what you cannot find out or decide by yourself."
    )]
    async fn ask_human(
        &self,
        Parameters(asked): Parameters<AskHuman>,
        call: RequestContext<RoleServer>,
    ) -> Result<String, Undone> {
        let id = call.meta.get(ask::CALL_ID).and_then(Value::as_str).unwrap_or_default();
        let question = asked.question(id).map_err(str::to_owned)?;
        Ok(self.0.ask(question).await)
    }

    #[tool(description = "Say that a phase of your work begins or ends.")]
    async fn set_phase(&self, told: Parameters<SetPhase>) -> String {
        let SetPhase { phase, status, message, artifacts } = told.0;
        let message = with_artifacts(message, &artifacts);
        let (phase, status) = (phase.into(), status.into());
        self.0.progress().phases.insert(phase, status);
        self.0.tell(Entry::Phase { phase, status, step: String::new(), message, retry: 0 }).await;
        match (status, following(phase)) {
            (PhaseStatus::Started, _) => "Noted. Say so when it is completed.".to_owned(),
            (PhaseStatus::Failed, _) => "Noted. Go back to the phase that can mend it.".to_owned(),
            (_, Some(next)) => format!("Noted. The next phase is {next}."),
            (_, None) => "Noted. Call complete when all is done.".to_owned(),
        }
    }

    #[tool(
        description = "Say that all is done, and what the pull request shall say. Call it once, last of all."
    )]
    async fn complete(&self, told: Parameters<Complete>) -> Result<String, Undone> {
        let Complete { title, body, summary } = told.0;
        let title = title.lines().next().unwrap_or_default().trim().to_owned();
        if title.is_empty() {
            return Err("The title is empty: call complete again with one.".to_owned().into());
        }
        self.0.progress().completion = Some(Completion { title, body });
        self.0.tell(Entry::Said { id: None, text: summary }).await;
        Ok("Noted. What you committed is now verified and pushed; end your turn.".to_owned())
    }

    #[tool(
        description = "What you said about your work so far: phases, and whether you called complete."
    )]
    async fn get_state(&self) -> String {
        let progress = self.0.progress();
        let phases: BTreeMap<String, PhaseStatus> =
            progress.phases.iter().map(|(phase, status)| (name(*phase), *status)).collect();
        serde_json::json!({"phases": phases, "complete": progress.completion.is_some()}).to_string()
    }
}

/// A part of the plan, and how to get the next one.
fn part(plan: &str, number: Option<usize>) -> Result<String, Undone> {
    let (parts, number) = (plan::parts(plan), number.unwrap_or(1));
    let count = parts.len();
    let Some(part) = number.checked_sub(1).and_then(|index| parts.get(index)) else {
        return Err(format!("The plan has the parts 1 to {count}.").into());
    };
    Ok(match count - number {
        0 => (*part).to_owned(),
        _ => format!(
            "{part}\n\n(This is part {number} of {count}: ask for part {} next.)",
            number + 1
        ),
    })
}

pub(crate) fn name(phase: Phase) -> String {
    format!("{phase:?}").to_lowercase()
}

fn following(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Frame => Some("architect"),
        Phase::Architect => Some("build"),
        Phase::Build => Some("evaluate"),
        Phase::Evaluate => Some("release"),
        Phase::Release => None,
    }
}

impl From<NamedPhase> for Phase {
    fn from(named: NamedPhase) -> Self {
        match named {
            NamedPhase::Frame => Self::Frame,
            NamedPhase::Architect => Self::Architect,
            NamedPhase::Build => Self::Build,
            NamedPhase::Evaluate => Self::Evaluate,
            NamedPhase::Release => Self::Release,
        }
    }
}

impl From<NamedStatus> for PhaseStatus {
    fn from(named: NamedStatus) -> Self {
        match named {
            NamedStatus::Started => Self::Started,
            NamedStatus::Completed => Self::Completed,
            NamedStatus::Failed => Self::Failed,
            NamedStatus::Skipped => Self::Skipped,
        }
    }
}

#[cfg(test)]
mod tests {
    use fabrica_protocol::run::QuestionKind;

    use super::*;

    #[test]
    fn a_long_plan_is_read_part_by_part() {
        assert_eq!(part("# Short", None).unwrap(), "# Short");
        let plan = "A line of the plan.\n".repeat(13_000);
        let read = |number| part(&plan, Some(number)).unwrap();
        let mut whole = String::new();
        for number in 1..=8 {
            let text = read(number);
            let note = text.find("\n\n(This is part").unwrap_or(text.len());
            whole.push_str(&text[..note]);
        }
        assert_eq!(whole, plan);
        assert!(
            part(&plan, None).unwrap().ends_with("(This is part 1 of 8: ask for part 2 next.)")
        );
        let none = Err(Undone::Failed("The plan has the parts 1 to 8.".to_owned()));
        assert_eq!((part(&plan, Some(9)), part(&plan, Some(0))), (none.clone(), none));
    }

    #[tokio::test]
    async fn a_call_that_nobody_was_asked_about_waits_for_its_answer() {
        let (sender, mut entries) = mpsc::channel(ENTRIES);
        let questions = Arc::<Questions>::default();
        let (plan, progress) = (String::new(), Mutex::default());
        let work = Work { plan, questions: questions.clone(), entries: sender, progress };
        let (id, question) = ("a".to_owned(), "q".to_owned());
        let options = Vec::new();
        let question = Question { id, kind: QuestionKind::Approval, question, options };
        let answering = async {
            assert!(matches!(entries.recv().await, Some(Entry::Question(_))));
            let (id, text, answered_by) = ("a".to_owned(), "yes".to_owned(), String::new());
            questions.take(Answer { id, text, answered_by }).unwrap();
            assert!(matches!(entries.recv().await, Some(Entry::Answered { .. })));
        };
        let (words, ()) = tokio::join!(work.ask(question.clone()), answering);
        assert_eq!(words, "The answer is: yes");
        assert_eq!(work.ask(question).await, words);
        assert!(entries.try_recv().is_err(), "it is told once");
    }
}
