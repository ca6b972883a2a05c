//! The file that says where the agent's servers of tools are, and holds the key of their door: the CLI is given it, and other
//! programs of the pod find the door by it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Its name in the agent's folder.
pub(super) const FILE: &str = "mcp.json";
/// Before a key in its header.
const BEARER: &str = "Bearer ";

#[derive(Serialize, Deserialize)]
pub(crate) struct Servers {
    #[serde(rename = "mcpServers")]
    pub(crate) servers: BTreeMap<String, Server>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Server {
    #[serde(rename = "type")]
    kind: Kind,
    pub(crate) url: String,
    headers: Headers,
    /// In milliseconds: the longest that a call may take.
    timeout: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Http,
}

#[derive(Serialize, Deserialize)]
struct Headers {
    #[serde(rename = "Authorization")]
    authorization: String,
}

impl Servers {
    /// Servers by their names and addresses, which have one key and let a call take so long.
    pub(super) fn of(tools: &[(&str, String)], key: &str, call: Duration) -> Self {
        let server = |url: &str| Server {
            kind: Kind::Http,
            url: url.to_owned(),
            headers: Headers { authorization: format!("{BEARER}{key}") },
            timeout: u64::try_from(call.as_millis()).unwrap_or(u64::MAX),
        };
        let named = tools.iter().map(|(name, url)| ((*name).to_owned(), server(url)));
        Self { servers: named.collect() }
    }
}

impl Server {
    pub(crate) fn key(&self) -> &str {
        let whole = &self.headers.authorization;
        whole.strip_prefix(BEARER).unwrap_or(whole)
    }
}
