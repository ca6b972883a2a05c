//! A Chat takes what is said before its repository is there.

use fabrica_protocol::assertion::Role;
use fabrica_protocol::runtime::{Termination, WorkspaceState};
use serde_json::json;
use tokio::net::TcpListener;

use crate::pod::Pod;
use crate::support::{PATIENCE, eventually, folder};

#[tokio::test]
async fn what_is_said_waits_for_the_repository_and_terminals_do_too() {
    // A forge that takes its time: it says nothing until it goes.
    let forge = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/team/x.git", forge.local_addr().unwrap());
    let mut pod = Pod::bare(folder(), &[("REPO_URL", &url)]);
    pod.0.ready().await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    assert_eq!(ada.welcome["agent"], "starting");
    ada.say("m-1", "hello").await;
    let queued = ada.until("it is taken", |it| it["type"] == "user_message").await;
    assert_eq!((&queued["id"], &queued["state"]), (&json!("m-1"), &json!("queued")));
    eventually("the clone is under way", async || {
        pod.0.idle().await.workspace.state == WorkspaceState::Pending
    })
    .await;
    let (code, why) = pod.0.connect(Role::Control).await.closed().await;
    assert_eq!((code, why.as_str()), (4503, "the repository is not there yet; ra=2000"));

    let upload = pod.0.put("/v1/files/repo/x.txt", "early", Role::Control).await;
    assert_eq!(upload.status(), 503, "a clone needs its folder empty");

    // The clone fails: those who are there hear it, and then the container ends.
    drop(forge);
    let told = ada
        .until("the clone failed", |it| it["type"] == "progress" && it["kind"] == "failed")
        .await;
    assert_eq!(told["step"], "clone", "{told}");
    assert_eq!(ada.closed().await.0, 1001);
    let why = failed(&mut pod).await;
    assert_eq!((why.step.as_str(), why.reason.as_str()), ("clone", "CloneFailed"));

    // The next container is not ready before the repository is there: it would be for moments, again and again.
    let nowhere = "http://127.0.0.1:9/none.git";
    let mut pod = Pod::bare(pod.0.folder, &[("REPO_URL", nowhere)]);
    let mut was_ready = false;
    let ended = async {
        while pod.0.process.try_wait().unwrap().is_none() {
            was_ready |= pod.0.ready_now().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
    assert!(!was_ready);
    assert_eq!(failed(&mut pod).await.reason, "CloneFailed");
}

#[tokio::test]
async fn a_chat_without_a_repository_says_so() {
    let mut pod = Pod::bare(folder(), &[]);
    let why = failed(&mut pod).await;
    assert_eq!((why.step.as_str(), why.reason.as_str()), ("clone", "RepositoryMissing"));
    assert!(why.message.contains("REPO_URL"), "{}", why.message);
}

async fn failed(pod: &mut Pod) -> Termination {
    pod.exit().await;
    let words = std::fs::read_to_string(pod.0.folder.path().join("termination")).unwrap();
    serde_json::from_str(&words).unwrap()
}
