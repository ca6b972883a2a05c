//! What journals tell: phases, workflows, turns.

use fabrica_protocol::run::Phase;
use prometheus_client::registry::Registry;

use super::family::{Counters, Histograms, histograms, registered};
use super::mode::Mode;
use crate::chronicle::{Happening, TURNS, What};

/// Phases: up to 14 hours.
const DOUBLINGS: u16 = 20;
/// What exit codes of workflows mean.
const OUTCOMES: [&str; 5] = ["completed", "failed", "exhausted", "cancelled", "unable"];

#[derive(Debug)]
pub(super) struct Told {
    phases: Histograms<2>,
    retries: Counters<2>,
    workflows: Counters<2>,
    turns: Counters<2>,
    /// Runtimes that can be asked count them by themselves.
    crashes: Counters<1>,
}

impl Told {
    pub(super) fn new(registry: &mut Registry, crashes: Counters<1>) -> Self {
        let words = "How long phases of work took, by mode";
        let phases = registered(registry, "phase_seconds", words, histograms::<2, DOUBLINGS>());
        let words = "Times a phase of work was gone back to, by mode";
        let retries = registered(registry, "phase_retries", words, Counters::<2>::default());
        for mode in [Mode::Chat, Mode::Run] {
            for phase in Phase::ALL {
                let labels = [mode.label(), ("phase", phase.as_str())];
                drop(phases.get_or_create(&labels));
                drop(retries.get_or_create(&labels));
            }
        }
        let mut counters = |name, help| registered(registry, name, help, Counters::default());
        let workflows = counters("workflows", "Workflows that ended, by mode and outcome");
        let turns = counters("turns", "Turns of agents that one talks to, by mode and outcome");
        // The agent of a Terminal can be talked to, too.
        for mode in [Mode::Terminal, Mode::Chat] {
            for outcome in OUTCOMES {
                drop(workflows.get_or_create(&[mode.label(), ("outcome", outcome)]));
            }
            for outcome in TURNS {
                drop(turns.get_or_create(&[mode.label(), ("outcome", outcome)]));
            }
        }
        Self { phases, retries, workflows, turns, crashes }
    }

    pub(super) fn add(&self, mode: Mode, happening: &Happening) {
        match &happening.what {
            What::Phase { phase, retry } => {
                let labels = [mode.label(), ("phase", phase.as_str())];
                self.phases.get_or_create(&labels).observe(happening.seconds());
                if *retry > 0 {
                    self.retries.get_or_create(&labels).inc();
                }
            }
            What::Workflow { exit_code, .. } => {
                let outcome = OUTCOMES.get(usize::from(*exit_code)).copied().unwrap_or("unable");
                self.workflows.get_or_create(&[mode.label(), ("outcome", outcome)]).inc();
            }
            What::Turn { outcome } => {
                self.turns.get_or_create(&[mode.label(), ("outcome", outcome)]).inc();
            }
            What::Crash => {
                self.crashes.get_or_create(&[mode.label()]).inc();
            }
            What::Step { .. } | What::Tool { .. } => {}
        }
    }
}
