use super::super::tests::{defaults, run};
use super::*;
use fabrica_protocol::run::Verdict;
use serde_json::json;
use std::marker::PhantomData;

use crate::children::Step;

#[test]
fn a_verdict_is_told_with_its_pull_request_and_what_all_attempts_used() {
    let verdict: Verdict = serde_json::from_value(json!({"outcome": "Completed", "reason": "Succeeded",
        "message": "done", "again": false, "commit": "c", "pullRequestUrl": "https://git.example/a/1",
        "usage": {"models": {"m": {"input": 1, "output": 2, "cacheRead": 3, "cacheWrite": 4}},
            "estimatedCostUSD": "0.2"}}))
    .unwrap();
    let used = json!({"inputTokens": 1, "outputTokens": 0, "cacheReadTokens": 0, "cacheWriteTokens": 0,
        "estimatedCostUSD": "0.1"});
    let status = json!({"startedAt": "2026-01-01T00:00:00Z", "attempts": [
        {"number": 1, "podName": "r-run-1", "finishedAt": "2026-01-01T00:01:00Z", "usage": used},
        {"number": 2, "podName": "r-run-2"}]});
    let run = run(&json!({"plan": "p", "repository": {"url": "https://git.example/a"}}), &status);
    let observed = Observed { run, ..Observed::default() };
    let plan = Plan {
        intent: Intent::Close(cause::of_verdict(&verdict)),
        policy: Step::Keep,
        pod: Step::Keep,
        expired: false,
        outcome: Outcome::Done,
        state: PhantomData,
    };
    let now = DateTime::parse_from_rfc3339("2026-01-01T01:00:00Z").unwrap().to_utc();
    insta::assert_yaml_snapshot!(report(&observed, &plan, &defaults(), now));
}
