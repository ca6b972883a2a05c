//! What every controller does around a pass: unreadable objects, spans, metrics, back-off.

use std::any::Any;
use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kube::api::ObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

use crate::metrics::Metrics;
use crate::retry::Retry;

/// Between two looks at an object that nothing is expected of.
pub(crate) const QUIET: Duration = Duration::from_hours(1);
/// What is young changes quickly, and not all of it is watched: a pull that goes on is told by events alone.
pub(crate) const SHORTEST: Duration = Duration::from_secs(2);
/// What waits for somebody is waited for patiently. Pods are watched; a quota with room again is found this late.
pub(crate) const LONGEST: Duration = Duration::from_mins(1);
/// A status shows what an agent says this late. What people wait for is told by the recorder's stream at once.
pub(crate) const FOLLOWED: Duration = Duration::from_secs(10);
/// How far behind a moment the look at it lies: timers may fire a little early.
pub(crate) const MARGIN: Duration = Duration::from_millis(100);

/// When to look at what has waited to run for so long: when its age has doubled, so that those that wait for long do not
/// crowd out those that are new, and in any case when the deadline makes it fail.
pub(crate) fn patient_look(age: Duration, deadline: Duration) -> Duration {
    let regular = age.clamp(SHORTEST, LONGEST);
    match deadline.checked_sub(age) {
        Some(left) => regular.min(left + MARGIN),
        None => regular,
    }
}

/// What panicked: a defect of ours that one object has found. With a pass, kube would end the whole controller.
#[derive(Debug, thiserror::Error)]
#[error("it panicked: {0}")]
pub struct Panicked(String);

impl Panicked {
    pub(crate) fn new(words: &(dyn Any + Send)) -> Self {
        let text = words.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| words.downcast_ref::<&str>().copied());
        Self(text.unwrap_or("it did not say why").to_owned())
    }
}

/// What a pass is counted and put off by.
#[derive(Debug)]
pub(crate) struct Around<'a> {
    pub(crate) metrics: &'a Metrics,
    pub(crate) retry: &'a Retry,
    pub(crate) span: fn(&ObjectMeta) -> tracing::Span,
}

/// A pass over an object that can be read. One that cannot is told, and looked at again when it changes.
pub(crate) async fn guarded<K, E, F>(
    object: Arc<DeserializeGuard<K>>,
    around: Around<'_>,
    reconcile: impl FnOnce(Arc<K>) -> F,
) -> Result<Action, E>
where
    K: ResourceExt + Clone,
    E: Error + From<Panicked>,
    F: Future<Output = Result<Action, E>>,
{
    match &object.0 {
        Ok(readable) => Box::pin(attempt(Arc::new(readable.clone()), around, reconcile)).await,
        Err(invalid) => {
            let _entered = (around.span)(object.meta()).entered();
            tracing::warn!(error = invalid.error, "an object cannot be read");
            Ok(Action::await_change())
        }
    }
}

/// A pass with its span, its metrics and its back-off.
async fn attempt<K, E, F>(
    object: Arc<K>,
    around: Around<'_>,
    reconcile: impl FnOnce(Arc<K>) -> F,
) -> Result<Action, E>
where
    K: ResourceExt,
    E: Error + From<Panicked>,
    F: Future<Output = Result<Action, E>>,
{
    let (uid, started) = (uid(&*object), Instant::now());
    if object.meta().deletion_timestamp.is_some() {
        around.retry.forget(&uid);
        return Ok(Action::await_change());
    }
    let span = (around.span)(object.meta());
    let pass = AssertUnwindSafe(Box::pin(reconcile(object)).instrument(span.clone()));
    let pass = pass
        .catch_unwind()
        .map(|ended| ended.unwrap_or_else(|words| Err(Panicked::new(words.as_ref()).into())));
    let outcome = around.retry.attempt(&uid, pass).await;
    around.metrics.reconciled(outcome.is_ok(), started.elapsed());
    if let Err(error) = &outcome {
        let _entered = span.entered();
        tracing::warn!(error = error_chain(error), "a pass failed and will be tried again");
    }
    outcome
}

/// An object's UID; every one that was read has one.
pub(crate) fn uid(object: &impl ResourceExt) -> String {
    object.uid().unwrap_or_default()
}

/// What is below an error and all its sources: the words of whoever failed first.
pub(crate) fn cause(error: &dyn Error) -> String {
    let mut first = error;
    while let Some(source) = first.source() {
        first = source;
    }
    first.to_string()
}

/// An error with its sources, in one line.
pub(crate) fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// One item for each change.
pub(crate) fn changes(
    receiver: watch::Receiver<()>,
) -> impl futures::Stream<Item = ()> + Send + 'static {
    futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.changed().await.ok().map(|()| ((), receiver))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fabrica_crds::Session;
    use serde_json::json;

    #[tokio::test]
    async fn a_pass_that_panics_has_failed_and_its_object_waits() {
        let (metrics, retry) = (Metrics::default(), Retry::default());
        let span = |_: &ObjectMeta| tracing::Span::none();
        let around = Around { metrics: &metrics, retry: &retry, span };
        let mut session = Session::new("one", serde_json::from_value(json!({})).unwrap());
        session.metadata.uid = Some("a".to_owned());
        let object = Arc::new(DeserializeGuard(Ok(session)));
        let pass = |_| async { panic!("no {}", "bounds") };
        let failed = guarded::<_, Panicked, _>(object, around, pass).await.unwrap_err();
        assert_eq!(failed.to_string(), "it panicked: no bounds");
        assert_eq!(retry.waiting(), 1);
    }
}
