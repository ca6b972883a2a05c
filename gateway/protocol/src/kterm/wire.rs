//! Reading and writing the fixed parts of frames.

use bytes::{BufMut, Bytes, BytesMut};

use super::FrameError;

/// Bytes of every frame's head.
pub(super) const HEAD: usize = 4;

/// What is left of a frame's body. Every read says which frame was short.
pub(super) struct Reader {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) terminal: u16,
    body: Bytes,
}

impl Reader {
    pub(super) fn new(mut frame: Bytes) -> Result<Self, FrameError> {
        if frame.len() > super::MAX_FRAME {
            return Err(FrameError::TooBig(frame.len()));
        }
        if frame.len() < HEAD {
            let kind = frame.first().copied().unwrap_or_default();
            return Err(FrameError::Short { kind, missing: HEAD - frame.len() });
        }
        let head = frame.split_to(HEAD);
        Ok(Self {
            kind: head[0],
            flags: head[1],
            terminal: u16::from_le_bytes([head[2], head[3]]),
            body: frame,
        })
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        if self.body.len() < N {
            return Err(FrameError::Short { kind: self.kind, missing: N - self.body.len() });
        }
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.body.split_to(N));
        Ok(bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, FrameError> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, FrameError> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FrameError> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, FrameError> {
        self.take().map(i32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FrameError> {
        self.take().map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Result<u128, FrameError> {
        self.take().map(u128::from_le_bytes)
    }

    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.body)
    }

    pub(super) fn text(&mut self) -> Result<String, FrameError> {
        String::from_utf8(self.rest().to_vec()).map_err(|_| FrameError::Text)
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(
        &mut self,
        frame: &'static str,
    ) -> Result<T, FrameError> {
        let body = self.rest();
        if body.len() > super::MAX_JSON {
            return Err(FrameError::TooBig(body.len()));
        }
        serde_json::from_slice(&body)
            .map_err(|error| FrameError::Json { frame, reason: error.to_string() })
    }

    /// Refuses what is left over.
    pub(super) fn end(self) -> Result<(), FrameError> {
        match self.body.len() {
            0 => Ok(()),
            surplus => Err(FrameError::Long { kind: self.kind, surplus }),
        }
    }
}

/// A frame's head with room for a body.
pub(super) fn head(kind: u8, flags: u8, terminal: u16, body: usize) -> BytesMut {
    let mut frame = BytesMut::with_capacity(HEAD + body);
    frame.put_u8(kind);
    frame.put_u8(flags);
    frame.put_u16_le(terminal);
    frame
}

/// A frame whose body is JSON. Our own types always serialise.
pub(super) fn json<T: serde::Serialize>(kind: u8, terminal: u16, body: &T) -> BytesMut {
    let text = serde_json::to_vec(body).unwrap_or_default();
    let mut frame = head(kind, 0, terminal, text.len());
    frame.put_slice(&text);
    frame
}
