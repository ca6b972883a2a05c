//! Why a request was not answered as hoped.

use std::fmt::Write as _;

use reqwest::Response;
use serde::Deserialize;

/// A request was not answered as hoped.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("{url} does not answer")]
    Send {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the gateway's answer cannot be read: is {url} Fabrica's gateway?")]
    Read {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{0}")]
    Refused(String),
    /// What a path is about is not there.
    #[error("{0}")]
    Missing(String),
    #[error(
        "{kind} {namespace}/{name} does not exist, or you may not see it: -n names another namespace, and ls lists what one has"
    )]
    NotThere { kind: &'static str, namespace: String, name: String },
    /// What it needs itself is away.
    #[error("{0}")]
    Away(String),
    #[error(
        "{url} does not speak WebSocket: is it Fabrica's gateway, and does what stands before it let sockets through?"
    )]
    Upgrade { url: String },
}

impl GatewayError {
    /// Whether the same may well succeed in a moment.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Send { .. } | Self::Away(_))
    }

    /// The same of a request about one object.
    pub(super) fn about(self, kind: &'static str, namespace: &str, name: &str) -> Self {
        match self {
            Self::Missing(_) => {
                Self::NotThere { kind, namespace: namespace.to_owned(), name: name.to_owned() }
            }
            other => other,
        }
    }
}

/// The refusal of RFC 9457, with the fields that are wrong.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: Option<String>,
    errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    field: String,
    message: String,
}

/// What a refusal says, in a sentence and a line for each field that is wrong.
pub(super) async fn explain(response: Response) -> String {
    let status = response.status();
    let problem: Problem = response.json().await.unwrap_or_default();
    let mut text = match (problem.detail, problem.title) {
        (Some(detail), _) => detail,
        (None, title) if title.is_empty() => status.to_string(),
        (None, title) => title,
    };
    for FieldError { field, message } in problem.errors {
        // One sentence that says all of it says the field, too.
        if !text.contains(&message) {
            let _ = write!(text, "\n  {field}: {message}");
        }
    }
    text
}
