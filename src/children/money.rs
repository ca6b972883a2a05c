//! Amounts of dollars as whole numbers. Pure.
//!
//! A dollar is 10¹² units, as in the runtime's ledger: what its list prices make of a token is a whole number of them, so
//! nothing is ever rounded.

use std::fmt;
use std::iter::Sum;

/// Digits behind the point of a dollar.
const DIGITS: usize = 12;
const DOLLAR: u128 = 10_u128.pow(12);

/// An amount of US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Money(u128);

impl Money {
    /// The amount that a decimal number such as `2.50` says.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(rest) || rest.len() > DIGITS {
            return None;
        }
        let whole: u128 = whole.parse().ok()?;
        let rest: u128 = format!("{rest:0<DIGITS$}").parse().ok()?;
        Some(Self(whole.checked_mul(DOLLAR)?.checked_add(rest)?))
    }

    /// The least there is.
    pub(crate) const LEAST: Self = Self(1);

    /// What is left of it. None: nothing.
    pub(crate) fn less(self, spent: Self) -> Option<Self> {
        self.0.checked_sub(spent.0).filter(|left| *left > 0).map(Self)
    }
}

/// A decimal number with every digit that counts, and at least the cents.
impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = format!("{:0DIGITS$}", self.0 % DOLLAR);
        write!(formatter, "{}.{:0<2}", self.0 / DOLLAR, rest.trim_end_matches('0'))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.fold(0, |sum, amount| sum.saturating_add(amount.0)))
    }
}
