//! The branch of a Chat, which people change too.

use fabrica_protocol::assertion::Role;
use rustix::process::Signal;
use serde_json::json;

use crate::actor::{call, program};
use crate::pod::{BRANCH, Pod, model};
use crate::server::{Server, git};
use crate::support::folder;

async fn again(mut pod: Pod, server: &Server, cli: &str) -> Pod {
    pod.signal(Signal::TERM);
    pod.exit().await;
    let more = [("FABRICA_CHAT_ATTEMPT", "2")];
    Pod::begin_in(pod.0.folder, server, &model().await, cli, &more).await
}

async fn push(pod: &Pod) -> String {
    call(pod, "fractary-repo", "push", json!({})).await
}

fn write(pod: &Pod, name: &str) {
    std::fs::write(pod.0.workspace().join("repo").join(name), name).unwrap();
}

/// Somebody else commits to the branch; the commit.
fn change(server: &Server) -> String {
    let work = tempfile::tempdir().unwrap();
    let url = format!("file://{}", server.repository().display());
    git(work.path(), &["clone", "-q", "--branch", BRANCH, &url, "."]);
    std::fs::write(work.path().join("theirs"), "theirs").unwrap();
    git(work.path(), &["add", "."]);
    git(work.path(), &["commit", "-q", "-m", "Suggest something"]);
    git(work.path(), &["push", "-q", "origin", BRANCH]);
    git(work.path(), &["rev-parse", "HEAD"])
}

#[tokio::test]
async fn a_commit_of_somebody_else_is_met_by_the_agent_and_keeps_nobody_out() {
    let (_folder, cli) = program(":");
    let (server, model) = (Server::start().await, model().await);
    let pod = Pod::begin(&server, &model, &cli, &[]).await;
    write(&pod, "ours");
    let told = push(&pod).await;
    assert!(told.contains("The remote's branch fabrica/uid-1 is at "), "{told}");

    // While the pod lives, and then while it is gone.
    let theirs = change(&server);
    write(&pod, "more");
    let told = push(&pod).await;
    assert!(told.contains("somebody else has changed the branch"), "{told}");
    assert!(told.contains(&format!("git merge {theirs}")), "{told}");
    let pod = again(pod, &server, &cli).await;
    let told = push(&pod).await;
    assert!(told.contains("somebody else has changed the branch"), "{told}");
    assert_eq!(server.head(BRANCH).as_ref(), Some(&theirs), "nothing is pushed over it");

    git(&pod.0.workspace().join("repo"), &["merge", "-q", "--no-edit", &theirs]);
    let told = push(&pod).await;
    assert!(told.contains("The remote's branch fabrica/uid-1 is at "), "{told}");
    let files = git(&server.repository(), &["ls-tree", "--name-only", BRANCH]);
    assert_eq!(files, "README\nmore\nours\ntheirs");

    // Merged, and removed as forges do.
    git(&server.repository(), &["update-ref", "-d", &format!("refs/heads/{BRANCH}")]);
    write(&pod, "late");
    let told = push(&pod).await;
    assert!(told.contains("The remote's branch fabrica/uid-1 is at "), "{told}");
}

#[tokio::test]
async fn another_pod_takes_a_branch_that_somebody_else_has_changed() {
    let (_folder, cli) = program(":");
    let (server, model) = (Server::start().await, model().await);
    let pod = Pod::begin(&server, &model, &cli, &[]).await;
    write(&pod, "ours");
    push(&pod).await;
    change(&server);
    drop(pod);
    let more = [("FABRICA_CHAT_ATTEMPT", "2")];
    let pod = Pod::begin_in(folder(), &server, &model, &cli, &more).await;
    assert!(pod.0.workspace().join("repo/theirs").exists());
    write(&pod, "more");
    let told = push(&pod).await;
    assert!(told.contains("The remote's branch fabrica/uid-1 is at "), "{told}");
}

#[tokio::test]
async fn a_forge_that_is_away_or_without_the_base_keeps_nobody_out() {
    let (_folder, cli) = program(":");
    let (server, model) = (Server::start().await, model().await);
    server.commit_elsewhere("next", "next");
    let base = [("BRANCH", "next")];
    let mut pod = Pod::begin(&server, &model, &cli, &base).await;
    write(&pod, "ours");
    push(&pod).await;
    pod.signal(Signal::TERM);
    pod.exit().await;
    let nowhere = [("REPO_URL", "http://127.0.0.1:9/team/x.git"), ("FABRICA_CHAT_ATTEMPT", "2")];
    let mut pod = Pod::begin_in(pod.0.folder, &server, &model, &cli, &nowhere).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let notice = |it: &serde_json::Value| {
        it["text"].as_str().is_some_and(|text| text.contains("It is not known what the remote has"))
    };
    ada.until("it is told", notice).await;
    pod.signal(Signal::TERM);
    pod.exit().await;

    git(&server.repository(), &["update-ref", "-d", "refs/heads/next"]);
    let more = [base[0], ("FABRICA_CHAT_ATTEMPT", "3"), ("FABRICA_CHAT_AUTONOMY", "autonomous")];
    let pod = Pod::begin_in(pod.0.folder, &server, &model, &cli, &more).await;
    let told = call(&pod, "fractary-repo", "pr_create", json!({"title": "Ours"})).await;
    assert!(told.contains("cannot be fetched, so there can be no pull request"), "{told}");
}
