//! A door to the repository on loopback, for pushes while the agent is at work: the login is added behind it, so no
//! process but ours ever has it. Whoever finds the door can set the one ref that it is for, and nothing else; or read, and
//! set nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use futures::StreamExt;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::config::{Login, Repository};

/// What comes before the objects: a line for each ref, and one for each commit without parents.
const COMMANDS_BYTES: usize = 1024 * 1024;
/// A remote that does not take the call by then is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The longest that a remote thinks about a push.
const SILENCE_LIMIT: Duration = Duration::from_mins(5);
/// Requests that are answered at once: more than git has, and few enough for a runtime that is small.
const AT_ONCE: usize = 16;
/// What comes before every path, so that an address which goes on after the repository's name leads nowhere.
const ROOT: &str = "/repository";
const NO_PUSH: &str =
    "Nothing is pushed from here. Commit what you want to keep: the runtime pushes it.\n";
const REFS: &str = "/info/refs";
const REFS_QUERY: &str = "service=git-receive-pack";
const PUSH: &str = "/git-receive-pack";
const READ_QUERY: &str = "service=git-upload-pack";
const READ: &str = "/git-upload-pack";

/// Why there is no door.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoorError {
    #[error("the login holds characters that no header may")]
    Login,
    #[error("the client of the repository cannot be made")]
    Client(#[from] reqwest::Error),
    #[error("the door cannot be opened")]
    Listen(#[from] std::io::Error),
}

/// Open until dropped.
#[derive(Debug)]
pub(crate) struct Door {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

struct Behind {
    url: String,
    login: Option<HeaderValue>,
    /// What may be set; where it is nothing one may read.
    reference: Option<String>,
    client: reqwest::Client,
    places: Arc<Semaphore>,
}

impl Door {
    /// Opens the door for one ref.
    pub(crate) async fn open(repository: &Repository, reference: &str) -> Result<Self, DoorError> {
        Self::open_for(repository, Some(reference.to_owned())).await
    }

    /// Opens the door to read what the remote has.
    pub(crate) async fn open_to_read(repository: &Repository) -> Result<Self, DoorError> {
        Self::open_for(repository, None).await
    }

    async fn open_for(
        repository: &Repository,
        reference: Option<String>,
    ) -> Result<Self, DoorError> {
        let behind = Arc::new(Behind {
            url: repository.url.trim_end_matches('/').to_owned(),
            login: login(&repository.login)?,
            reference,
            client: client()?,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(pass).with_state(behind);
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the door of the repository closed");
            }
        });
        Ok(Self { address, serving })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{ROOT}", self.address)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn login(login: &Login) -> Result<Option<HeaderValue>, DoorError> {
    let Login::Basic { username, password } = login else { return Ok(None) };
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
    let mut value =
        HeaderValue::from_str(&format!("Basic {pair}")).map_err(|_| DoorError::Login)?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|root| reqwest::Certificate::from_der(root))
        .collect::<Result<Vec<_>, _>>()?;
    reqwest::Client::builder()
        // Some servers speak git with nobody else.
        .user_agent(concat!("git/2.0 (fabrica-runtime/", env!("CARGO_PKG_VERSION"), ")"))
        .tls_certs_merge(roots)
        // A redirection would carry the login elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(SILENCE_LIMIT)
        .build()
}

async fn pass(State(behind): State<Arc<Behind>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let Some(path) = parts.uri.path().strip_prefix(ROOT) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // Many write it so, whatever they cloned.
    let path = path.strip_prefix(".git").unwrap_or(path);
    let Ok(place) = behind.places.clone().acquire_owned().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let (url, client) = (&behind.url, &behind.client);
    let is_packed = parts.headers.contains_key(header::CONTENT_ENCODING);
    let asked = match (parts.method, path, query, &behind.reference) {
        (Method::GET, REFS, REFS_QUERY, Some(_)) => client.get(format!("{url}{REFS}?{REFS_QUERY}")),
        (Method::GET, REFS, REFS_QUERY, None) => {
            return (StatusCode::FORBIDDEN, NO_PUSH).into_response();
        }
        (Method::GET, REFS, READ_QUERY, None) => client.get(format!("{url}{REFS}?{READ_QUERY}")),
        (Method::POST, PUSH, "", Some(reference)) if !is_packed => {
            let Some(body) = checked(body.into_data_stream(), reference).await else {
                return StatusCode::FORBIDDEN.into_response();
            };
            client.post(format!("{url}{PUSH}")).body(body)
        }
        (Method::POST, READ, "", None) => {
            let body = reqwest::Body::wrap_stream(body.into_data_stream());
            client.post(format!("{url}{READ}")).body(body)
        }
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let asked = asked.headers(forwarded(&parts.headers, behind.login.as_ref()));
    match asked.send().await {
        Ok(answer) => returned(answer, place),
        Err(error) => (StatusCode::BAD_GATEWAY, crate::chain(&error)).into_response(),
    }
}

fn forwarded(from: &HeaderMap, login: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let version = header::HeaderName::from_static("git-protocol");
    for name in [header::ACCEPT, header::CONTENT_TYPE, header::CONTENT_ENCODING, version] {
        if let Some(value) = from.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if let Some(login) = login {
        headers.insert(header::AUTHORIZATION, login.clone());
    }
    headers
}

/// The place is free again when the last byte is out.
fn returned(answer: reqwest::Response, place: OwnedSemaphorePermit) -> Response {
    // Git would only ask for a login that it does not have.
    let status = match answer.status() {
        StatusCode::UNAUTHORIZED => StatusCode::FORBIDDEN,
        status => status,
    };
    let mut response = Response::builder().status(status);
    if let Some(kind) = answer.headers().get(header::CONTENT_TYPE) {
        response = response.header(header::CONTENT_TYPE, kind);
    }
    let body = Body::from_stream(answer.bytes_stream().inspect(move |_| {
        let _ = &place;
    }));
    response.body(body).unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
}

/// The body, once its beginning says that it changes nothing but the one ref.
async fn checked(mut body: BodyDataStream, reference: &str) -> Option<reqwest::Body> {
    let mut start = Vec::new();
    loop {
        match commands(&start, reference) {
            Commands::Allowed => break,
            Commands::Refused => return None,
            Commands::Unfinished if start.len() > COMMANDS_BYTES => return None,
            Commands::Unfinished => start.extend_from_slice(&body.next().await?.ok()?),
        }
    }
    let start = futures::stream::once(async move { Ok(Bytes::from(start)) });
    Some(reqwest::Body::wrap_stream(start.chain(body)))
}

/// What the beginning of a push says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Commands {
    Allowed,
    Refused,
    /// More of it has to be heard.
    Unfinished,
}

/// Lines with their length before them, up to an empty one: `shallow <commit>`, and `<old> <new> <ref>`.
fn commands(mut start: &[u8], reference: &str) -> Commands {
    loop {
        let Some((length, rest)) = start.split_at_checked(4) else { return Commands::Unfinished };
        let length = std::str::from_utf8(length).ok();
        let length = length.and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let line = match length {
            Some(0) => return Commands::Allowed,
            Some(length @ 5..) => rest.split_at_checked(length - 4),
            Some(_) | None => return Commands::Refused,
        };
        let Some((line, rest)) = line else { return Commands::Unfinished };
        let words = line.split(|byte| *byte == 0).next().unwrap_or_default();
        let Ok(words) = std::str::from_utf8(words) else { return Commands::Refused };
        let words: Vec<&str> = words.trim_end_matches('\n').split(' ').collect();
        match words[..] {
            ["shallow", _] => {}
            [_, _, name] if name == reference => {}
            _ => return Commands::Refused,
        }
        start = rest;
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn line(text: &str) -> String {
        format!("{:04x}{text}", text.len() + 4)
    }

    #[rstest]
    #[case::ours(line("a b refs/x\0 report-status"), Commands::Allowed)]
    #[case::shallow(line("shallow a") + &line("a b refs/x\n"), Commands::Allowed)]
    #[case::nothing(String::new(), Commands::Allowed)]
    #[case::other(line("a b refs/heads/main\0 report-status"), Commands::Refused)]
    #[case::two(line("a b refs/x\0 report-status") + &line("a b refs/heads/main"), Commands::Refused)]
    #[case::hidden(line("a b refs/heads/main refs/x"), Commands::Refused)]
    #[case::certificate(line("push-cert\0 x"), Commands::Refused)]
    #[case::garbage("zzzz".to_owned(), Commands::Refused)]
    fn only_one_ref_is_set(#[case] lines: String, #[case] expected: Commands) {
        let whole = lines.clone() + "0000PACK";
        assert_eq!(commands(whole.as_bytes(), "refs/x"), expected);
        for end in 0..lines.len() {
            let part = commands(&whole.as_bytes()[..end], "refs/x");
            assert!(
                part == Commands::Unfinished || part == expected && expected == Commands::Refused
            );
        }
    }
}
