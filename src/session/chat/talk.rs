//! What a conversation's journal says, record by record: as much of it as a status shows. Pure.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use fabrica_crds::session::{
    Faber, PendingApproval, PhaseStatus, Usage, WorkflowOutcome, WorkflowPhase, faber, messages,
};
use fabrica_crds::time::to_kubernetes;
use fabrica_protocol::run::{self as told, Entry, Record};

use crate::children::agent::{Asked, line, todos};
use crate::children::messages::Line;
use crate::children::usage;

/// How many open questions are known: more than a status shows, for the next one moves up when one is answered.
const OPEN: usize = 64;

/// How many answers are known, the newest: whoever loses against one is told soon after it, and few come in between.
const ANSWERED: usize = 64;

/// What was told until now.
#[derive(Debug, Clone, Default)]
pub(in crate::session) struct Talk {
    faber: Faber,
    /// Questions without an answer, oldest first.
    open: Vec<PendingApproval>,
    /// What the agent took for answers, oldest first.
    answered: VecDeque<told::Answer>,
    /// The most that was ever told: less means that somebody changed the file.
    pub(in crate::session) usage: Option<Usage>,
    /// Answers to the agent, of which the same holds.
    pub(in crate::session) turns: u64,
    pub(in crate::session) pull_request_url: Option<String>,
    /// The newest messages.
    pub(in crate::session) lines: Vec<Line>,
    /// The last start step.
    pub(in crate::session) step: Option<String>,
    /// What kept the agent from working, and when, unless it has worked since.
    trouble: Option<(DateTime<Utc>, String)>,
}

/// What a workflow ends with that is over because of money, and because of something that is no fault of the agent.
const NOT_THE_AGENTS: [u8; 2] = [2, 4];

impl Talk {
    /// One record more.
    pub(in crate::session) fn add(&mut self, record: &Record) {
        if let Some(line) = line(record) {
            self.lines.push(line);
            self.lines.drain(..self.lines.len().saturating_sub(messages::KEPT));
        }
        self.stand(record);
        match &record.entry {
            Entry::Step { text, .. } => self.step = Some(text.clone()),
            Entry::Phase { phase, status, step, message, retry } => {
                let said = [step, message].into_iter().find(|text| !text.is_empty());
                self.faber.step = said.map(|text| text.chars().take(faber::TEXT).collect());
                self.phase(phase.as_str(), *status, *retry, record.time);
            }
            Entry::Todos { items } => self.faber.todos = todos(items),
            Entry::Usage(told) => {
                self.usage = usage::dearer(self.usage.take(), Some(usage::of(told)));
                self.turns = self.turns.max(told.turns);
            }
            Entry::Question(asked) => self.ask(asked, record.time),
            Entry::Answered { id, text, answered_by } => {
                self.open.retain(|asked| asked.id != *id);
                let (id, text, answered_by) = (id.clone(), text.clone(), answered_by.clone());
                self.answered.push_back(told::Answer { id, text, answered_by });
                self.answered.drain(..self.answered.len().saturating_sub(ANSWERED));
            }
            Entry::WorkflowStarted { .. } => {
                self.faber = Faber::default();
                self.pull_request_url = None;
            }
            Entry::WorkflowEnded { exit_code, summary, pull_request_url, .. } => {
                let done = *exit_code == 0;
                let outcome =
                    if done { WorkflowOutcome::Completed } else { WorkflowOutcome::Ended };
                self.faber.outcome = Some(outcome);
                self.faber.summary = Some(summary.chars().take(faber::TEXT).collect());
                self.pull_request_url.clone_from(pull_request_url);
            }
            _ => {}
        }
    }

    /// Whether the agent works, as far as this record tells.
    fn stand(&mut self, record: &Record) {
        match &record.entry {
            Entry::Turn { state: told::TurnState::Failed, message: Some(why), .. } => {
                self.trouble = Some((record.time, why.clone()));
            }
            Entry::WorkflowEnded { exit_code, summary, .. }
                if NOT_THE_AGENTS.contains(exit_code) =>
            {
                self.trouble = Some((record.time, summary.clone()));
            }
            Entry::Turn { state: told::TurnState::Completed, .. }
            | Entry::ToolStarted { .. }
            | Entry::WorkflowStarted { .. } => self.trouble = None,
            _ => {}
        }
    }

    fn phase(&mut self, name: &str, told: told::PhaseStatus, retry: u32, time: DateTime<Utc>) {
        self.faber.phase = Some(name.to_owned());
        let phases = &mut self.faber.phases;
        let place = phases.iter().position(|phase| phase.name == name);
        if place.is_none() && phases.len() < faber::PHASES {
            let name = name.to_owned();
            phases.push(WorkflowPhase {
                name,
                status: PhaseStatus::Skipped,
                started_at: None,
                finished_at: None,
                retries: 0,
            });
        }
        let place = place.or_else(|| phases.len().checked_sub(1));
        let Some(phase) = place.and_then(|place| phases.get_mut(place)) else { return };
        let goes_on = phase.status == PhaseStatus::Started;
        phase.status = match told {
            told::PhaseStatus::Started => PhaseStatus::Started,
            told::PhaseStatus::Completed => PhaseStatus::Completed,
            told::PhaseStatus::Failed => PhaseStatus::Failed,
            told::PhaseStatus::Skipped => PhaseStatus::Skipped,
        };
        phase.retries = i32::try_from(retry).unwrap_or(i32::MAX);
        match phase.status {
            // It names its next step.
            PhaseStatus::Started if goes_on => {}
            PhaseStatus::Started => {
                (phase.started_at, phase.finished_at) = (Some(to_kubernetes(time)), None);
            }
            PhaseStatus::Completed | PhaseStatus::Failed | PhaseStatus::Skipped => {
                phase.finished_at = Some(to_kubernetes(time));
            }
        }
    }

    fn ask(&mut self, asked: &told::Question, time: DateTime<Utc>) {
        let Some(Asked { id, kind, question, options }) = Asked::of(asked) else { return };
        if self.open.len() < OPEN && self.open.iter().all(|other| other.id != id) {
            let asked_at = to_kubernetes(time);
            self.open.push(PendingApproval { id, kind, question, options, asked_at });
        }
    }

    /// Questions that wait for an answer.
    pub(in crate::session) fn open(&self) -> &[PendingApproval] {
        &self.open
    }

    /// The newest answers that the agent took.
    pub(in crate::session) fn answered(&self) -> impl Iterator<Item = &told::Answer> {
        self.answered.iter()
    }

    /// Why the agent does not work. What was told before the runtime began may be mended.
    pub(in crate::session) fn trouble(&self, began: DateTime<Utc>) -> Option<&str> {
        self.trouble.as_ref().filter(|(time, _)| *time >= began).map(|(_, why)| &**why)
    }

    /// Where the agent is; none while it said nothing.
    pub(in crate::session) fn faber(&self) -> Option<Faber> {
        let pending_approvals = self.open.iter().take(faber::APPROVALS).cloned().collect();
        let faber = Faber { pending_approvals, ..self.faber.clone() };
        (faber != Faber::default()).then_some(faber)
    }
}

#[cfg(test)]
#[path = "talk_tests.rs"]
mod tests;
