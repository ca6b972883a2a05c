use super::*;
use crate::session::build::tests::{defaults, session};
use rstest::rstest;
use serde_json::json;

#[rstest]
#[case::volume(json!({"workspace": {"size": "1Gi"}}), "0.90")]
#[case::none(json!({}), "0.70")]
#[case::used_up(json!({"agent": {"budgetUSD": "0.30"}}), "0.000000000001")]
fn a_budget_is_shared_by_conversations(#[case] fields: serde_json::Value, #[case] left: &str) {
    let mut spec = json!({"mode": "Chat", "agent": {"budgetUSD": "1"}});
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    let usage = |cost| json!({"inputTokens": 1, "outputTokens": 1, "cacheReadTokens": 0, "cacheWriteTokens": 0, "estimatedCostUSD": cost});
    let mut session = session(spec);
    let status =
        json!({"usage": usage("0.3"), "conversation": {"number": 1, "usage": usage("0.2")}});
    session.status = serde_json::from_value(status).unwrap();
    let start = Start::next(&session, 1, &defaults().chat.agent);
    assert_eq!((start.number, start.budget.as_deref()), (2, Some(left)));
}
