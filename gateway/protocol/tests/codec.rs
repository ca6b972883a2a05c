//! The codec: what is written is read back, and no bytes whatever make it panic.

use bytes::Bytes;
use fabrica_protocol::kterm::{
    Attach, AttachRole, ClientFrame, ErrorCode, FrameError, Hello, HelloTerminal, MAX_FRAME,
    OpenRequest, ServerFrame, SnapshotReason, TerminalType, close,
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
                request: OpenRequest {
                    cols,
                    rows,
                    title,
                    cwd: None,
                    terminal_type: TerminalType::Agent
                }
            }
        ),
        (any::<u16>(), proptest::option::of(0..u64::MAX), any::<u64>(), role()).prop_map(
            |(terminal, have, epoch, role)| ClientFrame::Attach {
                terminal,
                attach: Attach { have, epoch, history: 7, cols: 80, rows: 24, role }
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
        any::<u16>().prop_map(|terminal| ClientFrame::Clear { terminal }),
        any::<(u16, u8)>().prop_map(|(terminal, signal)| ClientFrame::Signal { terminal, signal }),
        (any::<u16>(), any::<u64>(), ".{0,40}")
            .prop_map(|(terminal, id, line)| ClientFrame::Command { terminal, id, line }),
        (any::<u16>(), ".{0,40}")
            .prop_map(|(terminal, title)| ClientFrame::Title { terminal, title }),
    ]
}

fn role() -> impl Strategy<Value = AttachRole> {
    prop_oneof![Just(AttachRole::Control), Just(AttachRole::View), Just(AttachRole::Alone)]
}

fn server_frame() -> impl Strategy<Value = ServerFrame> {
    use SnapshotReason::{Attach, Clear, Overrun, Skip};
    let reason = prop_oneof![Just(Attach), Just(Overrun), Just(Skip), Just(Clear)];
    let bytes = || proptest::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from);
    prop_oneof![
        (any::<u16>(), any::<u64>(), bytes()).prop_map(|(terminal, offset, bytes)| {
            ServerFrame::Output { terminal, offset, bytes }
        }),
        (any::<[u16; 3]>(), any::<u64>(), reason, bytes()).prop_map(
            |([terminal, cols, rows], offset, reason, bytes)| ServerFrame::Snapshot {
                terminal,
                offset,
                cols,
                rows,
                reason,
                bytes
            }
        ),
        any::<(u16, u64)>()
            .prop_map(|(terminal, offset)| ServerFrame::InputAck { terminal, offset }),
        any::<([u16; 3], u64, u32)>().prop_map(|([terminal, cols, rows], offset, owner)| {
            ServerFrame::Resized { terminal, offset, cols, rows, owner }
        }),
        any::<(u16, u64, i32, u8)>().prop_map(|(terminal, offset, code, signal)| {
            ServerFrame::Exit { terminal, offset, code, signal }
        }),
        any::<[u64; 3]>().prop_map(|[client_us, server_us, head]| ServerFrame::Pong {
            client_us,
            server_us,
            head
        }),
        (any::<u16>(), any::<u32>(), ".{0,40}").prop_map(|(terminal, reference, text)| {
            ServerFrame::Error { terminal, reference, code: ErrorCode::Busy, text }
        }),
        any::<(u16, bool, u64)>().prop_map(|(terminal, bell, head)| ServerFrame::Activity {
            terminal,
            bell,
            head
        }),
        any::<(u16, u64, i32, u64, u64)>().prop_map(|(terminal, id, exit, start, end)| {
            ServerFrame::CommandDone { terminal, id, exit, start, end }
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
    fn a_frame_of_the_runtime_survives_the_wire(frame in server_frame()) {
        prop_assert_eq!(ServerFrame::decode(frame.encode()), Ok(frame));
    }

    #[test]
    fn a_cut_frame_is_not_taken_for_the_whole(frame in server_frame(), less in 1..8_usize) {
        let whole = frame.encode();
        let cut = whole.slice(..whole.len().saturating_sub(less));
        prop_assert_ne!(ServerFrame::decode(cut), Ok(frame));
    }
}

#[test]
fn a_client_of_before_gets_what_it_knows() {
    assert_eq!(SnapshotReason::Clear.plain(), SnapshotReason::Overrun);
    assert_eq!(SnapshotReason::Skip.plain(), SnapshotReason::Overrun);
    assert_eq!(SnapshotReason::Attach.plain(), SnapshotReason::Attach);
    assert_eq!(ErrorCode::TakenOver.plain(), ErrorCode::ReadOnly);
    let hello = |caps: &str| {
        let body = format!("\x0c\0\0\0{{\"client_id\":\"a\",\"caps\":{caps}}}");
        let Ok(ClientFrame::Hello(hello)) = ClientFrame::decode(body.into()) else { panic!() };
        hello.caps.is_current()
    };
    assert!(!hello("{}") && !hello("{\"window\":1,\"later\":true}"));
    assert!(hello("{\"activity\":false}") && hello("{\"commands\":true}"));
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
