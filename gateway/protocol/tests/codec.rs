//! The codec: what is written is read back, and no bytes whatever make it panic.

use bytes::Bytes;
use fabrica_protocol::kterm::{
    Attach, ClientFrame, ErrorCode, FrameError, Hello, HelloTerminal, MAX_FRAME, OpenRequest,
    ServerFrame, SnapshotReason, close,
};
use proptest::prelude::*;

fn client_frame() -> impl Strategy<Value = ClientFrame> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from);
    prop_oneof![
        (any::<u16>(), any::<bool>(), any::<u64>(), bytes).prop_map(
            |(terminal, auto, offset, bytes)| ClientFrame::Input { terminal, auto, offset, bytes }
        ),
        any::<[u16; 5]>().prop_map(|[terminal, cols, rows, x_pixels, y_pixels]| {
            ClientFrame::Resize { terminal, cols, rows, x_pixels, y_pixels }
        }),
        any::<(u16, u64)>().prop_map(|(terminal, offset)| ClientFrame::Ack { terminal, offset }),
        (any::<u128>(), any::<[u16; 2]>(), proptest::option::of(".{0,20}")).prop_map(
            |(key, [cols, rows], title)| ClientFrame::Open {
                key,
                request: OpenRequest { cols, rows, title, cwd: None }
            }
        ),
        (any::<u16>(), proptest::option::of(0..u64::MAX), any::<u64>(), any::<bool>()).prop_map(
            |(terminal, have, epoch, view)| ClientFrame::Attach {
                terminal,
                attach: Attach { have, epoch, history: 7, cols: 80, rows: 24, view }
            }
        ),
        any::<u16>().prop_map(|terminal| ClientFrame::Detach { terminal }),
        any::<(u16, u8)>().prop_map(|(terminal, signal)| ClientFrame::Close { terminal, signal }),
        any::<(bool, u64)>()
            .prop_map(|(visible, client_us)| ClientFrame::Ping { visible, client_us }),
        ("[a-z]{1,20}", any::<Option<u64>>()).prop_map(|(client_id, have_off)| {
            let terms = vec![HelloTerminal { id: 1, have_off, cols: 80, rows: 24 }];
            ClientFrame::Hello(Hello { client_id, terms, ..Hello::default() })
        }),
    ]
}

proptest! {
    #[test]
    fn a_client_frame_survives_the_wire(frame in client_frame()) {
        prop_assert_eq!(ClientFrame::decode(frame.encode()), Ok(frame));
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let bytes = Bytes::from(bytes);
        if let Ok(frame) = ClientFrame::decode(bytes.clone()) {
            // What can be read means the same when written again.
            prop_assert_eq!(ClientFrame::decode(frame.encode()), Ok(frame));
        }
        let _ = ServerFrame::decode(bytes);
    }

    #[test]
    fn output_survives_the_wire(terminal: u16, offset: u64, bytes: Vec<u8>) {
        let frame = ServerFrame::Output { terminal, offset, bytes: bytes.into() };
        prop_assert_eq!(ServerFrame::decode(frame.encode()), Ok(frame));
    }
}

#[test]
fn server_frames_survive_the_wire() {
    let frames = [
        ServerFrame::Snapshot {
            terminal: 1,
            offset: 9,
            cols: 80,
            rows: 24,
            reason: SnapshotReason::Overrun,
            bytes: Bytes::from_static(b"\x1bc$ "),
        },
        ServerFrame::InputAck { terminal: 1, offset: 5 },
        ServerFrame::Resized { terminal: 1, offset: 5, cols: 100, rows: 30, owner: 3 },
        ServerFrame::Exit { terminal: 1, offset: 77, code: -1, signal: 9 },
        ServerFrame::Pong { client_us: 1, server_us: 2, head: 3 },
        ServerFrame::Error {
            terminal: 4,
            reference: 1,
            code: ErrorCode::NoSuchTerminal,
            text: "there is no terminal 4".to_owned(),
        },
    ];
    for frame in frames {
        assert_eq!(ServerFrame::decode(frame.encode()), Ok(frame));
    }
}

/// The vectors of docs/developer/protocol-kterm.md: other implementations are held to the same bytes.
#[test]
fn the_published_vectors_hold() {
    let input = ClientFrame::Input {
        terminal: 1,
        auto: false,
        offset: 2,
        bytes: Bytes::from_static(b"ls\r"),
    };
    assert_eq!(&input.encode()[..], b"\x01\x00\x01\x00\x02\0\0\0\0\0\0\0ls\r");
    let ping = ClientFrame::Ping { visible: true, client_us: 258 };
    assert_eq!(&ping.encode()[..], b"\x08\x01\x00\x00\x02\x01\0\0\0\0\0\0");
    let exit = ServerFrame::Exit { terminal: 1, offset: 3, code: 2, signal: 0 };
    assert_eq!(&exit.encode()[..], b"\x85\x00\x01\x00\x03\0\0\0\0\0\0\0\x02\0\0\0\0");
}

#[test]
fn refusals_name_what_is_wrong_and_how_the_socket_closes() {
    let unknown = ClientFrame::decode(Bytes::from_static(b"\x7f\0\0\0")).unwrap_err();
    assert_eq!(unknown, FrameError::UnknownType(0x7f));
    assert_eq!(unknown.close_code(), close::PROTOCOL);
    let big = ClientFrame::decode(vec![1; MAX_FRAME + 1].into()).unwrap_err();
    assert_eq!(big.close_code(), close::TOO_BIG);
    let hello = ClientFrame::decode(Bytes::from_static(b"\x0c\0\0\0{\"client\":1}")).unwrap_err();
    assert!(hello.to_string().contains("HELLO"), "{hello}");
    let long = ClientFrame::decode(Bytes::from_static(b"\x06\0\0\0more")).unwrap_err();
    assert_eq!(long, FrameError::Long { kind: 6, surplus: 4 });
}
