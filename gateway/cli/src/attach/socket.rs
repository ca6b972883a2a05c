//! One socket, carried by a task of its own: frames go in and news come out. A socket that was dropped says nothing more.

use bytes::Bytes;
use fabrica_protocol::kterm::{ClientFrame, SUBPROTOCOL, ServerFrame};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::link::CUT;
use crate::gateway::Gateway;

/// What a frame that cannot be read is told as; it is the protocol's own code for it.
const GARBLED: u16 = fabrica_protocol::kterm::close::PROTOCOL;

/// News that wait to be heard. When there are as many, nothing is read from the socket.
pub(super) const NEWS: usize = 16;

type Web = WebSocketStream<reqwest::Upgraded>;

/// What a socket tells.
#[derive(Debug)]
pub(super) enum News {
    Opened,
    Frame(ServerFrame),
    /// A ping of the other side.
    Alive,
    Closed {
        code: u16,
        reason: String,
    },
}

/// A socket that stands or is being opened.
#[derive(Debug)]
pub(super) struct Socket {
    /// What is to be sent is bounded by who fills it: 64 KiB of input, and acknowledgements of what came.
    frames: mpsc::UnboundedSender<Bytes>,
    task: JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Socket {
    /// Opens one. Each news carries its number.
    pub(super) fn open(
        gateway: Gateway,
        path: String,
        number: u64,
        news: mpsc::Sender<(u64, News)>,
    ) -> Self {
        let (frames, sending) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let (code, reason) = match gateway.upgrade(&path, SUBPROTOCOL).await {
                Ok(connection) => carry(connection, sending, number, &news).await,
                Err(error) => (CUT, crate::output::chain(&error)),
            };
            // Nobody listens once the attachment is over.
            let _ = news.send((number, News::Closed { code, reason })).await;
        });
        Self { frames, task }
    }

    /// Sends a frame. One that is lost with its socket is sent again by the next.
    pub(super) fn send(&self, frame: &ClientFrame) {
        let _ = self.frames.send(frame.encode());
    }
}

async fn carry(
    connection: reqwest::Upgraded,
    sending: mpsc::UnboundedReceiver<Bytes>,
    number: u64,
    news: &mpsc::Sender<(u64, News)>,
) -> (u16, String) {
    let web = WebSocketStream::from_raw_socket(connection, Role::Client, None).await;
    if news.send((number, News::Opened)).await.is_err() {
        return (CUT, String::new());
    }
    let (sink, stream) = web.split();
    tokio::select! {
        closed = receive(stream, number, news) => closed,
        () = send(sink, sending) => (CUT, String::new()),
    }
}

async fn receive(
    mut stream: SplitStream<Web>,
    number: u64,
    news: &mpsc::Sender<(u64, News)>,
) -> (u16, String) {
    while let Some(message) = stream.next().await {
        let told = match message {
            Ok(Message::Binary(bytes)) => match ServerFrame::decode(bytes) {
                Ok(frame) => News::Frame(frame),
                Err(error) => return (GARBLED, error.to_string()),
            },
            Ok(Message::Close(Some(frame))) => {
                return (frame.code.into(), frame.reason.to_string());
            }
            Ok(Message::Close(None)) | Err(_) => break,
            Ok(_) => News::Alive,
        };
        if news.send((number, told)).await.is_err() {
            break;
        }
    }
    (CUT, String::new())
}

async fn send(mut sink: SplitSink<Web, Message>, mut frames: mpsc::UnboundedReceiver<Bytes>) {
    while let Some(frame) = frames.recv().await {
        if sink.send(Message::Binary(frame)).await.is_err() {
            // The reader hears why.
            return std::future::pending().await;
        }
    }
}
