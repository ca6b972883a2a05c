//! What models were used for, as statuses have it. Pure.

use fabrica_crds::parts::Usage;
use fabrica_protocol::run as told;

use super::money::Money;
use crate::metrics::Spent;

/// What a runtime says that models were used for, without their names.
pub(crate) fn of(told: &told::Usage) -> Usage {
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
        turns: i64::try_from(told.turns).unwrap_or(i64::MAX),
    }
}

/// What it cost.
pub(crate) fn cost(usage: &Usage) -> Money {
    Money::parse(&usage.estimated_cost_usd).unwrap_or_default()
}

/// What was used, as metrics have it.
pub(crate) fn spent(usage: Option<&Usage>) -> Spent {
    let Some(usage) = usage else { return Spent::default() };
    Spent {
        dollars: cost(usage).to_string().parse().unwrap_or_default(),
        tokens: [
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
        ],
    }
}

/// The one that cost more.
pub(crate) fn dearer(one: Option<Usage>, other: Option<Usage>) -> Option<Usage> {
    match (&one, &other) {
        (Some(first), Some(second)) if cost(second) >= cost(first) => other,
        (None, _) => other,
        _ => one,
    }
}

/// All of these together.
pub(crate) fn sum(used: &[&Usage]) -> Usage {
    let sum =
        |of: fn(&Usage) -> i64| used.iter().map(|usage| of(usage)).fold(0, i64::saturating_add);
    Usage {
        input_tokens: sum(|usage| usage.input_tokens),
        output_tokens: sum(|usage| usage.output_tokens),
        cache_read_tokens: sum(|usage| usage.cache_read_tokens),
        cache_write_tokens: sum(|usage| usage.cache_write_tokens),
        estimated_cost_usd: used.iter().map(|usage| cost(usage)).sum::<Money>().to_string(),
        turns: sum(|usage| usage.turns),
    }
}

/// A sum without one of its parts.
pub(crate) fn without(sum: &Usage, part: &Usage) -> Usage {
    let less = |of: fn(&Usage) -> i64| of(sum).saturating_sub(of(part)).max(0);
    Usage {
        input_tokens: less(|usage| usage.input_tokens),
        output_tokens: less(|usage| usage.output_tokens),
        cache_read_tokens: less(|usage| usage.cache_read_tokens),
        cache_write_tokens: less(|usage| usage.cache_write_tokens),
        estimated_cost_usd: cost(sum).less(cost(part)).unwrap_or_default().to_string(),
        turns: less(|usage| usage.turns),
    }
}
