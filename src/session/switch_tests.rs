use super::super::build::tests::{defaults, session};
use super::super::chat::{Talk, Told};
use super::super::report::tests::applied;
use super::*;
use crate::runtime_client::RuntimeView;
use fabrica_protocol::runtime::{AGENT_SPEC, Idle};
use rstest::rstest;
use serde_json::{Value, json};

fn observed(spec: &Value, power: &str) -> Observed {
    let mut fields =
        json!({"repository": {"url": "https://h/x"}, "workspace": {"size": "1Gi"}, "agent": {}});
    fields["agentState"] = spec.clone();
    let idle: Idle = serde_json::from_value(json!({
        "startedAt": "2026-01-01T00:00:00Z", "lastActivityAt": "2026-01-01T00:00:00Z", "busy": false,
        "clients": 0, "visibleClients": 0, "terminals": 1, "oomKills": 0, "reconnects": 0, "bytesIn": 0, "bytesOut": 0,
        "workspace": {"state": "Ready"}, "agent": {"power": power, "reason": "AgentMissing", "message": "None here."},
    }))
    .unwrap();
    let runtime = Some(RuntimeView { events: Vec::new(), idle: Some(idle) });
    Observed { session: session(fields), runtime, starts: 4, ..Observed::default() }
}

#[rstest]
#[case::new(json!("On"), "Off", Some(true))]
#[case::comes_back(json!("On"), "Unasked", Some(true))]
#[case::starts(json!("On"), "Starting", None)]
#[case::there(json!("On"), "On", None)]
#[case::tries_by_itself(json!("On"), "Failed", None)]
#[case::ends(json!("Off"), "On", Some(false))]
#[case::ends_early(json!("Off"), "Starting", Some(false))]
#[case::ends_in_vain(json!("Off"), "Failed", Some(false))]
#[case::rests(json!("Off"), "Off", None)]
#[case::unset(json!(null), "On", Some(false))]
#[case::a_volume_from_before(json!(null), "Unasked", Some(false))]
fn the_runtime_is_told_what_it_has_otherwise(
    #[case] spec: Value,
    #[case] power: &str,
    #[case] on: Option<bool>,
) {
    let observed = observed(&spec, power);
    let order = order(&observed, Intent::Run, &defaults().chat);
    assert_eq!(order.as_ref().map(|order| order.on), on);
    let is_told = order.is_some() || power == "Starting";
    assert_eq!(is_under_way(&observed, Intent::Run, &defaults().chat), is_told);
    let number = order.as_ref().and_then(|order| order.settings.get("FABRICA_CHAT_ATTEMPT"));
    assert_eq!(number.map(String::as_str), on.filter(|on| *on).map(|_| "5"));
}

/// Off, another agent, and On, all between two passes.
#[rstest]
#[case::same(json!({}), None)]
#[case::other(json!({"model": "m"}), Some(true))]
fn an_agent_that_was_changed_unseen_is_told_so(#[case] agent: Value, #[case] on: Option<bool>) {
    let mut observed = observed(&json!("On"), "On");
    let told = build::agent_spec(&observed.session);
    observed.session.spec.agent = serde_json::from_value(agent).unwrap();
    let idle = observed.runtime.as_mut().unwrap().idle.as_mut().unwrap();
    idle.agent.as_mut().unwrap().spec = Some(told);
    let order = order(&observed, Intent::Run, &defaults().chat);
    assert_eq!(order.as_ref().map(|order| order.on), on);
    assert_eq!(is_under_way(&observed, Intent::Run, &defaults().chat), on.is_some());
    let named = order.as_ref().and_then(|order| order.settings.get(AGENT_SPEC));
    assert_eq!(named.cloned(), on.map(|_| build::agent_spec(&observed.session)));
}

#[test]
fn where_agents_are_switched_off_none_is_started_and_a_live_one_goes_on() {
    let mut off = defaults().chat;
    off.enabled = false;
    let on = json!("On");
    let order = |power| order(&observed(&on, power), Intent::Run, &off);
    assert_eq!((order("Off"), order("On")), (None, None));
    assert_eq!(order("Unasked"), Some(AgentSwitch::default()), "shells get what is theirs");
    // With another spec by now: nobody tells it, so nobody waits for it.
    let mut changed = observed(&on, "On");
    let idle = changed.runtime.as_mut().unwrap().idle.as_mut().unwrap();
    idle.agent.as_mut().unwrap().spec = Some("another".to_owned());
    assert!(!is_under_way(&changed, Intent::Run, &off));
    assert!(is_under_way(&changed, Intent::Run, &defaults().chat));
}

#[rstest]
#[case::on(json!("On"), "On", Truth::True, Reason::AgentOn)]
#[case::missing(json!("On"), "Failed", Truth::False, Reason::AgentMissing)]
#[case::starting(json!("On"), "Starting", Truth::False, Reason::Starting)]
#[case::told(json!("On"), "Off", Truth::False, Reason::Starting)]
#[case::off(json!("Off"), "On", Truth::False, Reason::AgentOff)]
fn the_condition_says_why(
    #[case] spec: Value,
    #[case] power: &str,
    #[case] truth: Truth,
    #[case] reason: Reason,
) {
    let plan = applied(Intent::Run);
    let found = finding(&observed(&spec, power), &plan, &defaults().chat).unwrap();
    assert_eq!((found.kind, found.truth, found.reason), (AGENT_READY, truth, reason));
}

#[test]
fn who_lacks_what_the_next_pod_has_is_told_so() {
    let mut plan = applied(Intent::Run);
    let message = |plan: &Plan<Applied>| {
        finding(&observed(&json!("On"), "Failed"), plan, &defaults().chat).unwrap().message
    };
    assert_eq!(message(&plan), "None here.");
    plan.restart_required = true;
    assert!(message(&plan).contains("suspend and resume"));
    let bare = observed(&Value::Null, "Off");
    assert!(finding(&bare, &plan, &defaults().chat).is_none());
}

#[test]
fn a_stopped_session_waits_with_its_agent() {
    use super::super::plan::StopReason;
    let stop = Intent::Stop(StopReason::Suspended);
    let on = observed(&json!("On"), "Off");
    assert_eq!(order(&on, stop, &defaults().chat), None);
    let found = finding(&on, &applied(stop), &defaults().chat).unwrap();
    assert_eq!((found.truth, found.reason), (Truth::False, Reason::Pending));
}

#[rstest]
#[case::volume(json!({"workspace": {"size": "1Gi"}}), None, "0.90")]
#[case::same_pod(json!({}), Some(1), "0.90")]
#[case::another_pod(json!({}), None, "0.70")]
fn a_budget_is_what_the_conversation_may_still_cost(
    #[case] fields: Value,
    #[case] here: Option<u32>,
    #[case] left: &str,
) {
    let mut observed = observed(&json!("On"), "Off");
    let mut spec = json!({"agentState": "On", "repository": {"url": "https://h/x"}, "agent": {"budgetUSD": "1"}});
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    observed.session = session(spec);
    let usage = |cost| json!({"inputTokens": 1, "outputTokens": 1, "cacheReadTokens": 0, "cacheWriteTokens": 0, "estimatedCostUSD": cost});
    let status =
        json!({"usage": usage("0.3"), "conversation": {"number": 1, "usage": usage("0.2")}});
    observed.session.status = serde_json::from_value(status).unwrap();
    observed.told = here.map(|number| Told {
        pod: "pod-1".to_owned(),
        address: "10.0.0.9".to_owned(),
        number,
        last: 9,
        whole: true,
        talk: Talk::default(),
    });
    let order = order(&observed, Intent::Run, &defaults().chat).unwrap();
    assert_eq!(order.settings["FABRICA_AGENT_BUDGET_USD"], left);
}

#[test]
fn a_runtime_from_before_is_not_waited_for() {
    let mut old = observed(&json!("On"), "Off");
    let idle = old.runtime.as_mut().and_then(|view| view.idle.as_mut()).unwrap();
    idle.agent = None;
    let plan = applied(Intent::Run);
    let found = finding(&old, &plan, &defaults().chat).unwrap();
    assert_eq!(found.reason, Reason::AgentMissing);
    assert!(found.message.contains("older"));
    assert!(!is_under_way(&old, Intent::Run, &defaults().chat));
    assert_eq!(order(&old, Intent::Run, &defaults().chat), None);
}
