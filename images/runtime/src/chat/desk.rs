//! What the agent's tools do for it: they write down, ask people, and know how far the agent may go.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fabrica_protocol::chat::AgentState;
use fabrica_protocol::run::{Answer, Autonomy, Entry, Phase, PhaseStatus, Question, approves};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::approval;
use super::engine::{Ending, Engine, Refusal};
use super::handle::Chat;
use crate::config::{Config, Repository};
use crate::forge::{Forge, WorkItem};
use crate::journal::Journal as Steps;
use crate::run::branch::{Begun, Branch};
use crate::run::pull_request::Task;
use crate::run::undone::Undone;
use crate::run::work_item;

const NO_WORKFLOW: &str = "No workflow is running: just do what people ask.";
/// What the agent is told whose autonomy lets nothing leave the pod.
pub(crate) const UNPUBLISHED: &str = "Refused: the autonomy that was given publishes nothing.";

/// The desk, for as long as the pod lives.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) config: Config,
    pub(crate) repository: Repository,
    pub(crate) chat: Arc<Chat>,
    pub(crate) steps: Arc<Steps>,
    /// One publication after the other.
    pub(crate) publishing: tokio::sync::Mutex<()>,
    begun: Mutex<Begun>,
    item: Mutex<Option<WorkItem>>,
    /// Questions whose calls wait here.
    awaited: Mutex<BTreeSet<String>>,
    withdrawn: Mutex<CancellationToken>,
    /// Leave that this process asked for, by the ids of its questions.
    ours: Mutex<BTreeSet<String>>,
}

/// What the agent is told of a question that nobody was asked.
pub(crate) const UNWRITTEN: &str = "The question was not asked: the workspace is full, or cannot be written. Make room, such as by removing what can be built again, then try again.";

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Asked {
    Answered(Answer),
    /// The agent does not wait for it any more.
    Withdrawn,
    /// It was not asked: it cannot be written down, so nobody would see it.
    Unwritten,
}

impl Desk {
    pub(crate) fn new(
        config: Config,
        repository: Repository,
        chat: Arc<Chat>,
        steps: Arc<Steps>,
        begun: Begun,
    ) -> Self {
        Self {
            config,
            repository,
            chat,
            steps,
            publishing: tokio::sync::Mutex::default(),
            begun: Mutex::new(begun),
            item: Mutex::default(),
            awaited: Mutex::default(),
            withdrawn: Mutex::default(),
            ours: Mutex::default(),
        }
    }

    pub(crate) fn branch(&self) -> Branch<'_> {
        Branch { name: &self.chat.settings.branch, uid: &self.config.session_id }
    }

    /// What the agent works on, as commits and pull requests name it.
    pub(crate) fn task<'a>(&'a self, item: Option<&'a WorkItem>) -> Task<'a> {
        let secrets = &self.config.secrets;
        Task { uid: self.branch().uid, title: None, plan: None, item, secrets }
    }

    /// Where the work began.
    pub(crate) fn begun(&self) -> Begun {
        guard(&self.begun).clone()
    }

    /// The remote's branch is at a commit now.
    pub(crate) fn pushed(&self, commit: &str) {
        guard(&self.begun).remote = Some(commit.to_owned());
    }

    /// This is what the work is compared with.
    pub(crate) fn compared(&self, base: Option<String>) {
        guard(&self.begun).base = base;
    }

    pub(crate) fn item(&self) -> Option<WorkItem> {
        guard(&self.item).clone()
    }

    /// How far the agent may go now.
    pub(crate) fn autonomy(&self) -> Autonomy {
        self.chat.known().autonomy()
    }

    pub(crate) fn forge(&self) -> Result<Forge, String> {
        let forge = Forge::of(&self.repository, &self.chat.settings.forge, &self.config.secrets);
        forge.map_err(|error| error.to_string())?.map_err(|unknown| unknown.to_string())
    }

    /// Whether what comes of a workflow can be published that may be; the fix, where it cannot.
    pub(crate) async fn check_push(&self) -> Result<(), String> {
        match self.forge() {
            Ok(forge) if self.autonomy() >= Autonomy::Guarded => forge.check_push().await,
            _ => Ok(()),
        }
    }

    /// Fetches a work item.
    pub(crate) async fn fetch(&self, work_id: &str) -> Result<WorkItem, String> {
        let settings = &self.chat.settings.forge;
        let forge = Forge::of(&self.repository, settings, &self.config.secrets)
            .map_err(|error| error.to_string())?;
        let mut settings = settings.clone();
        settings.work_id = Some(work_id.to_owned());
        let fetched = work_item::fetch(&forge, &settings, &self.steps).await;
        let item = fetched.map_err(|ending| ending.verdict().message)?;
        item.ok_or_else(|| "There is no work item.".to_owned())
    }

    /// This is what the workflow is about.
    pub(crate) fn works_on(&self, item: WorkItem) {
        *guard(&self.item) = Some(item);
    }
}

/// Questions.
impl Desk {
    /// Asks people, and waits for as long as it takes.
    pub(crate) async fn ask(&self, question: Question) -> Asked {
        let (id, withdrawn) = (question.id.clone(), guard(&self.withdrawn).clone());
        // A question is open only while its call waits, else the answer would be said to the agent besides.
        guard(&self.awaited).insert(id.clone());
        if self.chat.questions.ask(&question, Instant::now())
            && self.chat.tell(Entry::Question(question)).is_none()
        {
            self.chat.questions.close(&id, Instant::now());
            guard(&self.awaited).remove(&id);
            return Asked::Unwritten;
        }
        self.chat.stand(AgentState::Waiting, None);
        let ids = [id.as_str()];
        let asked = tokio::select! {
            biased;
            answer = self.chat.questions.answered(&ids) => Asked::Answered(answer),
            () = withdrawn.cancelled() => Asked::Withdrawn,
        };
        if let Asked::Answered(answer) = &asked {
            self.close(answer);
            self.chat.stand(AgentState::Working, None);
        }
        guard(&self.awaited).remove(&id);
        asked
    }

    /// Whether an answer is to be said to the agent: no call of it waits for it, and it was not told.
    pub(crate) fn adopt(&self, answer: &Answer) -> bool {
        let is_awaited = guard(&self.awaited).contains(&answer.id);
        !is_awaited && self.close(answer)
    }

    /// Writes down that an answer has reached the agent; false when it had before.
    fn close(&self, answer: &Answer) -> bool {
        if !self.chat.questions.close(&answer.id, Instant::now()) {
            return false;
        }
        let Answer { id, text, answered_by } = answer.clone();
        let asked = self.chat.questions.asked(&id);
        let is_release = asked.is_some_and(|asked| approval::asks(&asked, approval::RELEASE));
        // One that a former process asked may have been another one then: the agent can write the file.
        if is_release && guard(&self.ours).contains(&id) && approves(&text) {
            self.with_engine(Engine::approve);
        }
        self.chat.tell(Entry::Answered { id, text, answered_by });
        true
    }

    pub(crate) fn waits(&self) -> bool {
        !guard(&self.awaited).is_empty()
    }

    /// Questions that are open and that no call waits for: their answers are said to the agent.
    pub(crate) fn orphans(&self) -> Vec<Question> {
        let awaited = guard(&self.awaited);
        let open = self.chat.questions.open();
        open.into_iter().filter(|question| !awaited.contains(&question.id)).collect()
    }

    /// No call waits any more; what was asked stays open.
    pub(crate) fn let_go(&self) {
        std::mem::take(&mut *guard(&self.withdrawn)).cancel();
        guard(&self.awaited).clear();
    }

    /// What a former process asked leave for is asked again when it comes to that.
    pub(crate) fn withdraw_former(&self) {
        let ours = guard(&self.ours).clone();
        let is_former = |id: &str| approval::is_ours(id) && !ours.contains(id);
        self.take_back("the runtime was restarted, and asks again", is_former);
    }

    /// Nobody is to answer any more.
    pub(crate) fn withdraw(&self) {
        self.let_go();
        self.take_back("the agent was interrupted", |_| true);
    }

    fn take_back(&self, why: &str, which: impl Fn(&str) -> bool) {
        let open = self.chat.questions.open().into_iter().filter(|question| which(&question.id));
        for Question { id, .. } in open {
            let text = format!("The question was withdrawn: {why}.");
            let answer = Answer { id, text, answered_by: String::new() };
            // An answer that came first stands.
            if self.chat.questions.take(answer.clone()).is_ok() {
                self.close(&answer);
            }
        }
    }

    /// Asks whether something may be published; else what the agent is told.
    pub(crate) async fn approval(&self, what: &str) -> Result<(), String> {
        let is_ours = |question: &Question| {
            approval::asks(question, what) && guard(&self.ours).contains(&question.id)
        };
        let open = self.chat.questions.open().into_iter().find(is_ours);
        let question = open.unwrap_or_else(|| approval::ask(what));
        guard(&self.ours).insert(question.id.clone());
        match self.ask(question).await {
            Asked::Answered(answer) if approves(&answer.text) => Ok(()),
            Asked::Answered(Answer { text, answered_by, .. }) => {
                let who = if answered_by.is_empty() { "A human" } else { &answered_by };
                Err(format!("{who} does not approve: {text}"))
            }
            Asked::Withdrawn => Err("Nobody has approved.".to_owned()),
            Asked::Unwritten => Err(UNWRITTEN.to_owned()),
        }
    }
}

/// The workflow.
impl Desk {
    fn with_engine<T>(&self, with: impl FnOnce(&mut Engine) -> T) -> Option<T> {
        self.chat.known().work.as_mut().map(|work| with(&mut work.engine))
    }

    /// Takes a step of the agent; what it is told.
    pub(crate) async fn set_phase(
        &self,
        phase: Phase,
        status: PhaseStatus,
        step: String,
        message: String,
    ) -> Result<String, Undone> {
        loop {
            let taken = self.with_engine(|engine| {
                engine.set(phase, status).map_err(|refusal| (engine.words(&refusal), refusal))
            });
            match taken.ok_or_else(no_workflow)? {
                Ok(retry) => {
                    self.chat.tell(Entry::Phase { phase, status, step, message, retry });
                    return Ok(self.onward("Noted."));
                }
                Err((_, Refusal::Approval)) => self.approve_release().await?,
                Err((words, _)) => return Err(Undone::Refused(words)),
            }
        }
    }

    /// What comes next, while a workflow runs.
    pub(crate) fn expected(&self) -> Option<String> {
        self.with_engine(|engine| engine.expected())
    }

    /// What the agent is told of what it did, and what comes next.
    pub(crate) fn onward(&self, done: &str) -> String {
        let expected = self.expected();
        expected.map_or_else(|| done.to_owned(), |expected| format!("{done} {expected}"))
    }

    /// Asks whether the work may be released, unless that was approved; else what the agent is told.
    pub(crate) async fn approve_release(&self) -> Result<(), Undone> {
        if self.with_engine(|engine| engine.is_allowed()) == Some(true) {
            return Ok(());
        }
        if let Err(words) = self.approval(approval::RELEASE).await {
            let told = self.with_engine(|engine| engine.disapproved(&words));
            return Err(Undone::Refused(told.unwrap_or(words)));
        }
        self.with_engine(Engine::approve);
        Ok(())
    }

    /// Whether a pull request may be opened, asking where that helps; else what the agent is told.
    pub(crate) async fn may_publish(&self) -> Result<(), Undone> {
        let may = |engine: &mut Engine| {
            if engine.may_publish() { Ok(()) } else { Err(engine.not_published()) }
        };
        let allowed = match self.with_engine(may) {
            Some(allowed) => allowed,
            None => match self.autonomy() {
                Autonomy::Autonomous => Ok(()),
                Autonomy::Guarded => self.approval(approval::PROPOSE).await,
                Autonomy::DryRun | Autonomy::Assist => Err(UNPUBLISHED.to_owned()),
            },
        };
        allowed.map_err(Undone::Refused)
    }

    /// The phase that publishes, of the workflow that runs.
    pub(crate) fn publishing(&self) -> Option<Phase> {
        let publishing = self.with_engine(|engine| engine.workflow().publishing()).flatten();
        publishing.map(|stage| stage.phase)
    }

    /// What the agent's word that it is done leads to.
    pub(crate) fn completion(&self) -> Result<Ending, Undone> {
        let done = self.with_engine(|engine| engine.complete()).ok_or_else(no_workflow)?;
        done.map_err(Undone::Refused)
    }

    /// Where the work is, as JSON.
    pub(crate) fn state(&self) -> String {
        let told = self.with_engine(|engine| {
            let at = engine
                .at()
                .map(|(phase, status)| serde_json::json!({"phase": phase, "status": status}));
            let (workflow, autonomy) = (engine.workflow().name, engine.autonomy());
            serde_json::json!({"workflow": workflow, "at": at, "autonomy": autonomy, "next": engine.expected()})
        });
        told.map_or_else(|| NO_WORKFLOW.to_owned(), |told| told.to_string())
    }

    /// Ends the workflow, if there is one.
    pub(crate) fn end_workflow(&self, exit_code: u8, summary: &str, url: Option<String>) {
        if self.chat.known().work.is_none() {
            return;
        }
        // Whoever allows this release later must not allow that of the next item.
        self.take_back("the workflow has ended", approval::is_ours);
        self.count();
        let cost = self.chat.known().usage.estimated_cost_usd.clone();
        self.chat.tell(Entry::WorkflowEnded {
            exit_code,
            summary: summary.to_owned(),
            pull_request_url: url,
            estimated_cost_usd: if cost.is_empty() { "0.00".to_owned() } else { cost },
        });
        *guard(&self.item) = None;
    }
}

/// Money.
impl Desk {
    /// Writes down what was used, when it is more than before.
    pub(crate) fn count(&self) {
        if let Some(usage) = self.chat.purse.grown() {
            self.chat.tell(Entry::Usage(usage));
        }
    }
}

fn no_workflow() -> Undone {
    Undone::Refused(NO_WORKFLOW.to_owned())
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
