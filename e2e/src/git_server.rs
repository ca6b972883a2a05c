//! A git server over HTTP that pods can reach: git's own `http-backend` behind a few lines of CGI.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use base64::Engine;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// The node's address, where pods reach servers that a test starts.
const DEFAULT_HOST: &str = "10.99.0.1";

/// The largest request body: tests push small repositories only.
const BODY_LIMIT: usize = 8 << 20;

/// Where servers of tests listen, so that pods reach them.
pub fn test_host() -> String {
    std::env::var("FABRICA_TEST_HOST").unwrap_or_else(|_| DEFAULT_HOST.to_owned())
}

/// A running git server with its own folder of bare repositories. Ends when dropped.
#[derive(Debug)]
pub struct GitServer {
    folder: tempfile::TempDir,
    address: SocketAddr,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Served {
    folder: PathBuf,
    /// `user:password` that every request must carry, if any.
    credentials: Option<String>,
}

impl GitServer {
    /// Starts one that anybody may read.
    pub async fn start() -> Result<Self> {
        Self::start_with(None).await
    }

    /// Starts one that asks for these credentials (`user:password`).
    pub async fn start_private(credentials: &str) -> Result<Self> {
        Self::start_with(Some(credentials.to_owned())).await
    }

    async fn start_with(credentials: Option<String>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let host = test_host();
        let listener =
            tokio::net::TcpListener::bind((host.as_str(), 0)).await.with_context(|| {
                format!("listen on {host}, which pods must reach (FABRICA_TEST_HOST)")
            })?;
        let address = listener.local_addr()?;
        let served = Served { folder: folder.path().to_owned(), credentials };
        let application = Router::new().fallback(serve).with_state(served);
        let task = tokio::spawn(async move {
            // Ends with the test; there is nobody left to tell about an error.
            let _ = axum::serve(listener, application).await;
        });
        Ok(Self { folder, address, task })
    }

    /// The address of a repository.
    pub fn url(&self, repository: &str) -> String {
        format!("http://{}/{repository}.git", self.address)
    }

    /// Makes a repository with these files in one commit on `main`, scripts as programs; without files it has no commit.
    pub async fn repository(&self, name: &str, files: &[(&str, &str)]) -> Result<()> {
        let bare = self.folder.path().join(format!("{name}.git"));
        git(self.folder.path(), &["init", "-q", "--bare", "-b", "main", &bare.to_string_lossy()])
            .await?;
        git(&bare, &["config", "http.receivepack", "true"]).await?;
        if files.is_empty() {
            return Ok(());
        }
        let work = tempfile::tempdir()?;
        git(work.path(), &["init", "-q", "-b", "main"]).await?;
        for (path, text) in files {
            let target = work.path().join(path);
            if let Some(parent) = target.parent() {
                tokio::fs::create_dir_all(parent).await?;
            }
            tokio::fs::write(&target, text).await?;
            if text.starts_with("#!") {
                tokio::fs::set_permissions(&target, Permissions::from_mode(0o755)).await?;
            }
        }
        git(work.path(), &["add", "."]).await?;
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@fabrica.test"];
        git(work.path(), &[&identity[..], &["commit", "-q", "-m", "first"]].concat()).await?;
        git(work.path(), &["push", "-q", &bare.to_string_lossy(), "main"]).await
    }

    /// What git says of a repository on the server's side, or nothing when it refuses.
    pub async fn ask(&self, repository: &str, arguments: &[&str]) -> Result<Option<String>> {
        let bare = self.folder.path().join(format!("{repository}.git"));
        let output = Command::new("git").current_dir(bare).args(arguments).output().await?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(output.status.success().then_some(said))
    }

    /// The commit that a branch is at.
    pub async fn head(&self, repository: &str, branch: &str) -> Result<Option<String>> {
        self.ask(repository, &["rev-parse", "-q", "--verify", &format!("refs/heads/{branch}")])
            .await
    }

    /// Refuses every push from now on, in these words.
    pub async fn protect(&self, repository: &str, words: &str) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let hooks = self.folder.path().join(format!("{repository}.git/hooks"));
        let hook = hooks.join("pre-receive");
        tokio::fs::create_dir_all(&hooks).await?;
        tokio::fs::write(&hook, format!("#!/bin/sh\necho '{words}' >&2\nexit 1\n")).await?;
        tokio::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).await?;
        Ok(())
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new("git").current_dir(folder).args(arguments).output().await?;
    ensure!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

async fn serve(State(served): State<Served>, request: Request) -> Response<Body> {
    if !authorized(&served, request.headers()) {
        return Response::builder()
            .status(StatusCode::UNAUTHORIZED)
            .header(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")
            .body(Body::empty())
            .unwrap_or_default();
    }
    backend(&served, request).await.unwrap_or_else(|error| {
        let mut answer = Response::new(Body::from(error.to_string()));
        *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        answer
    })
}

fn authorized(served: &Served, headers: &HeaderMap) -> bool {
    let Some(expected) = &served.credentials else { return true };
    let expected = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(expected));
    headers.get(header::AUTHORIZATION).is_some_and(|given| given.as_bytes() == expected.as_bytes())
}

/// One request through `git http-backend`, which speaks CGI.
async fn backend(served: &Served, request: Request) -> Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT).await?;
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &served.folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or(""))
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut input = child.stdin.take().context("the backend's input")?;
    let writing = tokio::spawn(async move { input.write_all(&body).await });
    let output = child.wait_with_output().await?;
    writing.await??;
    cgi_answer(&output.stdout.into())
}

fn cgi_answer(output: &Bytes) -> Result<Response<Body>> {
    let end = output
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .context("a CGI answer has a head")?;
    let mut answer = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        answer = match name {
            "Status" => answer.status(value[..3].parse::<u16>()?),
            _ => answer.header(name, value),
        };
    }
    Ok(answer.body(Body::from(output.slice(end + 4..)))?)
}
