//! The messages of one Run within a stream.

use std::collections::VecDeque;

use axum::response::sse::Event;
use fabrica_crds::Run;
use http::HeaderMap;

use crate::access::{Question, Verb};
use crate::api::objects::find::permitted_by_uid;
use crate::api::objects::message::RunMessage;
use crate::api::objects::reading::{Cursor, News, current};
use crate::app::App;
use crate::identity::Identity;
use crate::names::Kind;
use crate::objects::RunView;
use crate::problem::Problem;

/// Where a browser says which event it had last.
const LAST_EVENT_ID: &str = "last-event-id";

/// What one subscriber hears of one Run.
pub(super) struct Talk {
    run: RunView,
    after: i64,
    news: News<Run>,
    /// Whether there may be something that was not read yet.
    due: bool,
    read: VecDeque<Event>,
}

impl Talk {
    /// From a place on, if the subscriber may see the Run. What the headers say of the last event goes before `after`:
    /// a browser that comes back asks with the address it came with first.
    pub(super) async fn open(
        app: &App,
        identity: &Identity,
        uid: &str,
        after: Option<i64>,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let run = permitted_by_uid::<Run>(app, identity, Verb::Get, uid).await?;
        let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
        let after = last.and_then(|last| seq_of(last, uid)).or(after).unwrap_or_default();
        let news = News::of(app, &run);
        Ok(Self { run, after, news, due: true, read: VecDeque::new() })
    }

    /// The next message that was read.
    pub(super) fn pop(&mut self) -> Option<Event> {
        self.read.pop_front()
    }

    /// Returns when it is worth reading.
    pub(super) async fn woken(&mut self) {
        if !self.due {
            self.news.next().await;
        }
        self.due = true;
    }

    /// Reads one page. What cannot be read now is read at the next notice.
    pub(super) async fn read(&mut self, app: &App) {
        self.due = false;
        let cursor = Cursor::behind(self.after);
        let run = current(app, self.run.clone());
        let Ok(messages) = cursor.read(app, &run).await else { return };
        // There may be more than a page.
        self.due = !messages.is_empty();
        self.after = messages.last().map_or(self.after, |message| message.seq);
        self.read.extend(messages.iter().map(|message| event(&run, message)));
    }

    /// Whether the subscriber may still hear it.
    pub(super) async fn is_permitted(
        &self,
        app: &App,
        identity: &Identity,
    ) -> Result<bool, Problem> {
        let question = Question::object(Kind::Run, Verb::Get, &self.run.key());
        app.access.permits(identity, question).await
    }
}

fn event(run: &RunView, message: &RunMessage) -> Event {
    let data = serde_json::to_string(message).unwrap_or_default();
    Event::default().event("message").id(format!("{}/{}", run.metadata.uid, message.seq)).data(data)
}

/// The place that an event's id names, if it is of this Run.
fn seq_of(id: &str, uid: &str) -> Option<i64> {
    let (of, seq) = id.rsplit_once('/')?;
    seq.parse().ok().filter(|_| of == uid)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a-b/7", Some(7))]
    #[case("other/7", None)]
    #[case("a-b/x", None)]
    #[case("7", None)]
    fn an_id_leads_back_to_its_place(#[case] id: &str, #[case] expected: Option<i64>) {
        assert_eq!(seq_of(id, "a-b"), expected);
    }
}
