//! The runtime's commands.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fabrica_runtime::{chain, config::Config, credential, relay, serve, signals};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

#[derive(Debug, Parser)]
#[command(version, about = "PID 1 of Fabrica's pods")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What is logged of a pod's life: each call of a tool would be three lines of rmcp.
const SERVING: &str = "info,rmcp=warn";

#[derive(Debug, Subcommand)]
enum Command {
    /// Takes the start steps and serves until told to stop.
    Serve,
    /// Copies this program into a folder, for images that do not hold it.
    Install { folder: PathBuf },
    /// Git's credential helper: asks the running runtime.
    Credential { operation: String },
    /// Passes the Model Context Protocol on between stdin and stdout and one of the agent's servers of tools.
    Mcp { server: String },
}

fn main() -> ExitCode {
    // First of all, for every command: processes of the same user could else read our environment and memory, where
    // credentials are.
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        eprintln!("fabrica-runtime: its memory cannot be hidden: {error}");
        return ExitCode::FAILURE;
    }
    let outcome = match Arguments::parse().command {
        Command::Serve => return serving(),
        Command::Install { folder } => install(&folder).map_err(Into::into),
        Command::Credential { operation } => credential::ask(&operation).map_err(Into::into),
        Command::Mcp { server } => relaying(&server),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fabrica-runtime: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn serving() -> ExitCode {
    signals::heed();
    tracing_subscriber::fmt().json().with_env_filter(filter(SERVING)).init();
    let config = Config::from_environment(std::env::vars_os());
    let runtime = match event_loop() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the event loop cannot be made");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(serve::run(config));
    // Threads that still read or write a file must not hold the pod up.
    runtime.shutdown_background();
    code
}

fn relaying(server: &str) -> Result<(), Box<dyn Error>> {
    // Stdout is the protocol's, and what ends us is told when we end.
    let log = tracing_subscriber::fmt().with_env_filter(filter("off"));
    log.with_writer(std::io::stderr).init();
    let config = Config::from_environment(std::env::vars_os());
    let runtime = event_loop()?;
    let outcome = runtime.block_on(relay::run(&config.workspace, server));
    // A thread still reads what may never be said.
    runtime.shutdown_background();
    outcome.map_err(Into::into)
}

fn event_loop() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// What is logged: as the user says, else this. What cannot be read of it is told, and left out; where nothing is left, INFO
/// counts.
fn filter(usual: &str) -> EnvFilter {
    let said = std::env::var("FABRICA_LOG");
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    builder.parse_lossy(said.as_deref().unwrap_or(usual))
}

fn install(folder: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::copy(std::env::current_exe()?, folder.join("fabrica-runtime"))?;
    Ok(())
}
