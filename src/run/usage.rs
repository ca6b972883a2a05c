//! What attempts used, and what is left for the next one. Pure.

use fabrica_crds::RunSpec;
use fabrica_crds::run::{Attempt, Driver, Usage};
use fabrica_protocol::run as told;

use super::money::Money;
use crate::config::AgentDefaults;

/// What a runtime says that models were used for, without their names.
pub(super) fn of(told: &told::Usage) -> Usage {
    let sum = |of: fn(&told::Tokens) -> u64| {
        let sum = told.models.values().map(of).fold(0, u64::saturating_add);
        i64::try_from(sum).unwrap_or(i64::MAX)
    };
    Usage {
        input_tokens: sum(|tokens| tokens.input),
        output_tokens: sum(|tokens| tokens.output),
        cache_read_tokens: sum(|tokens| tokens.cache_read),
        cache_write_tokens: sum(|tokens| tokens.cache_write),
        estimated_cost_usd: Money::parse(&told.estimated_cost_usd).unwrap_or_default().to_string(),
    }
}

/// All attempts together. None: no model was asked.
pub(super) fn total(attempts: &[Attempt]) -> Option<Usage> {
    let used: Vec<_> = attempts.iter().filter_map(|attempt| attempt.usage.as_ref()).collect();
    if used.is_empty() {
        return None;
    }
    let sum =
        |of: fn(&Usage) -> i64| used.iter().map(|usage| of(usage)).fold(0, i64::saturating_add);
    Some(Usage {
        input_tokens: sum(|usage| usage.input_tokens),
        output_tokens: sum(|usage| usage.output_tokens),
        cache_read_tokens: sum(|usage| usage.cache_read_tokens),
        cache_write_tokens: sum(|usage| usage.cache_write_tokens),
        estimated_cost_usd: spent(attempts).to_string(),
    })
}

fn spent(attempts: &[Attempt]) -> Money {
    let used = attempts.iter().filter_map(|attempt| attempt.usage.as_ref());
    used.filter_map(|usage| Money::parse(&usage.estimated_cost_usd)).sum()
}

/// What a new attempt may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowance {
    /// Nobody set a bound, or no model is asked.
    Unbounded,
    Left(Money),
    /// The budget, which is used up.
    UsedUp(Money),
}

/// Who carries the plan out.
pub(super) fn driver(spec: &RunSpec, defaults: &AgentDefaults) -> Driver {
    spec.agent.driver.unwrap_or(defaults.driver)
}

/// What is left of the budget after these attempts.
pub(super) fn allowance(
    spec: &RunSpec,
    defaults: &AgentDefaults,
    attempts: &[Attempt],
) -> Allowance {
    let budget = spec.agent.budget_usd.as_ref().or(defaults.budget_usd.as_ref());
    let budget = budget.and_then(|budget| Money::parse(budget));
    match budget.filter(|_| driver(spec, defaults) == Driver::Claude) {
        None => Allowance::Unbounded,
        Some(budget) => {
            budget.less(spent(attempts)).map_or(Allowance::UsedUp(budget), Allowance::Left)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabrica_crds::run::Agent;
    use rstest::rstest;

    fn attempts(costs: &[&str]) -> Vec<Attempt> {
        let usage = |cost: &&str| Usage {
            input_tokens: 1,
            estimated_cost_usd: (*cost).to_owned(),
            ..Usage::default()
        };
        let attempt = |cost| Attempt { usage: Some(usage(cost)), ..Attempt::default() };
        costs.iter().map(attempt).collect()
    }

    #[rstest]
    #[case::untouched("2.50", &[], Some("2.50"))]
    #[case::exact("0.3", &["0.1", "0.1"], Some("0.10"))]
    #[case::smallest("1", &["0.999999999999"], Some("0.000000000001"))]
    #[case::nothing_left("0.3", &["0.1", "0.2"], None)]
    #[case::overdrawn("0.3", &["0.5"], None)]
    fn a_budget_is_shared_by_attempts(
        #[case] budget: &str,
        #[case] spent: &[&str],
        #[case] left: Option<&str>,
    ) {
        let agent = Agent { budget_usd: Some(budget.to_owned()), ..Agent::default() };
        let mut spec = RunSpec { agent, ..RunSpec::default() };
        let defaults = AgentDefaults {
            driver: Driver::Claude,
            model: None,
            max_turns: None,
            budget_usd: Some("9".to_owned()),
            base_url: None,
        };
        let used_up = Allowance::UsedUp(Money::parse(budget).unwrap());
        let expected = left.map_or(used_up, |left| Allowance::Left(Money::parse(left).unwrap()));
        assert_eq!(allowance(&spec, &defaults, &attempts(spent)), expected);
        if let (Allowance::Left(money), Some(left)) = (expected, left) {
            assert_eq!(money.to_string(), left);
        }
        spec.agent.driver = Some(Driver::Script);
        assert_eq!(allowance(&spec, &defaults, &attempts(spent)), Allowance::Unbounded);
    }

    #[test]
    fn the_total_is_exact() {
        let total = total(&attempts(&["0.1", "0.2", "0.0000001"])).unwrap();
        assert_eq!((total.input_tokens, &*total.estimated_cost_usd), (3, "0.3000001"));
        assert_eq!(super::total(&[Attempt::default()]), None);
    }
}
