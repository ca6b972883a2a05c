//! Traces: what one is known by on its way through our processes, and how spans reach a collector.
//!
//! A span is made when what it tells of has ended, from data; there is no current span, and nothing is global. See ADR 0011.

mod exporter;
mod span;
mod traceparent;

pub use exporter::{Exporter, ExporterError};
pub use span::{Kind, Span};
pub use traceparent::{HEADER, Traceparent};
