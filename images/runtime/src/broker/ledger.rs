//! What the agent's answers have cost, and whether it may ask for more.

use std::collections::BTreeMap;
use std::fmt;

use super::money::Money;
use super::prices::Price;
use super::usage::Usage;

/// What an attempt or a conversation may use up. Unset: as much as its deadline allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    pub budget: Option<Money>,
    /// Answers to the agent, those to subagents included, those of other models that it asked not.
    pub turns: Option<u64>,
}

/// What was used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    pub cost: Money,
    /// As [`Limits::turns`] counts them.
    pub turns: u64,
}

/// Why a question was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    BudgetExceeded { budget: Money, spent: Money },
    TurnsExceeded { turns: u64 },
    Unpriced { model: String },
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BudgetExceeded { budget, spent } => {
                write!(formatter, "The budget of ${budget} is used up: ${spent} were spent.")
            }
            Self::TurnsExceeded { turns } => {
                write!(formatter, "All {turns} turns that were allowed are used up.")
            }
            Self::Unpriced { model } => write!(
                formatter,
                "The model {model:?} has no known price, so it could spend without a limit."
            ),
        }
    }
}

/// One model's share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line {
    pub answers: u64,
    pub usage: Usage,
    pub cost: Money,
}

/// What was used up so far, model by model.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What was used up before this began: it counts for the limits alone.
    before: Spent,
    lines: BTreeMap<String, Line>,
    turns: u64,
    refusal: Option<Refusal>,
}

impl Ledger {
    pub(super) fn after(before: Spent) -> Self {
        Self { before, ..Self::default() }
    }

    /// Everything that was used up before and here is at least so much: what is more was used up before.
    pub(super) fn raise(&mut self, all: Spent) {
        let before = &mut self.before;
        before.cost =
            before.cost.max(all.cost.without(self.lines.values().map(|line| line.cost).sum()));
        before.turns = before.turns.max(all.turns.saturating_sub(self.turns));
    }

    /// Writes an answer to the agent down.
    pub(super) fn take_turn(&mut self, model: &str, price: &Price, usage: &Usage) {
        self.turns += 1;
        self.charge(model, price, usage);
    }

    /// Writes an answer down. Only priced models are asked, so there are no more lines than prices and their editions.
    pub(super) fn charge(&mut self, model: &str, price: &Price, usage: &Usage) {
        let line = self.lines.entry(model.to_owned()).or_default();
        line.answers += 1;
        line.usage.add(usage);
        line.cost = line.cost + price.cost(usage);
    }

    /// What is used up already.
    pub(super) fn exhausted(&self, limits: &Limits) -> Option<Refusal> {
        let spent = self.before.cost + self.spent();
        if let Some(budget) = limits.budget.filter(|budget| spent >= *budget) {
            return Some(Refusal::BudgetExceeded { budget, spent });
        }
        let turns = limits.turns.filter(|turns| self.before.turns + self.turns >= *turns)?;
        Some(Refusal::TurnsExceeded { turns })
    }

    /// Keeps why the agent was first refused: what follows is its consequence.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    /// Forgets a model without a price: the next question may name another one. What is used up stays so.
    pub(super) fn forgive(&mut self) {
        self.refusal.take_if(|refusal| matches!(refusal, Refusal::Unpriced { .. }));
    }

    /// Why the agent was refused, if it was.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// What was used up before this began.
    pub fn before(&self) -> Spent {
        self.before
    }

    /// Answers to the agent.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Everything that was used up here, in dollars.
    pub fn spent(&self) -> Money {
        self.lines.values().map(|line| line.cost).sum()
    }

    /// Answers of all models.
    pub fn answers(&self) -> u64 {
        self.lines.values().map(|line| line.answers).sum()
    }

    /// Each model's share.
    pub fn lines(&self) -> &BTreeMap<String, Line> {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::prices::Prices;
    use super::*;

    #[test]
    fn the_budget_and_the_turns_are_used_up_by_answers() {
        let prices = Prices::list().unwrap();
        let price = prices.of("claude-opus-5-5").unwrap();
        let mut ledger = Ledger::default();
        let budget = "0.01".parse().unwrap();
        let limits = Limits { budget: Some(budget), turns: Some(2) };
        assert_eq!(ledger.exhausted(&limits), None);
        let usage = Usage { output: 250, ..Usage::default() };
        ledger.take_turn("claude-opus-5-5", price, &usage);
        assert_eq!((ledger.spent().to_string(), ledger.exhausted(&limits)), ("0.005".into(), None));
        ledger.take_turn("claude-opus-5-5", price, &usage);
        assert_eq!(
            ledger.exhausted(&limits),
            Some(Refusal::BudgetExceeded { budget, spent: ledger.spent() })
        );
        let turns = Limits { budget: None, turns: Some(2) };
        assert_eq!(ledger.exhausted(&turns), Some(Refusal::TurnsExceeded { turns: 2 }));
        assert_eq!(ledger.exhausted(&Limits::default()), None);
    }

    #[test]
    fn a_model_without_a_price_is_forgiven_and_a_limit_is_not() {
        let mut ledger = Ledger::default();
        ledger.refuse(Refusal::Unpriced { model: "x".to_owned() });
        ledger.forgive();
        assert_eq!(ledger.refusal(), None);
        let limit = Refusal::TurnsExceeded { turns: 1 };
        ledger.refuse(limit.clone());
        ledger.forgive();
        assert_eq!(ledger.refusal(), Some(&limit));
    }

    #[test]
    fn what_was_used_up_before_counts_and_is_never_less() {
        let prices = Prices::list().unwrap();
        let price = prices.of("claude-opus-5-5").unwrap();
        let spent = |cost: &str, turns| Spent { cost: cost.parse().unwrap(), turns };
        let mut ledger = Ledger::after(spent("0.5", 3));
        ledger.take_turn("claude-opus-5-5", price, &Usage { output: 250, ..Usage::default() });
        // Of another model, that the agent asked.
        ledger.charge("gpt-5", price, &Usage::default());
        assert_eq!(
            (ledger.turns(), ledger.answers(), ledger.spent().to_string()),
            (1, 2, "0.005".into())
        );
        let budget = |text: &str| Limits { budget: Some(text.parse().unwrap()), turns: None };
        assert!(
            ledger.exhausted(&budget("0.505")).is_some()
                && ledger.exhausted(&budget("0.506")).is_none()
        );
        let turns = |turns| Limits { budget: None, turns: Some(turns) };
        assert!(ledger.exhausted(&turns(4)).is_some() && ledger.exhausted(&turns(5)).is_none());
        ledger.raise(spent("0.1", 2));
        assert_eq!(ledger.before(), spent("0.5", 3));
        ledger.raise(spent("0.805", 7));
        assert_eq!(ledger.before(), spent("0.8", 6));
    }
}
