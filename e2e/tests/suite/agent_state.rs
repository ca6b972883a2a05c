//! The agent of a Terminal, started and ended while the Session runs.

use anyhow::{Context, Result, ensure};
use fabrica_crds::Session;
use fabrica_e2e::Gateway;
use fabrica_e2e::chat::{Chat, path};
use fabrica_e2e::session::{condition, message};
use fabrica_e2e::terminal::{Terminal, closed, open};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use crate::agent_runs::with_repository;
use crate::chat::HELLO;
use crate::lifecycle::editor;

/// Waits until the agent can be spoken to.
async fn agent_ready(namespace: &fabrica_e2e::Namespace, name: &str) -> Result<Session> {
    namespace
        .await_session(name, "AgentReady", |session| {
            condition(session, "AgentReady") == Some(("True", "AgentOn"))
        })
        .await
}

#[tokio::test]
async fn an_agent_comes_to_a_terminal_and_goes_again_in_the_same_pod() {
    with_repository(|namespace, place| async move {
        let spec =
            json!({"agentState": "Off", "repository": {"url": place.1.url, "forge": "Gitea"}});
        let session = namespace.ready_session("both", spec).await?;
        ensure!(condition(&session, "AgentReady") == Some(("False", "AgentOff")), "{session:?}");
        let pod = namespace.api::<Pod>().get("both-session").await?.uid();
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut terminal = Terminal::connect(&gateway, &namespace.name, "both").await?;
        terminal.run("export MINE=yes").await?;
        let mut early =
            open(&gateway, &path(&namespace.name, "both"), Some("fabrica.chat.v1")).await?;
        ensure!(closed(&mut early).await?.0 == 4503, "a chat with an agent that is off");

        let switch = format!("/api/v1/namespaces/{}/sessions/both/agent", namespace.name);
        let (status, answer) = gateway.post(&switch, &json!({"state": "On"})).await?;
        ensure!(status == 200 && answer["spec"]["agentState"] == "On", "{status} {answer}");
        agent_ready(&namespace, "both").await?;
        let mut ada = Chat::connect(&gateway, &namespace.name, "both").await?;
        ada.say("m-1", "scenario: chat").await?;
        ada.text(HELLO).await?;
        ada.until("m-1 is done", |it| it["id"] == "m-1" && it["state"] == "completed").await?;
        ensure!(terminal.run("echo \"it is $MINE\"").await?.contains("it is yes"));

        namespace.patch_spec("both", json!({"agentState": "Off"})).await?;
        namespace
            .await_session("both", "AgentOff", |session| {
                condition(session, "AgentReady") == Some(("False", "AgentOff"))
            })
            .await?;
        namespace.patch_spec("both", json!({"agentState": "On"})).await?;
        let session = agent_ready(&namespace, "both").await?;
        let restart = condition(&session, "RestartRequired");
        ensure!(restart == Some(("False", "UpToDate")), "{restart:?}");
        let mut ada = Chat::connect(&gateway, &namespace.name, "both").await?;
        ada.say("m-2", "scenario: chat").await?;
        ada.until("m-2 is done", |it| it["id"] == "m-2" && it["state"] == "completed").await?;
        ensure!(ada.of("user_message").iter().any(|it| it["id"] == "m-1"), "one journal");
        ensure!(namespace.api::<Pod>().get("both-session").await?.uid() == pod, "another pod");
        ensure!(terminal.run("echo \"it is $MINE\"").await?.contains("it is yes"));
        let session = namespace
            .await_session("both", "what it cost", |session| {
                session.status.as_ref().is_some_and(|status| status.usage.is_some())
            })
            .await?;
        let conversation = session.status.and_then(|status| status.conversation);
        ensure!(conversation.context("a conversation")?.number == 1);
        let list =
            format!("/api/v1/namespaces/{}/sessions/both/messages?limit=500", namespace.name);
        let (status, list) = gateway.get(&list).await?;
        ensure!(status == 200 && list.to_string().contains(HELLO), "{status} {list}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_pod_without_the_agent_says_so_and_goes_on() {
    with_repository(|namespace, place| async move {
        let repository = json!({"url": place.1.url});
        namespace.ready_session("plain", json!({"repository": repository})).await?;
        namespace.patch_spec("plain", json!({"agentState": "On"})).await?;
        let session = namespace
            .await_session("plain", "AgentMissing", |session| {
                condition(session, "AgentReady") == Some(("False", "AgentMissing"))
            })
            .await?;
        ensure!(condition(&session, "Ready") == Some(("True", "Ready")), "{session:?}");
        ensure!(condition(&session, "RestartRequired") == Some(("True", "TemplateChanged")));
        let words = message(&session, "AgentReady");
        ensure!(words.contains("suspend and resume"), "{words}");
        Ok(())
    })
    .await;
}
