//! Questions to a forge's API: bounded in time and size, asked again when that may help, and never carried elsewhere.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ForgeError;
use crate::secrets::Secrets;

/// A forge that does not take the call by then is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The longest a whole answer may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The longest answer: a page of pull requests with long texts.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// With the pauses between them these take less than a minute, where the forge does not say how long to wait.
const TRIES: u32 = 5;
/// Before the second try; each further pause is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause that a forge may ask for: what takes longer is for another attempt.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Of a forge's own words, as much as a sentence bears.
const WORDS_CHARACTERS: usize = 500;

/// What the question belongs to, as the W3C writes it.
const TRACEPARENT: &str = "traceparent";

/// In the place of a forge's words.
const NO_WORDS: &str = "it does not say why";

/// Who asks.
pub(super) enum Asker {
    Nobody,
    Token(String),
    Basic { username: String, password: String },
}

impl Asker {
    pub(super) fn header(&self) -> Option<String> {
        use base64::Engine;
        match self {
            Self::Nobody => None,
            Self::Token(token) => Some(format!("Bearer {token}")),
            Self::Basic { username, password } => {
                let pair = format!("{username}:{password}");
                let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
                Some(format!("Basic {encoded}"))
            }
        }
    }
}

/// A client for one forge.
pub(super) struct Http {
    client: reqwest::Client,
    /// What must not be told.
    secrets: Secrets,
}

impl Http {
    pub(super) fn new(
        asker: &Asker,
        accept: &'static str,
        trace: Option<&str>,
        secrets: &Secrets,
    ) -> Result<Self, ForgeError> {
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
        if let Some(header) = asker.header() {
            let mut header = HeaderValue::from_str(&header).map_err(|_| ForgeError::Token)?;
            header.set_sensitive(true);
            headers.insert(AUTHORIZATION, header);
        }
        // One that is not plain ASCII is nobody's.
        if let Some(trace) = trace.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(TRACEPARENT, trace);
        }
        let client = client(headers).map_err(|error| ForgeError::Client(crate::chain(&error)))?;
        Ok(Self { client, secrets: secrets.clone() })
    }

    /// The answer to a question. Asking twice must do no harm.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> Result<T, ForgeError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            let (error, wish) = match self.ask_once(&method, url, body).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let wait = wish.unwrap_or(pause);
            if !error.may_pass() || wait > LONGEST_PAUSE {
                return Err(error);
            }
            tracing::info!(%error, "the forge is asked again");
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
        self.ask_once(&method, url, body).await.map_err(|(error, _)| error)
    }

    /// As [`Self::ask`], where asking twice might do it twice.
    pub(super) async fn ask_at_most_once<T: DeserializeOwned>(
        &self,
        method: &Method,
        url: &str,
        body: Option<&Value>,
    ) -> Result<T, ForgeError> {
        self.ask_once(method, url, body).await.map_err(|(error, _)| error)
    }

    /// As [`Self::ask`]; with an error comes how long the forge wants to be left alone.
    async fn ask_once<T: DeserializeOwned>(
        &self,
        method: &Method,
        url: &str,
        body: Option<&Value>,
    ) -> Result<T, (ForgeError, Option<Duration>)> {
        let plain = |error: ForgeError| (error, None);
        let mut request = self.client.request(method.clone(), url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| plain(self.unreachable(error)))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if status.is_redirection() {
            return Err(plain(self.moved(&headers)));
        }
        let text = self.read(answer).await.map_err(plain)?;
        if status.is_success() {
            // What is only done has no answer.
            let parsed = serde_json::from_slice(if text.is_empty() { b"null" } else { &text });
            return parsed.map_err(|error| plain(ForgeError::Answer(error.to_string())));
        }
        let wish = pause_asked(&headers);
        let limited = status == StatusCode::FORBIDDEN && wish.is_some();
        Err((ForgeError::Refused { status, limited, words: self.words(&text) }, wish))
    }

    async fn read(&self, mut answer: Response) -> Result<Vec<u8>, ForgeError> {
        let mut text = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.unreachable(error))? {
            if text.len() + piece.len() > ANSWER_BYTES {
                return Err(ForgeError::Answer(format!("it is longer than {ANSWER_BYTES} bytes")));
            }
            text.extend_from_slice(&piece);
        }
        Ok(text)
    }

    fn unreachable(&self, error: reqwest::Error) -> ForgeError {
        let words = crate::chain(&error.without_url());
        ForgeError::Unreachable(self.secrets.redact(&words))
    }

    fn moved(&self, headers: &HeaderMap) -> ForgeError {
        let target = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        ForgeError::Moved(self.bounded(target.unwrap_or("an address that it does not say")))
    }

    /// What the forge says of a refusal. Its pages for people say nothing here.
    fn words(&self, text: &[u8]) -> String {
        let told: Value = serde_json::from_slice(text).unwrap_or_default();
        let details = told["errors"].as_array().into_iter().flatten().filter_map(detail);
        let message = told["message"].as_str().map(str::to_owned);
        let all: Vec<String> = message.into_iter().chain(details).collect();
        if all.is_empty() { NO_WORDS.to_owned() } else { self.bounded(&all.join(": ")) }
    }

    fn bounded(&self, text: &str) -> String {
        let text = self.secrets.redact(text);
        let printable = |character: char| if character.is_control() { ' ' } else { character };
        text.trim().chars().map(printable).take(WORDS_CHARACTERS).collect()
    }
}

/// One of the things that a forge finds wrong: in words, or as GitHub names a field and what is the matter with it.
fn detail(told: &Value) -> Option<String> {
    let words = told["message"].as_str().or(told.as_str()).map(str::to_owned);
    words.or_else(|| Some(format!("{} {}", told["field"].as_str()?, told["code"].as_str()?)))
}

fn client(headers: HeaderMap) -> Result<reqwest::Client, reqwest::Error> {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|root| reqwest::Certificate::from_der(root))
        .collect::<Result<Vec<_>, _>>()?;
    reqwest::Client::builder()
        .user_agent(concat!("fabrica-runtime/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        // The image's own roots count too: a company's forge may have one of them.
        .tls_certs_merge(roots)
        // A redirection would carry the token elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .timeout(LIMIT)
        .build()
}

/// How long a forge wants to be left alone; dates, which none of them sends, count as nothing said. GitHub says of the
/// limit of an hour only that nothing is left of it.
fn pause_asked(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
    let is_used_up = || number("x-ratelimit-remaining") == Some(0_u64);
    let pause = number(RETRY_AFTER.as_str()).map(Duration::from_secs);
    pause.or_else(|| is_used_up().then_some(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn what_a_forge_finds_wrong_is_told_in_its_words() {
        let field =
            serde_json::json!({"resource": "PullRequest", "field": "base", "code": "invalid"});
        assert_eq!(detail(&field).as_deref(), Some("base invalid"));
        assert_eq!(detail(&"too long".into()).as_deref(), Some("too long"));
        assert_eq!(detail(&serde_json::json!({"code": 7})), None);
    }

    #[tokio::test]
    async fn a_question_says_which_trace_it_belongs_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let forge = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let length = stream.read(&mut asked).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.write_all(answer).await.unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let secrets = Secrets::default();
        let http = Http::new(&Asker::Nobody, "application/json", Some(trace), &secrets).unwrap();
        let _: Value = http.ask(Method::GET, &url, None).await.unwrap();
        assert!(forge.await.unwrap().contains(&format!("traceparent: {trace}\r\n")));
    }
}
