//! Another model, asked by the real CLI through `multi-model-router`.

use fabrica_protocol::assertion::Role;
use serde_json::json;

use crate::pod::{KEY, Pod, cli, model};
use crate::server::Server;
use crate::tools::answers;

#[tokio::test]
async fn another_model_is_consulted_and_counts() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let url = format!("{}/v1", model.url());
    let more = [("FABRICA_CREDENTIAL_OPENAI_API_KEY", KEY), ("OPENAI_BASE_URL", &*url)];
    let pod = Pod::begin(&server, &model, &cli, &more).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", "Ask around.\nscenario: consult").await;
    ada.text("The door is oiled.").await;
    let told = answers(&ada);
    assert!(told[0].contains("Take sewing machine oil"), "{told:#?}");
    assert!(told[1].contains("no provider") && told[1].contains("openai"), "{told:#?}");
    let of_tools = ada.of("claude_message").into_iter().filter(|it| it["kind"] == "tool_result");
    let failed: Vec<bool> = of_tools.map(|it| it["isError"] == true).collect();
    assert_eq!(failed, [false, true, false]);
    // What was asked is written down by us too, with what it cost.
    let steps: Vec<_> =
        ada.of("progress").into_iter().filter(|it| it["step"] == "consult").collect();
    let finished = steps.iter().find(|it| it["kind"] == "finished").unwrap();
    let words = "gpt-5-mini of openai read 1120 tokens and said 50, for $0.000155.";
    assert_eq!(finished["text"], words);
    assert!(finished["durationMs"].is_u64());
    let usage = ada
        .until("its cost", |it| it["type"] == "usage" && it["models"]["gpt-5-mini"].is_object())
        .await;
    assert_eq!(usage["models"]["gpt-5-mini"]["cacheRead"], 1000);
    let asked = model.asked();
    let other = asked.iter().find(|asked| asked.question["model"] == "gpt-5-mini").unwrap();
    assert_eq!(other.key, KEY);
    assert!(!serde_json::to_string(&ada.all).unwrap().contains(KEY));
}

#[tokio::test]
async fn a_dry_run_may_ask_another_model_and_without_a_key_there_is_none() {
    let Some(cli) = cli() else { return };
    let (server, model) = (Server::start().await, model().await);
    let more = [("FABRICA_CHAT_AUTONOMY", "dryRun")];
    let pod = Pod::begin(&server, &model, &cli, &more).await;
    let mut ada = pod.talk("ada", Role::Control, json!({})).await;
    ada.say("m-1", "Ask around.\nscenario: consult").await;
    ada.text("The door is oiled.").await;
    let told = answers(&ada);
    assert!(told[0].contains("No other model can be asked"), "{told:#?}");
}
