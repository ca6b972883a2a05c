//! Workflows, which are data: what phases there are, in which order, and what holds of each. Pure.

use fabrica_protocol::run::{Autonomy, Phase};

use crate::run::faber::name;

/// As often as a phase may be begun anew, where nothing else is said of it.
const RETRIES: u32 = 3;

/// A workflow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Workflow {
    pub(crate) name: &'static str,
    /// In their order, which need not be that of the names.
    pub(crate) stages: &'static [Stage],
    /// From the first one the work may go back to the second.
    pub(crate) back: Option<(Phase, Phase)>,
}

/// A phase of a workflow, and what holds of it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) phase: Phase,
    pub(crate) may_skip: bool,
    /// As often as it may be begun anew.
    pub(crate) retries: u32,
    /// With less than this the workflow ends before it.
    pub(crate) least: Autonomy,
    /// Whether its end publishes the work, which is the end of the workflow.
    pub(crate) publishes: bool,
    /// Whether a human allows it first, unless the agent is autonomous. Only what publishes is asked for.
    pub(crate) asks: bool,
}

/// The one that is built in.
pub(crate) static CORE: Workflow = Workflow {
    name: "core",
    stages: &[
        Stage { may_skip: true, ..Stage::of(Phase::Frame) },
        Stage { may_skip: true, ..Stage::of(Phase::Architect) },
        Stage { least: Autonomy::Assist, ..Stage::of(Phase::Build) },
        Stage { least: Autonomy::Assist, ..Stage::of(Phase::Evaluate) },
        Stage {
            least: Autonomy::Guarded,
            publishes: true,
            asks: true,
            ..Stage::of(Phase::Release)
        },
    ],
    back: Some((Phase::Evaluate, Phase::Build)),
};

impl Workflow {
    /// The phases by their names, in their order.
    pub(crate) fn names(&self) -> String {
        let names: Vec<String> = self.stages.iter().map(|stage| name(stage.phase)).collect();
        names.join(", ")
    }

    pub(crate) fn stage(&self, phase: Phase) -> Option<&'static Stage> {
        self.stages.iter().find(|stage| stage.phase == phase)
    }

    /// The one that comes next.
    pub(crate) fn after(&self, before: &Stage) -> Option<&'static Stage> {
        self.stages.iter().skip_while(|stage| stage.phase != before.phase).nth(1)
    }

    /// The last one that so much autonomy reaches.
    pub(crate) fn last(&self, autonomy: Autonomy) -> Option<&'static Stage> {
        self.stages.iter().take_while(|stage| stage.least <= autonomy).last()
    }

    pub(crate) fn publishing(&self) -> Option<&'static Stage> {
        self.stages.iter().find(|stage| stage.publishes)
    }
}

impl Stage {
    /// A phase of which nothing special holds.
    pub(crate) const fn of(phase: Phase) -> Self {
        let (may_skip, publishes, asks) = (false, false, false);
        Self { phase, may_skip, retries: RETRIES, least: Autonomy::DryRun, publishes, asks }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two phases, begun anew once at most, with another way back and nobody to ask.
    pub(crate) static SHORT: Workflow = Workflow {
        name: "short",
        stages: &[
            Stage { least: Autonomy::Assist, retries: 1, ..Stage::of(Phase::Build) },
            Stage {
                least: Autonomy::Guarded,
                retries: 1,
                publishes: true,
                ..Stage::of(Phase::Release)
            },
        ],
        back: Some((Phase::Release, Phase::Build)),
    };

    /// Phases in an order of its own, no way back, and nothing to publish.
    pub(crate) static REVIEW: Workflow = Workflow {
        name: "review",
        stages: &[
            Stage::of(Phase::Evaluate),
            Stage { may_skip: true, least: Autonomy::Guarded, ..Stage::of(Phase::Frame) },
        ],
        back: None,
    };

    #[test]
    fn every_workflow_holds_together() {
        for workflow in [&CORE, &SHORT, &REVIEW] {
            let stages = workflow.stages;
            let place = |phase| stages.iter().position(|stage| stage.phase == phase);
            for (index, stage) in stages.iter().enumerate() {
                assert_eq!(place(stage.phase), Some(index), "each phase is there once");
            }
            assert!(stages.is_sorted_by_key(|stage| stage.least), "what was reached stays so");
            if let Some((from, to)) = workflow.back {
                assert!(place(to).unwrap() < place(from).unwrap());
            }
            let (last, before) = stages.split_last().unwrap();
            assert!(before.iter().all(|stage| !stage.publishes), "that ends the work");
            assert!(!last.publishes || last.least >= Autonomy::Guarded);
            assert!(stages.iter().all(|stage| stage.publishes || !stage.asks));
        }
    }

    #[test]
    fn the_one_that_is_built_in_is_fabers() {
        assert_eq!(CORE.names(), "frame, architect, build, evaluate, release");
        assert!(CORE.stages.iter().all(|stage| stage.retries == 3));
    }
}
