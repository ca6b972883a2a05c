//! The namespaces somebody may use.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Access, Question, Verb};
use crate::cache::ExpiringTable;
use crate::identity::Identity;
use crate::kubernetes::answer;
use crate::names::Kind;
use crate::problem::Problem;

/// How long one identity's list holds.
const LIFETIME: Duration = Duration::from_secs(10);

/// Identities whose list is remembered.
const CAPACITY: usize = 1024;

/// Namespaces looked at: beyond that a browser's selector is of no use anyway.
const NAMESPACE_LIMIT: u32 = 500;

/// Questions to the API server at a time.
const CONCURRENCY: usize = 16;

/// A namespace in which one may list or create sessions or runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsableNamespace {
    pub name: String,
    /// Whether one may create sessions in it.
    pub create_sessions: bool,
    /// Whether one may create runs in it.
    pub create_runs: bool,
}

/// Finds the namespaces that each identity may use, and remembers them.
pub struct Namespaces {
    api: Api<Namespace>,
    known: Mutex<ExpiringTable<Arc<str>, Vec<UsableNamespace>>>,
}

impl std::fmt::Debug for Namespaces {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Namespaces").finish_non_exhaustive()
    }
}

impl Namespaces {
    /// Lists through this client.
    pub fn new(client: kube::Client) -> Self {
        Self { api: Api::all(client), known: Mutex::new(ExpiringTable::new(LIFETIME, CAPACITY)) }
    }

    /// The namespaces this identity may use, by name.
    pub async fn usable(
        &self,
        access: &Access,
        identity: &Identity,
    ) -> Result<Vec<UsableNamespace>, Problem> {
        if let Some(known) = self.known(identity) {
            return Ok(known);
        }
        let parameters = ListParams::default().limit(NAMESPACE_LIMIT);
        let list = answer(self.api.list_metadata(&parameters)).await?;
        let active =
            list.items.into_iter().filter(|item| item.metadata.deletion_timestamp.is_none());
        let names = active.filter_map(|item| item.metadata.name);
        let (everywhere, list_everywhere) = rights(access, identity, String::new()).await?;
        let UsableNamespace { create_sessions, create_runs, .. } = everywhere;
        let found: Vec<(UsableNamespace, bool)> = if create_sessions && create_runs {
            let all = |name| UsableNamespace { name, create_sessions, create_runs };
            names.map(|name| (all(name), list_everywhere)).collect()
        } else {
            let reviews = stream::iter(names).map(|name| rights(access, identity, name));
            reviews.buffered(CONCURRENCY).try_collect().await?
        };
        let usable = found.into_iter().filter(|(namespace, list)| {
            *list || namespace.create_sessions || namespace.create_runs
        });
        let mut usable: Vec<UsableNamespace> = usable.map(|(namespace, _)| namespace).collect();
        usable.sort_by(|one, other| one.name.cmp(&other.name));
        self.remember(identity, usable.clone());
        Ok(usable)
    }

    fn known(&self, identity: &Identity) -> Option<Vec<UsableNamespace>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&identity.fingerprint, Instant::now())
    }

    fn remember(&self, identity: &Identity, namespaces: Vec<UsableNamespace>) {
        let key = Arc::clone(&identity.fingerprint);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, namespaces, Instant::now());
    }
}

/// The namespace to use when none is named: the configured one if it is among them, else the first in which one may
/// create what is asked for.
pub fn preferred<'a>(
    usable: &'a [UsableNamespace],
    configured: Option<&str>,
    creates: impl Fn(&UsableNamespace) -> bool,
) -> Option<&'a UsableNamespace> {
    let named = usable.iter().find(|namespace| Some(namespace.name.as_str()) == configured);
    named.or_else(|| usable.iter().find(|namespace| creates(namespace)))
}

/// Whether one may create sessions and runs in a namespace, and whether one may list any.
async fn rights(
    access: &Access,
    identity: &Identity,
    name: String,
) -> Result<(UsableNamespace, bool), Problem> {
    let ask =
        |kind, verb| Box::pin(access.permits(identity, Question::namespace(kind, verb, &name)));
    let (create_sessions, create_runs, list_sessions, list_runs) = futures::try_join!(
        ask(Kind::Session, Verb::Create),
        ask(Kind::Run, Verb::Create),
        ask(Kind::Session, Verb::List),
        ask(Kind::Run, Verb::List),
    )?;
    Ok((UsableNamespace { name, create_sessions, create_runs }, list_sessions || list_runs))
}
