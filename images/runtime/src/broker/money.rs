//! Money as whole numbers: a dollar is 10¹² units, so a token at any price of at most six decimals per million tokens
//! costs a whole number of them. Nothing is ever rounded.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul};
use std::str::FromStr;

/// Digits behind the point of a dollar.
const DIGITS: usize = 12;
const DOLLAR: u128 = 10_u128.pow(12);
/// A price is for this many tokens.
const MILLION: u128 = 1_000_000;
/// More dollars than any Run may cost; above it a typing error is likelier than a wish.
const DOLLARS: u128 = 1_000_000_000;

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no amount of dollars: write digits, a point and at most {decimals} digits more", decimals = DIGITS)]
pub struct MoneyError(String);

/// An amount of US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(u128);

impl Money {
    /// What one token costs, when a million of them cost this.
    pub(super) fn for_one_of_a_million(self) -> Option<Self> {
        self.0.is_multiple_of(MILLION).then_some(Self(self.0 / MILLION))
    }
}

impl Money {
    /// What is left when some of it is gone.
    #[must_use]
    pub fn without(self, spent: Self) -> Self {
        Self(self.0.saturating_sub(spent.0))
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let parse = || {
            let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
            let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if !digits(whole) || !digits(rest) || rest.len() > DIGITS {
                return None;
            }
            let whole: u128 = whole.parse().ok().filter(|dollars| *dollars <= DOLLARS)?;
            let rest: u128 = format!("{rest:0<DIGITS$}").parse().ok()?;
            Some(Self(whole * DOLLAR + rest))
        };
        parse().ok_or_else(|| MoneyError(text.to_owned()))
    }
}

/// A decimal number with every digit that counts, and at least the cents.
impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = format!("{:0DIGITS$}", self.0 % DOLLAR);
        write!(formatter, "{}.{:0<2}", self.0 / DOLLAR, rest.trim_end_matches('0'))
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Money {
    type Output = Self;

    fn mul(self, count: u64) -> Self {
        Self(self.0.saturating_mul(u128::from(count)))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, shown) in [
            ("5", "5.00"),
            ("0.1", "0.10"),
            ("0.0017", "0.0017"),
            ("0.000000000001", "0.000000000001"),
        ] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), shown);
        }
        for text in ["", ".5", "5.", "-1", "+1", "1e3", "0.0000000000001", "1000000001", "1,5"] {
            assert_eq!(text.parse::<Money>(), Err(MoneyError(text.to_owned())));
        }
        let each = "3.75".parse::<Money>().unwrap().for_one_of_a_million().unwrap();
        assert_eq!((each * 20).to_string(), "0.000075");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(amount in 0..DOLLARS * DOLLAR) {
            let money = Money(amount);
            prop_assert_eq!(money.to_string().parse::<Money>(), Ok(money));
        }
    }
}
