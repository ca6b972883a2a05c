//! Runs that the cluster has no more, newest first.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use fabrica_crds::Run;
use fabrica_crds::run::Phase;
use fabrica_store::ObjectFilter;
use uuid::Uuid;

use crate::app::App;
use crate::flags::AccessMode;
use crate::identity::Identity;
use crate::objects::page::Position;
use crate::objects::store::Entry;
use crate::objects::visibility::visible;
use crate::objects::{RunView, archived};
use crate::problem::Problem;

/// Rows that are read at once: each has a whole plan and status.
const BATCH: u32 = 100;

/// How many batches one request looks through. A page that found little until then says where to go on.
const BATCHES: usize = 10;

/// A Run this young may not be in this replica's watch yet: it is not called archived unless it is marked as deleted.
const YOUNG: Duration = Duration::minutes(1);

/// Which of them.
pub(super) struct Selection<'a> {
    pub(super) namespace: Option<&'a str>,
    pub(super) phase: Option<Phase>,
    /// Behind this one.
    pub(super) behind: Option<Position>,
    pub(super) limit: usize,
}

/// At most so many that the caller may see and that match, and where to go on; nowhere at the end.
pub(super) async fn list(
    app: &App,
    identity: &Identity,
    selection: Selection<'_>,
    matches: impl Fn(&RunView) -> bool,
) -> Result<(Vec<RunView>, Option<Position>), Problem> {
    let Selection { namespace, phase, behind, limit } = selection;
    let mut found = Vec::new();
    let mut behind = behind;
    for _ in 0..BATCHES {
        let rows = batch(app, identity, namespace, phase, behind).await?;
        let Some((last, _)) = rows.last() else { return Ok((found, None)) };
        let (last, more) = (*last, rows.len() == BATCH as usize);
        let entries = rows.into_iter().filter_map(|(_, view)| Some(Arc::new(Entry::new(view?))));
        let seen = visible(&app.access, identity, entries.collect()).await?;
        let mut matching = seen.into_iter().filter(|entry| matches(&entry.view)).peekable();
        while let Some(entry) = matching.next() {
            found.push(entry.view.clone());
            if found.len() == limit {
                let here = position(&entry.view).filter(|_| more || matching.peek().is_some());
                return Ok((found, here));
            }
        }
        if !more {
            return Ok((found, None));
        }
        behind = Some(last);
    }
    Ok((found, behind))
}

/// The next rows, each with its place, and as a Run if this version can read it.
async fn batch(
    app: &App,
    identity: &Identity,
    namespace: Option<&str>,
    phase: Option<Phase>,
    behind: Option<Position>,
) -> Result<Vec<(Position, Option<RunView>)>, Problem> {
    let Some(archive) = &app.archive else { return Ok(Vec::new()) };
    let living = app.runs.after(None, namespace);
    let living = living.iter().filter_map(|entry| Uuid::parse_str(&entry.view.metadata.uid).ok());
    let owned = app.config.access == AccessMode::Owner;
    let filter = ObjectFilter {
        namespace: namespace.map(str::to_owned),
        kind: Some(archived::kind::<Run>()),
        owner: owned.then(|| identity.name().to_owned()),
        phase: phase.map(|phase| format!("{phase:?}")),
        living: living.collect(),
        deleted_or_before: Some(Utc::now() - YOUNG),
        behind: behind.map(|Position { created_at, uid }| (created_at, uid)),
        limit: BATCH,
    };
    let objects = archive.answer(archive.store().objects(&filter)).await?;
    let uids: Vec<Uuid> = objects.iter().map(|object| object.uid).collect();
    let specs = archive.answer(archive.store().newest_specs(&uids)).await?;
    let row = |object: fabrica_store::Object| {
        let place = Position { created_at: object.created_at, uid: object.uid };
        let spec = specs.get(&object.uid);
        (place, spec.and_then(|spec| archived::view(object, spec)))
    };
    Ok(objects.into_iter().map(row).collect())
}

fn position(view: &RunView) -> Option<Position> {
    let created_at: DateTime<Utc> = view.metadata.created_at;
    Some(Position { created_at, uid: Uuid::parse_str(&view.metadata.uid).ok()? })
}
