//! A runtime's door that is a fake.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fabrica_operator::recorder::{Chunks, Door};
use fabrica_operator::runtime_client::RuntimeError;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use tokio::sync::watch;

use crate::RECORDS;

#[derive(Debug, Clone)]
pub(crate) struct FakeDoor {
    written: watch::Sender<u64>,
    pub(crate) acknowledged: watch::Sender<u64>,
    /// A stream breaks off after so many records; 0: never.
    breaks: Arc<AtomicU64>,
}

impl FakeDoor {
    pub(crate) fn new() -> Self {
        Self {
            written: watch::Sender::new(0),
            acknowledged: watch::Sender::new(0),
            breaks: Arc::default(),
        }
    }

    pub(crate) fn write(&self, first: u64, last: u64) {
        assert_eq!(self.written.send_replace(last) + 1, first);
    }

    pub(crate) fn break_every(&self, records: u64) {
        self.breaks.store(records, Ordering::Relaxed);
    }
}

fn line(seq: u64) -> Vec<u8> {
    let entry = if seq == RECORDS {
        r#""kind":"ended","outcome":"Completed","reason":"Succeeded","message":"the end""#
            .to_owned()
    } else {
        format!(r#""kind":"said","text":"record {seq}""#)
    };
    format!("{{\"seq\":{seq},\"time\":\"2026-01-01T00:00:00Z\",{entry}}}\n").into()
}

impl Door for FakeDoor {
    fn follow<'a>(
        &'a self,
        _address: &'a str,
        _uid: &'a str,
        after: u64,
    ) -> BoxFuture<'a, Result<Chunks, RuntimeError>> {
        let written = self.written.subscribe();
        let breaks = self.breaks.load(Ordering::Relaxed);
        let records = stream::unfold((written, after), move |(mut written, last)| async move {
            if breaks > 0 && last >= after + breaks {
                return None;
            }
            written.wait_for(|newest| *newest > last).await.ok()?;
            Some((Ok(line(last + 1)), (written, last + 1)))
        });
        async move { Ok(records.boxed()) }.boxed()
    }

    fn acknowledge<'a>(
        &'a self,
        _address: &'a str,
        _uid: &'a str,
        seq: u64,
    ) -> BoxFuture<'a, Result<(), RuntimeError>> {
        self.acknowledged.send_if_modified(|known| {
            let more = seq > *known;
            *known = seq.max(*known);
            more
        });
        async { Ok(()) }.boxed()
    }
}
