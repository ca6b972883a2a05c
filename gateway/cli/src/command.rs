//! What can be asked, and how it is done.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use fabrica_crds::session::Phase;

use crate::attach::{AttachError, Wish, attach};
use crate::cluster::ClusterError;
use crate::copy::{CopyError, copy};
use crate::gateway::GatewayError;
use crate::place::{Door, Place};
use crate::runs::{self, RunError};
use crate::target::Target;
use crate::{browser, list, output};

/// The binary's name, by which kubectl and shells find it.
const PROGRAM: &str = "kubectl-fabrica";

/// Turns plans into Runs, follows them and stops them, and is a Session's terminal. The rest is kubectl's.
#[derive(Debug, Parser)]
#[command(name = "kubectl fabrica", bin_name = "kubectl fabrica", version)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Carry a plan out: a markdown file with front matter (`repo`), or - for standard input.
    Run {
        plan: PathBuf,
        /// Stay until it ends, and end as it does.
        #[arg(long, short)]
        watch: bool,
        /// The same key again makes no second Run.
        #[arg(long)]
        idempotency_key: Option<String>,
    },
    /// Tell what happened in a Run.
    Logs {
        name: String,
        /// Go on until it ends.
        #[arg(long, short)]
        follow: bool,
    },
    /// Answer the question that a Run waits for.
    Answer {
        name: String,
        text: String,
        /// The question's id. Unset: the open one.
        #[arg(long)]
        question: Option<String>,
    },
    /// End a Run for good.
    Cancel { name: String },
    /// Be at a Session's shell. Enter ~ . detaches, and the shell goes on.
    Attach {
        name: String,
        /// Another terminal than the first one.
        #[arg(long, short)]
        terminal: Option<u16>,
        /// Only watch.
        #[arg(long)]
        view: bool,
    },
    /// List Sessions and Runs with their states.
    Ls,
    /// Open the page of a Session, or of run/NAME, in the browser, and say its address.
    Open {
        #[arg(value_name = "NAME")]
        object: Target,
    },
    /// Copy a file to a Session or from it: one of both is NAME:PATH, below /workspace.
    Cp { from: String, to: String },
    /// Print what makes a shell complete `kubectl-fabrica`.
    Completion { shell: Shell },
    /// Make a new Run that goes on from an ended one's branch.
    Retry {
        name: String,
        /// Another plan, as markdown without front matter.
        #[arg(long)]
        plan: Option<PathBuf>,
    },
}

/// A command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Attach(#[from] AttachError),
    #[error(transparent)]
    Copy(#[from] CopyError),
}

/// Carries a command out; the code tells how a Run that was waited for ended.
pub async fn run(Arguments { place, command }: Arguments) -> Result<ExitCode, CommandError> {
    if let Command::Completion { shell } = command {
        clap_complete::generate(shell, &mut Arguments::command(), PROGRAM, &mut std::io::stdout());
        return Ok(ExitCode::SUCCESS);
    }
    let mut door = place.open().await?;
    match command {
        Command::Completion { .. } => Ok(ExitCode::SUCCESS),
        Command::Attach { name, terminal, view } => {
            wake(&door, &name, view).await?;
            Ok(attach(door, &name, Wish { terminal, view }).await?)
        }
        Command::Ls => {
            let sessions = door.gateway.sessions(&door.namespace).await?;
            let runs = door.gateway.runs(&door.namespace).await?;
            list::table(&sessions, &runs).iter().for_each(|line| output::say(line));
            Ok(ExitCode::SUCCESS)
        }
        Command::Open { object } => {
            let address = browser::address(door.gateway.url(), &door.namespace, &object);
            browser::open(&address).await;
            output::say(&address);
            Ok(ExitCode::SUCCESS)
        }
        Command::Cp { from, to } => {
            output::say(&copy(&door, &from, &to).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Run { plan, watch, idempotency_key } => {
            let text = runs::read(&plan).await?;
            let key = idempotency_key.as_deref();
            let accepted = door.gateway.submit(&door.namespace, text, key).await?;
            output::say(&format!("{} {}", accepted.message, accepted.url));
            door.namespace = accepted.namespace;
            if watch {
                Ok(runs::follow(&door, &accepted.name).await?)
            } else {
                Ok(ExitCode::SUCCESS)
            }
        }
        Command::Logs { name, follow: true } => Ok(runs::follow(&door, &name).await?),
        Command::Logs { name, follow: false } => {
            runs::tell(&door, &name, i64::MIN).await?;
            let view = door.gateway.run(&door.namespace, &name).await?;
            if let Some(open) = view.status.escalation.filter(|_| !view.archived) {
                output::say(&output::question(&name, &open));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Answer { name, text, question } => {
            runs::answer(&door, &name, &text, question).await?;
            output::say(&format!("{name} has the answer and goes on."));
            Ok(ExitCode::SUCCESS)
        }
        Command::Cancel { name } => {
            door.gateway.cancel(&door.namespace, &name).await?;
            output::say(&format!("{name} is being cancelled."));
            Ok(ExitCode::SUCCESS)
        }
        Command::Retry { name, plan } => {
            let plan = match plan {
                Some(path) => Some(runs::read(&path).await?),
                None => None,
            };
            let new = door.gateway.retry(&door.namespace, &name, plan).await?;
            output::say(&format!("{} goes on from the branch of {name}.", new.name));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A Session that rests begins to wake up; attaching waits for it.
async fn wake(door: &Door, name: &str, view: bool) -> Result<(), GatewayError> {
    let session = door.gateway.session(&door.namespace, name).await?;
    if session.status.phase == Some(Phase::Stopped) && !view {
        output::say(&format!("{name} rests; it is being woken."));
        door.gateway.wake(&door.namespace, name).await?;
    }
    Ok(())
}
