//! Where the work of a workflow is, what may follow, and what the agent is told next. It knows no phase by its name: what
//! holds of each is the workflow's to say. Pure.

use std::collections::BTreeMap;

use fabrica_protocol::run::{Autonomy, Phase, PhaseStatus};

use super::workflow::{Stage, Workflow};
use crate::run::faber::name;

/// An agent that rests before its work is done is told so this often, until the work moves or somebody speaks.
const NUDGES: u8 = 2;
/// What comes next for an agent that has begun everything as often as it may.
const STUCK: &str = "Nothing is left to try: call complete with the outcome failed, and say why.";

/// Where the work is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Engine {
    workflow: &'static Workflow,
    autonomy: Autonomy,
    at: Option<(&'static Stage, PhaseStatus)>,
    /// How often each phase was begun.
    starts: BTreeMap<Phase, u32>,
    is_approved: bool,
    nudges: u8,
}

/// Why a step is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is not its turn.
    Order,
    Retries(&'static Stage),
    /// The autonomy ends before.
    Autonomy,
    /// Somebody has to approve first.
    Approval,
}

/// What follows from the agent's word that it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Publish it.
    Release,
    /// The workflow ends before anything is published.
    Unpublished,
}

impl Engine {
    pub(crate) const fn new(workflow: &'static Workflow, autonomy: Autonomy) -> Self {
        Self {
            workflow,
            autonomy,
            at: None,
            starts: BTreeMap::new(),
            is_approved: false,
            nudges: 0,
        }
    }

    pub(crate) const fn workflow(&self) -> &'static Workflow {
        self.workflow
    }

    pub(crate) const fn autonomy(&self) -> Autonomy {
        self.autonomy
    }

    /// Takes a step of the agent; how often its phase was begun before.
    pub(crate) fn set(&mut self, phase: Phase, status: PhaseStatus) -> Result<u32, Refusal> {
        self.check(phase, status)?;
        // Whoever only says again where it is does not go on.
        if self.at() != Some((phase, status)) {
            self.nudges = 0;
        }
        self.learn(phase, status);
        Ok(self.retry(phase))
    }

    /// Takes a step that was taken before. An approval does not come back that way: the agent can write the file too.
    pub(crate) fn learn(&mut self, phase: Phase, status: PhaseStatus) {
        // A file may name phases that this workflow has not.
        let Some(stage) = self.workflow.stage(phase) else { return };
        let is_begun = self.at() == Some((phase, PhaseStatus::Started));
        if status == PhaseStatus::Started && !is_begun {
            *self.starts.entry(phase).or_default() += 1;
        }
        self.at = Some((stage, status));
    }

    /// Somebody allows the release.
    pub(crate) const fn approve(&mut self) {
        self.is_approved = true;
    }

    /// Where the work is, for the agent.
    pub(crate) fn at(&self) -> Option<(Phase, PhaseStatus)> {
        self.at.map(|(stage, status)| (stage.phase, status))
    }

    /// Whether a branch may be pushed.
    pub(crate) fn may_push(autonomy: Autonomy) -> bool {
        autonomy >= Autonomy::Guarded
    }

    /// Whether the work may be published once it comes to that: nobody has to allow it any more.
    pub(crate) fn is_allowed(&self) -> bool {
        let publishing = self.workflow.publishing();
        publishing.is_some_and(|stage| stage.least <= self.autonomy && !self.needs_approval(stage))
    }

    /// Whether a pull request may be opened now.
    pub(crate) fn may_publish(&self) -> bool {
        self.is_allowed() && self.is_publishing()
    }

    /// What the agent's word that all is done leads to; else what it is told.
    pub(crate) fn complete(&self) -> Result<Ending, String> {
        // A dry run changes nothing, so it may end anywhere.
        if self.autonomy == Autonomy::DryRun {
            return Ok(Ending::Unpublished);
        }
        if !self.complete_is_next() {
            return Err(format!("Not yet. {}", self.expected()));
        }
        let last = self.workflow.last(self.autonomy);
        let publishes = last.is_some_and(|stage| stage.publishes);
        Ok(if publishes { Ending::Release } else { Ending::Unpublished })
    }

    /// What an agent is told that rests before its work is done; nothing when it was told often enough.
    pub(crate) fn nudge(&mut self) -> Option<String> {
        if self.nudges == NUDGES {
            return None;
        }
        self.nudges += 1;
        Some(format!(
            "The workflow is not over. {} If you cannot go on, call complete with the outcome failed.",
            self.expected()
        ))
    }

    /// Somebody spoke, so the agent may rest again.
    pub(crate) const fn forgive(&mut self) {
        self.nudges = 0;
    }

    /// What comes next.
    pub(crate) fn expected(&self) -> String {
        if self.complete_is_next() {
            return "Next: call complete, once, with title, body and summary.".to_owned();
        }
        if let Some((phase, PhaseStatus::Started)) = self.at() {
            let name = name(phase);
            return format!("You are in the phase {name}: do it, then set it completed or failed.");
        }
        let is_possible = |(stage, status): &(&Stage, PhaseStatus)| {
            matches!(self.check(stage.phase, *status), Ok(()) | Err(Refusal::Approval))
        };
        let word =
            |(stage, status): (&Stage, PhaseStatus)| format!("{} {status:?}", name(stage.phase));
        let moves: Vec<String> = self.moves().into_iter().filter(is_possible).map(word).collect();
        if moves.is_empty() {
            return STUCK.to_owned();
        }
        format!("Next with set_phase: {}.", moves.join(", or ").to_lowercase())
    }

    /// What the agent is told of a step that is not taken.
    pub(crate) fn words(&self, refusal: &Refusal) -> String {
        let why = match refusal {
            Refusal::Order => "This is not its turn: phases come in their order.".to_owned(),
            Refusal::Retries(stage) => format!(
                "The phase {} was begun {} times: that is all.",
                name(stage.phase),
                stage.retries + 1
            ),
            Refusal::Autonomy => "The autonomy of this workflow ends here.".to_owned(),
            Refusal::Approval => "A human has to approve the release first.".to_owned(),
        };
        format!("Refused. {why} {}", self.expected())
    }

    /// What the agent is told that wants to publish too early.
    pub(crate) fn not_published(&self) -> String {
        let why = self.workflow.publishing().map_or_else(
            || "this workflow publishes nothing".to_owned(),
            |stage| format!("it is opened in the phase {}", name(stage.phase)),
        );
        format!("Refused: {why}. {}", self.expected())
    }

    /// What the agent is told that may not publish what it did.
    pub(crate) fn disapproved(&self, words: &str) -> String {
        let back = self.workflow.back.map(|(_, to)| format!("Go back to {} and mend", name(to)));
        let back = back.as_deref().unwrap_or("Mend");
        let words = words.trim_end_matches('.');
        format!("Refused. {words}. {back} it, or call complete with the outcome failed.")
    }

    /// Whether the phase that publishes the work has begun, and has not failed: publishing is what completes it.
    fn is_publishing(&self) -> bool {
        use PhaseStatus::{Completed, Started};
        self.at.is_some_and(|(stage, status)| {
            stage.publishes && [Started, Completed].contains(&status)
        })
    }

    fn complete_is_next(&self) -> bool {
        use PhaseStatus::{Completed, Skipped};
        let Some(last) = self.workflow.last(self.autonomy) else { return true };
        if last.publishes {
            return self.is_publishing();
        }
        self.at
            .is_some_and(|(stage, status)| stage == last && [Completed, Skipped].contains(&status))
    }

    fn check(&self, phase: Phase, status: PhaseStatus) -> Result<(), Refusal> {
        use PhaseStatus::{Skipped, Started};
        let is_it =
            |(stage, known): &(&Stage, PhaseStatus)| (stage.phase, *known) == (phase, status);
        let (stage, _) = self.moves().into_iter().find(is_it).ok_or(Refusal::Order)?;
        let is_entered = matches!(status, Started | Skipped);
        if !is_entered || self.at == Some((stage, status)) {
            return Ok(());
        }
        if stage.least > self.autonomy {
            return Err(Refusal::Autonomy);
        }
        if status == Skipped {
            return Ok(());
        }
        if self.starts.get(&phase).is_some_and(|starts| *starts > stage.retries) {
            return Err(Refusal::Retries(stage));
        }
        if self.needs_approval(stage) {
            return Err(Refusal::Approval);
        }
        Ok(())
    }

    fn needs_approval(&self, stage: &Stage) -> bool {
        stage.asks && self.autonomy != Autonomy::Autonomous && !self.is_approved
    }

    /// The steps that the order allows.
    fn moves(&self) -> Vec<(&'static Stage, PhaseStatus)> {
        use PhaseStatus::{Completed, Failed, Skipped, Started};
        let mut moves = match self.at {
            None => Self::entering(self.workflow.stages.first()),
            Some((stage, Started)) => {
                vec![(stage, Started), (stage, Completed), (stage, Failed)]
            }
            Some((stage, Failed)) => vec![(stage, Started)],
            Some((stage, Completed | Skipped)) => Self::entering(self.workflow.after(stage)),
        };
        if let (Some((stage, _)), Some((from, to))) = (self.at, self.workflow.back)
            && stage.phase == from
        {
            moves.extend(self.workflow.stage(to).map(|to| (to, Started)));
        }
        moves
    }

    fn entering(stage: Option<&'static Stage>) -> Vec<(&'static Stage, PhaseStatus)> {
        let Some(stage) = stage else { return Vec::new() };
        let skip = stage.may_skip.then_some((stage, PhaseStatus::Skipped));
        [(stage, PhaseStatus::Started)].into_iter().chain(skip).collect()
    }

    fn retry(&self, phase: Phase) -> u32 {
        self.starts.get(&phase).map_or(0, |starts| starts - 1)
    }
}

#[cfg(test)]
mod tests;
