//! Programs that a step runs: bounded in time, their words kept.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::children;
use crate::config::Config;

/// The end of what a program said; its cause is there.
const WORDS: usize = 4 * 1024;

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) success: bool,
    /// The end of its standard error.
    pub(crate) words: String,
    pub(crate) output: String,
}

/// Why a program did not end by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("the image has no {0}")]
    Missing(String),
    #[error("{program} cannot be started: {source}")]
    Start { program: String, source: std::io::Error },
    #[error("{program} did not end within {limit:?}")]
    TooLong { program: String, limit: Duration },
}

/// Where the image has a program.
pub(crate) fn find(config: &Config, program: &str) -> Option<PathBuf> {
    let path = config.shell.get(&OsString::from("PATH")).cloned().unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Runs a program with the shells' environment, and tells every line of its standard error.
pub(crate) async fn run(
    config: &Config,
    folder: &Path,
    words: &[&str],
    more: &[(String, String)],
    limit: Duration,
    mut told: impl FnMut(&str),
) -> Result<Ended, CommandError> {
    let (program, arguments) =
        words.split_first().map_or(("", &[][..]), |(program, rest)| (*program, rest));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(&config.shell)
        .envs(more.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if find(config, program).is_none() {
        return Err(CommandError::Missing(program.to_owned()));
    }
    let (mut child, _owned) = children::spawn(|| command.spawn(), Child::id)
        .map_err(|source| CommandError::Start { program: program.to_owned(), source })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let running = async {
        let mut ignore = |_: &str| {};
        let (output, words) = tokio::join!(lines(stdout, &mut ignore), lines(stderr, &mut told));
        let success = child.wait().await.is_ok_and(|status| status.success());
        Ended { success, words, output }
    };
    let ended = tokio::time::timeout(limit, running).await;
    ended.map_err(|_| CommandError::TooLong { program: program.to_owned(), limit })
}

/// Reads to the end, tells each line, keeps the last few.
async fn lines(source: Option<impl AsyncRead + Unpin>, told: &mut impl FnMut(&str)) -> String {
    let Some(mut source) = source else { return String::new() };
    let (mut kept, mut line, mut buffer) = (String::new(), Vec::new(), [0; 4096]);
    loop {
        let count = source.read(&mut buffer).await.unwrap_or(0);
        for byte in &buffer[..count] {
            // Progress overwrites its line by a carriage return.
            if matches!(byte, b'\n' | b'\r') || line.len() == WORDS {
                let text = String::from_utf8_lossy(&line).trim().to_owned();
                if !text.is_empty() {
                    told(&text);
                }
                if *byte == b'\n' && !text.is_empty() {
                    keep(&mut kept, &text);
                }
                line.clear();
            } else {
                line.push(*byte);
            }
        }
        if count == 0 {
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            if !text.is_empty() {
                told(&text);
                keep(&mut kept, &text);
            }
            return kept;
        }
    }
}

fn keep(kept: &mut String, text: &str) {
    if !kept.is_empty() {
        kept.push('\n');
    }
    kept.push_str(text);
    if kept.len() > WORDS {
        let cut = kept.ceil_char_boundary(kept.len() - WORDS);
        kept.drain(..cut);
    }
}
