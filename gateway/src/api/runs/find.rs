//! A Run wherever it is: in the cluster, else in the archive.

use std::time::Duration;

use fabrica_crds::Run;
use fabrica_store::Object;
use http::StatusCode;
use uuid::Uuid;

use crate::access::{Question, Verb};
use crate::api::objects::write::{living, permitted_in};
use crate::app::App;
use crate::archive::Archive;
use crate::identity::Identity;
use crate::names::{Kind, ObjectKey};
use crate::objects::{RunView, archived};
use crate::problem::Problem;

/// How long a Run may take to be told to this replica after another one created it.
const WATCH_LAG: Duration = Duration::from_secs(1);

/// The Run of this name, if the caller may do this to it: that of a UID, else the cluster's, else the archive's newest.
pub(crate) async fn permitted_anywhere(
    app: &App,
    identity: &Identity,
    verb: Verb,
    key: &ObjectKey,
    uid: Option<&str>,
) -> Result<RunView, Problem> {
    let question = Question::object(Kind::Run, verb, key);
    permitted_in::<Run>(app, identity, question, anywhere(app, key, uid)).await
}

/// The Run of a UID, if the caller may do this to it.
pub(crate) async fn permitted_by_uid(
    app: &App,
    identity: &Identity,
    verb: Verb,
    uid: &str,
) -> Result<RunView, Problem> {
    let key = key_of(app, uid).await?;
    permitted_anywhere(app, identity, verb, &key, Some(uid)).await
}

async fn anywhere(app: &App, key: &ObjectKey, uid: Option<&str>) -> Result<RunView, Problem> {
    let missing = match living::<Run>(app, key).await {
        // Another one may have taken the name meanwhile.
        Ok(view) if uid.is_none_or(|uid| uid == view.metadata.uid) => return Ok(view),
        Ok(_) => unknown(),
        Err(problem) if problem.status == StatusCode::NOT_FOUND.as_u16() => problem,
        Err(problem) => return Err(problem),
    };
    let Some(archive) = &app.archive else { return Err(missing) };
    let object = if let Some(uid) = uid {
        row(archive, uid).await?.filter(|object| archived::key(object) == *key)
    } else {
        let (kind, ObjectKey { namespace, name }) = (archived::kind(), key);
        archive.answer(archive.store().object_named(&kind, namespace, name)).await?
    };
    let object = object.ok_or(missing)?;
    let specs = archive.answer(archive.store().newest_specs(&[object.uid])).await?;
    let spec = specs.get(&object.uid);
    spec.and_then(|spec| archived::view(object, spec)).ok_or_else(unknown)
}

/// Where the Run of a UID is or was.
async fn key_of(app: &App, uid: &str) -> Result<ObjectKey, Problem> {
    if let Some(entry) = app.runs.find(uid, Duration::ZERO).await {
        return Ok(entry.view.key());
    }
    let kept = match &app.archive {
        Some(archive) => row(archive, uid).await,
        None => Ok(None),
    };
    if let Ok(Some(object)) = kept {
        return Ok(archived::key(&object));
    }
    match (app.runs.find(uid, WATCH_LAG).await, kept) {
        (Some(entry), _) => Ok(entry.view.key()),
        (None, Err(problem)) => Err(problem),
        (None, Ok(_)) => Err(unknown()),
    }
}

async fn row(archive: &Archive, uid: &str) -> Result<Option<Object>, Problem> {
    let Ok(uid) = Uuid::parse_str(uid) else { return Ok(None) };
    let object = archive.answer(archive.store().object(uid)).await?;
    Ok(object.filter(|object| object.kind == archived::kind()))
}

fn unknown() -> Problem {
    Problem::not_found("This run")
}
