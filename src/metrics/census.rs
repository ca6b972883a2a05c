//! How many objects there are.

use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::family::{Gauges, gauge, registered};
use super::mode::Mode;

const SESSION_PHASES: [&str; 5] = ["Pending", "Starting", "Running", "Stopped", "Failed"];
const RUN_PHASES: [&str; 7] =
    ["Pending", "Queued", "Running", "Escalated", "Completed", "Failed", "Cancelled"];

/// One Session or Run, as the controller's cache has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub uid: String,
    pub mode: Mode,
    /// None: nobody has looked at it yet.
    pub phase: Option<&'static str>,
    /// Questions of its agent that wait for an answer.
    pub questions: usize,
}

#[derive(Debug)]
pub(super) struct Census {
    sessions: Gauges<2>,
    runs: Gauges<1>,
    questions: Gauges<1>,
}

impl Census {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let words = "Questions of agents that wait for an answer, by mode";
        Self {
            sessions: registered(
                registry,
                "sessions",
                "Sessions by mode and phase",
                Family::default(),
            ),
            runs: registered(registry, "runs", "Runs by phase", Family::default()),
            questions: registered(registry, "escalations", words, Family::default()),
        }
    }

    /// Counts these, which are all there are.
    pub(super) fn set(&self, all: &[Counted]) {
        let count = |mode, phase| {
            gauge(all.iter().filter(|it| it.mode == mode && it.phase == Some(phase)).count())
        };
        for mode in [Mode::Terminal, Mode::Chat] {
            for phase in SESSION_PHASES {
                let labels = [mode.label(), ("phase", phase)];
                self.sessions.get_or_create(&labels).set(count(mode, phase));
            }
        }
        for phase in RUN_PHASES {
            self.runs.get_or_create(&[("phase", phase)]).set(count(Mode::Run, phase));
        }
        for mode in [Mode::Chat, Mode::Run] {
            let asked = all.iter().filter(|it| it.mode == mode).map(|it| it.questions).sum();
            self.questions.get_or_create(&[mode.label()]).set(gauge(asked));
        }
    }
}
