//! Runs are followed, asked and answered.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fabrica_crds::run::Phase;
use tokio::io::AsyncReadExt;

use crate::gateway::GatewayError;
use crate::output;
use crate::place::Door;

/// How often a Run is looked at while it is followed.
const PERIOD: Duration = Duration::from_secs(1);
/// A gateway that is away for longer is not waited for: a roll takes seconds, a database minutes.
const PATIENCE: Duration = Duration::from_mins(5);

/// What was asked of a Run could not be done.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error("{name} waits for no answer: no question is open")]
    NoQuestion { name: String },
    #[error("{} cannot be read", path.display())]
    Plan {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Makes a Run of a plan, and follows it if that is wanted.
pub async fn submit(
    mut door: Door,
    plan: &Path,
    watch: bool,
    key: Option<&str>,
) -> Result<ExitCode, RunError> {
    let accepted = door.gateway.submit(&door.namespace, read(plan).await?, key).await?;
    output::say(&format!("{} {}", accepted.message, accepted.url));
    door.namespace = accepted.namespace;
    if watch { follow(&door, &accepted.name).await } else { Ok(ExitCode::SUCCESS) }
}

/// Says what happened so far, and what the Run waits for.
pub async fn logs(door: &Door, name: &str) -> Result<(), RunError> {
    let mut from_the_first = i64::MIN;
    tell(door, name, &mut from_the_first).await?;
    let view = door.gateway.run(&door.namespace, name).await?;
    if let Some(open) = view.status.escalation.filter(|_| !view.archived) {
        output::say(&output::question(&door.namespace, name, &open));
    }
    Ok(())
}

/// A new Run that goes on from an ended one's branch; its name.
pub async fn retry(door: &Door, name: &str, plan: Option<&Path>) -> Result<String, RunError> {
    let plan = match plan {
        Some(path) => Some(read(path).await?),
        None => None,
    };
    Ok(door.gateway.retry(&door.namespace, name, plan).await?.name)
}

/// A plan: a file, or - for standard input.
async fn read(path: &Path) -> Result<String, RunError> {
    let failed = |source| RunError::Plan { path: path.to_owned(), source };
    if path.as_os_str() != "-" {
        return tokio::fs::read_to_string(path).await.map_err(failed);
    }
    let mut text = String::new();
    tokio::io::stdin().read_to_string(&mut text).await.map_err(failed)?;
    Ok(text)
}

/// Answers a question: the open one, unless its id is given.
pub async fn answer(
    door: &Door,
    name: &str,
    text: &str,
    question: Option<String>,
) -> Result<(), RunError> {
    let open = if let Some(id) = question {
        id
    } else {
        let view = door.gateway.run(&door.namespace, name).await?;
        let none = || RunError::NoQuestion { name: name.to_owned() };
        view.status.escalation.ok_or_else(none)?.id
    };
    door.gateway.answer_question(&door.namespace, name, &open, text).await?;
    Ok(())
}

/// How far a Run was followed.
#[derive(Debug)]
struct Seen {
    /// The last message.
    message: i64,
    /// The open question.
    asked: Option<String>,
}

/// Says all that came after the last message that was seen.
async fn tell(door: &Door, name: &str, seen: &mut i64) -> Result<(), GatewayError> {
    loop {
        let page = door.gateway.messages(&door.namespace, name, *seen).await?;
        if page.is_empty() {
            return Ok(());
        }
        for message in page {
            output::say(&output::message(&message));
            *seen = message.seq;
        }
    }
}

/// Says what happens until the Run has ended. A gateway or a database that is away for a while ends nothing, once the Run was
/// seen: before that, it is the address that is wrong.
pub async fn follow(door: &Door, name: &str) -> Result<ExitCode, RunError> {
    let mut seen = Seen { message: i64::MIN, asked: None };
    let mut ticks = tokio::time::interval(PERIOD);
    let (mut met, mut away) = (false, None::<Instant>);
    loop {
        ticks.tick().await;
        match look(door, name, &mut seen).await {
            Ok(Some(code)) => return Ok(code),
            Ok(None) => (met, away) = (true, None),
            Err(error) if met && error.passes() => {
                if away.is_none() {
                    output::note(&format!("{error} The run goes on; this waits for news."));
                }
                if away.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                    return Err(error.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Says what is new; how the Run ended, if it has.
async fn look(door: &Door, name: &str, seen: &mut Seen) -> Result<Option<ExitCode>, GatewayError> {
    // The verdict first: what was said before it is in the messages by then.
    let view = door.gateway.run(&door.namespace, name).await?;
    tell(door, name, &mut seen.message).await?;
    let phase = view.status.phase.unwrap_or(Phase::Pending);
    // One that was deleted before its end says nothing more either.
    if phase.is_final() || view.archived {
        output::say(&output::verdict(name, &view.status));
        return Ok(Some(code(phase)));
    }
    let open = view.status.escalation;
    if let Some(open) = open.as_ref().filter(|open| seen.asked.as_ref() != Some(&open.id)) {
        output::say(&output::question(&door.namespace, name, open));
    }
    seen.asked = open.map(|open| open.id);
    Ok(None)
}

fn code(phase: Phase) -> ExitCode {
    if phase == Phase::Completed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
