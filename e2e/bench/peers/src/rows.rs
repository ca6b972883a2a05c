//! The rows of the table, named as the terminal's figures are in docs/performance.md.

mod attach;
mod browser;
mod echo;
mod exits;
mod flood;
mod idle;
mod interrupt;
mod multiplex;
mod overrun;
mod resets;
mod roll;
mod screens;
mod stalls;
mod storm;
mod tunnel;

use anyhow::Result;

use crate::contender::Contender;
use crate::report::Table;
use crate::samples::{figure, median};

/// How thoroughly rows are measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Of what a round otherwise does; less is for trying the rows out.
    pub(crate) percent: usize,
}

impl Plan {
    /// As much of it as was asked for.
    pub(crate) fn share(&self, whole: usize) -> usize {
        (whole * self.percent / 100).max(1)
    }

    /// What every contender says in every round, in turns.
    fn in_turns(
        &self,
        contenders: &[Contender],
        unit: &str,
        mut measure: impl FnMut(Contender) -> Result<f64>,
    ) -> Result<Vec<Vec<f64>>> {
        let mut all = vec![Vec::new(); contenders.len()];
        for round in 1..=self.rounds {
            for (values, contender) in all.iter_mut().zip(contenders) {
                let value = measure(*contender)?;
                let (name, value_text) = (contender.name(), figure(value));
                eprintln!("  round {round}/{}: {name} {value_text} {unit}", self.rounds);
                values.push(value);
            }
        }
        Ok(all)
    }
}

/// The medians of all contenders, in words.
fn medians(contenders: &[Contender], unit: &str, all: &[Vec<f64>]) -> String {
    let one = |(contender, values): (&Contender, &Vec<f64>)| {
        format!("{} {} {unit}", contender.name(), figure(median(values)))
    };
    contenders.iter().zip(all).map(one).collect::<Vec<_>>().join(", ")
}

/// One row, or some that need the same preparation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measurement {
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) measure: fn(&Plan, &Table) -> Result<()>,
}

const fn row(
    id: &'static str,
    what: &'static str,
    measure: fn(&Plan, &Table) -> Result<()>,
) -> Measurement {
    Measurement { id, what, measure }
}

/// In the order in which they are measured.
pub(crate) const ROWS: [Measurement; 16] = [
    row("6a", "echo of a key", echo::idle),
    row("6b", "echo while another terminal floods", echo::beside_a_flood),
    row("6c", "cat of 100 MB", flood::measure),
    row("6d", "^C under flood in a tab that draws 5 MB/s", interrupt::measure),
    row("6d-browser", "^C under flood in Chromium with xterm.js", browser::measure),
    row("6e", "echo while another terminal floods the same socket", multiplex::measure),
    row("6f", "connect to a warm terminal", attach::measure),
    row("6g", "random resets during output and paste", resets::measure),
    row("6h", "coming back after an overrun", overrun::measure),
    row("6i", "20,000 bytes, then exit", exits::measure),
    row("6j", "clients that read nothing", stalls::measure),
    row("6k", "16 idle terminals", idle::measure),
    row("6l", "the gateway's tunnel", tunnel::measure),
    row("6m", "a gateway killed under 200 terminals", roll::measure),
    row("6n", "snapshots of recorded programs", screens::measure),
    row("6o", "500 clients cut at once", storm::measure),
];
