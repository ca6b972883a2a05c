//! The opening handshake of a WebSocket (RFC 6455), as far as a tunnel needs it.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use sha1::{Digest, Sha1};

use super::door::Door;
use crate::problem::Problem;

/// What every server appends to a key.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A client's handshake that is in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    key: HeaderValue,
    door: Door,
}

impl Handshake {
    /// Reads a request for this door. What is no handshake for its subprotocol gets an HTTP answer.
    pub fn read(parts: &Parts, door: Door) -> Result<Self, Problem> {
        let upgrades = parts.method == Method::GET
            && lists(&parts.headers, &header::CONNECTION, "upgrade")
            && lists(&parts.headers, &header::UPGRADE, "websocket")
            && parts
                .headers
                .get(header::SEC_WEBSOCKET_VERSION)
                .is_some_and(|version| version == "13");
        if !upgrades {
            let detail = "This is a WebSocket (version 13); open it as one.";
            return Err(Problem::new(StatusCode::UPGRADE_REQUIRED, detail));
        }
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
        let Some(key) = key else {
            return Err(Problem::bad_request("Sec-WebSocket-Key is missing or malformed."));
        };
        if !lists(&parts.headers, &header::SEC_WEBSOCKET_PROTOCOL, door.subprotocol()) {
            let detail = format!("Offer the subprotocol {}.", door.subprotocol());
            return Err(Problem::bad_request(detail));
        }
        Ok(Self { key: key.clone(), door })
    }

    /// The 101 that completes the handshake.
    pub fn accept(&self) -> Response {
        let digest =
            Sha1::new().chain_update(self.key.as_bytes()).chain_update(KEY_SUFFIX).finalize();
        let headers = [
            (header::CONNECTION, "upgrade".to_owned()),
            (header::UPGRADE, "websocket".to_owned()),
            (header::SEC_WEBSOCKET_ACCEPT, STANDARD.encode(digest)),
            (header::SEC_WEBSOCKET_PROTOCOL, self.door.subprotocol().to_owned()),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
    }

    /// The same handshake for the pod: our assertion instead of the client's credentials, and nothing else of it.
    pub fn forward(
        &self,
        host: &str,
        authorization: HeaderValue,
    ) -> Result<Request<Body>, http::Error> {
        Request::get(self.door.path())
            .header(header::HOST, host)
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &self.key)
            .header(header::SEC_WEBSOCKET_PROTOCOL, self.door.subprotocol())
            .body(Body::empty())
    }
}

fn is_key(key: &HeaderValue) -> bool {
    STANDARD.decode(key.as_bytes()).is_ok_and(|bytes| bytes.len() == 16)
}

/// Whether a header's comma-separated lists hold a word.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parts(change: impl FnOnce(&mut HeaderMap)) -> Parts {
        let (mut parts, ()) = Request::get("/").body(()).unwrap().into_parts();
        let headers = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "other, kterm.v1"),
            ("cookie", "fabrica_login=secret"),
        ];
        for (name, value) in headers {
            parts.headers.insert(name, HeaderValue::from_static(value));
        }
        change(&mut parts.headers);
        parts
    }

    #[test]
    fn accepts_with_the_answer_of_the_standard() {
        let response = Handshake::read(&parts(|_| {}), Door::Terminal).unwrap().accept();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers()["sec-websocket-protocol"], "kterm.v1");
    }

    #[test]
    fn each_door_has_its_subprotocol_and_its_path() {
        let chat = |parts| Handshake::read(&parts, Door::Chat);
        assert_eq!(chat(parts(|_| {})).unwrap_err().status, 400);
        let asked = parts(|headers| {
            let offer = HeaderValue::from_static("fabrica.chat.v1");
            headers.insert("sec-websocket-protocol", offer);
        });
        let handshake = chat(asked).unwrap();
        assert_eq!(handshake.accept().headers()["sec-websocket-protocol"], "fabrica.chat.v1");
        let request = handshake.forward("a", HeaderValue::from_static("Bearer x")).unwrap();
        assert_eq!(request.uri(), "/v1/chat");
    }

    #[test]
    fn forwards_no_credentials_of_the_client() {
        let handshake = Handshake::read(&parts(|_| {}), Door::Terminal).unwrap();
        let request =
            handshake.forward("10.0.0.1:3000", HeaderValue::from_static("Bearer x")).unwrap();
        assert!(!request.headers().contains_key("cookie"));
        assert_eq!(request.headers()["authorization"], "Bearer x");
        assert_eq!(request.headers()["sec-websocket-key"], "dGhlIHNhbXBsZSBub25jZQ==");
    }

    #[rstest]
    #[case("upgrade", None, 426)]
    #[case("connection", Some("close"), 426)]
    #[case("sec-websocket-version", Some("8"), 426)]
    #[case("sec-websocket-key", Some("short"), 400)]
    #[case("sec-websocket-protocol", Some("kterm.v2"), 400)]
    fn refuses_other_requests(
        #[case] name: &'static str,
        #[case] value: Option<&'static str>,
        #[case] status: u16,
    ) {
        let parts = parts(|headers| {
            headers.remove(name);
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_static(value));
            }
        });
        assert_eq!(Handshake::read(&parts, Door::Terminal).unwrap_err().status, status);
    }
}
