//! npm's dependencies, when the repository has some.

use std::time::Duration;

use super::command::{self, CommandError, Ended};
use crate::config::Config;
use crate::journal::Journal;

/// The longest an installation may take.
const LIMIT: Duration = Duration::from_mins(15);

/// How npm marks the lines that say what is wrong, now and before version 10.
const ERRORS: [&str; 2] = ["npm error", "npm ERR!"];
/// Lines of npm's words that are told: the cause without the advice behind it.
const LINES: usize = 6;
const NO_NPM: &str = "The image has no npm, which the repository's package.json needs. Take an image with npm, or have session.installDependencies set to false in the chart's values.";

/// Installs; the error is one sentence for the condition.
pub(super) async fn run(config: &Config, journal: &Journal) -> Result<(), String> {
    let folder = config.workspace.join("repo");
    if !config.install_dependencies || !folder.join("package.json").exists() {
        return Ok(());
    }
    let locked =
        ["package-lock.json", "npm-shrinkwrap.json"].iter().any(|file| folder.join(file).exists());
    let action = if locked { "ci" } else { "install" };
    let step = journal.begin("dependencies", &format!("Installing dependencies: npm {action}."));
    let words = ["npm", action, "--no-audit", "--no-fund"];
    match command::run(config, &folder, &words, &[], LIMIT, |_| {}).await {
        Ok(ended) if ended.success => {
            step.finish("Dependencies are installed.");
            Ok(())
        }
        Ok(ended) => {
            let message = match cause(&ended) {
                Some(cause) => format!("npm {action} failed: {cause}"),
                None => format!("npm {action} failed without saying why; run it in the terminal."),
            };
            step.fail(&message);
            Err(message)
        }
        Err(error) => {
            let message = match error {
                CommandError::Missing(_) => NO_NPM.to_owned(),
                other => other.to_string(),
            };
            step.fail(&message);
            Err(message)
        }
    }
}

/// What npm says went wrong, in its own form, or else the end of what was said.
fn cause(ended: &Ended) -> Option<String> {
    let said = if ended.words.is_empty() { &ended.output } else { &ended.words };
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let errors = lines.iter().filter(|line| ERRORS.iter().any(|mark| line.contains(mark)));
    let mut told: Vec<&str> = errors.take(LINES).copied().collect();
    if told.is_empty() {
        told = lines[lines.len().saturating_sub(LINES)..].to_vec();
    }
    (!told.is_empty()).then(|| told.join(" "))
}
