//! What forms find in a real forge, through the gateway and with the token that the chart names.

use anyhow::{Context, Result, ensure};
use fabrica_e2e::cluster::{eventually, with_namespace};
use fabrica_e2e::forge::{Forge, ForgeRepository};
use fabrica_e2e::{Gateway, Namespace};
use serde_json::Value;

use crate::lifecycle::editor;

/// The id of the demo's forge.
async fn demo(gateway: &Gateway) -> Result<u64> {
    let url = std::env::var("FABRICA_FORGE_URL").context("FABRICA_FORGE_URL")?;
    let (status, list) = gateway.get("/api/v1/forges").await?;
    let items = list["items"].as_array().with_context(|| format!("{status} {list}"))?;
    let found = items.iter().find(|forge| forge["url"] == url.as_str());
    let found = found.with_context(|| format!("{url} is not among {list}"))?;
    ensure!(found["kind"] == "Gitea" && found["authenticated"] == true, "{found}");
    found["id"].as_u64().context("an id")
}

#[tokio::test]
async fn repositories_and_work_items_are_found_in_the_demos_forge() {
    with_namespace(|namespace| async move {
        let forge = Forge::new()?;
        let repository = forge.repository().await?;
        let result = search(&namespace, &forge, &repository).await;
        forge.delete(&repository).await?;
        result
    })
    .await;
}

async fn search(namespace: &Namespace, forge: &Forge, made: &ForgeRepository) -> Result<()> {
    let gateway = Gateway::new(Some(&editor(namespace).await?))?;
    let id = demo(&gateway).await?;
    let name = made.full_name.split('/').next_back().context("a name")?;
    // By the name, and by owner and name.
    for words in [name, &made.full_name] {
        let path = format!("/api/v1/forges/{id}/repositories?q={words}");
        let (status, list) = gateway.get(&path).await?;
        ensure!(list["items"][0]["name"] == made.full_name.as_str(), "{status} {list}");
        ensure!(list["items"][0]["url"] == made.url.as_str(), "it cannot be cloned: {list}");
    }
    let door = forge.issue(made, "The door squeaks", "It does.").await?;
    let window = forge.issue(made, "The window is stuck", "It is.").await?;
    let items = format!("/api/v1/forges/{id}/work-items?repository={}", made.full_name);
    let numbers = |list: &Value| -> Vec<i64> {
        let items = list["items"].as_array().into_iter().flatten();
        let mut numbers: Vec<i64> = items.filter_map(|item| item["number"].as_i64()).collect();
        numbers.sort_unstable();
        numbers
    };
    let (status, all) = gateway.get(&items).await?;
    ensure!(numbers(&all) == [door, window], "{status} {all}");
    // The forge's index of words lags behind what it holds.
    eventually("the words to be found", || async {
        let (_, found) = gateway.get(&format!("{items}&q=door+squeaks")).await?;
        Ok((numbers(&found) == [door]).then_some(()))
    })
    .await?;
    let (_, one) = gateway.get(&format!("{items}&q=%23{window}")).await?;
    ensure!(one["items"][0]["title"] == "The window is stuck", "{one}");
    let (_, none) = gateway.get(&format!("{items}&q=99999")).await?;
    ensure!(numbers(&none).is_empty(), "{none}");
    Ok(())
}

#[tokio::test]
async fn who_may_only_look_searches_nothing() {
    with_namespace(|namespace| async move {
        let viewer = Gateway::new(Some(&namespace.user("viewer", "view").await?))?;
        let (status, problem) = viewer.get("/api/v1/forges").await?;
        ensure!(status == 403 && problem["detail"].is_string(), "{status} {problem}");
        ensure!(viewer.get("/api/v1/forges/0/repositories?q=demo").await?.0 == 403);
        Ok(())
    })
    .await;
}
