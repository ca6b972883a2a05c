//! The W3C's `traceparent`: which trace something belongs to, and under which span.

use std::fmt;

use opentelemetry::trace::{SpanId, TraceId};
use uuid::Uuid;

/// The header, and in lower case the name of our annotation's last part.
pub const HEADER: &str = "traceparent";

/// A trace, and a span of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    pub(crate) trace: TraceId,
    /// Unset at the root of a trace.
    pub(crate) span: Option<SpanId>,
}

impl Traceparent {
    /// A new trace.
    pub fn fresh() -> Self {
        Self::of(Uuid::new_v4())
    }

    /// The trace of an object that came without one: everybody finds the same.
    pub fn of(uid: Uuid) -> Self {
        Self { trace: TraceId::from_bytes(uid.into_bytes()), span: None }
    }

    /// What a header or an annotation says; `None` when it says nothing that can be used.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<_> = text.trim().split('-').collect();
        let [version, trace, span, flags, ..] = parts[..] else { return None };
        let is_hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_whole = version != "00" || parts.len() == 4;
        if !is_hex(version, 2) || version == "ff" || !is_hex(flags, 2) || !is_whole {
            return None;
        }
        if !is_hex(trace, 32) || !is_hex(span, 16) {
            return None;
        }
        let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        let is_valid = trace != TraceId::INVALID && span != SpanId::INVALID;
        is_valid.then_some(Self { trace, span: Some(span) })
    }

    /// The same trace, under a new span.
    #[must_use]
    pub fn child(self) -> Self {
        let bytes = Uuid::new_v4().into_bytes();
        let span = SpanId::from_bytes(std::array::from_fn(|place| bytes[place]));
        Self { span: Some(span), ..self }
    }

    /// The trace's number, as 32 hexadecimal digits.
    pub fn trace_id(self) -> String {
        self.trace.to_string()
    }
}

/// As a header has it. Without a span it names one that nobody sends, as the form asks for one.
impl fmt::Display for Traceparent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nobody = || {
            let bytes = self.trace.to_bytes();
            SpanId::from_bytes(std::array::from_fn(|place| bytes[place + 8]))
        };
        write!(formatter, "00-{}-{}-01", self.trace, self.span.unwrap_or_else(nobody))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const WHOLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[rstest]
    #[case::whole(WHOLE, true)]
    #[case::of_the_future("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", true)]
    #[case::too_long("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", false)]
    #[case::no_version("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false)]
    #[case::upper_case("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false)]
    #[case::no_trace("00-00000000000000000000000000000000-b7ad6b7169203331-01", false)]
    #[case::no_span("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false)]
    #[case::short("00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", false)]
    #[case::not_ascii("00-ä-b7ad6b7169203331-01", false)]
    #[case::nothing("", false)]
    fn what_is_taken(#[case] text: &str, #[case] taken: bool) {
        assert_eq!(Traceparent::parse(text).is_some(), taken);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let found = Traceparent::parse(WHOLE).unwrap();
        assert_eq!(found.to_string(), WHOLE);
        let child = found.child();
        assert_eq!(child.trace_id(), found.trace_id());
        assert_ne!(child, found);
        assert_eq!(Traceparent::parse(&child.to_string()), Some(child));
        let root = Traceparent::fresh();
        assert_eq!(Traceparent::parse(&root.to_string()).unwrap().trace_id(), root.trace_id());
    }
}
