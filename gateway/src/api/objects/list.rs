//! Lists: from the watched store, only what the caller may see.

use crate::app::{App, Watched};
use crate::identity::Identity;
use crate::names::ObjectKey;
use crate::objects::View;
use crate::objects::page::{read_token, token_after};
use crate::objects::visibility::{may_see_namespace, visible};
use crate::problem::Problem;

/// How many a page holds when nothing is said.
const PAGE: usize = 100;

/// How many a page holds at most.
const PAGE_LIMIT: usize = 500;

/// Which page of a list.
#[derive(Debug)]
pub struct Paging {
    pub limit: usize,
    pub start: Option<ObjectKey>,
}

impl Paging {
    /// Reads `limit` and `continue` of a query.
    pub fn read(limit: Option<usize>, token: Option<&str>) -> Result<Self, Problem> {
        let limit = page_limit(limit)?;
        // As in Kubernetes, an empty token asks for the first page.
        let start = token.filter(|token| !token.is_empty()).map(read_token).transpose()?;
        Ok(Self { limit, start })
    }
}

/// How many a page holds, if so many are asked for.
pub fn page_limit(limit: Option<usize>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(PAGE);
    if !(1..=PAGE_LIMIT).contains(&limit) {
        return Err(Problem::bad_part("limit", format!("must be between 1 and {PAGE_LIMIT}")));
    }
    Ok(limit)
}

/// A page of a list, and the token of the next one.
#[derive(Debug)]
pub struct Page<R: Watched> {
    pub items: Vec<View<R>>,
    pub after: Option<String>,
}

/// The objects of one namespace, or of all, that the caller may see and that match, by their keys.
pub async fn list<R: Watched>(
    app: &App,
    identity: &Identity,
    namespace: Option<&str>,
    paging: Paging,
    matches: impl Fn(&View<R>) -> bool,
) -> Result<Page<R>, Problem> {
    let store = R::store(app);
    if !store.is_synced() {
        let plural = R::KIND.plural();
        let detail = format!("The list of {plural} is still being read; try again in a moment.");
        return Err(Problem::unavailable(detail));
    }
    let entries = store.after(paging.start.as_ref(), namespace);
    let visible = visible(&app.access, identity, entries).await?;
    if let Some(namespace) = namespace.filter(|_| visible.is_empty()) {
        may_see_namespace(&app.access, identity, &[R::KIND], namespace).await?;
    }
    let mut matching = visible.into_iter().filter(|entry| matches(&entry.view));
    let items: Vec<View<R>> =
        matching.by_ref().take(paging.limit).map(|entry| entry.view.clone()).collect();
    let last = items.last().map(View::key);
    let after = matching.next().and(last).map(|key| token_after(&key));
    Ok(Page { items, after })
}
