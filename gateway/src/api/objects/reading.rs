//! Reading the messages of a Run or Session from a place on, now or when there are some.

use std::time::Duration;

use fabrica_store::Notice;
use http::StatusCode;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use uuid::Uuid;

use super::message::RunMessage;
use crate::app::{App, Watched};
use crate::identity::Identity;
use crate::objects::View;
use crate::objects::store::Change;
use crate::problem::Problem;

/// How many messages an answer holds when nothing is said.
const PAGE: u32 = 100;

/// How many messages an answer holds at most.
const PAGE_LIMIT: u32 = fabrica_store::PAGE;

/// How long an answer may be waited for, in seconds: proxies end what is silent for longer.
const WAIT_LIMIT: u64 = 60;

/// How soon somebody who waits for too many objects should try again, in seconds.
const CROWDED_PAUSE: u64 = 5;

/// A place in an object's messages, and how many to take from there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor {
    pub(crate) after: i64,
    pub(crate) limit: u32,
    unread: bool,
}

impl Cursor {
    /// The messages after this one.
    pub(crate) fn behind(after: i64) -> Self {
        Self { after, limit: PAGE, unread: false }
    }

    /// What a query asks for.
    pub(crate) fn asked(
        after: Option<i64>,
        limit: Option<u32>,
        unread: bool,
    ) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(PAGE);
        if !(1..=PAGE_LIMIT).contains(&limit) {
            return Err(Problem::bad_part("limit", format!("must be between 1 and {PAGE_LIMIT}")));
        }
        Ok(Self { after: after.unwrap_or_default(), limit, unread })
    }

    /// The messages from here on: the archive's, or those that the status keeps where there is none.
    pub(crate) async fn read<R: Watched>(
        self,
        app: &App,
        view: &View<R>,
    ) -> Result<Vec<RunMessage>, Problem> {
        if let Some((archive, uid)) = app.archive.as_ref().zip(archived_as(view)) {
            let after = self.after.max(0).unsigned_abs();
            let question = archive.store().messages(uid, after, self.limit, self.unread);
            let messages = archive.answer(question).await?;
            return Ok(messages.into_iter().map(RunMessage::from).collect());
        }
        if self.unread {
            return Err(nothing_kept());
        }
        Ok(self.of_status(view))
    }

    fn of_status<R: Watched>(self, view: &View<R>) -> Vec<RunMessage> {
        let kept = view.status.as_ref().map(R::messages);
        let later = kept.unwrap_or_default().iter().filter(|message| message.seq > self.after);
        let first = later.take(usize::try_from(self.limit).unwrap_or(usize::MAX));
        first.map(|message| RunMessage::of_status(&view.metadata.uid, message)).collect()
    }

    /// The same, waiting this long for the first.
    async fn wait<R: Watched>(
        self,
        app: &App,
        mut view: View<R>,
        patience: Duration,
    ) -> Result<Vec<RunMessage>, Problem> {
        let deadline = Instant::now() + patience;
        let mut news = News::of(app, &view);
        loop {
            let found = self.read(app, &view).await?;
            if !found.is_empty() {
                return Ok(found);
            }
            tokio::select! {
                () = news.next() => {}
                () = tokio::time::sleep_until(deadline) => return Ok(found),
                () = app.stop.cancelled() => return Ok(found),
            }
            view = current(app, view);
        }
    }
}

/// Reads how long to wait.
pub(crate) fn patience(seconds: Option<u64>) -> Result<Duration, Problem> {
    let seconds = seconds.unwrap_or_default();
    if seconds > WAIT_LIMIT {
        return Err(Problem::bad_part("wait", format!("must be at most {WAIT_LIMIT} seconds")));
    }
    Ok(Duration::from_secs(seconds))
}

/// Reads, and waits if that was asked for. Who waits holds one of their streams.
pub(crate) async fn read<R: Watched>(
    app: &App,
    identity: &Identity,
    view: View<R>,
    cursor: Cursor,
    patience: Duration,
) -> Result<Vec<RunMessage>, Problem> {
    if patience.is_zero() {
        return cursor.read(app, &view).await;
    }
    let place = app.streams.take(identity.name());
    let _place = place.ok_or_else(|| {
        Problem::too_many("You wait for too many messages and events; close some.", CROWDED_PAUSE)
    })?;
    cursor.wait(app, view, patience).await
}

/// 409: somebody asks for what only a database keeps.
pub(crate) fn nothing_kept() -> Problem {
    let detail = "There is no database here, so nobody knows which messages are read.";
    Problem::new(StatusCode::CONFLICT, detail)
}

/// The object as the watch has it now; as it was when it is gone.
pub(crate) fn current<R: Watched>(app: &App, view: View<R>) -> View<R> {
    let entry = R::store(app).get(&view.key());
    match entry.filter(|entry| entry.view.metadata.uid == view.metadata.uid) {
        Some(entry) => entry.view.clone(),
        None => view,
    }
}

/// The object's id in the archive, where that keeps what it tells.
pub(crate) fn archived_as<R: Watched>(view: &View<R>) -> Option<Uuid> {
    Uuid::parse_str(&view.metadata.uid).ok().filter(|_| is_recorded(view))
}

fn is_recorded<R: Watched>(view: &View<R>) -> bool {
    R::is_recorded(&view.spec, view.status.as_ref())
}

/// Says when an object's messages are worth reading again.
#[derive(Debug)]
pub(crate) struct News<R: Watched> {
    uid: String,
    source: Source<R>,
}

#[derive(Debug)]
enum Source<R: Watched> {
    Archive(Receiver<Notice>),
    Watch(Receiver<Change<R>>),
}

impl<R: Watched> News<R> {
    /// From now on.
    pub(crate) fn of(app: &App, view: &View<R>) -> Self {
        let source = match app.archive.as_ref().filter(|_| is_recorded(view)) {
            Some(archive) => Source::Archive(archive.news()),
            None => Source::Watch(R::store(app).subscribe()),
        };
        Self { uid: view.metadata.uid.clone(), source }
    }

    /// Returns when there may be something new.
    pub(crate) async fn next(&mut self) {
        loop {
            let told = match &mut self.source {
                Source::Archive(notices) => notices.recv().await.map(|notice| match notice {
                    Notice::Reread => true,
                    Notice::Message { uid, .. } => uid.to_string() == self.uid,
                }),
                Source::Watch(changes) => changes.recv().await.map(|change| match change {
                    Change::Present(entry) | Change::Deleted(entry) => {
                        entry.view.metadata.uid == self.uid
                    }
                }),
            };
            match told {
                Ok(false) => {}
                Ok(true) | Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fabrica_crds::Run;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(None, None, &[3, 5, 6])]
    #[case(Some(3), None, &[5, 6])]
    #[case(Some(4), Some(1), &[5])]
    #[case(Some(6), None, &[])]
    fn reads_from_a_place(
        #[case] after: Option<i64>,
        #[case] limit: Option<u32>,
        #[case] expected: &[i64],
    ) {
        let message = |seq| json!({"seq": seq, "time": "2026-01-01T00:00:00Z", "type": "Notice", "text": "x"});
        let run: Run = serde_json::from_value(json!({
            "apiVersion": "fabrica.dev/v1alpha1", "kind": "Run", "metadata": {"name": "a"},
            "spec": {"repository": {"url": "https://git.example.com/a"}, "plan": "x"},
            "status": {"messages": [message(3), message(5), message(6)]},
        }))
        .unwrap();
        let cursor = Cursor::asked(after, limit, false).unwrap();
        let seqs: Vec<i64> =
            cursor.of_status(&View::<Run>::from(run)).iter().map(|message| message.seq).collect();
        assert_eq!(seqs, expected);
    }

    #[rstest]
    #[case(None, Some(0))]
    #[case(Some(60), Some(60))]
    #[case(Some(61), None)]
    fn waits_are_bounded(#[case] seconds: Option<u64>, #[case] expected: Option<u64>) {
        assert_eq!(patience(seconds).ok().map(|patience| patience.as_secs()), expected);
        assert!(Cursor::asked(None, Some(0), false).is_err());
        assert!(Cursor::asked(None, Some(PAGE_LIMIT + 1), false).is_err());
    }
}
