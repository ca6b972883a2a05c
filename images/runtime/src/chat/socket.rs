//! One client: it is shown the journal from where it was, and then what happens; what it wants is checked and passed on.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use chrono::{DateTime, Utc};
use fabrica_protocol::chat::{Body, ClientError, ClientMessage, MAX_FRAME, Rights, ServerMessage};
use fabrica_protocol::kterm::close;
use fabrica_protocol::run::{Code, Record};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use super::clients::Closing;
use super::handle::{Chat, Live, Refused, Standing};
use super::view;
use crate::terminal::socket::Timing;

/// A client that takes nothing for so long does not read: it comes back and says how far it was.
const STUCK: Duration = Duration::from_secs(10);
/// How long the last words may take, and the other end to have heard them.
const GOODBYE: Duration = Duration::from_secs(1);
/// A frame longer than a message may be is read as far as this, so that it can be told what is wrong with it.
pub const READ_BYTES: usize = 2 * 1024 * 1024;

/// Who is at the other end.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The assertion's id.
    pub connection: String,
    /// The user.
    pub author: String,
    /// Whether it may speak.
    pub control: bool,
    pub may_answer: bool,
}

/// Serves a client until either side ends it.
pub async fn serve(mut socket: WebSocket, peer: Peer, chat: Arc<Chat>, timing: Timing) {
    let Some((id, mut end)) = chat.clients.join(&peer.connection) else {
        let reason = "too many clients look at this conversation; ra=5000".to_owned();
        return goodbye(&mut socket, (close::TOO_MANY, reason)).await;
    };
    let mut client = Client {
        live: chat.live(),
        standing: chat.standing(),
        newest: chat.journal.watch(),
        chat: &chat,
        id,
        peer: &peer,
        timing,
        socket,
        cursor: 0,
        follows: false,
        heard: Instant::now(),
    };
    let closing = tokio::select! {
        biased;
        // However slowly it reads.
        closing = ended(&mut end) => Err(closing),
        closing = client.run() => closing,
    };
    // Why we go stands in the last records.
    if client.follows && matches!(&closing, Err((close::GOING_AWAY, _))) {
        let _ = tokio::time::timeout(GOODBYE, client.pump()).await;
    }
    let mut socket = client.socket;
    chat.clients.leave(id);
    if let Err(closing) = closing {
        goodbye(&mut socket, closing).await;
    }
}

async fn goodbye(socket: &mut WebSocket, (code, reason): Closing) {
    let frame = CloseFrame { code, reason: reason.into() };
    let closing = async {
        // A client that does not take this would not have listened to more.
        let _ = socket.send(Message::Close(Some(frame))).await;
        while let Some(Ok(_)) = socket.recv().await {}
    };
    let _ = tokio::time::timeout(GOODBYE, closing).await;
}

struct Client<'a> {
    chat: &'a Chat,
    /// Its name among the clients.
    id: u64,
    peer: &'a Peer,
    timing: Timing,
    socket: WebSocket,
    live: broadcast::Receiver<Live>,
    standing: watch::Receiver<Standing>,
    newest: watch::Receiver<u64>,
    /// The newest record that was shown.
    cursor: u64,
    /// Whether it has seen everything that was before it came.
    follows: bool,
    heard: Instant,
}

impl Client<'_> {
    /// Until the other end is gone; with what to say, when it is we who end it.
    async fn run(&mut self) -> Result<(), Closing> {
        let Some((journal, after)) = self.hello().await? else { return Ok(()) };
        self.welcome(journal.as_deref(), after).await?;
        let mut ping = tokio::time::interval(self.timing.ping);
        ping.reset();
        loop {
            let silent = self.heard + self.timing.silence;
            tokio::select! {
                biased;
                message = self.socket.recv() => {
                    let Some(Ok(message)) = message else { return Ok(()) };
                    self.heard = Instant::now();
                    if !self.take(message).await? {
                        return Ok(());
                    }
                }
                // Pieces of a text first: they say nothing any more once the whole was shown.
                live = self.live.recv() => match live {
                    Ok(live) => self.happens(live).await?,
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Ok(()),
                },
                _ = self.newest.changed() => self.pump().await?,
                _ = self.standing.changed() => self.stand().await?,
                _ = ping.tick() => self.write(Message::Ping(Vec::new().into())).await?,
                () = tokio::time::sleep_until(silent) => {
                    return Err((close::TIMEOUT, "nothing was heard for too long".to_owned()));
                }
            }
        }
    }

    /// The first message: where the client was.
    async fn hello(&mut self) -> Result<Option<(Option<String>, u64)>, Closing> {
        let late = || (close::TIMEOUT, "hello did not come in time".to_owned());
        let first = async {
            loop {
                match self.socket.recv().await {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    first => return first,
                }
            }
        };
        let first = tokio::time::timeout(self.timing.hello, first).await.map_err(|_| late())?;
        let text = match first {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_))) => return Err(binary()),
            _ => return Ok(None),
        };
        match self.parse(&text).await? {
            Some(ClientMessage::Hello { journal_id, after, visible }) => {
                self.chat.clients.see(self.id, visible);
                Ok(Some((journal_id, after.unwrap_or_default())))
            }
            _ => Err((close::PROTOCOL, "the first message must be hello".to_owned())),
        }
    }

    async fn welcome(&mut self, journal: Option<&str>, after: u64) -> Result<(), Closing> {
        let newest = self.chat.newest();
        let agent = self.standing.borrow_and_update().state;
        let is_known = journal == Some(self.chat.id.as_str()) && after <= newest;
        self.cursor = if is_known { after } else { 0 };
        self.say(Body::Welcome {
            journal_id: self.chat.id.clone(),
            author: self.peer.author.clone(),
            role: if self.peer.control { Rights::Control } else { Rights::View },
            may_answer: self.peer.may_answer,
            agent,
            newest,
        })
        .await?;
        if journal.is_some() && !is_known {
            self.say(Body::Reset { journal_id: self.chat.id.clone() }).await?;
        }
        if is_known {
            self.chat.counters.returned();
        }
        self.pump().await?;
        self.follows = true;
        self.say(Body::CaughtUp {}).await
    }

    /// Shows every record that was not shown.
    async fn pump(&mut self) -> Result<(), Closing> {
        self.newest.mark_unchanged();
        loop {
            let (last, lines) = self.chat.journal.lines(self.cursor);
            if last == self.cursor {
                return Ok(());
            }
            for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let Ok(record) = serde_json::from_slice::<Record>(line) else { continue };
                if let Some(frame) = view::frame(&record) {
                    self.show(frame, record.time).await?;
                }
            }
            self.cursor = last;
        }
    }

    async fn happens(&mut self, live: Live) -> Result<(), Closing> {
        if live.seq > self.cursor {
            self.pump().await?;
        }
        // What came before it was shown is over.
        if live.seq < self.cursor {
            return Ok(());
        }
        let text = self.text(live.time, live.body);
        self.show(text, live.time).await
    }

    /// Shows what happened at this time.
    async fn show(&mut self, text: String, time: DateTime<Utc>) -> Result<(), Closing> {
        self.write(Message::Text(text.into())).await?;
        if self.follows {
            self.chat.counters.shown(time);
        }
        Ok(())
    }

    async fn stand(&mut self) -> Result<(), Closing> {
        let Standing { state, message } = self.standing.borrow_and_update().clone();
        self.pump().await?;
        self.say(Body::Agent { state, message }).await
    }

    /// Takes what a client says; false when it says goodbye.
    async fn take(&mut self, message: Message) -> Result<bool, Closing> {
        match message {
            Message::Text(text) => {
                if let Some(message) = self.parse(&text).await? {
                    self.obey(message).await?;
                }
                Ok(true)
            }
            Message::Binary(_) => Err(binary()),
            Message::Ping(_) | Message::Pong(_) => Ok(true),
            Message::Close(_) => Ok(false),
        }
    }

    async fn parse(&mut self, text: &str) -> Result<Option<ClientMessage>, Closing> {
        if text.len() > MAX_FRAME {
            let message = format!("A frame has at most {MAX_FRAME} bytes.");
            self.refuse(Refused { code: Code::Malformed, message: message.clone() }, None).await?;
            return Err((close::PROTOCOL, message));
        }
        match ClientMessage::parse(text) {
            Ok(message) => Ok(Some(message)),
            Err(error) => {
                let refused = Refused { code: Code::Malformed, message: error.to_string() };
                self.refuse(refused, None).await?;
                match error {
                    ClientError::Json(_) => Err((close::PROTOCOL, "a frame is JSON".to_owned())),
                    _ => Ok(None),
                }
            }
        }
    }

    async fn obey(&mut self, message: ClientMessage) -> Result<(), Closing> {
        let (author, chat) = (self.peer.author.as_str(), self.chat);
        let (reference, done) = match message {
            ClientMessage::Hello { .. } => {
                let message = "Only the first message is hello.".to_owned();
                (None, Err(Refused { code: Code::Malformed, message }))
            }
            ClientMessage::Ping { nonce, visible } => {
                if let Some(visible) = visible {
                    self.chat.clients.see(self.id, visible);
                }
                let agent = self.standing.borrow().state;
                return self.say(Body::Pong { nonce, agent }).await;
            }
            ClientMessage::Answer { question_id, text } => {
                let may = allowed(self.peer.may_answer, "answer");
                (
                    Some(question_id.clone()),
                    may.and_then(|()| chat.answer(author, question_id, text)),
                )
            }
            ClientMessage::UserMessage { id, content, command } => {
                let may = allowed(self.peer.control, "speak");
                (Some(id.clone()), may.and_then(|()| chat.say(author, id, content, command)))
            }
            ClientMessage::StartWorkflow { id, work_id, plan, autonomy } => {
                let may = allowed(self.peer.control, "start workflows");
                let start = || chat.start_workflow(author, &id, work_id, plan, autonomy);
                let done = may.and_then(|()| start());
                (Some(id), done)
            }
            ClientMessage::Interrupt {} => {
                (None, allowed(self.peer.control, "interrupt").and_then(|()| chat.interrupt()))
            }
        };
        match done {
            Ok(()) => Ok(()),
            Err(refused) => self.refuse(refused, reference).await,
        }
    }

    async fn refuse(&mut self, refused: Refused, reference: Option<String>) -> Result<(), Closing> {
        let Refused { code, message } = refused;
        self.say(Body::Error { code, message, recoverable: true, reference }).await
    }

    async fn say(&mut self, body: Body) -> Result<(), Closing> {
        let text = self.text(Utc::now(), body);
        self.write(Message::Text(text.into())).await
    }

    /// Shows no record, so it bears the number of the last one that was shown: who comes back with it misses nothing.
    fn text(&self, timestamp: DateTime<Utc>, body: Body) -> String {
        view::text(&ServerMessage { seq: self.cursor, timestamp, body })
    }

    async fn write(&mut self, message: Message) -> Result<(), Closing> {
        match tokio::time::timeout(STUCK, self.socket.send(message)).await {
            // One that is gone is noticed when it is listened to.
            Ok(_) => Ok(()),
            Err(_) => Err((close::TIMEOUT, "nothing was read for too long".to_owned())),
        }
    }
}

fn binary() -> Closing {
    (close::TEXT, "binary frames are not part of fabrica.chat.v1".to_owned())
}

fn allowed(may: bool, what: &str) -> Result<(), Refused> {
    if may {
        return Ok(());
    }
    let message = format!("You may not {what} in this Session.");
    Err(Refused { code: Code::Forbidden, message })
}

async fn ended(ended: &mut watch::Receiver<Option<Closing>>) -> Closing {
    let closing = ended.wait_for(Option::is_some).await.ok().and_then(|closing| closing.clone());
    match closing {
        Some(closing) => closing,
        None => std::future::pending().await,
    }
}
