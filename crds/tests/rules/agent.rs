//! The agent of a Terminal.

use rstest::rstest;
use serde_json::{Value, json};

use super::{broken, session};

/// A Terminal with an agent, and these fields.
fn with_agent(fields: Value) -> Value {
    let mut spec = json!({"agentState": "On", "repository": {"url": "https://host/team/app"}});
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    session(spec)
}

#[rstest]
#[case::on(json!({}))]
#[case::off(json!({"agentState": "Off", "repository": null}))]
#[case::faber(json!({"workflow": "Faber", "workId": "12", "autonomy": "Assist", "agent": {"budgetUSD": "1"}}))]
#[case::later(json!({"agentState": "Off", "workId": "12", "answers": []}))]
fn an_agent_of_a_terminal_may_be_given_so(#[case] fields: Value) {
    assert_eq!(broken(&with_agent(fields), None), Vec::<String>::new());
}

#[rstest]
#[case::of_a_chat(json!({"mode": "Chat", "workId": "12"}), "spec.agentState is for mode Terminal: a Chat always has its agent")]
#[case::nowhere(json!({"repository": null}), "spec.agentState On needs spec.repository")]
#[case::faber(json!({"workflow": "Faber"}), "spec.workId is required with spec.workflow Faber")]
#[case::unset(json!({"agentState": null, "workId": "12"}), "in mode Terminal spec.agentState to On or Off")]
fn an_agent_of_a_terminal_has_rules(#[case] fields: Value, #[case] mentions: &str) {
    let messages = broken(&with_agent(fields), None);
    assert!(messages.iter().any(|message| message.contains(mentions)), "{messages:?}");
}

#[rstest]
#[case::off(json!({}), json!({"agentState": "Off"}))]
#[case::gone(json!({}), json!({"agentState": null}))]
#[case::on(json!({"agentState": "Off"}), json!({"workId": "12", "workflow": "Faber", "agent": {"maxTurns": 3}}))]
#[case::from_nothing(json!({"agentState": null, "repository": null}), json!({"workId": "12"}))]
#[case::answer(json!({}), json!({"answers": [{"id": "a", "text": "yes"}]}))]
fn the_agent_of_a_terminal_comes_and_goes(#[case] before: Value, #[case] after: Value) {
    let broken = broken(&with_agent(after), Some(&with_agent(before)));
    assert_eq!(broken, Vec::<String>::new());
}

#[rstest]
#[case::work_item(json!({"workId": "12"}), "spec.workId never changes while there is an agent")]
#[case::agent(json!({"agentState": "Off", "agent": {"maxTurns": 3}}), "spec.agent never changes while there is an agent")]
#[case::repository(json!({"repository": {"url": "https://host/team/other"}}), "spec.repository never changes in mode Chat, nor while spec.agentState is On")]
fn beside_an_agent_its_settings_stay(#[case] after: Value, #[case] mentions: &str) {
    let messages = broken(&with_agent(after), Some(&with_agent(json!({}))));
    assert!(messages.iter().any(|message| message.contains(mentions)), "{messages:?}");
}
