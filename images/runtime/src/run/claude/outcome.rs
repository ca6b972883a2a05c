//! What the end of a turn means for the attempt.

use super::stream::TurnResult;
use crate::broker::ledger::Refusal;
use crate::run::driver::Failure;

/// Of the agent's words about a failure, as much as a sentence bears.
const WORDS: usize = 500;
/// What the CLI advises who sits before it.
const FOR_A_TERMINAL: &str = " Run --model";
/// What helps who wrote the spec.
const ANOTHER_MODEL: &str = "Name another model in spec.agent.model.";
const ANOTHER_KEY: &str =
    "Correct ANTHROPIC_API_KEY in the Secret of spec.credentialsRef (without one, the chart's).";

/// Nothing when the agent is content. The broker's refusal comes first: what the agent says is its consequence.
pub(crate) fn failure(result: &TurnResult, refusal: Option<&Refusal>) -> Option<Failure> {
    if let Some(refusal) = refusal {
        return Some(refused(refusal));
    }
    if !result.is_error {
        return None;
    }
    let words = words(result);
    Some(match result.terminal_reason.as_deref() {
        Some("max_turns") => {
            Failure::lasting("MaxTurns", format!("The agent used up its turns: {words}."))
        }
        Some("budget_exhausted") => {
            Failure::lasting("BudgetExceeded", format!("The agent used up its budget: {words}."))
        }
        Some("api_error") => service(result.api_error_status, &words),
        _ => Failure::passing("AgentFailed", format!("The agent failed: {words}.")),
    })
}

/// What the broker has refused.
pub(crate) fn refused(refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::BudgetExceeded { .. } => Failure::lasting("BudgetExceeded", refusal.to_string()),
        Refusal::TurnsExceeded { .. } => Failure::lasting("MaxTurns", refusal.to_string()),
        Refusal::Unpriced { .. } => {
            Failure::lasting("ModelUnpriced", format!("{refusal} {ANOTHER_MODEL}"))
        }
    }
}

/// What the model's service has refused.
pub(crate) fn service(status: Option<u64>, words: &str) -> Failure {
    let lower = words.to_lowercase();
    let has = |sign: &str| lower.contains(sign);
    match status {
        Some(401 | 403) => rejected(words),
        _ if has("not logged in") || has("invalid api key") => rejected(words),
        _ if has("credit balance") => Failure::lasting(
            "CreditExhausted",
            format!("The account at the model's service is empty: {words}."),
        ),
        Some(404) => {
            let words = words.split(FOR_A_TERMINAL).next().unwrap_or_default();
            let words = words.trim_end_matches('.');
            let message =
                format!("The model's service does not know the model: {words}. {ANOTHER_MODEL}");
            Failure::lasting("ModelUnknown", message)
        }
        Some(429) => Failure::passing(
            "RateLimited",
            format!("The model's service limits how often it is asked: {words}."),
        ),
        None | Some(500..) => Failure::passing(
            "ModelUnavailable",
            format!("The model's service does not answer: {words}."),
        ),
        Some(status) => Failure::passing(
            "AgentFailed",
            format!("The model's service answered {status}: {words}."),
        ),
    }
}

/// The service does not want this key.
fn rejected(words: &str) -> Failure {
    let message = format!("The model's service does not accept the key: {words}. {ANOTHER_KEY}");
    Failure::lasting("AuthRejected", message)
}

fn words(result: &TurnResult) -> String {
    let errors = result.errors.iter().map(|error| match error.as_str() {
        Some(text) => text.to_owned(),
        None => error.to_string(),
    });
    let all: Vec<String> = result.text.clone().into_iter().chain(errors).collect();
    let all = all.join("; ").replace('\n', " ");
    let all = all.trim().trim_end_matches('.');
    if all.is_empty() { "it says no more".to_owned() } else { all.chars().take(WORDS).collect() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn ended(reason: &str, status: Option<u64>, text: &str) -> TurnResult {
        TurnResult {
            is_error: true,
            terminal_reason: Some(reason.to_owned()),
            api_error_status: status,
            text: Some(text.to_owned()),
            errors: Vec::new(),
            deferred_tool_use: None,
        }
    }

    #[rstest]
    #[case("max_turns", None, "", "MaxTurns", false)]
    #[case("budget_exhausted", None, "", "BudgetExceeded", false)]
    #[case("api_error", Some(401), "", "AuthRejected", false)]
    #[case("api_error", Some(403), "", "AuthRejected", false)]
    #[case("api_error", None, "Not logged in - Please run /login", "AuthRejected", false)]
    #[case("api_error", Some(400), "Credit balance is too low", "CreditExhausted", false)]
    #[case("api_error", Some(404), "", "ModelUnknown", false)]
    #[case("api_error", Some(429), "", "RateLimited", true)]
    #[case("api_error", Some(529), "", "ModelUnavailable", true)]
    #[case("api_error", None, "Request timed out", "ModelUnavailable", true)]
    #[case("api_error", Some(400), "odd", "AgentFailed", true)]
    #[case("prompt_too_long", Some(400), "", "AgentFailed", true)]
    #[case("aborted_tools", None, "", "AgentFailed", true)]
    #[case("of tomorrow", None, "", "AgentFailed", true)]
    fn each_end_has_its_reason(
        #[case] terminal: &str,
        #[case] status: Option<u64>,
        #[case] text: &str,
        #[case] reason: &str,
        #[case] again: bool,
    ) {
        let failure = failure(&ended(terminal, status, text), None).unwrap();
        assert_eq!((failure.reason, failure.again), (reason, again));
        assert!(failure.message.contains(text) && failure.message.ends_with('.'));
    }

    #[test]
    fn a_model_that_is_not_there_is_changed_in_the_spec() {
        let words = "There's an issue with the selected model (m). It may not exist or you may not have access to it. Run --model to pick a different model.";
        let unknown = failure(&ended("api_error", Some(404), words), None).unwrap();
        let expected = "The model's service does not know the model: There's an issue with the selected model (m). It may not exist or you may not have access to it. Name another model in spec.agent.model.";
        assert_eq!(unknown.message, expected);
        let unpriced = refused(&Refusal::Unpriced { model: "m".to_owned() });
        assert!(
            unpriced.message.ends_with("without a limit. Name another model in spec.agent.model.")
        );
    }

    #[test]
    fn a_refusal_explains_whatever_the_agent_says() {
        let refusal = Refusal::TurnsExceeded { turns: 3 };
        let failure = failure(&ended("api_error", Some(403), "x"), Some(&refusal)).unwrap();
        assert_eq!((failure.reason, failure.again), ("MaxTurns", false));
    }

    #[test]
    fn content_is_content() {
        assert_eq!(failure(&TurnResult::default(), None), None);
    }
}
