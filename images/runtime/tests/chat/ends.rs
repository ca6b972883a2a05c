//! A workflow ends, whatever becomes of its agent.

use fabrica_protocol::assertion::Role;
use rstest::rstest;
use serde_json::json;

use crate::actor::{program, turn};
use crate::faber::{begin, forge};
use crate::pod::model;

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
