//! News of messages, by LISTEN.

use std::time::Duration;

use futures::{Stream, stream};
use serde::Deserialize;
use serde_json::json;
use sqlx::postgres::PgListener;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::connection::Store;
use crate::message::MessageType;

/// The channel; its payload is `{"id", "session_id", "type"}` of the last message of a batch.
pub const CHANNEL: &str = "fabrica_messages";
/// Whoever listens reads again so often, for a notice may be lost.
const REREAD_PERIOD: Duration = Duration::from_secs(5);
/// Between two attempts to reach a database that is away.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What a listener learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// An object has new messages; this is the last one of them.
    Message { id: i64, uid: Uuid, kind: MessageType },
    /// Some may have been missed: read from where you are. First of all, after each loss of the connection, and from
    /// time to time.
    Reread,
}

#[derive(Deserialize)]
struct Payload {
    id: i64,
    session_id: Uuid,
    r#type: MessageType,
}

impl Notice {
    pub(crate) fn payload(id: i64, uid: Uuid, kind: &str) -> String {
        json!({"id": id, "session_id": uid, "type": kind}).to_string()
    }

    /// A payload that is not ours tells at least that something is new.
    fn parse(payload: &str) -> Self {
        serde_json::from_str::<Payload>(payload).map_or(Self::Reread, |payload| Self::Message {
            id: payload.id,
            uid: payload.session_id,
            kind: payload.r#type,
        })
    }
}

struct Listening {
    store: Store,
    listener: Option<PgListener>,
    reread_at: Instant,
}

impl Store {
    /// News of all objects, for ever: it holds one connection, and makes it anew when it is lost.
    pub fn listen(&self) -> impl Stream<Item = Notice> + Send + use<> {
        let listening =
            Listening { store: self.clone(), listener: None, reread_at: Instant::now() };
        stream::unfold(listening, |mut listening| async move {
            let notice = listening.next().await;
            Some((notice, listening))
        })
    }
}

impl Listening {
    async fn next(&mut self) -> Notice {
        loop {
            let Some(listener) = &mut self.listener else {
                match self.connect().await {
                    Ok(listener) => {
                        self.listener = Some(listener);
                        return self.reread();
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the database does not tell of new messages");
                        sleep_until(Instant::now() + RETRY_DELAY).await;
                        continue;
                    }
                }
            };
            tokio::select! {
                () = sleep_until(self.reread_at) => return self.reread(),
                received = listener.try_recv() => match received {
                    Ok(Some(notification)) => return Notice::parse(notification.payload()),
                    Ok(None) | Err(_) => self.listener = None,
                }
            }
        }
    }

    async fn connect(&self) -> Result<PgListener, sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.store.pool).await?;
        // A loss is to be seen here, so that a reread follows it.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }

    fn reread(&mut self) -> Notice {
        self.reread_at = Instant::now() + REREAD_PERIOD;
        Notice::Reread
    }
}
