//! Samples and what is said of them.

use std::time::Duration;

/// The middle of the samples; zero without any.
pub(crate) fn median(samples: &[Duration]) -> Duration {
    percentile(samples, 50)
}

/// The sample below which so many percent of all are; zero without any.
pub(crate) fn percentile(samples: &[Duration], percent: usize) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or_default()
}

/// In milliseconds.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Median and spread, for the reader who doubts a figure.
pub(crate) fn describe(samples: &[Duration]) -> String {
    let at = |percent| milliseconds(percentile(samples, percent));
    format!("n={}, p10 {:.2}, p50 {:.2}, p90 {:.2} ms", samples.len(), at(10), at(50), at(90))
}

/// A number of things, for arithmetic with figures.
pub(crate) fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
