//! The table that a run ends with.

use std::sync::{Mutex, PoisonError};

/// What a row that is over its ceiling means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The run fails: the figure does not depend on the machine.
    Gate,
    /// The run goes on: the figure depends on machine and build profile.
    Ceiling,
    /// Explains another row and has no ceiling of its own.
    Note,
}

/// One figure.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) measured: f64,
    pub(crate) ceiling: f64,
    pub(crate) unit: &'static str,
    pub(crate) kind: Kind,
    /// How the figure came about.
    pub(crate) detail: String,
}

impl Row {
    fn verdict(&self) -> &'static str {
        match self.kind {
            Kind::Note => "",
            _ if self.measured <= self.ceiling => "ok",
            _ => "OVER",
        }
    }
}

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Mutex<Vec<Row>>,
}

impl Table {
    /// Adds a figure, and shows it at once: what was measured is not lost when a later part fails.
    pub(crate) fn add(&self, row: Row) {
        eprintln!("  {}: {:.2} {} {}", row.what, row.measured, row.unit, row.verdict());
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).push(row);
    }

    /// Whether a gate is broken.
    pub(crate) fn broken(&self) -> bool {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.iter().any(|row| row.kind == Kind::Gate && row.verdict() == "OVER")
    }

    /// Prints every row.
    #[expect(clippy::print_stdout, reason = "the table is what the program is for")]
    pub(crate) fn print(&self) {
        let profile = std::env::var("PROFILE").unwrap_or_else(|_| "dev".to_owned());
        println!(
            "Images as `make up PROFILE={profile}` builds them, on this machine as busy as it is now.\n"
        );
        println!("| what | measured | ceiling | verdict | how |\n|---|---|---|---|---|");
        for row in self.rows.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let Row { what, measured, ceiling, unit, kind, detail } = row;
            let ceiling = match kind {
                Kind::Note => String::new(),
                Kind::Gate => format!("{ceiling} {unit} (gate)"),
                Kind::Ceiling => format!("{ceiling} {unit}"),
            };
            println!(
                "| {what} | {measured:.2} {unit} | {ceiling} | {} | {detail} |",
                row.verdict()
            );
        }
    }
}
