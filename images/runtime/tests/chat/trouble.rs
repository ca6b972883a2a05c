//! What people and the status are told of an agent that cannot work.

use fabrica_protocol::assertion::Role;
use rstest::rstest;
use serde_json::json;

use crate::faber::{begin, forge};
use crate::pod::{Pod, cli, model};
use crate::server::Server;

const UNPRICED: &str = "The model \"claude-nope\" has no known price, so it could spend without a limit. Name another model in spec.agent.model.";

/// The turn and the workflow that ends with it have one cause, in the same words.
#[rstest]
#[case::budget(("FABRICA_AGENT_BUDGET_USD", "0.001"), 2, "The budget of $0.001 is used up:")]
#[case::turns(("FABRICA_AGENT_MAX_TURNS", "2"), 2, "used up")]
#[case::unpriced(("FABRICA_AGENT_MODEL", "claude-nope"), 2, UNPRICED)]
#[case::key(("FABRICA_CREDENTIAL_ANTHROPIC_API_KEY", "sk-wrong"), 4, "does not accept the key")]
#[tokio::test]
async fn a_workflow_ends_with_what_its_agent_was_refused_for(
    #[case] variable: (&str, &str),
    #[case] code: u8,
    #[case] expected: &str,
) {
    let Some(cli) = cli() else { return };
    let (github, model) = (forge("faber").await, model().await);
    let pod = begin(&github, &model, &cli, &[variable]).await;
    let mut ada = pod.talk("ada", Role::View, json!({})).await;
    let complete = ada.until("the end", |it| it["type"] == "workflow_complete").await;
    assert_eq!(complete["exitCode"], code, "{complete}");
    let summary = complete["summary"].as_str().unwrap();
    assert!(summary.contains(expected), "{summary}");
    let errors = ada.of("error");
    assert!(errors.iter().any(|error| error["message"] == summary), "{errors:?}");
}

#[tokio::test]
async fn a_driver_that_is_none_is_told() {
    let (server, model) = (Server::start().await, model().await);
    let more = [("FABRICA_RUN_DRIVER", "oracle")];
    let pod = Pod::begin(&server, &model, "/nowhere/claude", &more).await;
    let mut ada = pod.talk("ada", Role::View, json!({})).await;
    let error = ada.error().await;
    assert_eq!(error["code"], "agent_failed");
    let words = error["message"].as_str().unwrap();
    assert!(words.contains("oracle") && words.contains("claude"), "{words}");
    assert!(model.asked().is_empty());
}
