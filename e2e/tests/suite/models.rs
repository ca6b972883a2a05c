//! Another model, which the agent asks: in a Chat and in a Run, with a key that only the runtime has.

use anyhow::{Context, Result, ensure};
use fabrica_crds::run::Phase;
use fabrica_e2e::run::phase_of;
use serde_json::{Value, json};

use crate::agent_runs::{spec, with_repository};
use crate::chat::{conversation, talk};

/// Where the scripted model answers as OpenAI does.
fn elsewhere() -> Result<Value> {
    let url = std::env::var("FABRICA_MODEL_URL").context("FABRICA_MODEL_URL is not set")?;
    Ok(json!([{"name": "OPENAI_BASE_URL", "value": format!("{url}/v1")}]))
}

#[tokio::test]
async fn an_agent_consults_another_model_in_a_chat() {
    with_repository(|namespace, place| async move {
        let key = std::env::var("FABRICA_MODEL_KEY").context("FABRICA_MODEL_KEY is not set")?;
        let mut spec = conversation(&place.1);
        spec["env"] = elsewhere()?;
        let mut ada = talk(&namespace, "asks", spec).await?;
        ada.say("m-1", "Ask around.\nscenario: consult").await?;
        ada.text("The door is oiled.").await?;
        let told = ada.of("claude_message");
        let answered = |words: &str| {
            told.iter()
                .any(|it| it["kind"] == "tool_result" && it["content"].to_string().contains(words))
        };
        ensure!(
            answered("Take sewing machine oil") && answered("There is no provider"),
            "{told:?}"
        );
        let steps = ada.of("progress");
        ensure!(
            steps.iter().any(|it| it["step"] == "consult" && it["kind"] == "finished"),
            "{steps:?}"
        );
        ensure!(!format!("{:?}", ada.records).contains(&key), "the key was told");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_other_models_cost_counts_for_a_run() {
    with_repository(|namespace, place| async move {
        let mut spec = spec(&place.1, "consult");
        spec["env"] = elsewhere()?;
        namespace.run("asks", spec).await?;
        let run = namespace.await_end("asks").await?;
        ensure!(phase_of(&run) == Some(Phase::Completed), "{:?}", run.status);
        let usage = run.status.and_then(|status| status.usage).context("usage")?;
        // Four answers to the agent, and one of the other model.
        ensure!(usage.output_tokens == 5 * 50, "{usage:?}");
        Ok(())
    })
    .await;
}
