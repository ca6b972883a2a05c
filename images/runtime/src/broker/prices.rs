//! What tokens cost, seller by seller and model by model. The table is data: see its own `source` lines.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::money::Money;
use super::usage::Usage;

const TABLE: &str = include_str!("../../prices.json");
/// A dated edition of a model ends in a day, such as `-20250929`, and costs what the model does.
const DAY_DIGITS: usize = 8;

/// Why the price table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    #[error("the price table is damaged: {0}")]
    Table(#[source] serde_json::Error),
    #[error("the prices that were given are no prices: {0}")]
    Given(#[source] serde_json::Error),
}

/// The price table, by who sells.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Prices(BTreeMap<String, List>);

/// What one seller's models cost.
#[derive(Debug, Deserialize)]
struct List {
    models: BTreeMap<String, Price>,
}

/// Whose models agents are.
const AGENTS: &str = "anthropic";

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

/// The price of one token of each class. What is unset costs as much as other input.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rates {
    input: Each,
    output: Each,
    cache_write: Option<Each>,
    cache_write_hour: Option<Each>,
    cache_read: Option<Each>,
}

/// The price of one token, told for a million of them.
#[derive(Debug, Clone, Copy)]
struct Each(Money);

impl<'de> Deserialize<'de> for Each {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let price: Money = text.parse().map_err(serde::de::Error::custom)?;
        let each = price.for_one_of_a_million();
        each.map(Self).ok_or_else(|| serde::de::Error::custom("a price has at most six decimals"))
    }
}

impl Prices {
    /// The table that comes with the program.
    pub fn list() -> Result<Self, PricesError> {
        serde_json::from_str(TABLE).map_err(PricesError::Table)
    }

    /// The same with what somebody else's models cost, as JSON: `{"<model>": {"input": "0.1", "output": "0.4"}}`. What the
    /// table knows stays as it is.
    pub fn with(mut self, seller: &str, models: &str) -> Result<Self, PricesError> {
        let more: BTreeMap<String, Price> =
            serde_json::from_str(models).map_err(PricesError::Given)?;
        let list =
            self.0.entry(seller.to_owned()).or_insert_with(|| List { models: BTreeMap::new() });
        for (model, price) in more {
            list.models.entry(model).or_insert(price);
        }
        Ok(self)
    }

    /// The price of an agent's model.
    pub fn of(&self, model: &str) -> Option<&Price> {
        self.of_seller(AGENTS, model)
    }

    /// The price of a model. A name that only begins like a known one is another model, whose price nobody knows.
    pub fn of_seller(&self, seller: &str, model: &str) -> Option<&Price> {
        let models = &self.0.get(seller)?.models;
        models.get(model).or_else(|| {
            let (name, day) = model.rsplit_once('-')?;
            let is_day = day.len() == DAY_DIGITS && day.bytes().all(|byte| byte.is_ascii_digit());
            if is_day { models.get(name) } else { None }
        })
    }

    /// The models of a seller that have a price.
    pub fn models(&self, seller: &str) -> impl Iterator<Item = &str> {
        self.0.get(seller).into_iter().flat_map(|list| list.models.keys().map(String::as_str))
    }
}

impl Price {
    /// What one answer costs.
    pub fn cost(&self, usage: &Usage) -> Money {
        let rates = match &self.long {
            Some(long) if usage.prompt() > long.above => &long.rates,
            _ => &self.rates,
        };
        let cached = |rate: Option<Each>| rate.unwrap_or(rates.input).0;
        [
            rates.input.0 * usage.input,
            rates.output.0 * usage.output,
            cached(rates.cache_write) * usage.cache_write,
            cached(rates.cache_write_hour) * usage.cache_write_hour,
            cached(rates.cache_read) * usage.cache_read,
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
        assert!(prices.of_seller("openai", "claude-opus-5-5").is_none());
        assert!(prices.of_seller("nobody", "gpt-5").is_none());
    }

    #[test]
    fn what_others_sell_has_prices_too() {
        let prices = Prices::list().unwrap();
        let usage = Usage { input: 120, output: 50, cache_read: 1000, ..Usage::default() };
        let cost = |prices: &Prices, seller: &str, model: &str| {
            prices.of_seller(seller, model).map(|price| price.cost(&usage).to_string())
        };
        assert_eq!(cost(&prices, "openai", "gpt-5-mini").unwrap(), "0.000155");
        assert_eq!(cost(&prices, "gemini", "gemini-2.5-flash").unwrap(), "0.000191");
        assert!(prices.models("openai").any(|model| model == "gpt-5-mini"));
        let more = r#"{"own": {"input": "1", "output": "0"}, "gpt-5-mini": {"input": "0", "output": "0"}}"#;
        let prices = prices.with("openai", more).unwrap();
        assert_eq!(cost(&prices, "openai", "own").unwrap(), "0.00112");
        assert_eq!(cost(&prices, "openai", "gpt-5-mini").unwrap(), "0.000155");
        for text in ["", "[]", r#"{"own": {"input": 1, "output": "0"}}"#] {
            assert!(Prices::list().unwrap().with("openai", text).is_err(), "{text}");
        }
    }
}
