//! A client of `fabrica.chat.v1`.

use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::PATIENCE;

pub struct Talk {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The name by which the gateway closes it.
    pub connection: String,
    pub welcome: Value,
    /// Everything that was heard.
    pub all: Vec<Value>,
}

impl Talk {
    pub async fn connect(
        address: SocketAddr,
        assertion: &str,
        connection: String,
    ) -> Result<Self, Error> {
        let mut request = format!("ws://{address}/v1/chat").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("authorization", format!("Bearer {assertion}").parse().unwrap());
        headers.insert("sec-websocket-protocol", "fabrica.chat.v1".parse().unwrap());
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Self { socket, connection, welcome: Value::Null, all: Vec::new() })
    }

    pub async fn hello(&mut self, mut hello: Value) {
        hello["type"] = "hello".into();
        self.send(&hello).await;
        self.welcome = self.next().await;
        assert_eq!(self.welcome["type"], "welcome", "{}", self.welcome);
    }

    pub async fn send(&mut self, message: &Value) {
        self.raw(Message::text(message.to_string())).await;
    }

    pub async fn raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    pub async fn say(&mut self, id: &str, content: &str) {
        self.send(&json!({"type": "user_message", "id": id, "content": content})).await;
    }

    /// The next message; `Err` holds how the socket closed.
    pub async fn try_next(&mut self) -> Result<Value, (u16, String)> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let said = || self.all.iter().rev().take(5).rev().collect::<Vec<_>>();
            match next.unwrap_or_else(|_| panic!("nothing comes any more after {:#?}", said())) {
                Some(Ok(Message::Text(text))) => {
                    let value: Value = serde_json::from_str(&text).unwrap();
                    assert!(value["seq"].is_u64() && value["timestamp"].is_string(), "{value}");
                    self.all.push(value.clone());
                    return Ok(value);
                }
                Some(Ok(Message::Close(frame))) => {
                    let frame = frame.expect("a close frame");
                    return Err((frame.code.into(), frame.reason.to_string()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err((1006, String::new())),
            }
        }
    }

    pub async fn next(&mut self) -> Value {
        self.try_next().await.expect("a message, not the end")
    }

    /// Skips messages until one is wanted.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let next = self.next().await;
                if wanted(&next) {
                    return next;
                }
            }
        };
        let found = tokio::time::timeout(4 * PATIENCE, waiting).await;
        found.unwrap_or_else(|_| panic!("waited in vain: {what}; heard {:#?}", self.all))
    }

    /// The whole text of the agent.
    pub async fn text(&mut self, text: &str) -> Value {
        self.until(text, |it| it["kind"] == "text" && it["content"] == text).await
    }

    pub async fn error(&mut self) -> Value {
        self.until("an error", |it| it["type"] == "error").await
    }

    /// What was missed.
    pub async fn caught_up(&mut self) -> Vec<Value> {
        let mut missed = Vec::new();
        loop {
            let next = self.next().await;
            if next["type"] == "caught_up" {
                return missed;
            }
            missed.push(next);
        }
    }

    /// Skips messages until the runtime closes.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Err(closed) = self.try_next().await {
                return closed;
            }
        }
    }

    pub fn of(&self, kind: &str) -> Vec<Value> {
        self.all.iter().filter(|value| value["type"] == kind).cloned().collect()
    }
}
