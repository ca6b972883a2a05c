//! Frames from a client to the runtime.

use bytes::{BufMut, Bytes};
use serde::{Deserialize, Serialize};

use super::wire::{self, Reader};
use super::{FrameError, Hello, NOTHING, TerminalType};

const INPUT: u8 = 0x01;
const RESIZE: u8 = 0x02;
const ACK: u8 = 0x03;
const OPEN: u8 = 0x04;
const ATTACH: u8 = 0x05;
const DETACH: u8 = 0x06;
const CLOSE: u8 = 0x07;
const PING: u8 = 0x08;
const CLEAR: u8 = 0x09;
const SIGNAL: u8 = 0x0A;
const COMMAND: u8 = 0x0B;
const HELLO: u8 = 0x0C;
const TITLE: u8 = 0x0D;

/// INPUT that the emulator made (a reply, a focus or mouse report), not a person.
const AUTO: u8 = 1;
/// PING of a page that somebody can see.
const VISIBLE: u8 = 1;

/// What a new terminal should be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    #[serde(default)]
    pub cols: u16,
    #[serde(default)]
    pub rows: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Absent for `system`: runtimes of before refuse the field.
    #[serde(rename = "type", default, skip_serializing_if = "TerminalType::is_system")]
    pub terminal_type: TerminalType,
}

/// What a client may do in a terminal that it attaches to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum AttachRole {
    /// Types, and so do others. Gives up sole control of one's own, and ends nobody else's.
    Control = 0,
    /// Only watches, although it might type.
    View = 1,
    /// Types alone: whoever else might becomes a viewer.
    Alone = 2,
}

/// How a client takes part in a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attach {
    /// Output the client has, up to this offset.
    pub have: Option<u64>,
    /// The epoch that `have` belongs to.
    pub epoch: u64,
    /// Bytes of history wanted beyond the screen.
    pub history: u32,
    pub cols: u16,
    pub rows: u16,
    pub role: AttachRole,
}

/// One frame from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// Bytes typed, beginning at this offset of the client's own stream.
    Input {
        terminal: u16,
        auto: bool,
        offset: u64,
        bytes: Bytes,
    },
    Resize {
        terminal: u16,
        cols: u16,
        rows: u16,
        x_pixels: u16,
        y_pixels: u16,
    },
    /// Output parsed by the client's emulator, up to this offset.
    Ack {
        terminal: u16,
        offset: u64,
    },
    /// A new terminal. The same key never opens two.
    Open {
        key: u128,
        request: OpenRequest,
    },
    Attach {
        terminal: u16,
        attach: Attach,
    },
    Detach {
        terminal: u16,
    },
    /// Ends a terminal by a signal; 0 is SIGHUP.
    Close {
        terminal: u16,
        signal: u8,
    },
    Ping {
        visible: bool,
        client_us: u64,
    },
    Hello(Hello),
    /// Forgets what was printed before; the screen stays.
    Clear {
        terminal: u16,
    },
    /// A signal for what runs in the foreground.
    Signal {
        terminal: u16,
        signal: u8,
    },
    /// A line for a shell that waits at its prompt. `id` is the client's own, and the same one is not run twice.
    Command {
        terminal: u16,
        id: u64,
        line: String,
    },
    /// A name for the terminal; an empty one gives it back the program's.
    Title {
        terminal: u16,
        title: String,
    },
}

impl ClientFrame {
    /// Reads one message.
    pub fn decode(frame: Bytes) -> Result<Self, FrameError> {
        let mut reader = Reader::new(frame)?;
        let terminal = reader.terminal;
        let frame = match reader.kind {
            INPUT => Self::Input {
                terminal,
                auto: reader.flags & AUTO != 0,
                offset: reader.u64()?,
                bytes: reader.rest(),
            },
            RESIZE => Self::Resize {
                terminal,
                cols: reader.u16()?,
                rows: reader.u16()?,
                x_pixels: reader.u16()?,
                y_pixels: reader.u16()?,
            },
            ACK => Self::Ack { terminal, offset: reader.u64()? },
            OPEN => Self::Open { key: reader.u128()?, request: reader.json("OPEN")? },
            ATTACH => Self::Attach { terminal, attach: decode_attach(&mut reader)? },
            DETACH => Self::Detach { terminal },
            CLOSE => Self::Close { terminal, signal: reader.u8()? },
            PING => Self::Ping { visible: reader.flags & VISIBLE != 0, client_us: reader.u64()? },
            HELLO => Self::Hello(reader.json("HELLO")?),
            CLEAR => Self::Clear { terminal },
            SIGNAL => Self::Signal { terminal, signal: reader.u8()? },
            COMMAND => Self::Command { terminal, id: reader.u64()?, line: reader.text()? },
            TITLE => Self::Title { terminal, title: reader.text()? },
            unknown => return Err(FrameError::UnknownType(unknown)),
        };
        reader.end()?;
        Ok(frame)
    }

    /// Writes one message.
    pub fn encode(&self) -> Bytes {
        let frame = match self {
            Self::Input { terminal, auto, offset, bytes } => {
                let mut frame =
                    wire::head(INPUT, u8::from(*auto) * AUTO, *terminal, 8 + bytes.len());
                frame.put_u64_le(*offset);
                frame.put_slice(bytes);
                frame
            }
            Self::Resize { terminal, cols, rows, x_pixels, y_pixels } => {
                let mut frame = wire::head(RESIZE, 0, *terminal, 8);
                for cells in [cols, rows, x_pixels, y_pixels] {
                    frame.put_u16_le(*cells);
                }
                frame
            }
            Self::Ack { terminal, offset } => {
                let mut frame = wire::head(ACK, 0, *terminal, 8);
                frame.put_u64_le(*offset);
                frame
            }
            Self::Open { key, request } => {
                let body = serde_json::to_vec(request).unwrap_or_default();
                let mut frame = wire::head(OPEN, 0, 0, 16 + body.len());
                frame.put_u128_le(*key);
                frame.put_slice(&body);
                frame
            }
            Self::Attach { terminal, attach } => encode_attach(*terminal, attach),
            Self::Detach { terminal } => wire::head(DETACH, 0, *terminal, 0),
            Self::Close { terminal, signal } => {
                let mut frame = wire::head(CLOSE, 0, *terminal, 1);
                frame.put_u8(*signal);
                frame
            }
            Self::Ping { visible, client_us } => {
                let mut frame = wire::head(PING, u8::from(*visible) * VISIBLE, 0, 8);
                frame.put_u64_le(*client_us);
                frame
            }
            Self::Hello(hello) => wire::json(HELLO, 0, hello),
            Self::Clear { terminal } => wire::head(CLEAR, 0, *terminal, 0),
            Self::Signal { terminal, signal } => {
                let mut frame = wire::head(SIGNAL, 0, *terminal, 1);
                frame.put_u8(*signal);
                frame
            }
            Self::Command { terminal, id, line } => {
                let mut frame = wire::head(COMMAND, 0, *terminal, 8 + line.len());
                frame.put_u64_le(*id);
                frame.put_slice(line.as_bytes());
                frame
            }
            Self::Title { terminal, title } => {
                let mut frame = wire::head(TITLE, 0, *terminal, title.len());
                frame.put_slice(title.as_bytes());
                frame
            }
        };
        frame.freeze()
    }
}

fn decode_attach(reader: &mut Reader) -> Result<Attach, FrameError> {
    let have = reader.u64()?;
    Ok(Attach {
        have: (have != NOTHING).then_some(have),
        epoch: reader.u64()?,
        history: reader.u32()?,
        cols: reader.u16()?,
        rows: reader.u16()?,
        role: match reader.u8()? {
            0 => AttachRole::Control,
            1 => AttachRole::View,
            2 => AttachRole::Alone,
            _ => return Err(FrameError::Value("role")),
        },
    })
}

fn encode_attach(terminal: u16, attach: &Attach) -> bytes::BytesMut {
    let mut frame = wire::head(ATTACH, 0, terminal, 25);
    frame.put_u64_le(attach.have.unwrap_or(NOTHING));
    frame.put_u64_le(attach.epoch);
    frame.put_u32_le(attach.history);
    frame.put_u16_le(attach.cols);
    frame.put_u16_le(attach.rows);
    frame.put_u8(attach.role as u8);
    frame
}
