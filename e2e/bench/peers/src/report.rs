//! The table that a run ends with.

use std::sync::{Mutex, PoisonError};

use crate::samples::{figure, median};

/// What a row's median may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// The row explains another one, or is a figure for whoever reads on.
    None,
}

/// One figure, round by round.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) what: String,
    pub(crate) values: Vec<f64>,
    /// «×» for a ratio.
    pub(crate) unit: &'static str,
    pub(crate) limit: Limit,
    /// The figures of everybody, from which it was made.
    pub(crate) figures: String,
}

impl Row {
    fn measured(&self) -> String {
        let (unit, middle) = (self.unit, figure(median(&self.values)));
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match self.values.len() {
            0 => "—".to_owned(),
            1 => format!("{middle} {unit}"),
            _ => format!("{middle} {unit} ({}–{})", figure(least), figure(most)),
        }
    }

    fn gate(&self) -> String {
        match self.limit {
            Limit::AtMost(limit) => format!("≤ {} {}", figure(limit), self.unit),
            Limit::AtLeast(limit) => format!("≥ {} {}", figure(limit), self.unit),
            Limit::None => String::new(),
        }
    }

    fn is_missed(&self) -> bool {
        let middle = median(&self.values);
        match self.limit {
            Limit::AtMost(limit) => self.values.is_empty() || middle > limit,
            Limit::AtLeast(limit) => self.values.is_empty() || middle < limit,
            Limit::None => false,
        }
    }

    fn verdict(&self) -> &'static str {
        match self.limit {
            Limit::None => "",
            _ if self.is_missed() => "**MISSED**",
            _ => "ok",
        }
    }
}

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Mutex<Vec<Row>>,
}

impl Table {
    /// Adds a figure, and shows it at once: what was measured is not lost when a later row fails.
    pub(crate) fn add(&self, row: Row) {
        eprintln!("  {}: {} {} {}", row.what, row.measured(), row.gate(), row.verdict());
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).push(row);
    }

    /// A row that could not be measured has missed its gate.
    pub(crate) fn fail(&self, id: &'static str, what: &str, why: &str) {
        self.add(Row {
            id,
            what: format!("{what}: NOT MEASURED"),
            values: Vec::new(),
            unit: "",
            limit: Limit::AtMost(0.0),
            figures: why.replace('\n', " "),
        });
    }

    /// Whether a gate is missed.
    pub(crate) fn broken(&self) -> bool {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).iter().any(Row::is_missed)
    }

    /// Prints every row, and what was missed once more.
    #[expect(clippy::print_stdout, reason = "the table is what the program is for")]
    pub(crate) fn print(&self) {
        println!("\n| id | what | median (min–max of rounds) | gate | verdict | figures |");
        println!("|---|---|---|---|---|---|");
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows.iter() {
            let (measured, gate, verdict) = (row.measured(), row.gate(), row.verdict());
            let Row { id, what, figures, .. } = row;
            println!("| {id} | {what} | {measured} | {gate} | {verdict} | {figures} |");
        }
        let missed: Vec<_> = rows.iter().filter(|row| row.is_missed()).collect();
        println!("\n{} figures, {} gates missed", rows.len(), missed.len());
        for row in missed {
            println!("MISSED {} {}: {}, gate {}", row.id, row.what, row.measured(), row.gate());
        }
    }
}
