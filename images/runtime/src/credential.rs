//! Git's credential helper. The login of the repository lies in the runtime's memory alone; git asks for it through a
//! socket that only processes of our own user reach, and gets it for the repository's host only.

use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use crate::config::{Login, Repository};

/// Git's question is a handful of short lines.
const QUESTION_BYTES: u64 = 16 * 1024;
/// Nobody keeps the helper waiting.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Helpers answered at once: more than git starts side by side, and few enough for their questions to be small.
const HELPERS: usize = 16;
/// Before listening again when the process has no descriptor left for one more helper.
const PAUSE: Duration = Duration::from_millis(100);

fn folder() -> PathBuf {
    std::env::temp_dir().join("fabrica-runtime")
}

fn socket() -> PathBuf {
    folder().join("credential.sock")
}

/// Configuration for git, as variables: which helper to ask.
pub fn git_environment(repository: &Repository) -> Vec<(String, String)> {
    let (Ok(program), Some(host)) = (std::env::current_exe(), host_of(&repository.url)) else {
        return Vec::new();
    };
    let helper = format!("!'{}' credential", program.display());
    vec![
        ("GIT_CONFIG_COUNT".to_owned(), "1".to_owned()),
        ("GIT_CONFIG_KEY_0".to_owned(), format!("credential.{host}.helper")),
        ("GIT_CONFIG_VALUE_0".to_owned(), helper),
        ("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned()),
    ]
}

/// Scheme and host of an address.
fn host_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split('/').next()?;
    Some(format!("{scheme}://{host}"))
}

/// Helpers are answered until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Serving(AbortHandle);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers helpers.
pub fn serve(repository: Repository) -> std::io::Result<Serving> {
    let folder = folder();
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let listener = UnixListener::bind(socket())?;
    let listening = tokio::spawn(listen(listener, Arc::new(repository)));
    Ok(Serving(listening.abort_handle()))
}

async fn listen(listener: UnixListener, repository: Arc<Repository>) {
    let places = Arc::new(Semaphore::new(HELPERS));
    // The places are never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a credential helper was not heard");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let repository = Arc::clone(&repository);
        tokio::spawn(async move {
            // A helper that broke off, or says nothing, needs no answer.
            let _ = tokio::time::timeout(TIMEOUT, answer(stream, &repository)).await;
            drop(place);
        });
    }
}

async fn answer(mut stream: UnixStream, repository: &Repository) -> std::io::Result<()> {
    let ours = rustix::process::getuid().as_raw();
    if stream.peer_cred()?.uid() != ours {
        return Ok(());
    }
    let mut question = String::new();
    (&mut stream).take(QUESTION_BYTES).read_to_string(&mut question).await?;
    if let Login::Basic { username, password } = &repository.login
        && asked_host(&question) == host_of(&repository.url)
    {
        stream.write_all(format!("username={username}\npassword={password}\n").as_bytes()).await?;
    }
    stream.shutdown().await
}

fn asked_host(question: &str) -> Option<String> {
    let value = |key: &str| question.lines().find_map(|line| line.strip_prefix(key));
    Some(format!("{}://{}", value("protocol=")?, value("host=")?))
}

/// What git runs: passes its question on to the runtime.
pub fn ask(operation: &str) -> std::io::Result<()> {
    // Logins come from the Session's Secret; git has nothing to store or erase.
    if operation != "get" {
        return Ok(());
    }
    let mut question = Vec::new();
    std::io::stdin().take(QUESTION_BYTES).read_to_end(&mut question)?;
    let mut stream = BlockingStream::connect(socket())?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(&question)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    std::io::stdout().write_all(&answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_its_host() {
        assert_eq!(
            asked_host("protocol=https\nhost=h.test:8443\n\n").as_deref(),
            Some("https://h.test:8443")
        );
        assert_eq!(
            host_of("https://h.test:8443/team/x.git").as_deref(),
            Some("https://h.test:8443")
        );
        assert_eq!(asked_host("host=h"), None);
    }
}
