//! Frames from the runtime to a client.

use bytes::{BufMut, Bytes};

use super::wire::{self, Reader};
use super::{FrameError, Terminals, Welcome};
use crate::recovery::after_error;

/// The type byte of OUTPUT, for those who write its head straight before bytes of a ring.
const OUTPUT: u8 = 0x81;
const SNAPSHOT: u8 = 0x82;
const INPUT_ACK: u8 = 0x83;
const RESIZED: u8 = 0x84;
const EXIT: u8 = 0x85;
const PONG: u8 = 0x86;
const TERMS: u8 = 0x87;
const ERROR: u8 = 0x88;
const WELCOME: u8 = 0x89;
const ACTIVITY: u8 = 0x8A;
const COMMAND_DONE: u8 = 0x8B;

/// ACTIVITY with a bell in it.
const BELL: u8 = 1;

/// Why a SNAPSHOT came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SnapshotReason {
    /// The client had nothing.
    Attach = 0,
    /// What the client had has left the ring.
    Overrun = 1,
    /// The client was too far behind.
    Skip = 2,
    /// What was printed before was forgotten.
    Clear = 3,
}

impl SnapshotReason {
    fn from_wire(reason: u8) -> Result<Self, FrameError> {
        Ok(match reason {
            0 => Self::Attach,
            1 => Self::Overrun,
            2 => Self::Skip,
            3 => Self::Clear,
            _ => return Err(FrameError::Value("reason")),
        })
    }

    /// The same for a client of before the later reasons: it begins afresh too.
    #[must_use]
    pub const fn plain(self) -> Self {
        match self {
            Self::Skip | Self::Clear => Self::Overrun,
            reason => reason,
        }
    }
}

/// What went wrong with a frame that did not end the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum ErrorCode {
    /// There is no terminal of that id.
    NoSuchTerminal = 1,
    /// The role is `view`.
    ReadOnly = 2,
    /// The Session has as many terminals as it may have.
    TooManyTerminals = 3,
    /// The terminal has ended.
    Ended = 4,
    /// INPUT does not follow the bytes before it.
    InputGap = 5,
    /// The shell could not be started.
    CannotOpen = 6,
    /// A frame came before HELLO, or HELLO came twice.
    OutOfOrder = 7,
    /// The node has no pseudo terminal left.
    Exhausted = 8,
    /// The shell is not at its prompt, or something is typed there.
    Busy = 9,
    /// Another client has sole control.
    TakenOver = 10,
    /// A value that is not allowed: a signal, a title, a command line.
    Invalid = 11,
}

impl ErrorCode {
    fn from_wire(code: u16) -> Result<Self, FrameError> {
        Ok(match code {
            1 => Self::NoSuchTerminal,
            2 => Self::ReadOnly,
            3 => Self::TooManyTerminals,
            4 => Self::Ended,
            5 => Self::InputGap,
            6 => Self::CannotOpen,
            7 => Self::OutOfOrder,
            8 => Self::Exhausted,
            9 => Self::Busy,
            10 => Self::TakenOver,
            11 => Self::Invalid,
            _ => return Err(FrameError::Value("code")),
        })
    }

    /// The same for a client of before the later codes. It gets one of them unasked only when somebody takes over.
    #[must_use]
    pub const fn plain(self) -> Self {
        match self {
            Self::TakenOver => Self::ReadOnly,
            code => code,
        }
    }
}

/// One frame from the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    /// Output beginning at this offset.
    Output {
        terminal: u16,
        offset: u64,
        bytes: Bytes,
    },
    /// A fresh start: reset the emulator, write these bytes, and count on from `offset`.
    Snapshot {
        terminal: u16,
        offset: u64,
        cols: u16,
        rows: u16,
        reason: SnapshotReason,
        bytes: Bytes,
    },
    /// Input written to the program, up to this offset of the client's stream.
    InputAck {
        terminal: u16,
        offset: u64,
    },
    Resized {
        terminal: u16,
        offset: u64,
        cols: u16,
        rows: u16,
        owner: u32,
    },
    /// The program ended. `offset` is behind its last byte, which the client has by now.
    Exit {
        terminal: u16,
        offset: u64,
        code: i32,
        signal: u8,
    },
    Pong {
        client_us: u64,
        server_us: u64,
        head: u64,
    },
    Terms(Terminals),
    /// `reference` is the type byte of the frame that failed. The frame's flags say what helps: [`crate::recovery::Way`].
    Error {
        terminal: u16,
        reference: u32,
        code: ErrorCode,
        text: String,
    },
    Welcome(Welcome),
    /// A terminal that the client is not attached to has printed up to here.
    Activity {
        terminal: u16,
        bell: bool,
        head: u64,
    },
    /// A COMMAND of this client has ended. What it printed lies between the offsets.
    CommandDone {
        terminal: u16,
        id: u64,
        exit: i32,
        start: u64,
        end: u64,
    },
}

impl ServerFrame {
    /// The twelve bytes that stand before output: its writer sends the ring's bytes behind them without a copy.
    pub fn output_head(terminal: u16, offset: u64) -> [u8; 12] {
        let mut head = [0; 12];
        head[0] = OUTPUT;
        head[2..4].copy_from_slice(&terminal.to_le_bytes());
        head[4..].copy_from_slice(&offset.to_le_bytes());
        head
    }

    /// What stands before the bytes of a snapshot.
    pub fn snapshot_head(
        terminal: u16,
        offset: u64,
        cols: u16,
        rows: u16,
        reason: SnapshotReason,
    ) -> Bytes {
        let mut frame = wire::head(SNAPSHOT, 0, terminal, 13);
        frame.put_u64_le(offset);
        frame.put_u16_le(cols);
        frame.put_u16_le(rows);
        frame.put_u8(reason as u8);
        frame.freeze()
    }

    /// Reads one message.
    pub fn decode(frame: Bytes) -> Result<Self, FrameError> {
        let mut reader = Reader::new(frame)?;
        let terminal = reader.terminal;
        let frame = match reader.kind {
            OUTPUT => Self::Output { terminal, offset: reader.u64()?, bytes: reader.rest() },
            SNAPSHOT => Self::Snapshot {
                terminal,
                offset: reader.u64()?,
                cols: reader.u16()?,
                rows: reader.u16()?,
                reason: SnapshotReason::from_wire(reader.u8()?)?,
                bytes: reader.rest(),
            },
            INPUT_ACK => Self::InputAck { terminal, offset: reader.u64()? },
            RESIZED => Self::Resized {
                terminal,
                offset: reader.u64()?,
                cols: reader.u16()?,
                rows: reader.u16()?,
                owner: reader.u32()?,
            },
            EXIT => Self::Exit {
                terminal,
                offset: reader.u64()?,
                code: reader.i32()?,
                signal: reader.u8()?,
            },
            PONG => Self::Pong {
                client_us: reader.u64()?,
                server_us: reader.u64()?,
                head: reader.u64()?,
            },
            TERMS => Self::Terms(reader.json("TERMS")?),
            ERROR => Self::Error {
                terminal,
                reference: reader.u32()?,
                code: ErrorCode::from_wire(reader.u16()?)?,
                text: reader.text()?,
            },
            WELCOME => Self::Welcome(reader.json("WELCOME")?),
            ACTIVITY => {
                Self::Activity { terminal, bell: reader.flags & BELL != 0, head: reader.u64()? }
            }
            COMMAND_DONE => Self::CommandDone {
                terminal,
                id: reader.u64()?,
                exit: reader.i32()?,
                start: reader.u64()?,
                end: reader.u64()?,
            },
            unknown => return Err(FrameError::UnknownType(unknown)),
        };
        reader.end()?;
        Ok(frame)
    }

    /// Writes one message.
    pub fn encode(&self) -> Bytes {
        let frame = match self {
            Self::Output { terminal, offset, bytes } => {
                return [&Self::output_head(*terminal, *offset)[..], bytes].concat().into();
            }
            Self::Snapshot { terminal, offset, cols, rows, reason, bytes } => {
                let head = Self::snapshot_head(*terminal, *offset, *cols, *rows, *reason);
                return [&head[..], bytes].concat().into();
            }
            Self::InputAck { terminal, offset } => {
                let mut frame = wire::head(INPUT_ACK, 0, *terminal, 8);
                frame.put_u64_le(*offset);
                frame
            }
            Self::Resized { terminal, offset, cols, rows, owner } => {
                let mut frame = wire::head(RESIZED, 0, *terminal, 16);
                frame.put_u64_le(*offset);
                frame.put_u16_le(*cols);
                frame.put_u16_le(*rows);
                frame.put_u32_le(*owner);
                frame
            }
            Self::Exit { terminal, offset, code, signal } => {
                let mut frame = wire::head(EXIT, 0, *terminal, 13);
                frame.put_u64_le(*offset);
                frame.put_i32_le(*code);
                frame.put_u8(*signal);
                frame
            }
            Self::Pong { client_us, server_us, head } => {
                let mut frame = wire::head(PONG, 0, 0, 24);
                for word in [client_us, server_us, head] {
                    frame.put_u64_le(*word);
                }
                frame
            }
            Self::Terms(terminals) => wire::json(TERMS, 0, terminals),
            Self::Error { terminal, reference, code, text } => {
                let flags = after_error(*code as u16).flags();
                let mut frame = wire::head(ERROR, flags, *terminal, 6 + text.len());
                frame.put_u32_le(*reference);
                frame.put_u16_le(*code as u16);
                frame.put_slice(text.as_bytes());
                frame
            }
            Self::Welcome(welcome) => wire::json(WELCOME, 0, welcome),
            Self::Activity { terminal, bell, head } => {
                let mut frame = wire::head(ACTIVITY, u8::from(*bell) * BELL, *terminal, 8);
                frame.put_u64_le(*head);
                frame
            }
            Self::CommandDone { terminal, id, exit, start, end } => {
                let mut frame = wire::head(COMMAND_DONE, 0, *terminal, 28);
                frame.put_u64_le(*id);
                frame.put_i32_le(*exit);
                frame.put_u64_le(*start);
                frame.put_u64_le(*end);
                frame
            }
        };
        frame.freeze()
    }
}
