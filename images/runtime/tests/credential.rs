//! Git's credential helper, asked as git asks it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fabrica_protocol::assertion::Role;
use support::{Runtime, cloned, eventually};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_fabrica-runtime");

/// One with the login of a repository at h.test.
async fn start() -> Runtime {
    let variables = [
        ("REPO_URL", "https://h.test/team/x.git"),
        ("FABRICA_REPOSITORY_SECRET", "login"),
        ("FABRICA_REPOSITORY_token", "s3cret"),
    ];
    let runtime = Runtime::begin_in(cloned(), &[], &variables);
    runtime.ready().await;
    runtime
}

async fn ask(runtime: &Runtime, operation: &str, question: &str) -> String {
    let mut helper = Command::new(PROGRAM)
        .args(["credential", operation])
        .env("TMPDIR", runtime.folder.path().join("tmp"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Who is told what it need not know may end before it has heard it.
    let _ = helper.stdin.take().unwrap().write_all(question.as_bytes()).await;
    let output = helper.wait_with_output().await.unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn only_the_repositorys_host_gets_its_login() {
    let runtime = start().await;
    let question = "protocol=https\nhost=h.test\n\n";
    assert_eq!(ask(&runtime, "get", question).await, "username=x-access-token\npassword=s3cret\n");
    for (operation, question) in [
        ("get", "protocol=https\nhost=other.test\n\n"),
        ("get", "protocol=http\nhost=h.test\n\n"),
        ("get", ""),
        ("store", question),
        ("erase", question),
    ] {
        assert_eq!(ask(&runtime, operation, question).await, "", "{operation} {question}");
    }
}

#[tokio::test]
async fn git_in_a_shell_finds_the_login() {
    let runtime = start().await;
    let mut client = runtime.attach(Role::Control).await;
    client
        .type_text(0, "printf 'protocol=https\\nhost=h.test\\n\\n' | git credential fill\n")
        .await;
    client.read_until("password=s3cret").await;
}

#[tokio::test]
async fn helpers_that_keep_their_question_to_themselves_hold_nobody_up() {
    let runtime = start().await;
    let socket = runtime.folder.path().join("tmp/fabrica-runtime/credential.sock");
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(UnixStream::connect(&socket).await.unwrap());
    }
    let started = Instant::now();
    ask(&runtime, "get", "protocol=https\nhost=h.test\n\n").await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

/// The files by which the kernel shows a process are root's when it hides its memory. The helper hides a login as the runtime does.
#[tokio::test]
async fn every_command_hides_its_memory() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("fabrica-runtime");
    // Copied by another process: a program that somebody still writes to cannot be started, and whatever this one has open
    // other tests' children have too, for a moment.
    let copied = Command::new("cp").args([Path::new(PROGRAM), &program]).status().await.unwrap();
    assert!(copied.success());
    let mut command = Command::new(&program);
    if rustix::process::geteuid().is_root() {
        command.uid(65_534);
    }
    let helper = command
        .args(["credential", "get"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let environment = format!("/proc/{}/environ", helper.id().unwrap());
    // Its input stays open, so it waits for the question.
    let hidden = eventually("the helper belongs to root", async || {
        std::fs::metadata(&environment).is_ok_and(|data| data.uid() == 0)
    });
    timeout(Duration::from_secs(5), hidden).await.expect("the helper can be read by its user");
}
