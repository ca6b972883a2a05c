//! How a workflow begins, and goes on in another process.

use std::time::Duration;

use fabrica_protocol::run::{Entry, TurnState};

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::program::Words;
use super::{AFTER_FAILURE, Life};
use crate::chat::known::Work;
use crate::chat::workflow::Workflow;
use crate::forge::WorkItem;
use crate::run::work_item;

/// A forge that has not handed out a work item by then does not.
const FETCH: Duration = Duration::from_mins(1);

/// A workflow whose work item is on its way: a forge may take its time, and nobody waits for it meanwhile.
pub(super) struct Coming {
    work_id: String,
    plan: Option<String>,
    /// Whether the agent has heard of it, in a former process.
    is_begun: bool,
    item: AbortOnDropHandle<Result<WorkItem, String>>,
}

impl Coming {
    /// Waits for it. May be dropped and asked again, until it has come.
    pub(super) async fn item(coming: &mut Option<Self>) -> Result<WorkItem, String> {
        let Some(coming) = coming else { return std::future::pending().await };
        (&mut coming.item).await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

impl Life {
    /// The Session's own workflow begins, once; one that a former process began goes on.
    pub(super) fn come_back(&mut self) {
        let settings = &self.chat.settings;
        let (has_worked, open, rested) = {
            let known = self.chat.known();
            let begun = known.work.as_ref().filter(|work| work.is_begun);
            let named = settings.forge.work_id.as_deref();
            let has_worked = known.work.is_some() || named.is_some_and(|id| known.has_worked(id));
            (has_worked, begun.map(|work| work.id.clone()), known.has_rested())
        };
        match (open, &settings.forge.work_id) {
            (Some(work_id), _) => {
                self.fetch(work_id, None, true);
                // What it was to hear next was only in the former process.
                let lost = "The runtime was restarted, and the agent did not go on.";
                self.failed = rested.then(|| (Instant::now(), lost.to_owned()));
            }
            (None, Some(work_id)) if settings.workflow && !has_worked => {
                let work_id = work_id.clone();
                self.chat.tell(Entry::WorkflowStarted {
                    work_id: work_id.clone(),
                    autonomy: settings.autonomy,
                    author: String::new(),
                    id: String::new(),
                    plan: None,
                });
                match self.given_up.clone() {
                    Some(why) => self.end_work(4, &why),
                    None => self.fetch(work_id, None, false),
                }
            }
            _ => {}
        }
    }

    /// Sends for the item of a workflow.
    pub(super) fn fetch(&mut self, work_id: String, plan: Option<String>, is_begun: bool) {
        let (desk, named) = (self.desk.clone(), work_id.clone());
        let item = tokio::spawn(async move {
            let fetched = tokio::time::timeout(FETCH, desk.fetch(&named)).await;
            let late = |_| "The work item was not fetched in time.".to_owned();
            let item = fetched.map_err(late).flatten()?;
            if !is_begun {
                work_item::wanted(&item)?;
                desk.check_push().await?;
            }
            Ok(item)
        });
        let item = AbortOnDropHandle::new(item);
        self.coming = Some(Coming { work_id, plan, is_begun, item });
    }

    /// The item has come, or does not: the agent begins to work it, unless the workflow is over meanwhile.
    pub(super) async fn work(&mut self, fetched: Result<WorkItem, String>) {
        let Some(Coming { work_id, plan, is_begun, .. }) = self.coming.take() else { return };
        let is_it = |work: &&Work| work.id == work_id;
        let open = self.chat.known().work.as_ref().filter(is_it).map(|it| it.engine.workflow());
        let Some(workflow) = open else { return };
        match fetched {
            Ok(item) if is_begun => self.desk.works_on(item),
            // Only the pull request's words need it.
            Err(_) if is_begun => {}
            Ok(item) => {
                self.desk.works_on(item.clone());
                let plan = plan.map(|plan| format!("\n\n<plan>\n{plan}\n</plan>"));
                let head = format!("Run FABER workflow for work item #{}", item.number);
                let text =
                    format!("{head}\n\n{}{}", instructions(workflow), plan.unwrap_or_default());
                self.tell(&work_item::join(Some(&text), Some(&item))).await;
            }
            Err(words) => self.desk.end_workflow(4, &words, None),
        }
    }

    /// The agent rests: while a workflow is open it is reminded of it.
    pub(super) async fn rests(&mut self) {
        if self.over.take() != Some(TurnState::Completed) || self.is_awaited() {
            return;
        }
        let summary = "The agent rested again and again without completing the workflow.";
        self.nudge(1, summary).await;
    }

    /// A turn has failed a while ago: while a workflow is open the agent is to try again.
    pub(super) async fn go_on(&mut self) {
        let Some((_, why)) = self.failed.take() else { return };
        // Whatever is under way has an end of its own.
        if self.conversation.is_busy() {
            // What works beside it may end without another turn.
            self.failed = Some((Instant::now() + AFTER_FAILURE, why));
        } else if !self.is_awaited() {
            self.nudge(4, &why).await;
        }
    }

    /// Whether the agent is to hear something anyway.
    fn is_awaited(&self) -> bool {
        let begins = self.coming.as_ref().is_some_and(|coming| !coming.is_begun);
        begins || !self.queue.is_empty() || !self.desk.orphans().is_empty()
    }

    async fn nudge(&mut self, exit_code: u8, summary: &str) {
        let nudge = self.chat.known().work.as_mut().map(|work| work.engine.nudge());
        match nudge {
            Some(Some(words)) => self.tell(&words).await,
            Some(None) => self.desk.end_workflow(exit_code, summary, None),
            None => {}
        }
    }

    /// Nothing of a workflow that is over is said to the agent, nor said again to the one that is started next.
    pub(super) fn forget_work(&mut self) {
        self.queue.retain(Words::is_said);
        self.coming = None;
        self.was_in_turn = false;
    }

    /// The workflow is over, as there is no agent to work it; the one that comes is not told to.
    pub(super) fn end_work(&mut self, exit_code: u8, why: &str) {
        if self.chat.known().work.is_none() {
            return;
        }
        self.desk.end_workflow(exit_code, why, None);
        self.forget_work();
        self.notes.push(format!("(From Fabrica: the workflow has ended: {why})"));
    }
}

/// How a workflow is worked, for the agent.
fn instructions(workflow: &Workflow) -> String {
    format!(
        "Work it through the phases {}, in this order. Say with set_phase of fractary-faber when each begins and ends; its answer says what comes next. When all is done, call complete.",
        workflow.names()
    )
}
