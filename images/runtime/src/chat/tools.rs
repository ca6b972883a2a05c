//! The tools that the agent has of us: four servers of the Model Context Protocol behind one door on loopback, for whoever
//! has its key.

mod commit;
mod faber;
mod repo;
mod work;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use fabrica_protocol::run::Entry;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::faber::Faber;
use self::repo::Repo;
use self::work::Work;
use super::desk::{Desk, UNPUBLISHED};
use super::engine::Engine;
use crate::broker::Broker;
use crate::run::audit::Scribe;
use crate::run::consult::{self, Router as Consult};
use crate::run::faber::NAME as FABER;
use crate::run::mcp::{only_the_agent, serve};
use crate::run::undone::Undone;
use crate::run::work_item;

/// As much of the forge is read at once, in bytes.
const SHOWN: usize = 48 * 1024;

/// The servers at work, until dropped.
#[derive(Debug)]
pub(super) struct Tools {
    address: SocketAddr,
    key: String,
    serving: JoinHandle<()>,
}

impl Tools {
    /// Opens the door on a free port of loopback.
    pub(super) async fn start(desk: &Arc<Desk>, broker: &Arc<Broker>) -> std::io::Result<Self> {
        let key = uuid::Uuid::new_v4().to_string();
        let consult = Consult {
            broker: broker.clone(),
            steps: desk.steps.clone(),
            secrets: desk.config.secrets.clone(),
        };
        let desk = || desk.clone();
        let router = Router::new()
            .nest_service("/mcp/fractary-faber", serve(FABER, Faber(desk()), desk()))
            .nest_service("/mcp/fractary-repo", serve(repo::NAME, Repo(desk()), desk()))
            .nest_service("/mcp/fractary-work", serve(work::NAME, Work(desk()), desk()))
            .nest_service("/mcp/multi-model-router", serve(consult::NAME, consult, desk()))
            .layer(from_fn_with_state(Arc::new(format!("Bearer {key}")), only_the_agent));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the door of the agent's tools closed");
            }
        });
        Ok(Self { address, key, serving })
    }

    /// Under which name each server is known, and where it is.
    pub(super) fn servers(&self) -> Vec<(&'static str, String)> {
        [FABER, repo::NAME, work::NAME, consult::NAME]
            .map(|name| (name, format!("http://{}/mcp/{name}", self.address)))
            .into()
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

impl Scribe for Arc<Desk> {
    async fn write(&self, entry: Entry) {
        self.chat.tell(entry);
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Whether the agent may write where others read it; else what it is told.
fn may_write(desk: &Desk) -> Result<(), Undone> {
    if Engine::may_push(desk.autonomy()) {
        return Ok(());
    }
    Err(Undone::Refused(UNPUBLISHED.to_owned()))
}

/// What the forge says, as the agent may read it: what others cannot see speaks to it neither.
fn shown(told: &impl serde::Serialize) -> String {
    let mut told = serde_json::to_value(told).unwrap_or_default();
    keep_visible(&mut told);
    work_item::cut(serde_json::to_string_pretty(&told).unwrap_or_default(), SHOWN)
}

/// Each text for itself: what one of them hides ends with it.
fn keep_visible(told: &mut Value) {
    match told {
        Value::String(text) => *text = work_item::visible(text),
        Value::Array(all) => all.iter_mut().for_each(keep_visible),
        Value::Object(fields) => fields.values_mut().for_each(keep_visible),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_one_comment_hides_ends_with_it() {
        let told = json!([{"body": "new <!-- hidden"}, {"body": "old\u{200b}er"}]);
        assert_eq!(
            serde_json::from_str::<Value>(&shown(&told)).unwrap(),
            json!([{"body": "new "}, {"body": "older"}])
        );
    }

    #[test]
    fn what_is_cut_says_so() {
        let text = shown(&["é".repeat(SHOWN)]);
        assert!(text.len() <= SHOWN && text.ends_with("… (cut)"));
        assert!(!shown(&["é"]).contains("cut"));
    }
}
