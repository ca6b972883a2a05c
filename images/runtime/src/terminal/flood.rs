//! Reads a PTY that floods on a thread of its own. While the kernel brings what a program wrote, whoever reads or polls the
//! PTY has to wait for it, and on the event loop every other terminal would wait with it. What is read comes back in
//! larger pieces, which take fewer turns and fewer frames.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::ring::READ_BYTES;

/// A program floods that writes so much at once, or goes on writing so much in each [`PERIOD`]: 1.3 MB/s is more than anybody
/// reads, and than most that draw a whole screen.
const LOUD_BYTES: usize = 64 * 1024;

/// How long a flood may pause: twice this, and its terminal is quiet again.
const PERIOD: Duration = Duration::from_millis(50);

/// How long is gathered what comes in small pieces: nobody sees so short a delay, and whoever types waits no longer.
const GATHERED_FOR: Duration = Duration::from_millis(1);

/// What is left to read in a PTY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    More,
    /// The other end is closed, and all of it was read.
    Closed,
}

/// Output of a flood.
#[derive(Debug)]
pub(super) struct Gathered {
    bytes: Vec<u8>,
    count: usize,
    pub(super) left: Left,
}

impl Gathered {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.count]
    }
}

/// Whether a terminal floods, and the thread that reads it then.
#[derive(Debug)]
pub(super) struct Flood {
    /// What was read lately: in each period so much is forgotten as a flood brings at least.
    bytes: usize,
    heard: Instant,
    loud: bool,
    buffer: Vec<u8>,
    reading: Option<JoinHandle<Gathered>>,
}

impl Flood {
    pub(super) const fn new(now: Instant) -> Self {
        Self { bytes: 0, heard: now, loud: false, buffer: Vec::new(), reading: None }
    }

    /// So much was read.
    pub(super) fn heard(&mut self, count: usize, now: Instant) {
        let passed = now.duration_since(self.heard).min(2 * PERIOD).as_micros();
        let forgotten = LOUD_BYTES as u128 * passed / PERIOD.as_micros();
        self.heard = now;
        let left = self.bytes.saturating_sub(usize::try_from(forgotten).unwrap_or(usize::MAX));
        self.loud &= left > 0;
        self.bytes = (left + count).min(2 * LOUD_BYTES);
        self.loud |= self.bytes >= LOUD_BYTES;
    }

    pub(super) const fn is_loud(&self) -> bool {
        self.loud
    }

    pub(super) const fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Has a thread read at most so much, after this time.
    pub(super) fn read(&mut self, master: &Arc<OwnedFd>, limit: usize, after: Duration) {
        let master = Arc::clone(master);
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.resize(READ_BYTES, 0);
        self.reading = Some(tokio::task::spawn_blocking(move || {
            if !after.is_zero() {
                std::thread::sleep(after);
            }
            let (count, left) = gather(&master, &mut bytes[..limit]);
            Gathered { bytes, count, left }
        }));
    }

    /// What was read; waits for ever while nobody reads.
    pub(super) async fn gathered(&mut self) -> Gathered {
        match &mut self.reading {
            Some(reading) => {
                let gathered = reading.await;
                self.reading = None;
                gathered.unwrap_or(Gathered { bytes: Vec::new(), count: 0, left: Left::Nothing })
            }
            None => std::future::pending().await,
        }
    }

    /// Gives the buffer back.
    pub(super) fn done(&mut self, gathered: Gathered) {
        self.buffer = if self.loud { gathered.bytes } else { Vec::new() };
    }
}

/// Reads until the buffer is full, or what came has waited long enough.
fn gather(master: &OwnedFd, buffer: &mut [u8]) -> (usize, Left) {
    let mut count = 0;
    let mut until = Instant::now() + PERIOD;
    while count < buffer.len() {
        match rustix::io::read(master, &mut buffer[count..]) {
            Ok(0) => return (count, Left::Closed),
            Ok(more) => {
                if count == 0 {
                    until = Instant::now() + GATHERED_FOR;
                }
                count += more;
                if Instant::now() >= until {
                    return (count, Left::More);
                }
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let Some(rest) = until.checked_duration_since(Instant::now()) else {
                    return (count, Left::Nothing);
                };
                wait(master, rest);
            }
            // EIO: nobody holds the other end any more, and all that was written has been read.
            Err(_) => return (count, Left::Closed),
        }
    }
    (count, Left::More)
}

fn wait(master: &OwnedFd, most: Duration) {
    let mut watched = [PollFd::new(master, PollFlags::IN)];
    let timeout = Timespec::try_from(most).ok();
    // Whatever it says, the next read says more.
    let _ = poll(&mut watched, timeout.as_ref());
}

#[cfg(test)]
mod tests {
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    #[test]
    fn much_at_once_is_a_flood_until_little_comes() {
        let started = Instant::now();
        let mut flood = Flood::new(started);
        let mut hear = |kilobytes: usize, periods: u32| {
            flood.heard(kilobytes * 1024, started + periods * PERIOD);
            flood.is_loud()
        };
        assert!(!hear(40, 1));
        assert!(!hear(40, 2), "the first is forgotten");
        assert!(hear(24, 2), "at once");
        for period in 3..9 {
            assert!(hear(70, period), "it goes on");
        }
        assert!(hear(0, 9), "a pause");
        assert!(!hear(40, 11));
    }

    #[test]
    fn what_there_is_is_gathered() {
        let (master, program) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(gather(&master, &mut buffer), (0, Left::Nothing));
        rustix::io::write(&program, b"0123456789").unwrap();
        assert_eq!(gather(&master, &mut buffer), (8, Left::More));
        assert_eq!(&buffer, b"01234567");
        assert_eq!(gather(&master, &mut buffer), (2, Left::Nothing));
        rustix::io::write(&program, b"end").unwrap();
        drop(program);
        assert_eq!(gather(&master, &mut buffer), (3, Left::Closed));
    }
}
