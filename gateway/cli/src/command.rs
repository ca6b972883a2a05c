//! What can be asked, and how it is done.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use fabrica_crds::run::Phase;
use tokio::io::AsyncReadExt;

use crate::cluster::{Cluster, ClusterError};
use crate::gateway::{Gateway, GatewayError};
use crate::output;

/// How often a Run is looked at while it is followed.
const PERIOD: Duration = Duration::from_secs(1);

/// Turns plans into Runs, follows them and stops them. The rest is kubectl's: `kubectl get frun`.
#[derive(Debug, Parser)]
#[command(name = "kubectl fabrica", bin_name = "kubectl fabrica", version)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where to, and as whom.
#[derive(Debug, Args)]
struct Place {
    /// The gateway's address. Unset: the chart's Ingress or Service.
    #[arg(long, env = "FABRICA_URL", global = true)]
    url: Option<String>,
    /// The token to log in with. Unset: the kubeconfig's.
    #[arg(long, env = "FABRICA_TOKEN", global = true, hide_env_values = true)]
    token: Option<String>,
    /// The namespace. Unset: the context's.
    #[arg(long, short, global = true)]
    namespace: Option<String>,
    /// The kubeconfig's context. Unset: the current one.
    #[arg(long, global = true)]
    context: Option<String>,
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
}

/// A command could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
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

/// A namespace behind a gateway.
struct Door {
    gateway: Gateway,
    namespace: String,
}

/// Carries a command out; the code tells how a Run that was waited for ended.
pub async fn run(Arguments { place, command }: Arguments) -> Result<ExitCode, CommandError> {
    let door = open(place).await?;
    match command {
        Command::Run { plan, watch, idempotency_key } => {
            let text = read(&plan).await?;
            let key = idempotency_key.as_deref();
            let accepted = door.gateway.submit(&door.namespace, text, key).await?;
            output::say(&format!("{} {}", accepted.message, accepted.url));
            let door = Door { namespace: accepted.namespace, ..door };
            if watch { door.follow(&accepted.name).await } else { Ok(ExitCode::SUCCESS) }
        }
        Command::Logs { name, follow: true } => door.follow(&name).await,
        Command::Logs { name, follow: false } => {
            door.tell(&name, i64::MIN).await?;
            let view = door.gateway.run(&door.namespace, &name).await?;
            if let Some(open) = view.status.escalation.filter(|_| !view.archived) {
                output::say(&output::question(&name, &open));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Answer { name, text, question } => {
            door.answer(&name, &text, question).await?;
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
                Some(path) => Some(read(&path).await?),
                None => None,
            };
            let new = door.gateway.retry(&door.namespace, &name, plan).await?;
            output::say(&format!("{} goes on from the branch of {name}.", new.name));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Asks the kubeconfig for what was not said.
async fn open(place: Place) -> Result<Door, CommandError> {
    let Place { url, token, namespace, context } = place;
    if let (Some(url), Some(token), Some(namespace)) = (&url, &token, &namespace) {
        let gateway = Gateway::new(url, token.clone());
        return Ok(Door { gateway, namespace: namespace.clone() });
    }
    let cluster = Cluster::read(context).await?;
    let url = match url {
        Some(url) => url,
        None => cluster.gateway().await?,
    };
    let token = match token {
        Some(token) => token,
        None => cluster.token().await?,
    };
    let namespace = namespace.unwrap_or_else(|| cluster.namespace().to_owned());
    Ok(Door { gateway: Gateway::new(&url, token), namespace })
}

async fn read(path: &Path) -> Result<String, CommandError> {
    let failed = |source| CommandError::Plan { path: path.to_owned(), source };
    if path.as_os_str() != "-" {
        return tokio::fs::read_to_string(path).await.map_err(failed);
    }
    let mut text = String::new();
    tokio::io::stdin().read_to_string(&mut text).await.map_err(failed)?;
    Ok(text)
}

impl Door {
    /// Answers a question: the open one, unless its id is given.
    async fn answer(
        &self,
        name: &str,
        text: &str,
        question: Option<String>,
    ) -> Result<(), CommandError> {
        let open = if let Some(id) = question {
            id
        } else {
            let view = self.gateway.run(&self.namespace, name).await?;
            let none = || CommandError::NoQuestion { name: name.to_owned() };
            view.status.escalation.ok_or_else(none)?.id
        };
        self.gateway.answer_question(&self.namespace, name, &open, text).await?;
        Ok(())
    }

    /// Says all that came after a message, and answers the last one's number.
    async fn tell(&self, name: &str, mut after: i64) -> Result<i64, CommandError> {
        loop {
            let page = self.gateway.messages(&self.namespace, name, after).await?;
            if page.is_empty() {
                return Ok(after);
            }
            for message in page {
                output::say(&output::message(&message));
                after = message.seq;
            }
        }
    }

    /// Says what happens until the Run has ended.
    async fn follow(&self, name: &str) -> Result<ExitCode, CommandError> {
        let mut after = i64::MIN;
        let mut asked = None;
        let mut ticks = tokio::time::interval(PERIOD);
        loop {
            ticks.tick().await;
            // The verdict first: what was said before it is in the messages by then.
            let view = self.gateway.run(&self.namespace, name).await?;
            after = self.tell(name, after).await?;
            let phase = view.status.phase.unwrap_or(Phase::Pending);
            // One that was deleted before its end says nothing more either.
            if phase.is_final() || view.archived {
                output::say(&output::verdict(name, &view.status));
                return Ok(code(phase));
            }
            let open = view.status.escalation;
            if let Some(open) = open.as_ref().filter(|open| asked.as_ref() != Some(&open.id)) {
                output::say(&output::question(name, open));
            }
            asked = open.map(|open| open.id);
        }
    }
}

fn code(phase: Phase) -> ExitCode {
    if phase == Phase::Completed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
