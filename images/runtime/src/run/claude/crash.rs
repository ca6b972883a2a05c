//! The CLI that crashes in the middle of its work goes on in the same pod, with the same conversation.

use fabrica_protocol::run::{CRASH, Entry};
use fabrica_protocol::runtime::EventType;

use super::launch::{self, Begin};
use super::words::notice;
use super::{Claude, GRACE};
use crate::children;
use crate::run::driver::{Driver, Failure, Place};

fn crashed(text: String) -> Entry {
    Entry::Step { step: CRASH.to_owned(), kind: EventType::Failed, text, duration_ms: None }
}

/// As often in one attempt: a crash by chance does not come a third time, and what makes it crash would for ever.
const CRASHES: u32 = 2;

/// How often it crashed.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    count: u32,
    /// The one that it has not gone on from yet.
    open: Option<Failure>,
}

impl Crashes {
    pub(super) fn open(&mut self) -> Option<Failure> {
        self.open.take()
    }
}

impl Claude {
    /// Whether this end is a crash that it goes on from. Each is told, as they are counted.
    pub(super) fn crash(&mut self, end: &Result<(), Failure>, is_refused: bool) -> bool {
        let Err(failure) = end else { return false };
        // One that was refused, or hung, has ended by our doing.
        if !is_refused && failure.reason == "AgentFailed" {
            self.told.push_back(crashed(failure.message.clone()));
        }
        let goes_on = self.crashes.count < CRASHES && !is_refused && self.conversation.is_at_work();
        self.crashes.open = goes_on.then(|| failure.clone());
        goes_on
    }

    /// Starts it again. Broker and tools stay the same, so that what was used up counts on.
    pub(super) async fn go_on(
        &mut self,
        place: &Place<'_>,
        failure: Failure,
    ) -> Result<(), Failure> {
        let unfinished = self.stop(place).await;
        self.told.extend(unfinished);
        let kept = launch::conversation(place.config, self.session);
        // One that wrote nothing down has nothing to go on from.
        if !kept.folder.join(&kept.file).exists() {
            return Err(failure);
        }
        // Its tools may still be at work, and would be in its way.
        children::end_orphans(GRACE).await;
        self.crashes.count += 1;
        let count = self.crashes.count;
        self.told.push_back(notice(format!("It goes on, for the {count}. of {CRASHES} times.")));
        self.conversation.resumed();
        let work = self.launch(place, Begin::Again(self.session))?;
        work.process.write(launch::initialize()).await;
        work.process.write(launch::message(launch::AGAIN)).await;
        self.work = Some(work);
        Ok(())
    }
}
