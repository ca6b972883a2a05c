//! What an agent says of its work, as the status keeps it. Pure.

use fabrica_crds::run::Faber;
use fabrica_protocol::run::{Entry, Record};

use crate::children::agent::todos;

/// The agent's phase and list after these records.
pub(super) fn after(before: Option<&Faber>, records: &[Record]) -> Option<Faber> {
    let mut faber = before.cloned();
    for record in records {
        match &record.entry {
            Entry::Phase { phase, .. } => {
                faber.get_or_insert_default().phase = Some(phase.as_str().to_owned());
            }
            Entry::Todos { items } => {
                faber.get_or_insert_default().todos = todos(items);
            }
            _ => {}
        }
    }
    faber
}
