//! npm's dependencies, when the repository has some.

use std::time::Duration;

use super::command::{self, CommandError};
use crate::config::Config;
use crate::journal::Journal;

/// The longest an installation may take.
const LIMIT: Duration = Duration::from_mins(15);

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
            let said = if ended.words.is_empty() { ended.output } else { ended.words };
            let said: Vec<&str> = said
                .lines()
                .filter(|line| line.contains("npm error") || line.contains("npm ERR!"))
                .take(6)
                .collect();
            let message = format!("npm {action} failed: {}", said.join(" "));
            step.fail(&message);
            Err(message)
        }
        Err(CommandError::Missing(_)) => {
            step.finish("The image has no npm: dependencies are not installed.");
            Ok(())
        }
        Err(error) => {
            let message = error.to_string();
            step.fail(&message);
            Err(message)
        }
    }
}
