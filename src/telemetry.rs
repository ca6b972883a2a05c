//! What is told to those who watch over the whole: metrics, and what journals come to.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use fabrica_protocol::run::Record;

use crate::chronicle::Chronicle;
use crate::metrics::{Counted, Metrics, Mode};

/// What every pass tells.
#[derive(Debug, Default)]
pub struct Telemetry {
    pub metrics: Metrics,
    /// By the UID of the object, and by what names the journal among the object's.
    chronicles: Mutex<HashMap<(String, String), Chronicle>>,
}

impl Telemetry {
    /// What was read of a journal, of records once more than once.
    pub fn told(&self, uid: &str, mode: Mode, journal: &str, records: &[Record]) {
        let mut chronicles = self.chronicles.lock().unwrap_or_else(PoisonError::into_inner);
        let chronicle = chronicles.entry((uid.to_owned(), journal.to_owned())).or_default();
        for happening in records.iter().filter_map(|record| chronicle.add(record)) {
            self.metrics.happened(mode, &happening);
        }
    }

    /// The page that Prometheus reads. `all`: every object there is; what is known of others is forgotten.
    pub fn render(&self, all: &[Counted], waiting: usize) -> Result<String, std::fmt::Error> {
        let there: HashSet<_> = all.iter().map(|counted| counted.uid.as_str()).collect();
        let mut chronicles = self.chronicles.lock().unwrap_or_else(PoisonError::into_inner);
        chronicles.retain(|(uid, _), _| there.contains(uid.as_str()));
        drop(chronicles);
        self.metrics.render(all, waiting)
    }
}
