//! A runtime's door that is a fake.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fabrica_operator::recorder::{Chunks, Door};
use fabrica_operator::runtime_client::{Conversation, RuntimeError};
use fabrica_protocol::run::Spent;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use tokio::sync::watch;

use crate::RECORDS;

#[derive(Debug, Clone)]
pub(crate) struct FakeDoor {
    written: watch::Sender<u64>,
    pub(crate) acknowledged: watch::Sender<u64>,
    /// What was said to be used up, last.
    pub(crate) spent: Arc<Mutex<Option<Spent>>>,
    /// A stream breaks off after so many records; 0: never.
    breaks: Arc<AtomicU64>,
    /// Whether the next stream panics.
    panics: Arc<AtomicBool>,
    /// The record that tells of a checkpoint; 0: none.
    checkpoint: Arc<AtomicU64>,
    conversation: Arc<Mutex<Option<Conversation>>>,
}

impl FakeDoor {
    pub(crate) fn new() -> Self {
        Self {
            written: watch::Sender::new(0),
            acknowledged: watch::Sender::new(0),
            spent: Arc::default(),
            breaks: Arc::default(),
            panics: Arc::default(),
            checkpoint: Arc::default(),
            conversation: Arc::default(),
        }
    }

    pub(crate) fn write(&self, first: u64, last: u64) {
        assert_eq!(self.written.send_replace(last) + 1, first);
    }

    /// This record tells of a checkpoint, which is handed out so.
    pub(crate) fn checkpoint(&self, seq: u64, data: &[u8]) {
        self.checkpoint.store(seq, Ordering::Relaxed);
        let conversation = Conversation { sha256: SHA256.to_owned(), data: data.to_vec() };
        *self.conversation.lock().unwrap() = Some(conversation);
    }

    pub(crate) fn panic_once(&self) {
        self.panics.store(true, Ordering::Relaxed);
    }

    pub(crate) fn break_every(&self, records: u64) {
        self.breaks.store(records, Ordering::Relaxed);
    }
}

/// What the journals' checkpoint is of, and its digest.
pub(crate) const CONVERSATION: &[u8] = b"hello";
pub(crate) const SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn line(seq: u64, checkpoint: u64) -> Vec<u8> {
    let entry = if seq == checkpoint {
        format!(
            r#""kind":"checkpoint","commit":"c0ffee","conversation":"a-b","bytes":5,"sha256":"{SHA256}""#
        )
    } else if seq == RECORDS {
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
        assert!(!self.panics.swap(false, Ordering::Relaxed), "as the test wants it");
        let written = self.written.subscribe();
        let breaks = self.breaks.load(Ordering::Relaxed);
        let checkpoint = self.checkpoint.load(Ordering::Relaxed);
        let records = stream::unfold((written, after), move |(mut written, last)| async move {
            if breaks > 0 && last >= after + breaks {
                return None;
            }
            written.wait_for(|newest| *newest > last).await.ok()?;
            Some((Ok(line(last + 1, checkpoint)), (written, last + 1)))
        });
        async move { Ok(records.boxed()) }.boxed()
    }

    fn acknowledge<'a>(
        &'a self,
        _address: &'a str,
        _uid: &'a str,
        seq: u64,
        spent: Option<Spent>,
    ) -> BoxFuture<'a, Result<(), RuntimeError>> {
        *self.spent.lock().unwrap() = spent;
        self.acknowledged.send_if_modified(|known| {
            let more = seq > *known;
            *known = seq.max(*known);
            more
        });
        async { Ok(()) }.boxed()
    }

    fn conversation<'a>(
        &'a self,
        _address: &'a str,
        _uid: &'a str,
    ) -> BoxFuture<'a, Result<Option<Conversation>, RuntimeError>> {
        async { Ok(self.conversation.lock().unwrap().clone()) }.boxed()
    }
}
