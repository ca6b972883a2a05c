//! A git server that wants a password: git's own, behind a door of ours.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

/// What must be seen nowhere.
pub const PASSWORD: &str = "hunter2-s3cret";
/// Longer requests are refused, as proxies do.
const REQUEST_BYTES: usize = 4 * 1024 * 1024;

/// A server with one repository.
pub struct Server {
    folder: TempDir,
    pub address: String,
    pub url: String,
}

pub fn git(folder: &Path, words: &[&str]) -> String {
    let identity = ["-c", "user.name=Test", "-c", "user.email=test@fabrica.test"];
    let output =
        Command::new("git").current_dir(folder).args(identity).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// As [`git`], where the server that it speaks to lives in this thread.
pub async fn git_beside(folder: &Path, words: &[&str]) -> String {
    let folder = folder.to_owned();
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let asking = move || git(&folder, &words.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(asking).await.unwrap()
}

impl Server {
    /// With one commit in `main`.
    pub async fn start() -> Self {
        let server = Self::start_empty().await;
        server.commit_elsewhere("main", "first");
        server
    }

    pub async fn start_empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "-q", "--bare", "-b", "main", "team/x.git"]);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let root = Arc::new(folder.path().to_owned());
        let router = Router::new().fallback(answer).with_state(root);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let url = format!("http://{address}/team/x.git");
        Self { folder, address, url }
    }

    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("team/x.git")
    }

    /// The commit of a branch.
    pub fn head(&self, branch: &str) -> Option<String> {
        let reference = format!("refs/heads/{branch}");
        let line = git(&self.repository(), &["for-each-ref", "--format=%(objectname)", &reference]);
        (!line.is_empty()).then_some(line)
    }

    pub fn message(&self, commit: &str) -> String {
        git(&self.repository(), &["log", "-1", "--format=%B", commit])
    }

    /// A commit of somebody else.
    pub fn commit_elsewhere(&self, branch: &str, message: &str) {
        self.commit(branch, message, &[("README", message)]);
    }

    /// Files that somebody else commits.
    pub fn commit_files(&self, branch: &str, files: &[(&str, &str)]) {
        self.commit(branch, "Add files", files);
    }

    fn commit(&self, branch: &str, message: &str, files: &[(&str, &str)]) {
        let work = tempfile::tempdir().unwrap();
        let url = format!("file://{}", self.repository().display());
        git(work.path(), &["clone", "-q", &url, "."]);
        git(work.path(), &["checkout", "-q", "-B", branch]);
        for (name, text) in files {
            let file = work.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        git(work.path(), &["add", "."]);
        git(work.path(), &["commit", "-q", "-m", message]);
        git(work.path(), &["push", "-q", "origin", branch]);
    }

    /// Refuses every push with these words.
    pub fn protect(&self, words: &str) {
        self.protect_only("*", words);
    }

    /// Refuses pushes to refs that match.
    pub fn protect_only(&self, refs: &str, words: &str) {
        let hook = self.repository().join("hooks/pre-receive");
        let script = format!(
            "#!/bin/sh\nwhile read old new name; do case $name in {refs}) echo '{words}' >&2; exit 1;; esac; done\n"
        );
        std::fs::write(&hook, script).unwrap();
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

async fn answer(State(root): State<Arc<PathBuf>>, request: Request) -> Response {
    let login =
        base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{PASSWORD}"));
    let given = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
    if given != Some(&format!("Basic {login}")) {
        return Response::builder()
            .status(StatusCode::UNAUTHORIZED)
            .header(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")
            .body(Body::empty())
            .unwrap();
    }
    let (parts, body) = request.into_parts();
    // Heard to the end in any case: an answer to half a request may not be read.
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    if body.len() > REQUEST_BYTES {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap());
    let mut backend = tokio::process::Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &*root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "somebody")
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = backend.stdin.take().unwrap();
    let ((), output) = tokio::join!(
        async move {
            // A backend that has read enough closes its input.
            let _ = input.write_all(&body).await;
        },
        backend.wait_with_output()
    );
    response(&output.unwrap().stdout)
}

/// What a CGI program says, as a response.
fn response(said: &[u8]) -> Response {
    let end = said.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let mut response = Response::builder();
    for line in std::str::from_utf8(&said[..end]).unwrap().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = if name == "Status" {
            response.status(value[..3].parse::<u16>().unwrap())
        } else {
            response.header(name, value)
        };
    }
    response.body(Body::from(said[end + 4..].to_vec())).unwrap()
}
