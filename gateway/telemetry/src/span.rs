//! One thing that was done, and how long it took. Pure.

use std::borrow::Cow;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::traceparent::Traceparent;

/// The longest attribute: names of tools and objects are shorter.
const CHARACTERS: usize = 256;

/// On which side of a call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Internal,
    /// Somebody asked us.
    Server,
}

/// What has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Whose it is: `fabrica-gateway`, `fabrica-operator`, `fabrica-runtime`.
    pub service: &'static str,
    pub name: Cow<'static, str>,
    pub kind: Kind,
    /// What it belongs under.
    pub parent: Traceparent,
    /// Its own name. Others may have been told of it before it ended.
    pub own: Traceparent,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub failed: bool,
    pub attributes: Vec<(&'static str, String)>,
}

impl Span {
    /// As the SDK's exporters take it.
    pub(crate) fn data(self) -> SpanData {
        let attribute = |(name, value): (&'static str, String)| {
            KeyValue::new(name, value.chars().take(CHARACTERS).collect::<String>())
        };
        let id = self.own.span.unwrap_or(SpanId::INVALID);
        let state = TraceState::default();
        SpanData {
            span_context: SpanContext::new(self.own.trace, id, TraceFlags::SAMPLED, false, state),
            parent_span_id: self.parent.span.unwrap_or(SpanId::INVALID),
            parent_span_is_remote: false,
            span_kind: match self.kind {
                Kind::Internal => SpanKind::Internal,
                Kind::Server => SpanKind::Server,
            },
            name: self.name,
            start_time: SystemTime::from(self.from),
            end_time: SystemTime::from(self.to.max(self.from)),
            attributes: self.attributes.into_iter().map(attribute).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: if self.failed { Status::error("") } else { Status::Unset },
            instrumentation_scope: InstrumentationScope::builder("fabrica")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }
}
