//! The vectors of docs/developer/protocol-kterm.md, `vectors/kterm.json`: every implementation is held to the same bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use fabrica_protocol::kterm::{
    Attach, AttachRole, ClientFrame, ErrorCode, Hello, OpenRequest, ServerFrame, SnapshotReason,
    TerminalInfo, Terminals, Welcome,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const VECTORS: &str = include_str!("../vectors/kterm.json");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vectors {
    client: Vec<Vector>,
    server: Vec<Vector>,
    refused_from_client: Vec<Refused>,
    refused_from_server: Vec<Refused>,
}

/// A frame in words and in bytes.
#[derive(Deserialize)]
struct Vector {
    name: String,
    hex: String,
    frame: Value,
}

/// Bytes that are no frame, and the code that closes the socket of a client that sends them.
#[derive(Deserialize)]
struct Refused {
    name: String,
    hex: String,
    close: Option<u16>,
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

fn bytes(hex: &str) -> Bytes {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn frames_of_clients_are_these_bytes() {
    for Vector { name, hex, frame } in vectors().client {
        let frame = Words(frame).client();
        assert_eq!(frame.encode(), bytes(&hex), "{name}");
        assert_eq!(ClientFrame::decode(bytes(&hex)), Ok(frame), "{name}");
    }
}

#[test]
fn frames_of_the_runtime_are_these_bytes() {
    for Vector { name, hex, frame } in vectors().server {
        let frame = Words(frame).server();
        assert_eq!(frame.encode(), bytes(&hex), "{name}");
        assert_eq!(ServerFrame::decode(bytes(&hex)), Ok(frame), "{name}");
    }
}

#[test]
fn anything_else_is_refused() {
    for Refused { name, hex, close } in vectors().refused_from_client {
        let refusal = ClientFrame::decode(bytes(&hex)).expect_err(&name);
        assert_eq!(Some(refusal.close_code()), close, "{name}");
    }
    for Refused { name, hex, .. } in vectors().refused_from_server {
        ServerFrame::decode(bytes(&hex)).expect_err(&name);
    }
}

/// A frame as the vectors tell it.
struct Words(Value);

impl Words {
    fn field<T: DeserializeOwned>(&self, name: &str) -> T {
        serde_json::from_value(self.0[name].clone())
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn text(&self, name: &str) -> String {
        self.field(name)
    }

    fn bytes(&self) -> Bytes {
        bytes(&self.text("bytes"))
    }

    fn client(&self) -> ClientFrame {
        let terminal = self.0["terminal"].as_u64().map_or(0, |id| id.try_into().unwrap());
        match &*self.text("type") {
            "INPUT" => ClientFrame::Input {
                terminal,
                auto: self.field("auto"),
                offset: self.field("offset"),
                bytes: self.bytes(),
            },
            "RESIZE" => ClientFrame::Resize {
                terminal,
                cols: self.field("cols"),
                rows: self.field("rows"),
                x_pixels: self.field("x_pixels"),
                y_pixels: self.field("y_pixels"),
            },
            "ACK" => ClientFrame::Ack { terminal, offset: self.field("offset") },
            "OPEN" => ClientFrame::Open {
                key: u128::from_str_radix(&self.text("key"), 16).unwrap(),
                request: self.field::<OpenRequest>("request"),
            },
            "ATTACH" => ClientFrame::Attach { terminal, attach: self.attach() },
            "DETACH" => ClientFrame::Detach { terminal },
            "CLOSE" => ClientFrame::Close { terminal, signal: self.field("signal") },
            "PING" => ClientFrame::Ping {
                visible: self.field("visible"),
                client_us: self.field("client_us"),
            },
            "HELLO" => ClientFrame::Hello(self.field::<Hello>("hello")),
            "CLEAR" => ClientFrame::Clear { terminal },
            "SIGNAL" => ClientFrame::Signal { terminal, signal: self.field("signal") },
            "COMMAND" => {
                ClientFrame::Command { terminal, id: self.field("id"), line: self.text("line") }
            }
            "TITLE" => ClientFrame::Title { terminal, title: self.text("title") },
            unknown => panic!("{unknown}"),
        }
    }

    fn attach(&self) -> Attach {
        Attach {
            have: self.field("have"),
            epoch: u64::from_str_radix(&self.text("epoch"), 16).unwrap(),
            history: self.field("history"),
            cols: self.field("cols"),
            rows: self.field("rows"),
            role: match &*self.text("role") {
                "control" => AttachRole::Control,
                "view" => AttachRole::View,
                "alone" => AttachRole::Alone,
                unknown => panic!("{unknown}"),
            },
        }
    }

    fn server(&self) -> ServerFrame {
        let terminal = self.0["terminal"].as_u64().map_or(0, |id| id.try_into().unwrap());
        match &*self.text("type") {
            "OUTPUT" => {
                ServerFrame::Output { terminal, offset: self.field("offset"), bytes: self.bytes() }
            }
            "SNAPSHOT" => ServerFrame::Snapshot {
                terminal,
                offset: self.field("offset"),
                cols: self.field("cols"),
                rows: self.field("rows"),
                reason: reason(&self.text("reason")),
                bytes: self.bytes(),
            },
            "INPUT_ACK" => ServerFrame::InputAck { terminal, offset: self.field("offset") },
            "RESIZED" => ServerFrame::Resized {
                terminal,
                offset: self.field("offset"),
                cols: self.field("cols"),
                rows: self.field("rows"),
                owner: self.field("owner"),
            },
            "EXIT" => ServerFrame::Exit {
                terminal,
                offset: self.field("offset"),
                code: self.field("code"),
                signal: self.field("signal"),
            },
            "PONG" => ServerFrame::Pong {
                client_us: self.field("client_us"),
                server_us: self.field("server_us"),
                head: self.field("head"),
            },
            "TERMS" => {
                ServerFrame::Terms(Terminals { terms: self.field::<Vec<TerminalInfo>>("terms") })
            }
            "ERROR" => ServerFrame::Error {
                terminal,
                reference: self.field("reference"),
                code: code(self.field("code")),
                text: self.text("text"),
            },
            "WELCOME" => ServerFrame::Welcome(self.field::<Welcome>("welcome")),
            "ACTIVITY" => ServerFrame::Activity {
                terminal,
                bell: self.field("bell"),
                head: self.field("head"),
            },
            "COMMAND_DONE" => ServerFrame::CommandDone {
                terminal,
                id: self.field("id"),
                exit: self.field("exit"),
                start: self.field("start"),
                end: self.field("end"),
            },
            unknown => panic!("{unknown}"),
        }
    }
}

fn reason(word: &str) -> SnapshotReason {
    match word {
        "attach" => SnapshotReason::Attach,
        "overrun" => SnapshotReason::Overrun,
        "skip" => SnapshotReason::Skip,
        "clear" => SnapshotReason::Clear,
        unknown => panic!("{unknown}"),
    }
}

fn code(number: u16) -> ErrorCode {
    use ErrorCode::{
        Busy, CannotOpen, Ended, Exhausted, InputGap, Invalid, NoSuchTerminal, OutOfOrder,
        ReadOnly, TakenOver, TooManyTerminals,
    };
    let all = [
        NoSuchTerminal,
        ReadOnly,
        TooManyTerminals,
        Ended,
        InputGap,
        CannotOpen,
        OutOfOrder,
        Exhausted,
        Busy,
        TakenOver,
        Invalid,
    ];
    all.into_iter().find(|code| *code as u16 == number).unwrap()
}
