//! What tokens cost, model by model. The table is data: see its own `source` line.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::money::Money;
use super::usage::Usage;

const TABLE: &str = include_str!("../../prices.json");
/// A dated edition of a model ends in a day, such as `-20250929`, and costs what the model does.
const DAY_DIGITS: usize = 8;

/// Why the price table cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the price table is damaged: {0}")]
pub struct PricesError(#[from] serde_json::Error);

/// The price table.
#[derive(Debug, Deserialize)]
pub struct Prices {
    models: BTreeMap<String, Price>,
}

/// What the tokens of one model cost.
#[derive(Debug, Clone, Deserialize)]
pub struct Price {
    #[serde(flatten)]
    rates: Rates,
    /// Above this many tokens of input, everything costs otherwise.
    long: Option<Long>,
}

#[derive(Debug, Clone, Deserialize)]
struct Long {
    above: u64,
    #[serde(flatten)]
    rates: Rates,
}

/// The price of one token of each class.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rates {
    #[serde(deserialize_with = "of_a_million")]
    input: Money,
    #[serde(deserialize_with = "of_a_million")]
    output: Money,
    #[serde(deserialize_with = "of_a_million")]
    cache_write: Money,
    #[serde(deserialize_with = "of_a_million")]
    cache_write_hour: Money,
    #[serde(deserialize_with = "of_a_million")]
    cache_read: Money,
}

fn of_a_million<'de, D: Deserializer<'de>>(from: D) -> Result<Money, D::Error> {
    let text = String::deserialize(from)?;
    let price: Money = text.parse().map_err(serde::de::Error::custom)?;
    price
        .for_one_of_a_million()
        .ok_or_else(|| serde::de::Error::custom("a price has at most six decimals"))
}

impl Prices {
    /// The table that comes with the program.
    pub fn list() -> Result<Self, PricesError> {
        Ok(serde_json::from_str(TABLE)?)
    }

    /// The price of a model. A name that only begins like a known one is another model, whose price nobody knows.
    pub fn of(&self, model: &str) -> Option<&Price> {
        self.models.get(model).or_else(|| {
            let (name, day) = model.rsplit_once('-')?;
            let is_day = day.len() == DAY_DIGITS && day.bytes().all(|byte| byte.is_ascii_digit());
            if is_day { self.models.get(name) } else { None }
        })
    }
}

impl Price {
    /// What one answer costs.
    pub fn cost(&self, usage: &Usage) -> Money {
        let rates = match &self.long {
            Some(long) if usage.prompt() > long.above => &long.rates,
            _ => &self.rates,
        };
        [
            rates.input * usage.input,
            rates.output * usage.output,
            rates.cache_write * usage.cache_write,
            rates.cache_write_hour * usage.cache_write_hour,
            rates.cache_read * usage.cache_read,
        ]
        .into_iter()
        .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the scripted model counts for each answer, in the recorded runs.
    const ANSWER: Usage =
        Usage { input: 100, output: 50, cache_write: 20, cache_write_hour: 0, cache_read: 1000 };

    #[test]
    fn costs_are_those_of_recorded_runs() {
        let prices = Prices::list().unwrap();
        for (model, cost) in [
            ("claude-opus-5-5", "0.0017"),
            ("claude-sonnet-4-5", "0.001425"),
            ("claude-sonnet-4-5-20250929", "0.001425"),
        ] {
            assert_eq!(prices.of(model).unwrap().cost(&ANSWER).to_string(), cost, "{model}");
        }
    }

    #[test]
    fn long_prompts_cost_more() {
        let prices = Prices::list().unwrap();
        let cost = |input| {
            let usage = Usage { input, ..Usage::default() };
            prices.of("claude-haiku-5-5").unwrap().cost(&usage).to_string()
        };
        assert_eq!(cost(100_000), "0.01");
        assert_eq!(cost(100_001), "0.0500005");
    }

    #[test]
    fn unknown_models_have_no_price() {
        let prices = Prices::list().unwrap();
        for model in ["", "gpt-5", "claude-opus-5-9", "claude-opus-5-5-2025", "claude-opus-5-5[1m]"]
        {
            assert!(prices.of(model).is_none(), "{model}");
        }
    }
}
