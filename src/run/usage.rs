//! What attempts used, and what is left for the next one. Pure.

use fabrica_crds::RunSpec;
use fabrica_crds::run::{Attempt, Driver, Usage};

use crate::children::agent_pod;
use crate::children::money::Money;
use crate::children::usage::{cost, sum};
use crate::config::AgentDefaults;

/// All attempts together. None: no model was asked.
pub(super) fn total(attempts: &[Attempt]) -> Option<Usage> {
    let used: Vec<_> = attempts.iter().filter_map(|attempt| attempt.usage.as_ref()).collect();
    (!used.is_empty()).then(|| sum(&used))
}

fn spent(attempts: &[Attempt]) -> Money {
    let used = attempts.iter().filter_map(|attempt| attempt.usage.as_ref());
    used.map(cost).sum()
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

/// How often a new attempt may be answered, 0 and less for not at all. None: nobody set a bound.
pub(super) fn turns(spec: &RunSpec, defaults: &AgentDefaults, attempts: &[Attempt]) -> Option<i64> {
    let used = attempts.iter().filter_map(|attempt| Some(attempt.usage.as_ref()?.turns));
    Some(agent_pod::turns(&spec.agent, defaults)? - used.fold(0, i64::saturating_add))
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

    #[rstest]
    #[case::untouched(Some(5), &[], Some(5))]
    #[case::shared(Some(5), &[2, 1], Some(2))]
    #[case::used_up(Some(3), &[2, 1], Some(0))]
    #[case::of_the_chart(None, &[1], Some(49))]
    fn turns_are_shared_by_attempts(
        #[case] most: Option<i32>,
        #[case] used: &[i64],
        #[case] left: Option<i64>,
    ) {
        let agent = Agent { max_turns: most, ..Agent::default() };
        let spec = RunSpec { agent, ..RunSpec::default() };
        let usage = |turns: &i64| Some(Usage { turns: *turns, ..Usage::default() });
        let attempts: Vec<_> =
            used.iter().map(|used| Attempt { usage: usage(used), ..Attempt::default() }).collect();
        let defaults = crate::run::tests::defaults().agent;
        assert_eq!(turns(&spec, &defaults, &attempts), left);
    }

    #[test]
    fn the_total_is_exact() {
        let total = total(&attempts(&["0.1", "0.2", "0.0000001"])).unwrap();
        assert_eq!((total.input_tokens, &*total.estimated_cost_usd), (3, "0.3000001"));
        assert_eq!(super::total(&[Attempt::default()]), None);
    }
}
