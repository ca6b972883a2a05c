//! A home of one's own, and the name that commits carry.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::StartError;
use super::command;
use crate::config::{Config, Login};
use crate::credential::{self, Serving};
use crate::journal::Journal;

/// Writing a line of configuration takes no time.
const LIMIT: Duration = Duration::from_secs(30);

fn failed(reason: &'static str, message: String) -> StartError {
    StartError { step: "identity", reason, message }
}

pub(super) async fn run(config: &Config, journal: &Journal) -> Result<Option<Serving>, StartError> {
    let mut serving = None;
    let step = journal.begin("identity", "Preparing home and git identity.");
    let home = config
        .shell
        .get(&OsString::from("HOME"))
        .map_or_else(|| config.workspace.join("home"), PathBuf::from);
    if let Err(error) = std::fs::create_dir_all(&home) {
        let message = format!("The home folder cannot be made in the workspace: {error}");
        step.fail(&message);
        return Err(failed("ContainerCrashed", message));
    }
    if let Some(repository) = &config.repository {
        if let Login::Incomplete { secret } = &repository.login {
            let next = if config.run.is_some() {
                "make a new Run"
            } else {
                "the Session then starts by itself"
            };
            let message = format!(
                "The Secret {secret}, which spec.repository.secretRef names, holds neither the key token nor the keys username and password. Add them; {next}."
            );
            step.fail(&message);
            return Err(failed("SecretKeyMissing", message));
        }
        match credential::serve(repository.clone()) {
            Ok(answering) => serving = Some(answering),
            Err(error) => {
                step.notice(format!("Git cannot ask for the repository's login: {error}"));
            }
        }
    }
    if let Some(user) = &config.git_user {
        for (key, value) in [("user.name", &user.name), ("user.email", &user.email)] {
            let words = ["git", "config", "--global", key, value];
            if let Err(error) = command::run(config, &home, &words, &[], LIMIT, |_| {}).await {
                step.notice(format!("The git identity cannot be set: {error}."));
                break;
            }
        }
    }
    step.finish("Home and git identity are ready.");
    Ok(serving)
}
