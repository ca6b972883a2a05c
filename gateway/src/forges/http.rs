//! Questions to a forge's API: bounded in time and size, asked once, and never carried elsewhere.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;

use super::ForgeError;
use super::settings::Kind;

/// A forge that does not take the call by then is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// The longest a whole answer may take: somebody waits at a field, and can go on without it.
const LIMIT: Duration = Duration::from_secs(8);

/// The longest answer: a page of work items with long texts.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// How long to leave a forge alone that does not say it.
const PAUSE_SECONDS: u64 = 60;

/// A client for all forges: one connection serves many searches.
#[derive(Debug, Clone)]
pub(super) struct Http(Client);

impl Http {
    pub(super) fn new() -> Result<Self, ForgeError> {
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .map(|root| reqwest::Certificate::from_der(root))
            .collect::<Result<Vec<_>, _>>()
            .map_err(ForgeError::Client)?;
        let client = Client::builder()
            .user_agent(concat!("fabrica-gateway/", env!("CARGO_PKG_VERSION")))
            // The image holds none; those of a file that SSL_CERT_FILE names count too.
            .tls_certs_merge(roots)
            // A redirection would carry the token elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .timeout(LIMIT)
            .build();
        client.map(Self).map_err(ForgeError::Client)
    }

    /// The answer to one question.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        kind: Kind,
        token: Option<&str>,
        address: &str,
    ) -> Result<T, ForgeError> {
        let request = with_token(self.0.get(address).header(ACCEPT, accept(kind)), token)?;
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refusal(status, answer.headers()));
        }
        serde_json::from_slice(&read(answer).await?).map_err(ForgeError::Answer)
    }
}

fn accept(kind: Kind) -> &'static str {
    match kind {
        Kind::GitHub => "application/vnd.github+json",
        Kind::Gitea => "application/json",
    }
}

fn with_token(request: RequestBuilder, token: Option<&str>) -> Result<RequestBuilder, ForgeError> {
    let Some(token) = token else { return Ok(request) };
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| ForgeError::TokenCharacters)?;
    value.set_sensitive(true);
    Ok(request.header(AUTHORIZATION, value))
}

async fn read(mut answer: Response) -> Result<Vec<u8>, ForgeError> {
    let mut text = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
        if text.len() + piece.len() > ANSWER_BYTES {
            return Err(ForgeError::TooLong);
        }
        text.extend_from_slice(&piece);
    }
    Ok(text)
}

fn unreachable(error: reqwest::Error) -> ForgeError {
    ForgeError::Unreachable(error.without_url())
}

/// GitHub says of a spent limit 403 and that nothing is left of it.
fn refusal(status: StatusCode, headers: &HeaderMap) -> ForgeError {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let wish = number(RETRY_AFTER.as_str());
    let is_spent = wish.is_some() || number("x-ratelimit-remaining") == Some(0);
    let is_limited =
        status == StatusCode::TOO_MANY_REQUESTS || (status == StatusCode::FORBIDDEN && is_spent);
    if is_limited {
        return ForgeError::Limited { seconds: wish.unwrap_or(PAUSE_SECONDS) };
    }
    ForgeError::Refused(status)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(429, &[], Some(60))]
    #[case(429, &[("retry-after", "7")], Some(7))]
    #[case(403, &[("x-ratelimit-remaining", "0")], Some(60))]
    #[case(403, &[("x-ratelimit-remaining", "3")], None)]
    #[case(404, &[], None)]
    fn a_spent_limit_is_told_from_a_refusal(
        #[case] status: u16,
        #[case] headers: &[(&'static str, &'static str)],
        #[case] expected: Option<u64>,
    ) {
        let pairs = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        let refused = refusal(StatusCode::from_u16(status).unwrap(), &pairs.collect());
        let seconds = match refused {
            ForgeError::Limited { seconds } => Some(seconds),
            _ => None,
        };
        assert_eq!(seconds, expected);
    }
}
