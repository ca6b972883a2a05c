//! The namespaces somebody may use.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::{Question, Verb};
use crate::app::App;
use crate::cache::ExpiringTable;
use crate::identity::Identity;
use crate::kubernetes::answer;
use crate::problem::Problem;

/// How long one identity's list holds.
const LIFETIME: Duration = Duration::from_secs(10);

/// Identities whose list is remembered.
const CAPACITY: usize = 1024;

/// Namespaces looked at: beyond that a browser's selector is of no use anyway.
const NAMESPACE_LIMIT: u32 = 500;

/// Questions to the API server at a time.
const CONCURRENCY: usize = 16;

/// A namespace in which one may list or create sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsableNamespace {
    pub name: String,
    /// Whether one may create sessions in it.
    pub create_sessions: bool,
}

/// Remembers which namespaces each identity may use.
#[derive(Debug)]
pub struct Namespaces(Mutex<ExpiringTable<Arc<str>, Vec<UsableNamespace>>>);

impl Default for Namespaces {
    fn default() -> Self {
        Self(Mutex::new(ExpiringTable::new(LIFETIME, CAPACITY)))
    }
}

impl Namespaces {
    fn known(&self, identity: &Identity) -> Option<Vec<UsableNamespace>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&identity.fingerprint, Instant::now())
    }

    fn remember(&self, identity: &Identity, namespaces: Vec<UsableNamespace>) {
        let key = Arc::clone(&identity.fingerprint);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(
            key,
            namespaces,
            Instant::now(),
        );
    }
}

/// The namespaces this identity may use, by name.
pub async fn usable(app: &App, identity: &Identity) -> Result<Vec<UsableNamespace>, Problem> {
    if let Some(known) = app.namespaces.known(identity) {
        return Ok(known);
    }
    let api: Api<Namespace> = Api::all(app.client.clone());
    let parameters = ListParams::default().limit(NAMESPACE_LIMIT);
    let list = answer(api.list_metadata(&parameters)).await?;
    let active = list.items.into_iter().filter(|item| item.metadata.deletion_timestamp.is_none());
    let names = active.filter_map(|item| item.metadata.name);
    let (everywhere, list_everywhere) = rights(app, identity, String::new()).await?;
    let found: Vec<(UsableNamespace, bool)> = if everywhere.create_sessions && list_everywhere {
        names.map(|name| (UsableNamespace { name, create_sessions: true }, true)).collect()
    } else {
        let reviews = stream::iter(names).map(|name| rights(app, identity, name));
        reviews.buffered(CONCURRENCY).try_collect().await?
    };
    let usable = found.into_iter().filter(|(namespace, list)| *list || namespace.create_sessions);
    let mut usable: Vec<UsableNamespace> = usable.map(|(namespace, _)| namespace).collect();
    usable.sort_by(|one, other| one.name.cmp(&other.name));
    app.namespaces.remember(identity, usable.clone());
    Ok(usable)
}

/// Whether one may create sessions in a namespace, and whether one may list them.
async fn rights(
    app: &App,
    identity: &Identity,
    name: String,
) -> Result<(UsableNamespace, bool), Problem> {
    let (create, list) = futures::try_join!(
        app.allows(identity, Question::namespace(Verb::Create, &name)),
        app.allows(identity, Question::namespace(Verb::List, &name)),
    )?;
    Ok((UsableNamespace { name, create_sessions: create }, list))
}
