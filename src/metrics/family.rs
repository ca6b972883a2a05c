//! How metrics are registered: by a name, a help text, and labels from fixed lists.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use fabrica_protocol::runtime::{LATENCY_BOUNDS, Latencies};
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Metric, Registry};

/// Names and values, all of them known when the program is built.
pub(super) type Labels<const N: usize> = [(&'static str, &'static str); N];
pub(super) type Counters<const N: usize> = Family<Labels<N>, Counter>;
pub(super) type Gauges<const N: usize> = Family<Labels<N>, Gauge>;
pub(super) type Histograms<const N: usize> = Family<Labels<N>, Histogram>;

/// Registers a metric, and hands it back.
pub(super) fn registered<M: Metric + Clone>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    metric: M,
) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// A histogram of seconds for each set of labels: the first bound is 0.1 s, each other one twice the one before it.
pub(super) fn histograms<const N: usize, const DOUBLINGS: u16>() -> Histograms<N> {
    use prometheus_client::metrics::histogram::exponential_buckets;
    Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.1, 2.0, DOUBLINGS)))
}

/// Begins every series of one label at nothing, so that its first increase is seen as one.
pub(super) fn begin<M: Clone + Default>(
    family: &Family<Labels<1>, M>,
    name: &'static str,
    values: impl IntoIterator<Item = &'static str>,
) {
    for value in values {
        drop(family.get_or_create(&[(name, value)]));
    }
}

/// A number of things, as a gauge has it.
pub(super) fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A histogram of what others have measured.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured(Arc<Mutex<Latencies>>);

impl Measured {
    /// Adds what came since the last time. What has other bounds than ours cannot be added.
    pub(super) fn add(&self, more: &Latencies) {
        if more.counts.len() != LATENCY_BOUNDS.len() + 1 {
            return;
        }
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.counts.resize(more.counts.len(), 0);
        for (sum, more) in sum.counts.iter_mut().zip(&more.counts) {
            *sum += more;
        }
        sum.microseconds = sum.microseconds.saturating_add(more.microseconds);
    }
}

impl TypedMetric for Measured {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Measured {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), std::fmt::Error> {
        let sum = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let counts = sum.counts.iter().copied().chain(std::iter::repeat(0));
        let bounds = LATENCY_BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let seconds = std::time::Duration::from_micros(sum.microseconds).as_secs_f64();
        let count = sum.counts.iter().sum();
        encoder.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}
