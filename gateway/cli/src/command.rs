//! What can be asked, and how it is done.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::attach::{AttachError, Wish, attach};
use crate::cluster::ClusterError;
use crate::copy::{CopyError, copy};
use crate::gateway::GatewayError;
use crate::place::Place;
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
    /// Make a new Run that goes on from an ended one's branch.
    Retry {
        name: String,
        /// Another plan, as markdown without front matter.
        #[arg(long)]
        plan: Option<PathBuf>,
    },
    /// Be at a Session's shell. Enter ~ . detaches, and the shell goes on.
    Attach {
        name: String,
        /// Another terminal than the first one.
        #[arg(long, short)]
        terminal: Option<u16>,
        /// Only watch.
        #[arg(long)]
        view: bool,
        /// Take the terminal back from somebody who types there alone.
        #[arg(long, conflicts_with = "view")]
        take_over: bool,
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

/// Carries a command out; the code tells how a Run or a shell that was waited for ended.
pub async fn run(Arguments { place, command }: Arguments) -> Result<ExitCode, CommandError> {
    if let Command::Completion { shell } = command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), PROGRAM, &mut script);
        output::print(&String::from_utf8_lossy(&script));
        return Ok(ExitCode::SUCCESS);
    }
    let door = place.open().await?;
    let said = match command {
        Command::Completion { .. } => return Ok(ExitCode::SUCCESS),
        Command::Attach { name, terminal, view, take_over } => {
            return Ok(attach(door, &name, Wish { terminal, view, take_over }).await?);
        }
        Command::Run { plan, watch, idempotency_key } => {
            return Ok(runs::submit(door, &plan, watch, idempotency_key.as_deref()).await?);
        }
        Command::Logs { name, follow: true } => return Ok(runs::follow(&door, &name).await?),
        Command::Logs { name, follow: false } => {
            runs::logs(&door, &name).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Ls => {
            let sessions = door.gateway.sessions(&door.namespace).await;
            let runs = door.gateway.runs(&door.namespace).await;
            let (sessions, runs) = match (sessions, runs) {
                // Who may see one kind alone is shown that, and told of the other.
                (Ok(sessions), Err(refused)) => {
                    output::note(&format!("Runs are not listed: {refused}"));
                    (sessions, Vec::new())
                }
                (Err(refused), Ok(runs)) => {
                    output::note(&format!("Sessions are not listed: {refused}"));
                    (Vec::new(), runs)
                }
                (sessions, runs) => (sessions?, runs?),
            };
            list::table(&sessions, &runs).join("\n")
        }
        Command::Open { object } => {
            let address = browser::address(door.gateway.url(), &door.namespace, &object);
            // Some browsers stay until their window is closed, and the address is of use before that.
            output::say(&address);
            browser::open(&address).await;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Cp { from, to } => copy(&door, &from, &to).await?,
        Command::Answer { name, text, question } => {
            runs::answer(&door, &name, &text, question).await?;
            format!("{name} has the answer and goes on.")
        }
        Command::Cancel { name } => {
            door.gateway.cancel(&door.namespace, &name).await?;
            format!("{name} is being cancelled.")
        }
        Command::Retry { name, plan } => {
            let new = runs::retry(&door, &name, plan.as_deref()).await?;
            format!("{new} goes on from the branch of {name}.")
        }
    };
    output::say(&said);
    Ok(ExitCode::SUCCESS)
}
