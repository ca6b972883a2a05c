//! Tokens, counted from answers as they pass by.

use serde::Deserialize;

/// The longest line that may tell tokens. Longer ones hold an agent's words, and are only passed on.
const LINE_BYTES: usize = 64 * 1024;
/// The longest answer in one piece that is kept to be counted: far more than a model may say.
const BODY_BYTES: usize = 16 * 1024 * 1024;

/// Tokens by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    /// Written to the cache for five minutes.
    pub cache_write: u64,
    /// Written to the cache for an hour.
    pub cache_write_hour: u64,
    pub cache_read: u64,
}

impl Usage {
    /// Everything that the model was given.
    pub fn prompt(&self) -> u64 {
        [self.input, self.cache_write, self.cache_write_hour, self.cache_read]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// Adds another answer's.
    pub fn add(&mut self, other: &Self) {
        for (mine, more) in [
            (&mut self.input, other.input),
            (&mut self.output, other.output),
            (&mut self.cache_write, other.cache_write),
            (&mut self.cache_write_hour, other.cache_write_hour),
            (&mut self.cache_read, other.cache_read),
        ] {
            *mine = mine.saturating_add(more);
        }
    }
}

/// Tokens as the Messages API tells them; what a later event leaves out stands as it was.
#[derive(Debug, Default, Deserialize)]
struct Told {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<ToldCreation>,
}

#[derive(Debug, Default, Deserialize)]
struct ToldCreation {
    #[serde(default)]
    ephemeral_1h_input_tokens: u64,
}

/// An event of a stream, or an answer in one piece: the tokens stand in the message at its start, later beside it.
#[derive(Debug, Deserialize)]
struct Telling {
    usage: Option<Told>,
    message: Option<Message>,
}

#[derive(Debug, Deserialize)]
struct Message {
    usage: Option<Told>,
}

/// Counts the tokens of one answer.
#[derive(Debug)]
pub struct Meter {
    streaming: bool,
    usage: Usage,
    /// The line, or the body, so far.
    kept: Vec<u8>,
    /// Whether the line or the body is too long to be kept.
    overlong: bool,
}

impl Meter {
    /// For an answer that comes as events, or in one piece.
    pub fn new(streaming: bool) -> Self {
        Self { streaming, usage: Usage::default(), kept: Vec::new(), overlong: false }
    }

    /// A piece of the answer has passed.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        if !self.streaming {
            return self.keep(bytes, BODY_BYTES);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.keep(&bytes[..end], LINE_BYTES);
            self.line();
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes, LINE_BYTES);
    }

    /// The answer is over, or was cut: what was seen counts.
    pub fn finish(mut self) -> Usage {
        if self.streaming {
            self.line();
        } else if !self.overlong {
            let body = std::mem::take(&mut self.kept);
            self.told(&body);
        }
        self.usage
    }

    fn keep(&mut self, bytes: &[u8], limit: usize) {
        self.overlong |= self.kept.len() + bytes.len() > limit;
        if !self.overlong {
            self.kept.extend_from_slice(bytes);
        }
    }

    fn line(&mut self) {
        let mut line = std::mem::take(&mut self.kept);
        if !std::mem::take(&mut self.overlong)
            && let Some(data) = line.strip_prefix(b"data:")
        {
            self.told(data);
        }
        line.clear();
        self.kept = line;
    }

    fn told(&mut self, json: &[u8]) {
        // Most lines are an agent's words, and need not be parsed.
        if !json.windows(7).any(|window| window == b"\"usage\"") {
            return;
        }
        let Ok(telling) = serde_json::from_slice::<Telling>(json) else { return };
        let told = telling.message.and_then(|message| message.usage).or(telling.usage);
        let Some(told) = told else { return };
        let usage = &mut self.usage;
        usage.input = told.input_tokens.unwrap_or(usage.input);
        usage.output = told.output_tokens.unwrap_or(usage.output);
        usage.cache_read = told.cache_read_input_tokens.unwrap_or(usage.cache_read);
        if let Some(written) = told.cache_creation_input_tokens {
            let hour = told
                .cache_creation
                .map_or(usage.cache_write_hour, |creation| creation.ephemeral_1h_input_tokens);
            usage.cache_write_hour = hour.min(written);
            usage.cache_write = written - usage.cache_write_hour;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = r#"data: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":100,"cache_creation_input_tokens":20,"cache_read_input_tokens":1000,"output_tokens":1,"cache_creation":{"ephemeral_1h_input_tokens":5}}}}"#;
    const DELTA: &str = r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":50}}"#;
    const SEEN: Usage =
        Usage { input: 100, output: 50, cache_write: 15, cache_write_hour: 5, cache_read: 1000 };

    fn counted(streaming: bool, pieces: &[&[u8]]) -> Usage {
        let mut meter = Meter::new(streaming);
        for piece in pieces {
            meter.feed(piece);
        }
        meter.finish()
    }

    #[test]
    fn a_stream_may_be_split_at_every_byte() {
        for end in ["\n\n", "\r\n\r\n"] {
            let text = format!("event: a{end}{START}{end}: a comment{end}{DELTA}{end}");
            for at in 0..=text.len() {
                let (left, right) = text.as_bytes().split_at(at);
                assert_eq!(counted(true, &[left, right]), SEEN, "split at {at}");
            }
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(counted(true, &bytes), SEEN);
        }
    }

    #[test]
    fn a_cut_stream_counts_what_was_seen() {
        let usage = counted(true, &[START.as_bytes(), b"\n\nevent: message_del"]);
        assert_eq!(usage, Usage { output: 1, ..SEEN });
        assert_eq!(counted(true, &[START.as_bytes(), b"\n", DELTA.as_bytes()]), SEEN);
    }

    #[test]
    fn an_answer_in_one_piece_counts_too() {
        let body =
            br#"{"type":"message","content":[],"usage":{"input_tokens":3,"output_tokens":4}}"#;
        assert_eq!(
            counted(false, &[&body[..9], &body[9..]]),
            Usage { input: 3, output: 4, ..Usage::default() }
        );
        assert_eq!(counted(false, &[br#"{"type":"error"}"#]), Usage::default());
    }

    #[test]
    fn overlong_lines_are_let_through_uncounted() {
        let long = vec![b'x'; LINE_BYTES + 1];
        let usage =
            counted(true, &[START.as_bytes(), b"\ndata:", &long, b"\n", DELTA.as_bytes(), b"\n"]);
        assert_eq!(usage, SEEN);
    }
}
