//! Start steps: the repository, and its dependencies.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at what it did not expect"
)]

mod support;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use fabrica_protocol::runtime::{EventType, Termination, WorkspaceState};
use rstest::rstest;
use support::{PATIENCE, Runtime, cloned};
use tempfile::TempDir;

fn git(folder: &Path, words: &[&str]) {
    let identity = ["-c", "user.name=Test", "-c", "user.email=test@fabrica.test"];
    let output =
        Command::new("git").current_dir(folder).args(identity).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A repository with these files in its only commit, or without one.
fn repository(files: &[(&str, &str)]) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "-b", "main"]);
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    if !files.is_empty() {
        git(folder.path(), &["add", "."]);
        git(folder.path(), &["commit", "-q", "-m", "first"]);
    }
    let url = format!("file://{}", folder.path().display());
    (folder, url)
}

#[tokio::test]
async fn a_repository_is_cloned_and_a_missing_branch_is_made() {
    let (_source, url) = repository(&[("README", "hello")]);
    let runtime = Runtime::start(&[("REPO_URL", &url), ("BRANCH", "topic")]).await;
    assert_eq!(std::fs::read_to_string(runtime.workspace().join("repo/README")).unwrap(), "hello");
    let head = std::fs::read_to_string(runtime.workspace().join("repo/.git/HEAD")).unwrap();
    assert_eq!(head.trim(), "ref: refs/heads/topic");
    assert!(runtime.said("clone", EventType::Notice).await.contains("topic"));
    assert_eq!(runtime.idle().await.workspace.state, WorkspaceState::Ready);
}

#[tokio::test]
async fn a_repository_without_commits_is_cloned() {
    let (_source, url) = repository(&[]);
    let runtime = Runtime::start(&[("REPO_URL", &url), ("BRANCH", "topic")]).await;
    let head = std::fs::read_to_string(runtime.workspace().join("repo/.git/HEAD")).unwrap();
    assert_eq!(head.trim(), "ref: refs/heads/topic");
    assert!(runtime.said("clone", EventType::Notice).await.contains("no commit"));
}

async fn fails(variables: &[(&str, &str)]) -> Termination {
    let mut runtime = Runtime::begin(variables);
    let status = tokio::time::timeout(PATIENCE, runtime.process.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(1));
    serde_json::from_str(
        &std::fs::read_to_string(runtime.folder.path().join("termination")).unwrap(),
    )
    .unwrap()
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let clone = fails(&[("REPO_URL", "http://127.0.0.1:9/none.git")]).await;
    assert_eq!((clone.step.as_str(), clone.reason.as_str()), ("clone", "CloneFailed"));
    assert!(clone.message.contains("127.0.0.1"), "{}", clone.message);
    let key = fails(&[
        ("REPO_URL", "http://127.0.0.1:9/none.git"),
        ("FABRICA_REPOSITORY_SECRET", "login"),
    ])
    .await;
    assert_eq!(key.reason, "SecretKeyMissing");
    assert!(key.message.contains("login"));
}

/// A folder to be the whole PATH of an image, with these programs of ours.
fn programs(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for name in names {
        let found =
            std::env::split_paths(&path).map(|place| place.join(name)).find(|at| at.exists());
        symlink(found.unwrap(), folder.path().join(name)).unwrap();
    }
    folder
}

#[tokio::test]
async fn an_image_without_git_is_named() {
    let image = programs(&["sh"]);
    let path = image.path().to_str().unwrap();
    let git = fails(&[("REPO_URL", "http://127.0.0.1:9/none.git"), ("PATH", path)]).await;
    assert_eq!((git.step.as_str(), git.reason.as_str()), ("clone", "GitMissing"));
    assert!(git.message.contains("spec.repository"), "{}", git.message);
}

#[tokio::test]
async fn a_repository_that_is_here_is_left_as_it_is() {
    let variables = [("REPO_URL", "http://127.0.0.1:9/none.git"), ("BRANCH", "topic")];
    let runtime = Runtime::begin_in(cloned(), &[], &variables);
    runtime.ready().await;
    assert!(runtime.said("clone", EventType::Finished).await.contains("left as it is"));
    let repository = runtime.workspace().join("repo");
    assert_eq!(std::fs::read_to_string(repository.join("work")).unwrap(), "unsaved");
    assert_eq!(std::fs::read_dir(repository.join(".git")).unwrap().count(), 0);
}

#[tokio::test]
async fn an_address_shows_no_login() {
    let url = "http://ada:s3cret@127.0.0.1:9/none.git";
    let clone = fails(&[("REPO_URL", url)]).await;
    assert!(!clone.message.contains("s3cret"), "{}", clone.message);
    let runtime = Runtime::begin_in(cloned(), &[], &[("REPO_URL", url)]);
    runtime.ready().await;
    let said = runtime.said("clone", EventType::Started).await;
    assert!(said.contains("***@127.0.0.1"), "{said}");
}

/// Starts with a repository that has dependencies, and a script in npm's place.
async fn start_with_npm(script: Option<&str>) -> Runtime {
    let (_source, url) = repository(&[("package.json", "{}")]);
    let image = programs(&["git", "sh"]);
    if let Some(script) = script {
        let npm = image.path().join("npm");
        std::fs::write(&npm, format!("#!/bin/sh\n# Not npm: a script of a test.\n{script}\n"))
            .unwrap();
        std::fs::set_permissions(&npm, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    Runtime::start(&[("REPO_URL", &url), ("PATH", image.path().to_str().unwrap())]).await
}

#[tokio::test]
async fn dependencies_are_installed() {
    let runtime = start_with_npm(Some("echo \"$@\" > words")).await;
    runtime.said("dependencies", EventType::Finished).await;
    let words = std::fs::read_to_string(runtime.workspace().join("repo/words")).unwrap();
    assert_eq!(words, "install --no-audit --no-fund\n");
    assert_eq!(runtime.idle().await.workspace.state, WorkspaceState::Ready);
}

#[rstest]
#[case::in_npms_way(
    Some("echo npm http fetch; echo 'npm error code E404'; exit 1"),
    "npm install failed: npm error code E404"
)]
#[case::in_another_way(
    Some("echo one; echo; echo 'node: bad option' >&2; exit 9"),
    "npm install failed: node: bad option"
)]
#[case::on_its_output(
    Some("echo 'cannot find module'; exit 1"),
    "npm install failed: cannot find module"
)]
#[case::without_a_word(Some("exit 7"), "npm install failed without saying why")]
#[case::not_in_the_image(None, "session.installDependencies")]
#[tokio::test]
async fn what_keeps_dependencies_out_is_told(#[case] script: Option<&str>, #[case] expected: &str) {
    let runtime = start_with_npm(script).await;
    let said = runtime.said("dependencies", EventType::Failed).await;
    assert!(said.contains(expected), "{said}");
    let workspace = runtime.idle().await.workspace;
    assert_eq!(workspace.state, WorkspaceState::Failed);
    assert_eq!(workspace.message.as_deref(), Some(said.as_str()));
}
