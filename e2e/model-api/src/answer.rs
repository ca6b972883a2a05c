//! An answer of the model, in one piece or as the events of a stream.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::scenario::Step;

/// Letters of one event of a tool's input.
const PIECE: usize = 40;
/// A stream that is cut says this many words.
const WORDS_BEFORE_CUT: usize = 3;

pub(crate) fn answer(step: &Step, question: &Value, number: usize) -> Response {
    let blocks = blocks(step, question, number);
    let has_tools = blocks.iter().any(|block| block["type"] == "tool_use");
    let reason = if has_tools { "tool_use" } else { "end_turn" };
    let mut message = json!({
        "id": format!("msg_scripted_{number}"),
        "type": "message",
        "role": "assistant",
        "model": question["model"],
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage(1),
    });
    if question["stream"] != true {
        message["content"] = Value::from(blocks);
        message["stop_reason"] = reason.into();
        message["usage"] = usage(50);
        let text = message.to_string();
        // Who does not want a stream is cut off all the same.
        return if step.cut {
            broken(&text[..text.len() / 2])
        } else {
            Json(message).into_response()
        };
    }
    let mut events = vec![
        event(&json!({"type": "message_start", "message": message})),
        event(&json!({"type": "ping"})),
    ];
    if !step.hang {
        for (index, block) in blocks.iter().enumerate() {
            events.extend(block_events(index, block));
        }
        events.push(event(&json!({
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": null},
            "usage": usage(50),
        })));
        events.push(event(&json!({"type": "message_stop"})));
    }
    if step.cut {
        // The start, the ping and the start of the block come before the words.
        events.truncate(3 + WORDS_BEFORE_CUT);
    }
    streamed(events, step)
}

fn streamed(events: Vec<String>, step: &Step) -> Response {
    let said = futures::stream::iter(events.into_iter().map(|event| Ok(Bytes::from(event))));
    let body = if step.hang {
        Body::from_stream(said.chain(futures::stream::pending::<std::io::Result<Bytes>>()))
    } else if step.cut {
        Body::from_stream(said.chain(cut()))
    } else {
        Body::from_stream(said)
    };
    ([("content-type", "text/event-stream; charset=utf-8")], body).into_response()
}

/// An answer in one piece of which a part arrives.
fn broken(part: &str) -> Response {
    let said = futures::stream::iter([Ok(Bytes::copy_from_slice(part.as_bytes()))]);
    let body = Body::from_stream(said.chain(cut()));
    ([("content-type", "application/json")], body).into_response()
}

/// What was said has to arrive before the connection breaks.
fn cut() -> impl futures::Stream<Item = std::io::Result<Bytes>> {
    futures::stream::once(async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        Err(std::io::Error::other("the script cuts the stream"))
    })
}

/// The same for every answer, so that costs can be foretold.
fn usage(output: u64) -> Value {
    json!({
        "input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 1000,
        "output_tokens": output,
    })
}

fn blocks(step: &Step, question: &Value, number: usize) -> Vec<Value> {
    let text = step.text.iter().map(|text| json!({"type": "text", "text": text}));
    let tools = step.tools.iter().enumerate().map(|(index, tool)| {
        let id = format!("toolu_scripted_{number}_{index}");
        json!({"type": "tool_use", "id": id, "name": tool.name, "input": tool.input})
    });
    // Who offers no tools asks for words alone: a title, a summary.
    let has_tools = question["tools"].as_array().is_some_and(|tools| !tools.is_empty());
    let mut blocks: Vec<Value> = text.chain(tools.filter(|_| has_tools)).collect();
    if blocks.is_empty() {
        blocks.push(json!({"type": "text", "text": "I have nothing to say."}));
    }
    blocks
}

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}

fn block_events(index: usize, block: &Value) -> Vec<String> {
    let (empty, deltas): (Value, Vec<Value>) = if block["type"] == "tool_use" {
        let input: Vec<char> = block["input"].to_string().chars().collect();
        let piece = |piece: &[char]| json!({"type": "input_json_delta", "partial_json": piece.iter().collect::<String>()});
        let empty =
            json!({"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}});
        (empty, input.chunks(PIECE).map(piece).collect())
    } else {
        let words = block["text"].as_str().unwrap_or_default().split_inclusive(' ');
        let deltas = words.map(|word| json!({"type": "text_delta", "text": word})).collect();
        (json!({"type": "text", "text": ""}), deltas)
    };
    let start = json!({"type": "content_block_start", "index": index, "content_block": empty});
    let deltas = deltas
        .into_iter()
        .map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta}));
    let stop = json!({"type": "content_block_stop", "index": index});
    std::iter::once(start).chain(deltas).chain([stop]).map(|data| event(&data)).collect()
}
