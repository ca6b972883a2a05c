//! What an agent says of its work, as the status keeps it. Pure.

use fabrica_crds::run::{Faber, Todo, TodoStatus, todos};
use fabrica_protocol::run::{self as told, Entry, Record};

/// The agent's phase and list after these records.
pub(super) fn after(before: Option<&Faber>, records: &[Record]) -> Option<Faber> {
    let mut faber = before.cloned();
    for record in records {
        match &record.entry {
            Entry::Phase { phase, .. } => {
                faber.get_or_insert_default().phase = Some(name(*phase).to_owned());
            }
            Entry::Todos { items } => {
                faber.get_or_insert_default().todos =
                    items.iter().take(todos::KEPT).map(todo).collect();
            }
            _ => {}
        }
    }
    faber
}

/// A phase's step in words.
pub(super) fn step(phase: told::Phase, status: told::PhaseStatus, message: &str) -> String {
    let status = match status {
        told::PhaseStatus::Started => "started",
        told::PhaseStatus::Completed => "completed",
        told::PhaseStatus::Failed => "failed",
        told::PhaseStatus::Skipped => "skipped",
    };
    let name = name(phase);
    if message.is_empty() {
        format!("{name} {status}")
    } else {
        format!("{name} {status}: {message}")
    }
}

const fn name(phase: told::Phase) -> &'static str {
    match phase {
        told::Phase::Frame => "frame",
        told::Phase::Architect => "architect",
        told::Phase::Build => "build",
        told::Phase::Evaluate => "evaluate",
        told::Phase::Release => "release",
    }
}

fn todo(told: &told::Todo) -> Todo {
    Todo {
        text: told.text.chars().take(todos::TEXT).collect(),
        status: match told.status {
            told::TodoStatus::Pending => TodoStatus::Pending,
            told::TodoStatus::InProgress => TodoStatus::InProgress,
            told::TodoStatus::Completed => TodoStatus::Completed,
        },
    }
}
