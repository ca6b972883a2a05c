//! What breaks while people talk to an agent.

use anyhow::{Context, Result, ensure};
use fabrica_crds::Session;
use fabrica_e2e::archive::{check_numbers, messages};
use fabrica_e2e::chat::Chat;
use fabrica_e2e::cluster::{eventually, with_namespace};
use fabrica_e2e::forge::{Forge, ForgeRepository};
use fabrica_e2e::processes::kill_pod;
use fabrica_e2e::{Gateway, Namespace};
use serde_json::json;

use super::{alone, scale_database};

/// Kills all pods of a part of ours.
async fn kill(namespace: &Namespace, component: &str) -> Result<()> {
    for pod in namespace.cluster.component_pods(component).await? {
        kill_pod(&namespace.cluster, &pod).await?;
    }
    Ok(())
}

/// Somebody who talks to an agent.
struct Talk {
    forge: Forge,
    repository: ForgeRepository,
    gateway: Gateway,
    ada: Chat,
}

async fn talk(namespace: &Namespace, name: &str) -> Result<Talk> {
    let forge = Forge::new()?;
    namespace.agent_secret(&forge).await?;
    let repository = forge.repository().await?;
    let spec = json!({"mode": "Chat", "workflow": "None",
        "repository": {"url": repository.url, "forge": "Gitea"}});
    namespace.ready_session(name, spec).await?;
    let gateway = Gateway::new(Some(&namespace.user("editor", "edit").await?))?;
    let ada = Chat::connect(&gateway, &namespace.name, name).await?;
    Ok(Talk { forge, repository, gateway, ada })
}

/// Waits for words while connections are lost: a replica that was told to go still takes some.
async fn hear(chat: &mut Chat, words: &str) -> Result<()> {
    /// As many as there are replicas that go, and one that stays.
    const CONNECTIONS: usize = 5;
    for _ in 0..CONNECTIONS {
        if chat.resume().await.is_err() {
            continue;
        }
        ensure!(!chat.was_reset, "the journal is the same one");
        let known = chat.records.values().flatten().any(|it| it["content"] == words);
        if known || chat.text(words).await.is_ok() {
            return Ok(());
        }
    }
    anyhow::bail!("«{words}» was not heard on {CONNECTIONS} connections")
}

#[tokio::test]
async fn a_conversation_outlives_gateway_and_operator() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        let Talk { forge, repository, gateway, mut ada } = talk(&namespace, "talk").await?;
        ada.say("m-1", "Ask.\nscenario: chat-ask").await?;
        let asked = ada.question().await?;
        let known = ada.newest();
        kill(&namespace, "operator").await?;
        kill(&namespace, "gateway").await?;
        // By kubectl alone: whoever leads next hands it over.
        let id = asked["questionId"].as_str().context("an id")?;
        namespace.patch_spec("talk", json!({"answers": [{"id": id, "text": "blue"}]})).await?;
        hear(&mut ada, "So be it.").await?;
        // What was heard on all of these connections is what somebody hears who comes now.
        // It may be that no replica is there yet: what was heard came from one that goes.
        let other = eventually("a newcomer is let in", || async {
            Ok(Chat::connect(&gateway, &namespace.name, "talk").await.ok())
        })
        .await?;
        let end = ada.newest();
        ensure!(end > known, "something was told since");
        ensure!(
            other.records.range(..end).eq(ada.records.range(..end)),
            "{:?} is not {:?}",
            ada.records,
            other.records
        );
        let session = namespace
            .await_session("talk", "answered", |session| {
                let faber = session.status.as_ref().and_then(|status| status.faber.as_ref());
                faber.is_none_or(|faber| faber.pending_approvals.is_empty())
            })
            .await?;
        let rows = eventually("everything is archived", || async {
            let rows = messages(&session).await?;
            Ok(rows.iter().any(|row| row.content["message"] == "So be it.").then_some(rows))
        })
        .await?;
        check_numbers(&rows)?;
        ensure!(
            namespace.api::<Session>().get("talk").await?.status.and_then(|it| it.starts)
                == Some(1)
        );
        forge.delete(&repository).await
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_away_holds_no_conversation_up_and_misses_nothing() {
    let _alone = alone().await;
    with_namespace(|namespace| async move {
        let Talk { forge, repository, gateway, mut ada } = talk(&namespace, "away").await?;
        scale_database(&namespace.cluster, 0).await?;
        let talked = talk_meanwhile(&namespace, &gateway, &mut ada).await;
        scale_database(&namespace.cluster, 1).await?;
        talked?;
        let session = namespace.api::<Session>().get("away").await?;
        let rows = eventually("everything is archived", || async {
            let rows = messages(&session).await?;
            Ok((rows.len() as u64 >= ada.newest()).then_some(rows))
        })
        .await?;
        check_numbers(&rows)?;
        let texts: Vec<_> = rows.iter().map(|row| row.content["message"].to_string()).collect();
        ensure!(texts.iter().any(|text| text.contains("So be it.")), "{texts:?}");
        forge.delete(&repository).await
    })
    .await;
}

/// A question is asked and answered, and the status tells it, while nothing can be archived.
async fn talk_meanwhile(namespace: &Namespace, gateway: &Gateway, ada: &mut Chat) -> Result<()> {
    ada.say("m-1", "Ask.\nscenario: chat-ask").await?;
    let asked = ada.question().await?;
    namespace
        .await_session("away", "a question", |session| {
            let faber = session.status.as_ref().and_then(|status| status.faber.as_ref());
            faber.is_some_and(|faber| !faber.pending_approvals.is_empty())
        })
        .await?;
    ada.answer(&asked, "blue").await?;
    ada.text("So be it.").await?;
    // Somebody who comes now hears all of it.
    let second = Chat::connect(gateway, &namespace.name, "away").await?;
    let heard = second.records.values().flatten().any(|it| it["content"] == "So be it.");
    ensure!(heard, "{:?}", second.records);
    Ok(())
}
