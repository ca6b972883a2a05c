//! The workflow: which phases there are, which may follow which, and what the agent is told next. Pure.

use std::collections::BTreeMap;

use fabrica_protocol::run::{Autonomy, Phase, PhaseStatus};

use crate::run::faber::name;

/// A workflow is data.
#[derive(Debug)]
pub(crate) struct Workflow {
    /// In their order.
    phases: [Phase; 5],
    /// What may be left out.
    optional: &'static [Phase],
    /// From the first one the work goes back to the second.
    back: (Phase, Phase),
    /// As often as a phase may be begun anew.
    most_retries: u32,
}

/// The one that is built in.
pub(crate) const CORE: Workflow = Workflow {
    phases: [Phase::Frame, Phase::Architect, Phase::Build, Phase::Evaluate, Phase::Release],
    optional: &[Phase::Frame, Phase::Architect],
    back: (Phase::Evaluate, Phase::Build),
    most_retries: 3,
};

/// An agent that rests before its work is done is told so this often, until the work moves or somebody speaks.
const NUDGES: u8 = 2;

/// Where the work is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Engine {
    autonomy: Autonomy,
    at: Option<(Phase, PhaseStatus)>,
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
    Retries(Phase),
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
    pub(crate) const fn new(autonomy: Autonomy) -> Self {
        Self { autonomy, at: None, starts: BTreeMap::new(), is_approved: false, nudges: 0 }
    }

    pub(crate) const fn autonomy(&self) -> Autonomy {
        self.autonomy
    }

    /// Takes a step of the agent; how often its phase was begun before.
    pub(crate) fn set(&mut self, phase: Phase, status: PhaseStatus) -> Result<u32, Refusal> {
        self.check(phase, status)?;
        // Whoever only says again where it is does not go on.
        if self.at != Some((phase, status)) {
            self.nudges = 0;
        }
        self.learn(phase, status);
        Ok(self.retry(phase))
    }

    /// Takes a step that was taken before. An approval does not come back that way: the agent can write the file too.
    pub(crate) fn learn(&mut self, phase: Phase, status: PhaseStatus) {
        let is_begun = self.at == Some((phase, PhaseStatus::Started));
        if status == PhaseStatus::Started && !is_begun {
            *self.starts.entry(phase).or_default() += 1;
        }
        self.at = Some((phase, status));
    }

    /// Somebody allows the release.
    pub(crate) const fn approve(&mut self) {
        self.is_approved = true;
    }

    /// Where the work is, for the agent.
    pub(crate) const fn at(&self) -> Option<(Phase, PhaseStatus)> {
        self.at
    }

    /// Whether a branch may be pushed.
    pub(crate) fn may_push(autonomy: Autonomy) -> bool {
        autonomy >= Autonomy::Guarded
    }

    /// Whether a pull request may be opened, as far as the workflow goes.
    pub(crate) fn may_publish(&self) -> bool {
        self.autonomy == Autonomy::Autonomous
            || self.autonomy == Autonomy::Guarded && self.is_approved
    }

    /// What the agent's word that all is done leads to; else what it is told.
    pub(crate) fn complete(&self) -> Result<Ending, String> {
        use PhaseStatus::{Completed, Started};
        match (self.autonomy, self.at) {
            (Autonomy::DryRun, _) | (Autonomy::Assist, Some((Phase::Evaluate, Completed))) => {
                Ok(Ending::Unpublished)
            }
            (
                Autonomy::Guarded | Autonomy::Autonomous,
                Some((Phase::Release, Started | Completed)),
            ) => Ok(Ending::Release),
            _ => Err(format!("Not yet. {}", self.expected())),
        }
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
        if let Some((phase, PhaseStatus::Started)) = self.at {
            let name = name(phase);
            return format!("You are in the phase {name}: do it, then set it completed or failed.");
        }
        let is_possible = |(phase, status): &(Phase, PhaseStatus)| {
            matches!(self.check(*phase, *status), Ok(()) | Err(Refusal::Approval))
        };
        let word = |(phase, status): (Phase, PhaseStatus)| format!("{} {status:?}", name(phase));
        let moves: Vec<String> = self.moves().into_iter().filter(is_possible).map(word).collect();
        format!("Next with set_phase: {}.", moves.join(", or ").to_lowercase())
    }

    /// What the agent is told of a step that is not taken.
    pub(crate) fn words(&self, refusal: &Refusal) -> String {
        let why = match refusal {
            Refusal::Order => "This is not its turn: phases come in their order.".to_owned(),
            Refusal::Retries(phase) => format!(
                "The phase {} was begun {} times: that is all. Call complete with the outcome failed, and say why.",
                name(*phase),
                CORE.most_retries + 1
            ),
            Refusal::Autonomy => "The autonomy of this workflow ends here.".to_owned(),
            Refusal::Approval => "A human has to approve the release first.".to_owned(),
        };
        format!("Refused. {why} {}", self.expected())
    }

    fn complete_is_next(&self) -> bool {
        use PhaseStatus::{Completed, Skipped, Started};
        match self.autonomy {
            Autonomy::DryRun => matches!(self.at, Some((Phase::Architect, Completed | Skipped))),
            Autonomy::Assist => self.at == Some((Phase::Evaluate, Completed)),
            Autonomy::Guarded | Autonomy::Autonomous => {
                matches!(self.at, Some((Phase::Release, Started | Completed)))
            }
        }
    }

    fn check(&self, phase: Phase, status: PhaseStatus) -> Result<(), Refusal> {
        if !self.moves().contains(&(phase, status)) {
            return Err(Refusal::Order);
        }
        if status != PhaseStatus::Started || self.at == Some((phase, status)) {
            return Ok(());
        }
        if self.starts.get(&phase).is_some_and(|starts| *starts > CORE.most_retries) {
            return Err(Refusal::Retries(phase));
        }
        let ends_before = match self.autonomy {
            Autonomy::DryRun => Some(Phase::Build),
            Autonomy::Assist => Some(Phase::Release),
            Autonomy::Guarded | Autonomy::Autonomous => None,
        };
        if ends_before.is_some_and(|end| phase >= end) {
            return Err(Refusal::Autonomy);
        }
        if self.needs_approval(phase, status) {
            return Err(Refusal::Approval);
        }
        Ok(())
    }

    fn needs_approval(&self, phase: Phase, status: PhaseStatus) -> bool {
        (phase, status) == (Phase::Release, PhaseStatus::Started)
            && self.autonomy == Autonomy::Guarded
            && !self.is_approved
    }

    /// The steps that the order allows.
    fn moves(&self) -> Vec<(Phase, PhaseStatus)> {
        use PhaseStatus::{Completed, Failed, Skipped, Started};
        let (from, to) = CORE.back;
        let mut moves = match self.at {
            None => Self::entering(CORE.phases[0]),
            Some((phase, Started)) => {
                vec![(phase, Started), (phase, Completed), (phase, Failed)]
            }
            Some((phase, Failed)) => vec![(phase, Started)],
            Some((phase, Completed | Skipped)) => {
                let next = CORE.phases.iter().find(|next| **next > phase);
                next.map_or_else(Vec::new, |next| Self::entering(*next))
            }
        };
        if self.at.is_some_and(|(phase, _)| phase == from) {
            moves.push((to, Started));
        }
        moves
    }

    fn entering(phase: Phase) -> Vec<(Phase, PhaseStatus)> {
        let mut moves = vec![(phase, PhaseStatus::Started)];
        if CORE.optional.contains(&phase) {
            moves.push((phase, PhaseStatus::Skipped));
        }
        moves
    }

    fn retry(&self, phase: Phase) -> u32 {
        self.starts.get(&phase).map_or(0, |starts| starts - 1)
    }
}

#[cfg(test)]
mod tests;
