//! A browser's tab: it takes from its socket whatever comes, at once, and draws at its own pace. No browser slows a
//! server down by reading late.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::client::{ACK_STEP, Client, Heard, Mouth};

/// Output that waits to be drawn.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) terminal: u16,
    pub(crate) end: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) at: Instant,
}

/// A client that is a tab from now on.
#[derive(Debug)]
pub(crate) struct Tab {
    pub(crate) queue: Receiver<Piece>,
    pub(crate) mouth: Arc<Mutex<Mouth>>,
    drain: Option<JoinHandle<()>>,
}

impl Tab {
    pub(crate) fn new(client: Client) -> Self {
        let Client { mut ear, mouth, .. } = client;
        let (sender, queue) = channel();
        let drain = std::thread::spawn(move || {
            while let Ok(Some(heard)) = ear.next() {
                let Heard::Output { terminal, offset, bytes } = heard else { continue };
                let end = offset + bytes.len() as u64;
                let piece = Piece { terminal, end, bytes: bytes.into_owned(), at: Instant::now() };
                if sender.send(piece).is_err() {
                    return;
                }
            }
        });
        Self { queue, mouth: Arc::new(Mutex::new(mouth)), drain: Some(drain) }
    }

    pub(crate) fn type_into(&self, terminal: u16, bytes: &[u8]) -> Result<()> {
        self.mouth.lock().unwrap_or_else(PoisonError::into_inner).type_into(terminal, bytes)
    }

    pub(crate) fn parsed(&self, terminal: u16, end: u64) -> Result<()> {
        self.mouth.lock().unwrap_or_else(PoisonError::into_inner).parsed(terminal, end)
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.mouth.lock().unwrap_or_else(PoisonError::into_inner).cut();
        if let Some(drain) = self.drain.take() {
            // A panic there has been told already.
            let _ = drain.join();
        }
    }
}

/// How fast a terminal is drawn, and what was told of it.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_a_second: f64,
    free_at: Instant,
    acknowledged: u64,
}

impl Pace {
    pub(crate) fn new(megabytes_a_second: f64) -> Self {
        let bytes_a_second = megabytes_a_second * 1e6;
        Self { bytes_a_second, free_at: Instant::now(), acknowledged: 0 }
    }

    /// Takes the time that drawing these takes.
    pub(crate) fn draw(&mut self, bytes: usize) {
        let taken = Duration::from_secs_f64(bytes as f64 / self.bytes_a_second);
        self.free_at = self.free_at.max(Instant::now()) + taken;
        std::thread::sleep(self.free_at.saturating_duration_since(Instant::now()));
    }

    /// Whether it is time to say that output is drawn up to here.
    pub(crate) const fn is_due(&mut self, end: u64) -> bool {
        let due = end >= self.acknowledged + ACK_STEP;
        if due {
            self.acknowledged = end;
        }
        due
    }
}
