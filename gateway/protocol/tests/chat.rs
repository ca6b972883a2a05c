//! `fabrica.chat.v1`: what is written is read back, every published line is one, and no text whatever makes it panic.

use fabrica_protocol::chat::{ClientError, ClientMessage, ServerMessage};
use fabrica_protocol::run::Autonomy;
use proptest::prelude::*;
use rstest::rstest;

/// The lines that docs/developer/protocol-chat.md shows: other implementations are held to the same.
const VECTORS: &str = include_str!("chat-vectors.ndjson");

/// What other implementations are written from.
const PAGE: &str = include_str!("../../../docs/developer/protocol-chat.md");

#[test]
fn the_page_shows_every_vector() {
    for line in VECTORS.lines() {
        assert!(PAGE.lines().any(|shown| shown == line), "{line}");
    }
}

#[test]
fn the_published_vectors_hold() {
    for line in VECTORS.lines() {
        let again = if line.contains("\"seq\":") {
            serde_json::to_string(&serde_json::from_str::<ServerMessage>(line).unwrap()).unwrap()
        } else {
            serde_json::to_string(&ClientMessage::parse(line).unwrap()).unwrap()
        };
        assert_eq!(again, line);
    }
}

fn client_message() -> impl Strategy<Value = ClientMessage> {
    let id = || "[A-Za-z0-9_-]{1,64}";
    let text = || "[a-z\u{0}é\"\\\\]{1,40}";
    let autonomy = prop_oneof![
        Just(Autonomy::DryRun),
        Just(Autonomy::Assist),
        Just(Autonomy::Guarded),
        Just(Autonomy::Autonomous)
    ];
    prop_oneof![
        (proptest::option::of(id()), any::<Option<u64>>(), any::<bool>()).prop_map(
            |(journal_id, after, visible)| ClientMessage::Hello { journal_id, after, visible }
        ),
        (id(), text(), any::<bool>()).prop_map(|(id, content, command)| {
            ClientMessage::UserMessage { id, content, command }
        }),
        (id(), id(), proptest::option::of(text()), proptest::option::of(autonomy)).prop_map(
            |(id, work_id, plan, autonomy)| ClientMessage::StartWorkflow {
                id,
                work_id: work_id.chars().take(50).collect(),
                plan,
                autonomy
            }
        ),
        Just(ClientMessage::Interrupt {}),
        (id(), text()).prop_map(|(question_id, text)| ClientMessage::Answer { question_id, text }),
        (proptest::option::of("[a-z]{0,64}"), any::<Option<bool>>())
            .prop_map(|(nonce, visible)| ClientMessage::Ping { nonce, visible }),
    ]
}

proptest! {
    #[test]
    fn a_message_survives_the_wire(message in client_message()) {
        let text = serde_json::to_string(&message).unwrap();
        prop_assert_eq!(ClientMessage::parse(&text), Ok(message));
    }

    #[test]
    fn arbitrary_text_is_read_or_refused(text in ".{0,300}") {
        if let Ok(message) = ClientMessage::parse(&text) {
            let again = serde_json::to_string(&message).unwrap();
            prop_assert_eq!(ClientMessage::parse(&again), Ok(message));
        }
    }
}

#[rstest]
#[case("", "not JSON")]
#[case("{\"type\":", "not JSON")]
#[case("[]", "no message of fabrica.chat.v1")]
#[case(r#"{"type":"shout"}"#, "unknown variant `shout`")]
#[case(r#"{"type":"user_message","id":"m"}"#, "missing field `content`")]
#[case(r#"{"type":"user_message","id":"a b","content":"x"}"#, "id must be 1 to 64 letters")]
#[case(r#"{"type":"user_message","id":"","content":"x"}"#, "id must be 1 to 64 letters")]
#[case(r#"{"type":"user_message","id":"m","content":" \n"}"#, "content must not be empty")]
#[case(r#"{"type":"start_workflow","id":"m","workId":""}"#, "workId must not be empty")]
#[case(
    r#"{"type":"start_workflow","id":"m","workId":"012345678901234567890123456789012345678901234567890"}"#,
    "workId must be at most 50 bytes long"
)]
#[case(r#"{"type":"answer","questionId":"../x","text":"x"}"#, "questionId must be 1 to 128")]
#[case(r#"{"type":"hello","after":-1}"#, "invalid value")]
fn refusals_name_the_field(#[case] text: &str, #[case] words: &str) {
    let error = ClientMessage::parse(text).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(matches!(error, ClientError::Json(_)), words == "not JSON");
}

#[test]
fn long_texts_are_refused_and_more_fields_are_not() {
    let message = |length| {
        let content = "x".repeat(length);
        format!(r#"{{"type":"user_message","id":"m","content":"{content}","mood":"good"}}"#)
    };
    assert!(ClientMessage::parse(&message(64 * 1024)).is_ok());
    assert!(ClientMessage::parse(&message(64 * 1024 + 1)).is_err());
}
