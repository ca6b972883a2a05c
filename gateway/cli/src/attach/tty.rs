//! The user's own terminal: raw while we are attached, and as it was before afterwards, whatever happens.

use std::io::{Read, Write};

use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::sync::mpsc;

use super::stream::Size;

/// What is read of the keyboard, or of a paste, at once.
const READ_BYTES: usize = 16 * 1024;
/// Reads that wait to be heard.
const READS: usize = 4;

/// The user's terminal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TtyError {
    #[error(
        "attach needs a terminal to show and to type in; for files there is `kubectl fabrica cp`"
    )]
    None,
    #[error("the terminal's settings cannot be read")]
    Read(#[source] rustix::io::Errno),
    #[error("the terminal cannot be made raw")]
    Raw(#[source] rustix::io::Errno),
}

/// A terminal in raw mode. It is as before once this is dropped.
pub(super) struct RawTerminal {
    before: Termios,
}

impl std::fmt::Debug for RawTerminal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RawTerminal").finish_non_exhaustive()
    }
}

impl RawTerminal {
    /// From now on every key is a byte for the shell.
    pub(super) fn enter() -> Result<Self, TtyError> {
        let before = tcgetattr(stdin()).map_err(TtyError::Read)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw).map_err(TtyError::Raw)?;
        Ok(Self { before })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no settings.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}

/// Whether there is somebody at both ends.
pub(super) fn check() -> Result<(), TtyError> {
    if isatty(stdin()) && isatty(stdout()) { Ok(()) } else { Err(TtyError::None) }
}

/// The screen's size; the usual one where it says none.
pub(super) fn size() -> Size {
    let usual = Size { cols: 80, rows: 24 };
    tcgetwinsize(stdout()).map_or(usual, |size| match (size.ws_col, size.ws_row) {
        (0, _) | (_, 0) => usual,
        (cols, rows) => Size { cols, rows },
    })
}

/// What is typed, until the end of the input. A thread of its own reads, for nothing can end a read that waits for a key:
/// it ends with the process.
pub(super) fn keys() -> mpsc::Receiver<Vec<u8>> {
    let (sender, keys) = mpsc::channel(READS);
    std::thread::spawn(move || {
        let mut buffer = vec![0; READ_BYTES];
        while let Ok(count @ 1..) = std::io::stdin().lock().read(&mut buffer) {
            if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    keys
}

/// Output for the screen, and how far the stream of which generation is with it.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) mark: Option<(u64, u32)>,
}

/// The screen: a thread of its own writes, for a screen that is slow, or stopped, must not hold up the keys. What waits for
/// it is bounded by the window, as only what was written is acknowledged.
#[derive(Debug)]
pub(super) struct Screen {
    pieces: Option<std::sync::mpsc::Sender<Piece>>,
    /// The marks of what was written.
    pub(super) written: mpsc::UnboundedReceiver<(u64, u32)>,
}

impl Screen {
    pub(super) fn new() -> Self {
        let (pieces, waiting) = std::sync::mpsc::channel::<Piece>();
        let (marks, written) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for Piece { bytes, mark } in waiting {
                let mut screen = std::io::stdout().lock();
                if screen.write_all(&bytes).and_then(|()| screen.flush()).is_err() {
                    break;
                }
                if mark.is_some_and(|mark| marks.send(mark).is_err()) {
                    break;
                }
            }
        });
        Self { pieces: Some(pieces), written }
    }

    pub(super) fn write(&self, piece: Piece) {
        if let Some(pieces) = &self.pieces {
            // A screen that is gone is noticed by its signal.
            let _ = pieces.send(piece);
        }
    }

    /// Returns when everything is written.
    pub(super) async fn finish(mut self) {
        self.pieces = None;
        while self.written.recv().await.is_some() {}
    }
}
