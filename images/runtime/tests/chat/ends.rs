//! A workflow ends, whatever becomes of its agent.

use fabrica_protocol::assertion::Role;
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::actor::{call, program, turn, walk};
use crate::faber::{begin, begin_in, forge};
use crate::github::GitHub;
use crate::mcp::file;
use crate::pod::{BRANCH, Pod, model};
use crate::support::eventually;
use crate::talk::Talk;

/// No workflow by itself, and nothing that the agent may not do.
const FREE: [(&str, &str); 2] =
    [("FABRICA_CHAT_WORKFLOW", "none"), ("FABRICA_CHAT_AUTONOMY", "autonomous")];

fn overloaded() -> String {
    turn(&json!({"type": "result", "is_error": true, "terminal_reason": "api_error",
        "api_error_status": 529, "result": "Overloaded"}))
}

#[rstest]
#[case::failed_turns(&overloaded(), "Overloaded")]
#[case::crashes("exit 3", "too often")]
#[tokio::test]
async fn a_workflow_whose_agent_fails_again_and_again_is_over(
    #[case] answer: &str,
    #[case] why: &str,
) {
    let (_folder, cli) = program(answer);
    let (github, model) = (forge("faber").await, model().await);
    let pod = begin(&github, &model, &cli, &[]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let complete = ada.until("the end", |it| it["type"] == "workflow_complete").await;
    assert_eq!(complete["exitCode"], 4, "{complete}");
    assert!(complete["summary"].as_str().unwrap().contains(why), "{complete}");
}

#[tokio::test]
async fn a_workflow_without_an_agent_is_over() {
    let (github, model) = (forge("faber").await, model().await);
    let pod = begin(&github, &model, "/nowhere/claude", &[]).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    let complete = ada.until("the end", |it| it["type"] == "workflow_complete").await;
    assert_eq!(complete["exitCode"], 4, "{complete}");
    assert!(complete["summary"].as_str().unwrap().contains("no Claude Code"), "{complete}");
}

async fn repo(pod: &Pod, tool: &str, input: Value) -> String {
    call(pod, "fractary-repo", tool, input).await
}

async fn faber(pod: &Pod, tool: &str, input: Value) -> String {
    call(pod, "fractary-faber", tool, input).await
}

/// Somebody wants the item worked by an agent of this autonomy.
async fn work(ada: &mut Talk, autonomy: &str) {
    let work = json!({"type": "start_workflow", "id": "w-1", "workId": "1", "autonomy": autonomy});
    ada.send(&work).await;
    ada.until("the workflow", |it| it["type"] == "workflow_started").await;
}

/// The agent says that it cannot be done.
async fn give_up(pod: &Pod, ada: &mut Talk) {
    let given_up = json!({"outcome": "failed", "summary": "It cannot be done."});
    let told = faber(pod, "complete", given_up).await;
    assert!(told.contains("the workflow has ended"), "{told}");
    ada.until("the end", |it| it["type"] == "workflow_complete").await;
}

/// Somebody speaks, and the agent has heard it.
async fn speak(ada: &mut Talk) {
    ada.say("m-1", "Go on.").await;
    ada.until("it is heard", |it| it["id"] == "m-1" && it["state"] == "started").await;
}

/// Rejects what somebody is asked to approve.
async fn reject(ada: &mut Talk) {
    let is_asked = |it: &Value| it["kind"] == "approval" && it["state"] == "open";
    let approval = ada.until("the approval", is_asked).await;
    let answer = json!({"type": "answer", "questionId": approval["questionId"], "text": "reject"});
    ada.send(&answer).await;
}

fn has_asked(github: &GitHub, what: &str) -> bool {
    github.asked().iter().any(|asked| asked == what)
}

#[tokio::test]
async fn an_agent_that_ends_a_rejected_workflow_still_needs_leave_to_publish() {
    let (_folder, cli) = program(":");
    let (github, model) = (forge("chat").await, model().await);
    let pod = begin(&github, &model, &cli, &FREE).await;
    let mut ada = pod.talk_answering("ada").await;
    work(&mut ada, "guarded").await;
    std::fs::write(pod.0.workspace().join("repo/door"), "oil\n").unwrap();
    repo(&pod, "commit", json!({"message": "Oil the door"})).await;
    walk(&pod).await;
    let release = json!({"phase": "release", "status": "started"});
    let (told, ()) = tokio::join!(faber(&pod, "set_phase", release), reject(&mut ada));
    assert!(told.contains("does not approve: reject"), "{told}");
    give_up(&pod, &mut ada).await;

    let pull = json!({"title": "Oil the door"});
    let (told, ()) = tokio::join!(repo(&pod, "pr_create", pull.clone()), reject(&mut ada));
    assert!(told.contains("does not approve: reject"), "{told}");
    assert!(!has_asked(&github, "POST /pulls") && github.git.head(BRANCH).is_none());
    speak(&mut ada).await;
    let told = repo(&pod, "pr_create", pull).await;
    assert!(told.starts_with("The pull request is "), "{told}");
}

#[rstest]
#[case("dryRun", "commit", json!({"message": "Oil the door"}), "this is a dry run", "Committed as ")]
#[case("assist", "push", json!({}), "publishes nothing", "The remote's branch ")]
#[tokio::test]
async fn an_agent_that_ends_its_workflow_may_do_no_more_in_another_pod_either(
    #[case] autonomy: &str,
    #[case] tool: &str,
    #[case] input: Value,
    #[case] refused: &str,
    #[case] done: &str,
) {
    let (_folder, cli) = program(":");
    let (github, model) = (forge("chat").await, model().await);
    let mut pod = begin(&github, &model, &cli, &FREE).await;
    std::fs::write(pod.0.workspace().join("repo/door"), "oil\n").unwrap();
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    work(&mut ada, autonomy).await;
    give_up(&pod, &mut ada).await;
    let told = repo(&pod, tool, input.clone()).await;
    assert!(told.contains(refused), "{told}");
    pod.signal(Signal::TERM);
    pod.exit().await;
    // It would lead to the tools of the pod that is gone.
    std::fs::remove_file(file(&pod.0.workspace())).unwrap();
    let again = [&FREE[..], &[("FABRICA_CHAT_ATTEMPT", "2")]].concat();
    let pod = begin_in(pod.0.folder, &github, &model, &cli, &again).await;
    let told = repo(&pod, tool, input.clone()).await;
    assert!(told.contains(refused), "{told}");
    assert!(github.git.head(BRANCH).is_none());
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    speak(&mut ada).await;
    let told = repo(&pod, tool, input).await;
    assert!(told.starts_with(done), "{told}");
}

#[tokio::test]
async fn a_program_may_do_more_before_it_reads_the_words_of_whoever_speaks() {
    let (_folder, cli) = program(":");
    let (github, model) = (forge("chat").await, model().await);
    let pod = begin(&github, &model, &cli, &FREE).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    work(&mut ada, "dryRun").await;
    let place = |words: &str| {
        let heard = std::fs::read_to_string(format!("{cli}.heard")).unwrap_or_default();
        heard.lines().position(|line| line.contains(words))
    };
    eventually("it works", async || place("Run FABER workflow").is_some()).await;
    give_up(&pod, &mut ada).await;
    assert_eq!(place("bypassPermissions"), None);
    speak(&mut ada).await;
    let heard = ["\"plan\"", "Run FABER workflow", "bypassPermissions", "Go on."].map(place);
    assert!(heard.iter().all(Option::is_some) && heard.is_sorted(), "{heard:?}");
}
