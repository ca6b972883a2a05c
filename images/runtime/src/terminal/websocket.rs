//! RFC 6455 for one side and one use: a server of binary messages, without extensions, without fragments. No I/O.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use fabrica_protocol::kterm::{MAX_FRAME, close};
use sha1::{Digest, Sha1};

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// The longest body of a control frame.
const CONTROL_BYTES: usize = 125;

/// A breach of RFC 6455.
const PROTOCOL_ERROR: u16 = 1002;

/// What the standard appends to a client's key.
const HANDSHAKE: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// One message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    Binary(Bytes),
    Ping(Bytes),
    Pong,
    /// The client wants to end.
    Close,
}

/// Why a client's bytes end the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("text frames are not part of kterm.v1; send binary frames")]
    Text,
    #[error("the frame is larger than 65536 bytes")]
    TooBig,
    #[error("the frame breaks RFC 6455 or uses an extension or fragments")]
    Protocol,
}

impl Violation {
    /// The close code that tells it.
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Text => close::TEXT,
            Self::TooBig => close::TOO_BIG,
            Self::Protocol => PROTOCOL_ERROR,
        }
    }
}

/// Turns bytes as they arrive into messages. Holds at most one incomplete frame beyond what was fed at once.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: BytesMut,
}

impl Decoder {
    /// Where arriving bytes are appended.
    pub const fn buffer(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// The next complete message, if it is there.
    pub fn next_message(&mut self) -> Result<Option<Message>, Violation> {
        let Some(&[first, second]) = self.bytes.first_chunk::<2>() else { return Ok(None) };
        let opcode = first & 0x0F;
        check(first, second, opcode)?;
        let Some((length, head)) = self.length(second & 0x7F, opcode)? else { return Ok(None) };
        if self.bytes.len() < head + 4 + length {
            return Ok(None);
        }
        self.bytes.advance(head);
        let mask = self.bytes.get_u32().to_be_bytes();
        let mut body = self.bytes.split_to(length);
        for (byte, key) in body.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
        if self.bytes.is_empty() {
            // A quiet connection holds no buffer.
            self.bytes = BytesMut::new();
        }
        Ok(Some(match opcode {
            BINARY => Message::Binary(body.freeze()),
            PING => Message::Ping(body.freeze()),
            PONG => Message::Pong,
            _ => Message::Close,
        }))
    }

    /// The body's length and the bytes before the mask, once they are there.
    fn length(&self, short: u8, opcode: u8) -> Result<Option<(usize, usize)>, Violation> {
        let (length, head) = match short {
            126 => match self.bytes.get(2..4) {
                Some(bytes) => (u64::from(u16::from_be_bytes([bytes[0], bytes[1]])), 4),
                None => return Ok(None),
            },
            127 => match self.bytes.get(2..10).and_then(|bytes| bytes.try_into().ok()) {
                Some(bytes) => (u64::from_be_bytes(bytes), 10),
                None => return Ok(None),
            },
            length => (u64::from(length), 2),
        };
        let length = usize::try_from(length).map_err(|_| Violation::TooBig)?;
        if opcode >= CLOSE && length > CONTROL_BYTES {
            return Err(Violation::Protocol);
        }
        if length > MAX_FRAME {
            return Err(Violation::TooBig);
        }
        Ok(Some((length, head)))
    }
}

fn check(first: u8, second: u8, opcode: u8) -> Result<(), Violation> {
    let plain = first & 0xF0 == FINAL && second & MASKED != 0;
    match opcode {
        TEXT => Err(Violation::Text),
        BINARY | CLOSE | PING | PONG if plain => Ok(()),
        _ => Err(Violation::Protocol),
    }
}

/// The head of a binary message with a body of this length.
pub fn binary_head(length: usize) -> Bytes {
    head(BINARY, length)
}

/// A whole binary message.
pub fn binary(body: &[u8]) -> Bytes {
    frame(BINARY, body)
}

/// An empty ping: the client's answer proves that it is there.
pub fn ping() -> Bytes {
    frame(PING, &[])
}

/// The answer to a ping.
pub fn pong(body: &[u8]) -> Bytes {
    frame(PONG, body)
}

/// The frame that ends a connection. The reason is cut to what a control frame holds.
pub fn close(code: u16, reason: &str) -> Bytes {
    let mut end = reason.len().min(CONTROL_BYTES - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut body = BytesMut::with_capacity(CONTROL_BYTES);
    body.put_u16(code);
    body.put_slice(&reason.as_bytes()[..end]);
    frame(CLOSE, &body)
}

/// What the server answers to a client's `Sec-WebSocket-Key`.
pub fn accept(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(HANDSHAKE).finalize())
}

fn frame(opcode: u8, body: &[u8]) -> Bytes {
    [&head(opcode, body.len())[..], body].concat().into()
}

fn head(opcode: u8, length: usize) -> Bytes {
    let mut head = BytesMut::with_capacity(10);
    head.put_u8(FINAL | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => head.put_u8(short),
        (_, Ok(medium)) => {
            head.put_u8(126);
            head.put_u16(medium);
        }
        _ => {
            head.put_u8(127);
            head.put_u64(length as u64);
        }
    }
    head.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// A client's frame, as the standard wants it: masked.
    fn masked(first: u8, body: &[u8]) -> Vec<u8> {
        let mut frame = head(first & 0x0F, body.len()).to_vec();
        frame[0] = first;
        frame[1] |= MASKED;
        frame.extend([1, 2, 3, 4]);
        frame.extend(body.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    #[rstest]
    #[case(&masked(0x81, b"text"), Violation::Text)]
    #[case(&masked(0x80, b"continuation"), Violation::Protocol)]
    #[case(&masked(0x02, b"a fragment"), Violation::Protocol)]
    #[case(&masked(0xC2, b"an extension"), Violation::Protocol)]
    #[case(&masked(0x83, b"reserved"), Violation::Protocol)]
    #[case(&masked(0x89, &[0; 126]), Violation::Protocol)]
    #[case(&binary(b"not masked"), Violation::Protocol)]
    #[case(&[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 1], Violation::TooBig)]
    #[case(&[0x82, 0xFF, 255, 255, 255, 255, 255, 255, 255, 255], Violation::TooBig)]
    fn refuses(#[case] bytes: &[u8], #[case] expected: Violation) {
        let mut decoder = Decoder::default();
        decoder.buffer().extend_from_slice(bytes);
        assert_eq!(decoder.next_message(), Err(expected));
    }

    proptest! {
        #[test]
        fn messages_survive_any_cut(bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..6), cut in 1..50_usize) {
            let wire: Vec<u8> = bodies.iter().flat_map(|body| masked(0x82, body)).collect();
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            for piece in wire.chunks(cut) {
                decoder.buffer().extend_from_slice(piece);
                while let Some(message) = decoder.next_message().unwrap() {
                    seen.push(message);
                }
            }
            let expected: Vec<_> = bodies.into_iter().map(|body| Message::Binary(body.into())).collect();
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn arbitrary_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut decoder = Decoder::default();
            decoder.buffer().extend_from_slice(&bytes);
            while let Ok(Some(_)) = decoder.next_message() {}
        }
    }

    #[test]
    fn answers_as_the_standard_says() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(&close(1003, "é")[..], &[0x88, 4, 0x03, 0xEB, 0xC3, 0xA9]);
        assert_eq!(close(1000, &"é".repeat(100)).len(), 2 + 124);
    }
}
