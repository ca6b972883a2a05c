//! Another model, asked one question: over the API that OpenAI began, which others speak too.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use serde::Deserialize;
use serde_json::json;

use super::ledger::Refusal;
use super::money::Money;
use super::prices::Price;
use super::usage::Usage;
use super::{Key, Shared};

/// The longest question: a long file, and far from what a model reads.
const PROMPT_BYTES: usize = 128 * 1024;
/// The most that a model may say and think: as its price is known only afterwards, this bounds what may go beyond a budget.
const ANSWER_TOKENS: u32 = 16 * 1024;
/// The longest answer on the wire: many times what so many tokens take.
const BODY_BYTES: usize = 4 * 1024 * 1024;
/// What thinks for longer holds the agent up for no use.
const LIMIT: Duration = Duration::from_mins(5);
/// Of a service's words about a failure, as much as a sentence bears.
const WORDS: usize = 300;

/// Who is asked, by the name that the agent calls it.
#[derive(Debug, Clone)]
pub struct Provider {
    pub name: &'static str,
    /// What `/chat/completions` follows.
    pub url: String,
    /// As [`Key::bearer`] makes it.
    pub key: Key,
}

/// A question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consult {
    pub provider: String,
    pub model: String,
    pub prompt: String,
    /// The most that it may say and think; unset: as much as anybody may.
    pub max_tokens: Option<u32>,
    /// How hard it is to think, in the API's word; unset: as it likes.
    pub effort: Option<&'static str>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consulted {
    pub text: String,
    /// It had more to say than it may.
    pub is_cut: bool,
    pub usage: Usage,
    pub cost: Money,
}

/// Why there is no answer, in words that tell the agent what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsultError {
    #[error(
        "No other model can be asked: the Secret of credentialsRef has no key of one. Go on without."
    )]
    Nobody,
    #[error("There is no provider {asked:?}. Call again with one of: {known}.")]
    Provider { asked: String, known: String },
    #[error(
        "{refusal} Models of {provider} with a price: {known}. Call again with one of them, or go on without."
    )]
    Unpriced { refusal: Refusal, provider: &'static str, known: String },
    #[error("{0} No model can be asked any more: finish with what you have.")]
    Exhausted(Refusal),
    #[error("The prompt is empty: call again with all that the model needs to know.")]
    Empty,
    #[error(
        "The prompt has {0} bytes, more than {PROMPT_BYTES}: call again with what matters of it."
    )]
    TooLong(usize),
    #[error("max_tokens is 1 to {ANSWER_TOKENS}: call again with as many, or leave it out.")]
    Tokens,
    #[error("{0} cannot be reached. Try another provider, or go on without.")]
    Unreachable(&'static str),
    #[error("{provider} did not answer within {limit} s: ask less, try another model, or go on without.", limit = LIMIT.as_secs())]
    Late { provider: &'static str },
    #[error("{provider} answered {status}: {words}. {advice}")]
    Refused { provider: &'static str, status: u16, words: String, advice: &'static str },
    #[error("What {0} answered is no answer. Try another model, or go on without.")]
    Unreadable(&'static str),
    #[error("The pod is ending.")]
    Ending,
}

impl ConsultError {
    /// Whether nobody was asked because nobody may be.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Nobody | Self::Unpriced { .. } | Self::Exhausted(_))
    }
}

/// Asks. Whoever asked may be gone before the answer comes, which counts all the same.
pub(super) async fn ask(shared: &Arc<Shared>, asked: Consult) -> Result<Consulted, ConsultError> {
    let (provider, price) = check(shared, &asked)?;
    let shared = shared.clone();
    let asking = tokio::spawn(async move {
        let _place = shared.places.acquire().await.map_err(|_| ConsultError::Ending)?;
        // Others may have used everything up while we waited.
        exhausted(&shared)?;
        let answered = tokio::time::timeout(LIMIT, answer(&shared, &provider, &asked)).await;
        let answered = answered.unwrap_or(Err(ConsultError::Late { provider: provider.name }));
        settle(&shared, &asked, &price, answered)
    });
    asking.await.map_err(|_| ConsultError::Ending)?
}

/// Whether it may be asked, and at which price.
fn check(shared: &Shared, asked: &Consult) -> Result<(Provider, Price), ConsultError> {
    if shared.providers.is_empty() {
        return Err(ConsultError::Nobody);
    }
    let found = shared.providers.iter().find(|provider| provider.name == asked.provider);
    let provider = found.ok_or_else(|| {
        let known: Vec<&str> = shared.providers.iter().map(|provider| provider.name).collect();
        ConsultError::Provider { asked: shorten(&asked.provider), known: known.join(", ") }
    })?;
    if asked.prompt.trim().is_empty() {
        return Err(ConsultError::Empty);
    }
    if asked.prompt.len() > PROMPT_BYTES {
        return Err(ConsultError::TooLong(asked.prompt.len()));
    }
    if asked.max_tokens.is_some_and(|most| !(1..=ANSWER_TOKENS).contains(&most)) {
        return Err(ConsultError::Tokens);
    }
    exhausted(shared)?;
    let price = shared.prices.of_seller(provider.name, &asked.model).ok_or_else(|| {
        let known: Vec<&str> = shared.prices.models(provider.name).collect();
        ConsultError::Unpriced {
            refusal: Refusal::Unpriced { model: shorten(&asked.model) },
            provider: provider.name,
            known: known.join(", "),
        }
    })?;
    Ok((provider.clone(), price.clone()))
}

/// That money is used up is told here, and not the end of the agent's work: its own next question is.
fn exhausted(shared: &Shared) -> Result<(), ConsultError> {
    match shared.ledger().exhausted(&shared.limits) {
        // The agent's turns are its own.
        None | Some(Refusal::TurnsExceeded { .. }) => Ok(()),
        Some(refusal) => Err(ConsultError::Exhausted(refusal)),
    }
}

/// Counts what was answered, and what may have been.
fn settle(
    shared: &Shared,
    asked: &Consult,
    price: &Price,
    answered: Result<(Completion, Option<Usage>), ConsultError>,
) -> Result<Consulted, ConsultError> {
    // No token is shorter than a byte, so where nobody tells how many there were, there were no more.
    let most = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX);
    let charge = |usage: Usage| {
        shared.ledger().charge(&asked.model, price, &usage);
        price.cost(&usage)
    };
    match answered {
        Ok((Completion { text, is_cut }, told)) => {
            let unknown =
                || Usage { input: most(&asked.prompt), output: most(&text), ..Usage::default() };
            let usage = told.unwrap_or_else(unknown);
            Ok(Consulted { cost: charge(usage), text, is_cut, usage })
        }
        Err(error) => {
            // It was heard, and may have to be paid.
            if matches!(error, ConsultError::Late { .. } | ConsultError::Unreadable(_)) {
                charge(Usage { input: most(&asked.prompt), ..Usage::default() });
            }
            Err(error)
        }
    }
}

async fn answer(
    shared: &Shared,
    provider: &Provider,
    asked: &Consult,
) -> Result<(Completion, Option<Usage>), ConsultError> {
    let name = provider.name;
    let mut question = json!({
        "model": asked.model,
        "messages": [{"role": "user", "content": asked.prompt}],
        "max_completion_tokens": asked.max_tokens.unwrap_or(ANSWER_TOKENS),
    });
    // A model that knows no such thing refuses it.
    if let Some(effort) = asked.effort {
        question["reasoning_effort"] = effort.into();
    }
    let request = shared.client.post(format!("{}/chat/completions", provider.url));
    let request = request.header(header::AUTHORIZATION, provider.key.0.clone()).json(&question);
    let mut answer = request.send().await.map_err(|error| {
        let was_heard = !(error.is_connect() || error.is_builder());
        let error = crate::chain(&error.without_url());
        tracing::warn!(provider = name, error, "another model's service does not answer");
        if was_heard { ConsultError::Unreadable(name) } else { ConsultError::Unreachable(name) }
    })?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|_| ConsultError::Unreadable(name))? {
        if body.len() + piece.len() > BODY_BYTES {
            return Err(ConsultError::Unreadable(name));
        }
        body.extend_from_slice(&piece);
    }
    if !status.is_success() {
        return Err(refused(name, status.as_u16(), &body));
    }
    read(&body).ok_or(ConsultError::Unreadable(name))
}

#[derive(Debug, PartialEq, Eq)]
struct Completion {
    text: String,
    is_cut: bool,
}

#[derive(Debug, Deserialize)]
struct Answer {
    choices: Vec<Choice>,
    usage: Option<Told>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Option<String>,
    /// What it says when it does not want to answer.
    refusal: Option<String>,
}

/// Tokens as this API tells them: what was cached is part of the prompt.
#[derive(Debug, Deserialize)]
struct Told {
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    #[serde(default)]
    total_tokens: u64,
    prompt_tokens_details: Option<ToldDetails>,
}

#[derive(Debug, Default, Deserialize)]
struct ToldDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

impl From<Told> for Usage {
    fn from(told: Told) -> Self {
        let prompt = told.prompt_tokens;
        let details = told.prompt_tokens_details.unwrap_or_default();
        let cache_read = details.cached_tokens.unwrap_or_default().min(prompt);
        let cache_write = details.cache_write_tokens.unwrap_or_default().min(prompt - cache_read);
        Self {
            input: prompt - cache_read - cache_write,
            // Some count what was thought in the sum alone.
            output: told.completion_tokens.max(told.total_tokens.saturating_sub(prompt)),
            cache_write,
            cache_write_hour: 0,
            cache_read,
        }
    }
}

/// An answer, and what it took; nothing when it is none.
fn read(body: &[u8]) -> Option<(Completion, Option<Usage>)> {
    let Answer { choices, usage } = serde_json::from_slice(body).ok()?;
    let Choice { message, finish_reason } = choices.into_iter().next()?;
    let text = message.content.or(message.refusal).unwrap_or_default();
    let is_cut = finish_reason.is_some_and(|reason| reason == "length");
    Some((Completion { text, is_cut }, usage.map(Usage::from)))
}

#[derive(Debug, Deserialize)]
struct Failed {
    error: FailedError,
}

#[derive(Debug, Deserialize)]
struct FailedError {
    message: String,
}

fn refused(provider: &'static str, status: u16, body: &[u8]) -> ConsultError {
    // Gemini wraps its error in a list.
    let told = serde_json::from_slice::<Failed>(body).ok().or_else(|| {
        serde_json::from_slice::<Vec<Failed>>(body).ok().and_then(|all| all.into_iter().next())
    });
    let words = told.map_or_else(|| "it says no more".to_owned(), |told| told.error.message);
    let words = shorten(words.trim().trim_end_matches('.'));
    let advice = match status {
        401 | 403 => "Its key is not accepted, so do not try again: go on without.",
        404 => "Call again with another model, or go on without.",
        429 => "Go on without, and try again later if it matters.",
        500.. => "Try again once, or go on without.",
        _ => "Change the question or the model, or go on without.",
    };
    ConsultError::Refused { provider, status, words, advice }
}

fn shorten(text: &str) -> String {
    text.chars().take(WORDS).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::openai(
        r#"{"prompt_tokens":1120,"completion_tokens":50,"total_tokens":1170,"prompt_tokens_details":{"cached_tokens":1000}}"#,
        Usage { input: 120, output: 50, cache_read: 1000, ..Usage::default() }
    )]
    #[case::written(
        r#"{"prompt_tokens":100,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":10,"cache_write_tokens":60}}"#,
        Usage { input: 30, output: 5, cache_write: 60, cache_read: 10, ..Usage::default() }
    )]
    #[case::thoughts_in_the_sum_alone(
        r#"{"prompt_tokens":21,"completion_tokens":0,"total_tokens":81}"#,
        Usage { input: 21, output: 60, ..Usage::default() }
    )]
    #[case::nonsense(
        r#"{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9,"cache_write_tokens":9}}"#,
        Usage { output: 1, cache_read: 5, ..Usage::default() }
    )]
    fn tokens_are_counted(#[case] told: &str, #[case] expected: Usage) {
        assert_eq!(Usage::from(serde_json::from_str::<Told>(told).unwrap()), expected);
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        let whole = br#"{"choices":[{"message":{"content":"Yes."},"finish_reason":"length"}]}"#;
        let answer = Completion { text: "Yes.".to_owned(), is_cut: true };
        assert_eq!(read(whole), Some((answer, None)));
        let declined = br#"{"choices":[{"message":{"content":null,"refusal":"No."}}]}"#;
        assert_eq!(read(declined).unwrap().0.text, "No.");
        for body in [&b"<html>"[..], b"{}", br#"{"choices":[]}"#] {
            assert_eq!(read(body), None);
        }
    }

    #[rstest]
    #[case(
        401,
        r#"{"error":{"message":"Incorrect API key."}}"#,
        "openai answered 401: Incorrect API key. Its key is not accepted, so do not try again: go on without."
    )]
    #[case(
        404,
        r#"[{"error":{"message":"no such model"}}]"#,
        "openai answered 404: no such model. Call again with another model, or go on without."
    )]
    #[case(
        503,
        "<html>",
        "openai answered 503: it says no more. Try again once, or go on without."
    )]
    fn a_failure_says_what_to_do(#[case] status: u16, #[case] body: &str, #[case] expected: &str) {
        assert_eq!(refused("openai", status, body.as_bytes()).to_string(), expected);
    }
}
