//! Which objects somebody may see.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Served;
use super::store::Entry;
use crate::access::{Access, Question, Verb};
use crate::identity::Identity;
use crate::names::Kind;
use crate::problem::Problem;

/// Objects decided one by one, by their names, in one request: for people who were granted single ones. Their
/// namespaces hold few they may not list; the bound is for those who were granted nothing.
const SINGLE_LIMIT: usize = 256;

/// An empty list is only for those who may list; to others the namespace does not exist.
pub async fn may_see_namespace(
    access: &Access,
    identity: &Identity,
    kinds: &[Kind],
    namespace: &str,
) -> Result<(), Problem> {
    for kind in kinds {
        for verb in [Verb::List, Verb::Create] {
            if access.permits(identity, Question::namespace(*kind, verb, namespace)).await? {
                return Ok(());
            }
        }
    }
    Err(Problem::not_found("This namespace"))
}

/// Those of the entries that the identity may see, in their order: by the right to list a namespace, else by the right
/// to get the single object.
pub async fn visible<R: Served>(
    access: &Access,
    identity: &Identity,
    entries: Vec<Arc<Entry<R>>>,
) -> Result<Vec<Arc<Entry<R>>>, Problem> {
    let everywhere = access.permits(identity, Question::namespace(R::KIND, Verb::List, "")).await?;
    let mut namespaces: BTreeMap<String, bool> = BTreeMap::new();
    let mut singles = 0;
    let mut visible = Vec::new();
    for entry in entries {
        let namespace = &entry.view.metadata.namespace;
        if !access.admits_owner(identity, entry.view.owner()) {
            continue;
        }
        let listable = match namespaces.get(namespace) {
            Some(listable) => *listable,
            None => {
                everywhere
                    || access
                        .permits(identity, Question::namespace(R::KIND, Verb::List, namespace))
                        .await?
            }
        };
        namespaces.insert(namespace.clone(), listable);
        let mut seen = listable;
        if !seen && singles < SINGLE_LIMIT {
            singles += 1;
            seen = access
                .permits(identity, Question::object(R::KIND, Verb::Get, &entry.view.key()))
                .await?;
        }
        if seen {
            visible.push(entry);
        }
    }
    Ok(visible)
}

/// Whether the identity may see one entry.
pub async fn is_visible<R: Served>(
    access: &Access,
    identity: &Identity,
    entry: &Entry<R>,
) -> Result<bool, Problem> {
    if !access.admits_owner(identity, entry.view.owner()) {
        return Ok(false);
    }
    let namespace = Question::namespace(R::KIND, Verb::List, &entry.view.metadata.namespace);
    let single = Question::object(R::KIND, Verb::Get, &entry.view.key());
    Ok(access.permits(identity, Question::namespace(R::KIND, Verb::List, "")).await?
        || access.permits(identity, namespace).await?
        || access.permits(identity, single).await?)
}
