//! What becomes of terminals, as lines of the log: `terminal.created`, `.attached`, `.resumed`, `.closed` and `.error`. Each
//! has the Session's namespace, name and UID, the terminal's number, and the connection's id where there is one.
//! `docs/operations/logs.md` tells the fields.
//!
//! The state says what happens, without I/O; whoever is at an edge has it written. What clients can cause without end is
//! bounded: of each kind so many lines a minute, and the next one says how many were left out.

use std::time::Duration;

use fabrica_protocol::kterm::ErrorCode;
use tokio::time::Instant;
use tracing::{info, warn};

/// Lines of one kind at once: all terminals of all clients come back.
const BURST: u32 = 256;
/// Lines of one kind after that: one in this time.
const EVERY: Duration = Duration::from_secs(1);
/// What waits to be written: one frame causes no more than a line for each terminal, and an error.
const WAITING: usize = 32;
const KINDS: usize = 5;

/// Whose terminals these are.
#[derive(Debug, Clone, Default)]
pub struct Session {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A shell was started.
    Created,
    /// A client watches.
    Attached { view: bool },
    /// It had watched before.
    Resumed { outcome: &'static str, away_ms: u64, tries: u32 },
    /// The program ended.
    Closed { code: i32, signal: u8 },
    /// A frame was refused.
    Refused { frame: u32, code: ErrorCode },
    /// A connection was ended, or not begun.
    Ended { code: u16 },
}

#[derive(Debug)]
struct Happened {
    what: What,
    terminal: Option<u16>,
    /// The id that gateway, pod and assertion know the connection by; empty: nobody's doing.
    connection: String,
}

/// What is still to be written, and how much may be.
#[derive(Debug, Default)]
pub struct Events {
    session: Session,
    waiting: Vec<Happened>,
    budgets: [Budget; KINDS],
}

/// How much of one kind may be written.
#[derive(Debug, Default)]
struct Budget {
    /// Lines that were written and still count.
    used: u32,
    /// When they were last forgiven.
    since: Option<Instant>,
    left_out: u64,
}

impl Budget {
    /// Whether a line may be written, and if so how many were not before it.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since).as_secs() / EVERY.as_secs();
        let forgiven = u32::try_from(passed).unwrap_or(u32::MAX);
        self.since = Some(since + EVERY.saturating_mul(forgiven));
        self.used = self.used.saturating_sub(forgiven);
        if self.used >= BURST {
            self.left_out += 1;
            return None;
        }
        self.used += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl What {
    const fn kind(&self) -> usize {
        match self {
            Self::Created => 0,
            Self::Attached { .. } => 1,
            Self::Resumed { .. } => 2,
            Self::Closed { .. } => 3,
            Self::Refused { .. } | Self::Ended { .. } => 4,
        }
    }
}

impl Events {
    /// Events of this Session.
    pub fn of(session: Session) -> Self {
        Self { session, ..Self::default() }
    }

    pub(super) fn add(&mut self, what: What, terminal: Option<u16>, connection: &str) {
        if self.waiting.len() >= WAITING {
            self.budgets[what.kind()].left_out += 1;
            return;
        }
        self.waiting.push(Happened { what, terminal, connection: connection.to_owned() });
    }

    /// Writes what has happened.
    pub fn write(&mut self, now: Instant) {
        for happened in std::mem::take(&mut self.waiting) {
            if let Some(left_out) = self.budgets[happened.what.kind()].take(now) {
                line(&self.session, &happened, left_out);
            }
        }
    }
}

fn line(session: &Session, happened: &Happened, left_out: u64) {
    let Session { namespace, name, uid } = session;
    let Happened { what, terminal, connection } = happened;
    let left_out = Some(left_out).filter(|count| *count > 0);
    // Every line has these; fields without a value are not written.
    macro_rules! told {
        ($level:ident, $event:literal, $text:literal $(, $($field:tt)*)?) => {
            $level!(
                event = $event, namespace, name, uid, terminal = *terminal,
                connection = Some(connection.as_str()).filter(|id| !id.is_empty()), left_out,
                $($($field)*,)? $text
            )
        };
    }
    match what {
        What::Created => told!(info, "terminal.created", "a terminal was opened"),
        What::Attached { view } => {
            let role = if *view { "view" } else { "control" };
            told!(info, "terminal.attached", "a client watches a terminal", role);
        }
        What::Resumed { outcome, away_ms, tries } => {
            told!(
                info,
                "terminal.resumed",
                "a client came back to a terminal",
                outcome,
                away_ms,
                tries
            );
        }
        What::Closed { code, signal } => {
            told!(info, "terminal.closed", "a terminal's program ended", code, signal);
        }
        What::Refused { frame, code: code @ (ErrorCode::CannotOpen | ErrorCode::Exhausted) } => {
            told!(warn, "terminal.error", "a shell could not be started", code = ?code, frame);
        }
        What::Refused { frame, code } => {
            told!(info, "terminal.error", "a frame was refused", code = ?code, frame);
        }
        What::Ended { code } => {
            told!(info, "terminal.error", "a connection was ended", code = code);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use fabrica_protocol::kterm::close;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is written of these, without the time.
    fn written(events: &mut Events, now: Instant) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || events.write(now));
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        text.lines().map(ToOwned::to_owned).collect()
    }

    fn session() -> Session {
        Session { namespace: "demo".into(), name: "first".into(), uid: "5d3c".into() }
    }

    #[test]
    fn each_line_has_its_ids_and_nothing_that_was_typed_or_shown() {
        let mut events = Events::of(session());
        let outcome = "exact";
        let refused = |frame, code| What::Refused { frame, code };
        events.add(What::Created, Some(1), "");
        events.add(What::Attached { view: false }, Some(1), "c-1");
        events.add(What::Resumed { outcome, away_ms: 340, tries: 2 }, Some(1), "c-1");
        events.add(refused(1, ErrorCode::Ended), Some(2), "c-1");
        events.add(refused(4, ErrorCode::Exhausted), None, "c-1");
        events.add(What::Closed { code: 0, signal: 9 }, Some(1), "");
        events.add(What::Ended { code: close::TIMEOUT }, None, "c-1");
        insta::assert_snapshot!(written(&mut events, Instant::now()).join("\n"));
    }

    #[test]
    fn lines_are_bounded_and_say_how_many_were_left_out() {
        let mut events = Events::of(session());
        let (mut seen, now) = (0, Instant::now());
        for _ in 0..100 {
            for _ in 0..WAITING {
                events.add(What::Attached { view: true }, Some(1), "c");
            }
            seen += written(&mut events, now).len();
        }
        assert_eq!(seen, usize::try_from(BURST).unwrap());
        events.add(What::Created, Some(2), "");
        assert_eq!(written(&mut events, now).len(), 1, "each kind has its own");
        events.add(What::Attached { view: true }, Some(1), "c");
        let later = written(&mut events, now + EVERY);
        let left_out = 100 * WAITING - seen;
        assert!(later[0].contains(&format!("\"left_out\":{left_out}")), "{later:?}");
        events.add(What::Attached { view: true }, Some(1), "c");
        assert!(written(&mut events, now + EVERY).is_empty());
    }
}
