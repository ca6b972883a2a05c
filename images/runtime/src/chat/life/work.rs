//! How a workflow begins, and goes on in another process.

use std::time::Duration;

use fabrica_protocol::run::Entry;

use super::Life;
use crate::run::work_item;

/// A forge that has not handed out a work item by then does not.
const FETCH: Duration = Duration::from_mins(1);
const WORKFLOW: &str = "Work it through the phases frame, architect, build, evaluate, release, in this order. Say with set_phase of fractary-faber when each begins and ends; its answer says what comes next. When all is done, call complete.";

impl Life {
    /// The Session's own workflow begins, once; one that a former process began goes on.
    pub(super) async fn come_back(&mut self) {
        let settings = &self.chat.settings;
        let (has_worked, open) = {
            let known = self.chat.known();
            let begun = known.work.as_ref().filter(|work| work.is_begun);
            (known.has_worked, begun.map(|work| work.id.clone()))
        };
        match (open, &settings.forge.work_id) {
            (Some(work_id), _) => {
                // Only the pull request's words need it.
                let fetching = self.desk.fetch(&work_id);
                let _ = tokio::time::timeout(FETCH, fetching).await;
            }
            (None, Some(work_id)) if settings.workflow && !has_worked => {
                let (work_id, autonomy) = (work_id.clone(), settings.autonomy);
                let named = work_id.clone();
                let author = String::new();
                self.chat.tell(Entry::WorkflowStarted { work_id: named, autonomy, author });
                self.work(&work_id, None).await;
            }
            _ => {}
        }
    }

    /// The agent begins to work an item.
    pub(super) async fn work(&mut self, work_id: &str, plan: Option<&str>) {
        let fetched = tokio::time::timeout(FETCH, self.desk.fetch(work_id)).await;
        let late = |_| "The work item was not fetched in time.".to_owned();
        let wanted = |item| work_item::wanted(&item).map(|()| item);
        match fetched.map_err(late).flatten().and_then(wanted) {
            Ok(item) => {
                let plan = plan.map(|plan| format!("\n\n<plan>\n{plan}\n</plan>"));
                let head = format!("Run FABER workflow for work item #{}", item.number);
                let text = format!("{head}\n\n{WORKFLOW}{}", plan.unwrap_or_default());
                self.tell(&work_item::join(Some(&text), Some(&item))).await;
            }
            Err(words) => self.desk.end_workflow(4, &words, None),
        }
    }
}
