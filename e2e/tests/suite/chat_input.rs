//! What is said wrong at a chat's doors, and its short forms.

use anyhow::{Context, ensure};
use fabrica_crds::Session;
use fabrica_e2e::Gateway;
use fabrica_e2e::cluster::{eventually, with_namespace};
use fabrica_e2e::terminal::{closed, open};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::agent_runs::with_repository;
use crate::chat::{HELLO, conversation, talk};
use crate::lifecycle::editor;

#[tokio::test]
async fn what_a_client_says_wrong_is_told() {
    with_repository(|namespace, place| async move {
        let mut ada = talk(&namespace, "wrong", conversation(&place.1)).await?;
        ada.say("m-1", "Hi.\nscenario: chat").await?;
        ada.text(HELLO).await?;
        for (message, code) in [
            (json!({"type": "sing"}), "malformed"),
            (json!({"type": "user_message", "id": "a b", "content": "x"}), "malformed"),
            (json!({"type": "user_message", "id": "m-1", "content": "again"}), "duplicate"),
            (json!({"type": "answer", "questionId": "none", "text": "x"}), "unknown_question"),
        ] {
            ada.send(&message).await?;
            let told = ada.until(code, |it| it["type"] == "error").await?;
            ensure!(told["code"] == code && told["recoverable"] == true, "{message}: {told}");
        }
        for (message, code) in [
            (Message::text("not json"), 4400),
            (Message::text("x".repeat(1024 * 1024)), 4400),
            (Message::binary(vec![0_u8; 4]), 1003),
        ] {
            ada.raw(message).await?;
            ensure!(ada.closed().await?.0 == code, "{code}");
            ada.resume().await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn short_forms_are_of_ones_own_namespace() {
    with_namespace(|namespace| async move {
        let gateway = Gateway::new(Some(&editor(&namespace).await?))?;
        let mut body = json!({"repoUrl": "https://git.invalid/team/app", "mode": "chat"});
        let (status, problem) = gateway.post("/api/sessions", &body).await?;
        ensure!(status == 400 && problem.to_string().contains("workId"), "{status} {problem}");
        body["workId"] = json!("12");
        let (status, made) = gateway.post("/api/sessions", &body).await?;
        ensure!(status == 201 && made["mode"] == "chat", "{status} {made}");
        let id = made["id"].as_str().context("an id")?;
        let name = made["name"].as_str().context("a name")?;
        let session = namespace.api::<Session>().get(name).await?;
        ensure!(session.spec.work_id.as_deref() == Some("12"), "{:?}", session.spec);
        for (query, found) in [("mode=chat", 1), ("workId=12", 1), ("mode=terminal", 0)] {
            // Lists come from what each replica has heard by now.
            eventually(query, || async {
                let (status, list) = gateway.get(&format!("/api/sessions?{query}")).await?;
                ensure!(status == 200, "{query}: {status} {list}");
                Ok((list.as_array().map_or(0, Vec::len) == found).then_some(()))
            })
            .await?;
        }
        let (status, one) = gateway.get(&format!("/api/sessions/{id}")).await?;
        ensure!(status == 200 && one["workId"] == "12", "{status} {one}");
        let stranger = Gateway::new(Some(&namespace.user("nobody", "system:basic-user").await?))?;
        ensure!(stranger.get(&format!("/api/sessions/{id}")).await?.0 == 404);
        let place = format!("/api/sessions/{id}/ws");
        let mut socket = open(&stranger, &place, Some("fabrica.chat.v1")).await?;
        ensure!(closed(&mut socket).await?.0 == 4404);
        Ok(())
    })
    .await;
}
