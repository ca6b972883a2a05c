//! The way to a pod: a connection, and the handshake that the pod itself answers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::handshake::Handshake;
use super::refusal::Refusal;
use super::tunnel;
use crate::pods::CONNECT_TIMEOUT;

/// How often a connection is tried: a first SYN may get lost.
const ATTEMPTS: u32 = 2;

/// How long the pod may take to answer the handshake.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest head of an answer; hyper takes no less.
const HEAD_BYTES: usize = 8 * 1024;

/// How soon a client should look again when its pod is starting.
const STARTING: Duration = Duration::from_secs(1);

/// Connects to a pod.
pub async fn connect(address: SocketAddr) -> Result<TcpStream, Refusal> {
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for _ in 0..ATTEMPTS {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                tunnel::tune(&stream).map_err(|error| unreachable(&error))?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => {}
        }
    }
    Err(unreachable(&last))
}

/// Sends the handshake with our assertion and waits for the pod's 101.
pub async fn open(
    stream: TcpStream,
    address: SocketAddr,
    handshake: &Handshake,
    authorization: HeaderValue,
) -> Result<OnUpgrade, Refusal> {
    let request = handshake
        .forward(&address.to_string(), authorization)
        .map_err(|_| Refusal::unreachable("the handshake cannot be forwarded"))?;
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, exchange(stream, request)).await;
    let response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::debug!(error = crate::chain(&error), "the pod broke the handshake off");
            return Err(Refusal::unreachable("the pod broke the handshake off"));
        }
        Err(_) => return Err(Refusal::unreachable("the pod does not answer")),
    };
    match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => Ok(hyper::upgrade::on(response)),
        status => Err(refused_by_pod(status, response.headers())),
    }
}

async fn exchange(
    stream: TcpStream,
    request: http::Request<Body>,
) -> Result<http::Response<hyper::body::Incoming>, hyper::Error> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let connection = connection.with_upgrades();
    let answer = sender.send_request(request);
    tokio::pin!(connection, answer);
    tokio::select! {
        biased;
        response = &mut answer => {
            let response = response?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                // The connection hands its socket over now; nothing is left to do for it.
                connection.await?;
            }
            Ok(response)
        }
        result = &mut connection => {
            result?;
            answer.await
        }
    }
}

fn refused_by_pod(status: StatusCode, headers: &HeaderMap) -> Refusal {
    let seconds =
        headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let hint = seconds.map_or(STARTING, Duration::from_secs);
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Refusal::not_ready(hint, "the session is starting"),
        StatusCode::TOO_MANY_REQUESTS => Refusal::too_many(hint),
        // A pod that was just born, or whose volume of keys lags behind, learns of our key within a minute.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            tracing::warn!(%status, "a pod does not accept the gateway's assertion");
            Refusal::not_ready(hint, "the session does not know the gateway's key yet")
        }
        _ => {
            tracing::warn!(%status, "a pod refused a terminal");
            Refusal::unreachable("the pod refused the terminal")
        }
    }
}

fn unreachable(error: &io::Error) -> Refusal {
    tracing::debug!(%error, "a pod cannot be reached");
    Refusal::unreachable("the pod cannot be reached")
}
