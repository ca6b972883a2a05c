//! A client of `fabrica.chat.v1` through the gateway, as a page is one: it remembers what it has seen and comes back for
//! what it missed.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::Gateway;
use crate::cluster::{DEADLINE, eventually};
use crate::terminal::{Socket, closed, open};

/// The subprotocol.
const PROTOCOL: &str = "fabrica.chat.v1";

/// One client.
#[derive(Debug)]
pub struct Chat {
    gateway: Gateway,
    path: String,
    socket: Socket,
    pub welcome: Value,
    /// What the journal told this client, by the numbers of its records.
    pub records: BTreeMap<u64, Vec<Value>>,
    /// Whether the runtime began anew with the last hello.
    pub was_reset: bool,
}

/// Where a Session's chat is.
pub fn path(namespace: &str, session: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/sessions/{session}/chat")
}

/// Says hello until somebody answers. A gateway that has not yet heard of what the API server told this test refuses with
/// a close frame; then it is tried again, as a page does.
async fn come_in(gateway: &Gateway, path: &str, hello: &Value) -> Result<(Socket, Value)> {
    eventually("the chat is open", || async move {
        let Ok(mut socket) = open(gateway, path, Some(PROTOCOL)).await else { return Ok(None) };
        if socket.send(Message::text(hello.to_string())).await.is_err() {
            return Ok(None);
        }
        match tokio::time::timeout(DEADLINE, socket.next()).await? {
            Some(Ok(Message::Text(text))) => Ok(Some((socket, serde_json::from_str(&text)?))),
            _ => Ok(None),
        }
    })
    .await
}

impl Chat {
    /// Opens the chat of a Session, and hears everything that was said before.
    pub async fn connect(gateway: &Gateway, namespace: &str, session: &str) -> Result<Self> {
        let path = path(namespace, session);
        let (socket, welcome) = come_in(gateway, &path, &json!({"type": "hello"})).await?;
        let mut chat = Self {
            gateway: gateway.clone(),
            path,
            socket,
            welcome,
            records: BTreeMap::new(),
            was_reset: false,
        };
        chat.catch_up().await?;
        Ok(chat)
    }

    /// Comes back, as soon as somebody is there, and hears what was missed.
    pub async fn resume(&mut self) -> Result<()> {
        let hello = json!({"type": "hello", "journalId": self.welcome["journalId"], "after": self.newest()});
        (self.socket, self.welcome) = come_in(&self.gateway, &self.path, &hello).await?;
        self.catch_up().await
    }

    /// The last record that this client knows.
    pub fn newest(&self) -> u64 {
        self.records.keys().next_back().copied().unwrap_or_default()
    }

    async fn catch_up(&mut self) -> Result<()> {
        ensure!(self.welcome["type"] == "welcome", "{}", self.welcome);
        self.was_reset = false;
        while self.next().await?["type"] != "caught_up" {}
        Ok(())
    }

    /// Sends a frame.
    pub async fn send(&mut self, message: &Value) -> Result<()> {
        self.raw(Message::text(message.to_string())).await
    }

    /// Sends anything.
    pub async fn raw(&mut self, message: Message) -> Result<()> {
        Ok(self.socket.send(message).await?)
    }

    /// Says something.
    pub async fn say(&mut self, id: &str, content: &str) -> Result<()> {
        self.send(&json!({"type": "user_message", "id": id, "content": content})).await
    }

    /// Answers a question.
    pub async fn answer(&mut self, question: &Value, text: &str) -> Result<()> {
        let id = &question["questionId"];
        self.send(&json!({"type": "answer", "questionId": id, "text": text})).await
    }

    /// Wants an item worked, and the agent to go this far by itself.
    pub async fn start_workflow(&mut self, id: &str, item: i64, autonomy: &str) -> Result<()> {
        let work_id = item.to_string();
        let kind = "start_workflow";
        self.send(&json!({"type": kind, "id": id, "workId": work_id, "autonomy": autonomy})).await
    }

    /// The next message.
    pub async fn next(&mut self) -> Result<Value> {
        loop {
            let next = tokio::time::timeout(DEADLINE, self.socket.next()).await?;
            match next.context("the socket ended")?? {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text)?;
                    self.note(&message)?;
                    return Ok(message);
                }
                Message::Close(frame) => bail!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next message that is wanted.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let search = async {
            loop {
                let next = self.next().await?;
                if wanted(&next) {
                    return Ok(next);
                }
            }
        };
        let found = tokio::time::timeout(DEADLINE, search).await;
        found.with_context(|| format!("waited in vain: {what}"))?
    }

    /// The whole of a text that the agent says.
    pub async fn text(&mut self, text: &str) -> Result<Value> {
        self.until(text, |it| it["kind"] == "text" && it["content"] == text).await
    }

    /// The next thing that is told to have gone wrong.
    pub async fn error(&mut self) -> Result<Value> {
        self.until("an error", |it| it["type"] == "error").await
    }

    /// The next open question.
    pub async fn question(&mut self) -> Result<Value> {
        self.until("a question", |it| it["type"] == "question" && it["state"] == "open").await
    }

    /// How the socket is closed.
    pub async fn closed(&mut self) -> Result<(u16, String)> {
        closed(&mut self.socket).await
    }

    /// Everything of a type that the journal told.
    pub fn of(&self, kind: &str) -> Vec<&Value> {
        self.records.values().flatten().filter(|it| it["type"] == kind).collect()
    }

    /// Keeps what shows a record. What is live only carries a number and is none.
    fn note(&mut self, message: &Value) -> Result<()> {
        let kind = message["type"].as_str().context("a type")?;
        self.was_reset |= kind == "reset";
        if kind == "reset" {
            self.records.clear();
        }
        let live = matches!(kind, "welcome" | "reset" | "caught_up" | "agent" | "pong" | "error")
            || message["final"] == false;
        if !live {
            let seq = message["seq"].as_u64().context("a seq")?;
            ensure!(seq >= self.newest(), "{message} came after {}", self.newest());
            self.records.entry(seq).or_default().push(message.clone());
        }
        Ok(())
    }
}
