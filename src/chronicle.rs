//! What the records of a journal come to as things that began and ended. Pure.
//!
//! Counted and traced is the end of something, so a journal that is read again gives nothing twice.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use fabrica_protocol::run::{CRASH, Code, Entry, Phase, PhaseStatus, Record, TurnState};
use fabrica_protocol::runtime::EventType;

/// Tools whose end is waited for: an agent calls a few at once.
const OPEN_TOOLS: usize = 64;
/// How turns end.
pub const TURNS: [&str; 8] = [
    "completed",
    "interrupted",
    "auth_rejected",
    "budget_exceeded",
    "rate_limited",
    "overloaded",
    "stream_cut",
    "agent_failed",
];

/// Something that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    pub what: What,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub failed: bool,
}

impl Happening {
    /// How long it took.
    pub fn seconds(&self) -> f64 {
        (self.to - self.from).to_std().unwrap_or_default().as_secs_f64()
    }
}

/// What it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A step of the runtime.
    Step {
        name: String,
    },
    Phase {
        phase: Phase,
        /// How often it was gone back to.
        retry: u32,
    },
    Workflow {
        exit_code: u8,
    },
    Turn {
        outcome: &'static str,
    },
    /// A tool of the agent.
    Tool {
        name: String,
    },
    /// The program of a Run's agent, by itself.
    Crash,
}

/// One journal, as far as it was read.
#[derive(Debug, Default)]
pub struct Chronicle {
    last: u64,
    workflow: Option<DateTime<Utc>>,
    phases: BTreeMap<Phase, (DateTime<Utc>, u32)>,
    turn: Option<DateTime<Utc>>,
    tools: HashMap<String, (String, DateTime<Utc>)>,
}

impl Chronicle {
    /// One record more; what has ended with it.
    pub fn add(&mut self, record: &Record) -> Option<Happening> {
        if record.seq <= self.last {
            return None;
        }
        self.last = record.seq;
        let to = record.time;
        let (what, from, failed) = match &record.entry {
            Entry::Step { step, kind: EventType::Failed, .. } if step == CRASH => {
                (What::Crash, to, true)
            }
            Entry::Step { step, kind, duration_ms, .. } => {
                ended_step(step, *kind, *duration_ms, to)?
            }
            Entry::Phase { phase, status, retry, .. } => self.phase(*phase, *status, *retry, to)?,
            Entry::WorkflowStarted { .. } => {
                self.workflow = Some(to);
                self.phases.clear();
                return None;
            }
            Entry::WorkflowEnded { exit_code, .. } => {
                let from = self.workflow.take().unwrap_or(to);
                (What::Workflow { exit_code: *exit_code }, from, *exit_code != 0)
            }
            Entry::Turn { state: TurnState::Started, .. } => {
                self.turn = Some(to);
                return None;
            }
            Entry::Turn { state, code, .. } => {
                let from = self.turn.take().unwrap_or(to);
                (What::Turn { outcome: outcome(*state, *code) }, from, *state == TurnState::Failed)
            }
            Entry::ToolStarted { id, name, .. } => {
                if self.tools.len() < OPEN_TOOLS {
                    self.tools.insert(id.clone(), (name.clone(), to));
                }
                return None;
            }
            Entry::ToolFinished { id, failed, .. } => {
                let (name, from) = self.tools.remove(id)?;
                (What::Tool { name }, from, *failed)
            }
            _ => return None,
        };
        Some(Happening { what, from, to, failed })
    }

    fn phase(
        &mut self,
        phase: Phase,
        status: PhaseStatus,
        retry: u32,
        now: DateTime<Utc>,
    ) -> Option<(What, DateTime<Utc>, bool)> {
        match status {
            // It may name its next step.
            PhaseStatus::Started => {
                let begun = self.phases.entry(phase).or_insert((now, retry));
                begun.1 = begun.1.max(retry);
                None
            }
            PhaseStatus::Completed | PhaseStatus::Failed => {
                let (from, known) = self.phases.remove(&phase).unwrap_or((now, retry));
                let retry = retry.max(known);
                Some((What::Phase { phase, retry }, from, status == PhaseStatus::Failed))
            }
            PhaseStatus::Skipped => {
                self.phases.remove(&phase);
                None
            }
        }
    }
}

fn ended_step(
    step: &str,
    kind: EventType,
    duration_ms: Option<u64>,
    to: DateTime<Utc>,
) -> Option<(What, DateTime<Utc>, bool)> {
    let failed = match kind {
        EventType::Finished => false,
        EventType::Failed => true,
        EventType::Started | EventType::Progress | EventType::Notice => return None,
    };
    let took = i64::try_from(duration_ms?).ok().and_then(chrono::Duration::try_milliseconds);
    Some((What::Step { name: step.to_owned() }, to - took?, failed))
}

/// How a turn ended, as a label has it.
const fn outcome(state: TurnState, code: Option<Code>) -> &'static str {
    match (state, code) {
        (TurnState::Started | TurnState::Completed, _) => "completed",
        (TurnState::Interrupted, _) => "interrupted",
        (TurnState::Failed, Some(Code::AuthRejected)) => "auth_rejected",
        (TurnState::Failed, Some(Code::BudgetExceeded)) => "budget_exceeded",
        (TurnState::Failed, Some(Code::RateLimited)) => "rate_limited",
        (TurnState::Failed, Some(Code::Overloaded)) => "overloaded",
        (TurnState::Failed, Some(Code::StreamCut)) => "stream_cut",
        (TurnState::Failed, _) => "agent_failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn record(seq: u64, second: u32, entry: Value) -> Record {
        let mut record = entry;
        record["seq"] = seq.into();
        record["time"] = format!("2026-01-01T00:00:{second:02}Z").into();
        serde_json::from_value(record).unwrap()
    }

    fn phase(seq: u64, second: u32, status: &str, retry: u32) -> Record {
        record(
            seq,
            second,
            json!({"kind": "phase", "phase": "build", "status": status, "retry": retry}),
        )
    }

    #[test]
    fn ends_are_told_once_with_their_beginning() {
        let mut chronicle = Chronicle::default();
        let records = [
            record(
                1,
                1,
                json!({"kind": "step", "step": "clone", "type": "Finished", "text": "", "durationMs": 1000}),
            ),
            record(2, 2, json!({"kind": "turn", "state": "started"})),
            phase(3, 3, "started", 0),
            phase(4, 4, "started", 0),
            phase(5, 7, "completed", 0),
            record(6, 8, json!({"kind": "turn", "state": "failed", "code": "rate_limited"})),
            phase(7, 9, "started", 1),
            phase(8, 10, "failed", 1),
            record(
                9,
                11,
                json!({"kind": "step", "step": "program", "type": "Failed", "text": "It ended."}),
            ),
        ];
        let ended: Vec<_> = records.iter().filter_map(|record| chronicle.add(record)).collect();
        let told: Vec<_> =
            ended.iter().map(|it| (it.what.clone(), it.seconds(), it.failed)).collect();
        assert_eq!(
            told,
            [
                (What::Step { name: "clone".to_owned() }, 1.0, false),
                (What::Phase { phase: Phase::Build, retry: 0 }, 4.0, false),
                (What::Turn { outcome: "rate_limited" }, 6.0, true),
                (What::Phase { phase: Phase::Build, retry: 1 }, 1.0, true),
                (What::Crash, 0.0, true),
            ]
        );
        assert!(records.iter().all(|record| chronicle.add(record).is_none()), "read again");
    }
}
