//! An answer on its way to the agent, counted as it passes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use axum::http::header;
use hyper::body::{Body, Frame};
use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::prices::Price;
use super::usage::{Meter, Usage};

/// An answer that will be charged. Whatever ends it, what was seen of it counts.
pub(super) struct Tab {
    shared: Arc<Shared>,
    model: String,
    price: Price,
    meter: Option<Meter>,
}

impl Tab {
    pub(super) fn open(
        shared: &Arc<Shared>,
        model: String,
        price: Price,
        answer: &reqwest::Response,
    ) -> Self {
        let kind =
            answer.headers().get(header::CONTENT_TYPE).map(axum::http::HeaderValue::as_bytes);
        let streaming = kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"));
        Self { shared: shared.clone(), model, price, meter: Some(Meter::new(streaming)) }
    }

    fn feed(&mut self, bytes: &[u8]) {
        if let Some(meter) = &mut self.meter {
            meter.feed(bytes);
        }
    }

    fn close(&mut self) {
        let Some(usage) = self.meter.take().map(Meter::finish) else { return };
        if usage == Usage::default() {
            tracing::warn!(model = self.model, "an answer told no tokens");
        }
        self.shared.ledger().take_turn(&self.model, &self.price, &usage);
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.close();
    }
}

/// The body of an answer.
pub(super) struct Metered {
    body: reqwest::Body,
    tab: Option<Tab>,
    _place: OwnedSemaphorePermit,
}

impl Metered {
    pub(super) fn new(
        answer: reqwest::Response,
        place: OwnedSemaphorePermit,
        tab: Option<Tab>,
    ) -> Self {
        Self { body: answer.into(), tab, _place: place }
    }
}

impl Body for Metered {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let (Some(tab), Some(Ok(frame))) = (&mut self.tab, &frame)
            && let Some(bytes) = frame.data_ref()
        {
            tab.feed(bytes);
        }
        if frame.is_none() {
            // Before the agent knows that the answer is over, so that its next question finds it charged.
            self.tab = None;
        }
        Poll::Ready(frame)
    }
}
