//! A Run or Session wherever it is: in the cluster, else in the archive.

use std::time::Duration;

use fabrica_store::Object;
use http::StatusCode;
use uuid::Uuid;

use super::write::{living, permitted_in};
use crate::access::{Question, Verb};
use crate::app::{App, Watched};
use crate::archive::Archive;
use crate::identity::Identity;
use crate::names::{ObjectKey, check_uid};
use crate::objects::archived::{self, Archived};
use crate::objects::{Served, View};
use crate::problem::Problem;

/// How long an object may take to be told to this replica after another one created it.
const WATCH_LAG: Duration = Duration::from_secs(1);

/// The object of this name, if the caller may do this to it: that of a UID, else the cluster's, else the archive's newest.
pub(crate) async fn permitted_anywhere<R: Archived>(
    app: &App,
    identity: &Identity,
    verb: Verb,
    key: &ObjectKey,
    uid: Option<&str>,
) -> Result<View<R>, Problem> {
    let question = Question::object(R::KIND, verb, key);
    permitted_in(app, identity, question, anywhere::<R>(app, key, uid)).await
}

/// The object of a UID, if the caller may do this to it.
pub(crate) async fn permitted_by_uid<R: Archived + Watched>(
    app: &App,
    identity: &Identity,
    verb: Verb,
    uid: &str,
) -> Result<View<R>, Problem> {
    check_uid(uid)?;
    let key = key_of::<R>(app, uid).await?;
    permitted_anywhere(app, identity, verb, &key, Some(uid)).await
}

async fn anywhere<R: Archived>(
    app: &App,
    key: &ObjectKey,
    uid: Option<&str>,
) -> Result<View<R>, Problem> {
    let missing = match living::<R>(app, key).await {
        // Another one may have taken the name meanwhile.
        Ok(view) if uid.is_none_or(|uid| uid == view.metadata.uid) => return Ok(view),
        Ok(_) => unknown::<R>(),
        Err(problem) if problem.status == StatusCode::NOT_FOUND.as_u16() => problem,
        Err(problem) => return Err(problem),
    };
    let Some(archive) = &app.archive else { return Err(missing) };
    let object = if let Some(uid) = uid {
        row::<R>(archive, uid).await?.filter(|object| archived::key(object) == *key)
    } else {
        let (kind, ObjectKey { namespace, name }) = (archived::kind::<R>(), key);
        archive.answer(archive.store().object_named(&kind, namespace, name)).await?
    };
    let object = object.ok_or(missing)?;
    let specs = archive.answer(archive.store().newest_specs(&[object.uid])).await?;
    let spec = specs.get(&object.uid);
    spec.and_then(|spec| archived::view::<R>(object, spec)).ok_or_else(unknown::<R>)
}

/// Where the object of a UID is or was.
async fn key_of<R: Archived + Watched>(app: &App, uid: &str) -> Result<ObjectKey, Problem> {
    if let Some(entry) = R::store(app).find(uid, Duration::ZERO).await {
        return Ok(entry.view.key());
    }
    let kept = match &app.archive {
        Some(archive) => row::<R>(archive, uid).await,
        None => Ok(None),
    };
    if let Ok(Some(object)) = kept {
        return Ok(archived::key(&object));
    }
    match (R::store(app).find(uid, WATCH_LAG).await, kept) {
        (Some(entry), _) => Ok(entry.view.key()),
        (None, Err(problem)) => Err(problem),
        (None, Ok(_)) => Err(unknown::<R>()),
    }
}

async fn row<R: Served>(archive: &Archive, uid: &str) -> Result<Option<Object>, Problem> {
    let Ok(uid) = Uuid::parse_str(uid) else { return Ok(None) };
    let object = archive.answer(archive.store().object(uid)).await?;
    Ok(object.filter(|object| object.kind == archived::kind::<R>()))
}

fn unknown<R: Served>() -> Problem {
    Problem::not_found(&format!("This {}", R::KIND.noun()))
}
